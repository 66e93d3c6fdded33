/* catalogue_parts: what catalogue.c and catalogue_file.c share. Nobody else includes this. */
#pragma once
#include "catalogue.h"
#include "json_tree.h"

struct catalogue {
    struct arena arena; /* of the files */
    struct json_value *resources, *state_machines, *scenarios;
    const struct json_value *api;
    struct catalogue_type *types; /* in the order of event_types.json */
    int count;
};

/* One of that name is replaced where it stands. */
void catalogue_put_type(struct catalogue *catalogue, const struct json_value *entry);
