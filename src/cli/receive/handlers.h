/*
 * handlers: a folder of executables, one an event_type: FOLDER/user_enabled is run for each user_enabled,
 * FOLDER/default for every type that has none of its own. The event is on its standard input, its parts are
 * in the environment, and exit code 0 says that it is handled.
 *
 * A type is a stranger's text: only one of letters, digits, '_', '.' and '-' (not leading) is looked for, so
 * no name leads out of the folder. Any number of threads.
 */
#pragma once
#include "posthorn.h"
#include "program.h"

struct handlers;

/* NULL: stderr says why. */
struct handlers *handlers_open(const char *folder, int64_t limit_ms);
void handlers_close(struct handlers *handlers);

/* Is there a program for it? (One that cannot be run counts: that is a mistake, and no reason to ignore.) */
bool handlers_want(const struct handlers *handlers, const struct posthorn_event *event);

enum { HANDLERS_DETAIL_LEN = 160 };

struct handlers_run {
    struct program_end end;
    char detail[HANDLERS_DETAIL_LEN]; /* why it failed; "" */
};

/* OK (also if there is no program), or HANDLER_FAILED. See program.h about the thread. */
enum posthorn_result handlers_run(const struct handlers *handlers, const struct posthorn_event *event,
                                  struct handlers_run *run);
