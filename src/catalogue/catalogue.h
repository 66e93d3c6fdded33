/*
 * catalogue: the event types of the platform, as data. One source, the files in catalogue/, embedded into the
 * program; the CLI, the API and the documentation all show this set. A platform adds its own types,
 * resources, state machines and scenarios with a file of the same form (catalogue_add).
 *
 * It describes and never restricts: unknown types, and known ones with another resource, are accepted
 * everywhere (mission rows 13 and 25). Read-only once it is complete: any number of threads.
 */
#pragma once
#include "text.h"

struct json_value;
struct catalogue;

enum catalogue_status {
    CATALOGUE_DOCUMENTED, /* the platform publishes the name */
    CATALOGUE_STATED,     /* the platform promises the event; the name follows its habit */
    CATALOGUE_INFERRED,   /* the resource has the state; event and name are inferred */
    CATALOGUE_POSTHORN    /* posthorn itself sends it */
};
extern const char *const catalogue_status_names[];                             /* NULL behind the last */
bool catalogue_status_parse(struct bytes name, enum catalogue_status *status); /* false: it is none */

struct catalogue_type {
    const char *name, *section, *resource;
    const char *state; /* what the resource has become; NULL: no change of state */
    bool final;        /* that state is the last */
    enum catalogue_status status;
    const char *en, *es, *note;     /* a sentence each; note may be NULL */
    const struct json_value *entry; /* of event_types.json */
};

struct catalogue *catalogue_open(void);
void catalogue_close(struct catalogue *catalogue);

/* All examples together, indented: what is made of them (a page, a collection) is bounded by it. */
enum { CATALOGUE_EXAMPLES_LEN_MAX = 2 << 20 };

struct catalogue_problem {
    int line, column; /* from 1 */
    char detail[256];
};

/*
 * What a platform's own file says. The text (modified: comments and trailing commas are blanked) is an object
 * with any of "event_types", "resources", "state_machines" and "scenarios", each as in the file of that name
 * in catalogue/. Of an entry, only `name`, `section`, `resource` and `en` must be there. What has the name of
 * an embedded entry replaces it. False: `problem` says what is wrong where, and the catalogue is good for
 * nothing but to be closed.
 */
bool catalogue_add(struct catalogue *catalogue, char *text, size_t len, struct catalogue_problem *problem);

enum catalogue_file { CATALOGUE_FILE_ADDED, CATALOGUE_FILE_ABSENT, CATALOGUE_FILE_WRONG };
/* catalogue_add of a file; unless it was added, error_text says why: "data/catalogue.json:12:5: ...". */
enum catalogue_file catalogue_add_file(struct catalogue *catalogue, const char *path, char error_text[512]);

/* A file's bytes and a NUL, for free(); NULL: errno says why. */
char *catalogue_read_file(const char *path, size_t *len);

int catalogue_count(const struct catalogue *catalogue);
/* In the order of the file: documented, stated, inferred, posthorn. */
const struct catalogue_type *catalogue_at(const struct catalogue *catalogue, int index);
/* Is this the first type of its section? */
bool catalogue_opens_section(const struct catalogue *catalogue, int index);
const struct catalogue_type *catalogue_find(const struct catalogue *catalogue,
                                            struct bytes name); /* or NULL */
/* The type that was meant by a mistyped name; NULL: none is near. */
const struct catalogue_type *catalogue_nearest(const struct catalogue *catalogue, struct bytes name);

/*
 * A complete example: a whole event document as the guide prints it (id "8", dates of 2000), with the
 * resource and, where the type is about them, what it is related to in `included`. Its
 * own values are on the arena, the rest is the catalogue's. NULL: the arena is full.
 * It never is if its maximum is CATALOGUE_EXAMPLE_MEMORY_MAX: catalogue_add refuses larger examples.
 */
enum { CATALOGUE_EXAMPLE_MEMORY_MAX = 64 << 20 };
struct json_value *catalogue_example(struct arena *arena, const struct catalogue *catalogue,
                                     const struct catalogue_type *type);
/* The same, appended as compact JSON. */
void catalogue_put_example(struct text *out, const struct catalogue *catalogue,
                           const struct catalogue_type *type);

/*
 * One step of a scenario: the name of a type, or {"event_type", "attributes"} where the resource looks
 * otherwise than in the type's example. The example, and its type; NULL: there is no such type.
 */
struct json_value *catalogue_step(struct arena *arena, const struct catalogue *catalogue,
                                  const struct json_value *step, const struct catalogue_type **type);

const char *catalogue_step_name(const struct json_value *step); /* the type's */

/* The files, parsed, with what was added; they belong to the catalogue. */
const struct json_value *catalogue_resources_json(const struct catalogue *catalogue);
const struct json_value *catalogue_state_machines_json(const struct catalogue *catalogue);
const struct json_value *catalogue_scenarios_json(const struct catalogue *catalogue);
/* The descriptions of the API's requests, for OpenAPI, /docs and postman.h: api.json, but each of its
 * `operations` has one `path` and a `status`. */
const struct json_value *catalogue_api_json(const struct catalogue *catalogue);
