/*
 * docs: the documentation as one HTML page that needs nothing else: no script, no request, light and dark.
 * Generated from the catalogue and the tables of fields, so that it says what the rest of the program says.
 * Pure.
 */
#pragma once
#include "text.h"

struct catalogue;

/* `version` is the program's, `mode` the server's. */
void docs_put(struct text *out, const struct catalogue *catalogue, const char *version, const char *mode);
