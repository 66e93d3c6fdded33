/*
 * examples: makes the events of `posthorn trigger`, in order, as documents without id and dates: examples of
 * the catalogue, or the steps of a scenario.
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
    const char *scenario; /* NULL: none */
    bool all;             /* every documented type */
    bool every;           /* every type there is */
};

/* The types of the operands or of `choice`. False: stderr has the fault and the likely name. */
bool examples_choose(struct examples *examples, const struct invocation *invocation,
                     const struct catalogue *catalogue, const struct examples_choice *choice);
void examples_free(struct examples *examples);
/* Valid as long as the document is not changed. */
struct bytes examples_event_type(struct json_object *document);
