/*
 * endpoint_sealed: the attributes of an endpoint whose values are secret: `headers` and `auth`. What is read
 * of a request stands in the endpoint in plain until it is sealed (push_secrets.h). No answer shows a value.
 */
#pragma once
#include "shape.h"

/* In an answer in the place of each value; in a PATCH it keeps the value. So no value is this text. */
#define SECRET_SHOWN "***"

bool endpoint_read_headers(struct call *call, const struct field *field, struct json_value *value,
                           void *place);
void endpoint_put_headers(struct text *out, const struct call *call, const void *row);
bool endpoint_read_auth(struct call *call, const struct field *field, struct json_value *value, void *place);
void endpoint_put_auth(struct text *out, const struct call *call, const void *row);
/* Seals those of the two that were read (`headers`, `auth`), with the values that stay as they were. was:
 * NULL: a new endpoint. */
bool endpoint_seal(struct call *call, bool headers, bool auth, const struct endpoint *was,
                   struct endpoint *endpoint);
