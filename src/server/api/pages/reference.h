/*
 * reference: what the server says of itself, made from the catalogue and the route table when somebody first
 * asks, and then kept as bytes: the event types, the OpenAPI document, the documentation page. Any number of
 * threads.
 */
#pragma once
#include "bytes.h"

struct reference;

struct reference_type {
    struct bytes name, section, resource, status, state; /* len 0: none */
    bool final;
    struct bytes en, es, note;
    struct bytes example; /* JSON */
};

/* `own_types`: the text of a platform's own file, as catalogue_add has taken it; empty: none. Both must
 * outlive the reference. */
struct reference *reference_open(struct bytes own_types, const char *mode);
void reference_close(struct reference *reference);

struct reference_page {
    struct bytes text, gzip;
};
const struct reference_page *reference_openapi(struct reference *reference); /* JSON */
const struct reference_page *reference_docs(struct reference *reference);    /* HTML */
const struct reference_type *reference_types(struct reference *reference, int *count);
