/* catalogue_fixture: the catalogue's documents, read back by a second reader, json-c. The caller frees it. */
#pragma once
#include "catalogue.h"
#include "json_c.h"

struct json_object *read_back(const struct json_value *value);
/* The example of an event of this type. */
struct json_object *example_of(const struct catalogue *catalogue, const struct catalogue_type *type);
