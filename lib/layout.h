/*
 * layout: reads a JSON text strictly (RFC 8259) and writes it again, indented by two spaces.
 *
 * It works on the text, so that every number and string stays exactly as it was. json-c, which is lenient in
 * places even in its strict mode, only gets texts that passed. Internal.
 */
#pragma once
#include "posthorn.h"

enum {
    PH_MEMBERS_MAX = 10000, /* bounds what indenting can add: a line before each, and one before its end */
    PH_LAYOUT_LEN_MAX = POSTHORN_DOCUMENT_LEN_MAX + (PH_MEMBERS_MAX + 1) * 2 * (2 + 2 * POSTHORN_DEPTH_MAX)
};

struct ph_layout {
    char *data; /* with a line feed and a NUL at the end (the NUL is not counted) */
    size_t len, cap;
    size_t members;      /* names in objects: if json-c has fewer, one is a duplicate */
    size_t error_offset; /* the place of the error */
    const char *error;   /* its sentence */
};

/* OK (free data), NOT_JSON, TOO_LARGE (too many members and elements), NO_MEMORY. */
enum posthorn_result ph_layout(const char *text, size_t len, struct ph_layout *layout);
