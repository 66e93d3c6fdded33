/*
 * story: the events that `posthorn trigger` is asked for, in their order, as documents still without id and
 * dates: examples of the catalogue, or the steps of a scenario.
 */
#pragma once
#include "bytes.h"
#include <json-c/json.h>

struct catalogue;
struct usage;

enum { STORY_EVENTS_MAX = 64 };

struct story {
    struct json_object *documents[STORY_EVENTS_MAX];
    int count;
};

struct story_choice {
    char **names; /* of types */
    int name_count;
    const char *scenario;
    bool all;   /* every documented type */
    bool every; /* every type there is */
};

/* False: stderr says what is wrong, and what may have been meant. */
bool story_choose(struct story *story, const struct usage *usage, const struct catalogue *catalogue,
                  const struct story_choice *choice);
void story_free(struct story *story);
/* Valid as long as the document is not changed. */
struct bytes story_event_type(struct json_object *document);
