/*
 * examples: the events that `posthorn trigger` is asked for, in their order, as documents still without id
 * and dates: examples of the catalogue, or the steps of a scenario.
 */
#pragma once
#include "bytes.h"
#include <json-c/json.h>

struct catalogue;
struct invocation;

enum { EXAMPLES_EVENTS_MAX = 64 };

struct examples {
    struct json_object *documents[EXAMPLES_EVENTS_MAX];
    int count;
};

struct examples_choice {
    char **names; /* of types */
    int name_count;
    const char *scenario;
    bool all;   /* every documented type */
    bool every; /* every type there is */
};

/* False: stderr says what is wrong, and what may have been meant. */
bool examples_choose(struct examples *examples, const struct invocation *invocation,
                     const struct catalogue *catalogue, const struct examples_choice *choice);
void examples_free(struct examples *examples);
/* Valid as long as the document is not changed. */
struct bytes examples_event_type(struct json_object *document);
