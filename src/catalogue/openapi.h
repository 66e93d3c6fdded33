/*
 * openapi: the OpenAPI 3.1 document: the API's requests from the caller's table of routes, the `webhooks`
 * section from the catalogue's event types, words and schemas from catalogue/api.json. Pure.
 */
#pragma once
#include "text.h"

struct catalogue;

/* A method of a route; those of one route stand together. */
struct openapi_operation {
    const char *method, *path; /* "/api/users/:id" */
    bool is_public, is_masters;
    const char *const *parameters; /* of the query */
    int parameter_count;
};

struct openapi_error {
    int status;
    const char *code, *title;
};

struct openapi {
    const struct catalogue *catalogue;
    const struct openapi_operation *operations;
    int operation_count;
    const struct openapi_error *errors;
    int error_count;
    const char *version; /* of the program */
};

void openapi_put(struct text *out, const struct openapi *openapi);
