/*
 * trigger: shared by the files of `posthorn trigger`: trigger.c (options), to.c (to a URL), post.c (to a
 * server's API), dry.c (prints the curl command), outcomes.c (counts the outcomes).
 */
#pragma once
#include "client.h"
#include "examples.h"
#include "progress.h"
#include "terminal.h"

/* The number of events by outcome. */
struct trigger_outcomes {
    struct {
        const char *outcome;
        int64_t count;
    } rows[16];
    int64_t sent, failed, begun_ms;
};

struct trigger {
    struct client_options server; /* the options: first */
    const char *to, *api_key;
    struct option_list secrets, sets;
    struct examples_choice choice;
    bool edit, duplicate, out_of_order, dry_run;
    const char *own_types, *signature_names;
    int64_t times;
    int signatures; /* bits of enum push_signature; 0: the default */

    const struct invocation *invocation;
    struct examples examples;
    struct colours colours;
    struct trigger_outcomes outcomes;
    struct progress progress;
};

/* Each sends all examples `times` times. Returns the exit code. */
int trigger_push(struct trigger *trigger);
int trigger_post(struct trigger *trigger);
int trigger_dry(struct trigger *trigger);

/* The index of the event to be sent at `turn` of a round. */
static inline int trigger_turn(const struct trigger *trigger, int turn)
{
    return trigger->out_of_order ? trigger->examples.count - 1 - turn : turn;
}

void outcomes_begin(struct trigger *trigger);
struct outcomes_entry {
    struct bytes event_type;
    const char *id;
    bool good;
    int status;
    const char *outcome;  /* a word, of static duration */
    const char *sentence; /* the fault, or NULL */
    const char *remedy;   /* its remedy, or NULL */
    struct bytes answer;  /* its beginning, not escaped; len 0: none */
};
/* Prints a line; for long runs a count, and lines only for the first failures. */
void outcomes_add(struct trigger *trigger, const struct outcomes_entry *entry);
/* Prints the sum, if needed. Returns the exit code. */
int outcomes_end(struct trigger *trigger);
