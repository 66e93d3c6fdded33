/*
 * catalogue: the event types of the platform, as data. One source, the files in catalogue/, embedded into the
 * program; the CLI, the API and the documentation all show this set.
 *
 * It describes and never restricts: unknown types, and known ones with another resource, are accepted
 * everywhere (mission rows 13 and 25). Read-only once open: any number of threads.
 */
#pragma once
#include "bytes.h"

struct json_object;
struct catalogue;

enum catalogue_status {
    CATALOGUE_DOCUMENTED, /* the platform publishes the name */
    CATALOGUE_STATED,     /* the platform promises the event; the name follows its habit */
    CATALOGUE_INFERRED    /* the resource has the state; event and name are inferred */
};
const char *catalogue_status_name(enum catalogue_status status);

struct catalogue_type {
    const char *name, *section, *resource;
    const char *state; /* what the resource has become; NULL: no change of state */
    bool final;        /* that state is the last */
    enum catalogue_status status;
    const char *en, *es, *note; /* a sentence each; note may be NULL */
    struct json_object *entry;  /* of event_types.json */
};

struct catalogue *catalogue_open(void);
void catalogue_close(struct catalogue *catalogue);

int catalogue_count(const struct catalogue *catalogue);
/* In the order of the file: documented, stated, inferred. */
const struct catalogue_type *catalogue_at(const struct catalogue *catalogue, int index);
const struct catalogue_type *catalogue_find(const struct catalogue *catalogue,
                                            struct bytes name); /* or NULL */
/* The type that was meant by a mistyped name; NULL: none is near. */
const struct catalogue_type *catalogue_nearest(const struct catalogue *catalogue, struct bytes name);

/*
 * A complete example: a whole event document as the guide prints it (id "8", dates of 2000), with the
 * resource and, where the type is about them, what it is related to in `included`. The caller owns it
 * (json_object_put).
 */
struct json_object *catalogue_example(const struct catalogue *catalogue, const struct catalogue_type *type);

/* The embedded files, parsed; they belong to the catalogue. */
struct json_object *catalogue_resources_json(const struct catalogue *catalogue);
struct json_object *catalogue_state_machines_json(const struct catalogue *catalogue);
struct json_object *catalogue_scenarios_json(const struct catalogue *catalogue);
