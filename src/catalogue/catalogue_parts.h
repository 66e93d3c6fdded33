/* catalogue_parts: what catalogue.c and catalogue_file.c share. Nobody else includes this. */
#pragma once
#include "catalogue.h"
#include "json.h"

struct catalogue {
    struct json_object *event_types, *resources, *state_machines, *scenarios;
    const struct json_value *api;
    struct arena arena;           /* of api */
    struct catalogue_type *types; /* one for each of event_types, in its order */
    int count;
};

/* Takes the entry; one of that name is replaced where it stands. */
void catalogue_put_type(struct catalogue *catalogue, struct json_object *entry);
