/*
 * handlers: a folder of executables, one an event_type: FOLDER/user_enabled is run for each user_enabled,
 * FOLDER/default for every other type. The event is on its standard input, its parts are in the environment,
 * and exit code 0 means success.
 *
 * A type comes from outside: only letters, digits, '_', '.' and '-' (not leading) are allowed, so that no
 * name leads out of the folder. Any number of threads.
 */
#pragma once
#include "posthorn.h"
#include "program.h"

struct handlers;

/* NULL: stderr has the reason. */
struct handlers *handlers_open(const char *folder, int64_t limit_ms);
void handlers_close(struct handlers *handlers);

/* True: there is a program. One that cannot be run counts too, because ignoring it would hide a mistake. */
bool handlers_want(const struct handlers *handlers, const struct posthorn_event *event);

enum { HANDLERS_DETAIL_LEN = 160 };

struct handlers_run {
    struct program_end end;
    char detail[HANDLERS_DETAIL_LEN]; /* the reason of a failure; "" */
};

/* OK (also if there is no program), or HANDLER_FAILED. See program.h about the thread. */
enum posthorn_result handlers_run(const struct handlers *handlers, const struct posthorn_event *event,
                                  struct handlers_run *run);
