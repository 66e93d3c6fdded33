/*
 * reference: what the server says of itself, made once from the catalogue and the route table and kept as
 * bytes: the event types, the OpenAPI document, the documentation page. Read-only: any number of threads.
 */
#pragma once
#include "bytes.h"

struct catalogue;
struct reference;

struct reference_type {
    struct bytes name, section, status;
    struct bytes resource_object; /* JSON:API, whole */
};

/* The catalogue may be closed afterwards; NULL: ours, without additions. */
struct reference *reference_open(const struct catalogue *catalogue);
void reference_close(struct reference *reference);

struct bytes reference_openapi(const struct reference *reference); /* JSON */
struct bytes reference_docs(const struct reference *reference);    /* HTML */
int reference_type_count(const struct reference *reference);
const struct reference_type *reference_type(const struct reference *reference, int index);
