/*
 * openapi: the OpenAPI 3.1 document: the API's requests from the table of routes, the schemas of its
 * resources from their tables of fields, the `webhooks` section from the catalogue's event types, words from
 * catalogue/api.json. Pure.
 *
 * The forms are those that generators bear (openapi-generator 7, oapi-codegen 2, openapi-python-client,
 * openapi-typescript): a type with null or a `oneOf`, never three types in one array; schemas have names;
 * tags differ in more than case; a request has one media type.
 */
#pragma once
#include "text.h"

struct catalogue;

void openapi_put(struct text *out, const struct catalogue *catalogue);
