/*
 * resource_schemas: the tables of fields as JSON Schema 2020-12: what an answer shows of a resource, and what
 * a request may say of it. Names come from the type: `api_keys` are ApiKey, ApiKeyCreate and ApiKeyUpdate.
 * (No NewX: in Go that is the constructor of X.)
 *
 * In answers every field is optional, because fields[TYPE] can leave it out. The attributes of requests are
 * closed, as the server refuses those without a row.
 */
#pragma once
#include "shape.h"

struct json_value;

enum { RESOURCE_NAME_LEN_MAX = 64 };

/* "api_keys" -> "ApiKey". */
void resource_schema_name(const char *type, char name[RESOURCE_NAME_LEN_MAX]);

/* `words`: catalogue/api.json. Of requests only those that an operation there names. Members of
 * components.schemas, a comma behind each. */
void resource_schemas_put(struct text *out, const struct json_value *words);

/* The type of a field in words for people: "text, at most 256 bytes, or null". */
void resource_field_put_type(struct text *out, const struct field *field);
