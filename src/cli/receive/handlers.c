#include "handlers.h"
#include "arena.h"
#include "memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TYPE_LEN_MAX = 128, VALUE_LEN_MAX = 256, ENVIRONMENT_LEN_MAX = 1 << 20, OWN_VARIABLES = 6 };

struct handlers {
    char *folder;
    int64_t limit_ms;
};

struct handlers *handlers_open(const char *folder, int64_t limit_ms)
{
    struct stat status;

    int error = stat(folder, &status) != 0 ? errno : S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
    if (error) {
        fprintf(stderr, "posthorn receive: --handlers %s: %s\n", folder, strerrordesc_np(error));
        return NULL;
    }
    struct handlers *handlers = memory_zero(1, sizeof *handlers);
    handlers->folder = memory_copy_text(folder);
    handlers->limit_ms = limit_ms;
    return handlers;
}

void handlers_close(struct handlers *handlers)
{
    if (!handlers)
        return;
    free(handlers->folder);
    free(handlers);
}

/* ---- finding the program ------------------------------------------------------------------------------- */

static bool is_plain(struct posthorn_text type)
{
    if (type.len == 0 || type.len > TYPE_LEN_MAX || type.data[0] == '.' || type.data[0] == '-')
        return false;
    for (size_t i = 0; i < type.len; i++) {
        char c = type.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
              c == '.' || c == '-'))
            return false;
    }
    return true;
}

/* On `arena`; NULL: no such file. */
static const char *path_of(const struct handlers *handlers, struct arena *arena, struct posthorn_text name)
{
    struct stat status;
    char *path = arena_printf(arena, "%s/%.*s", handlers->folder, (int)name.len, name.data);

    return path && lstat(path, &status) == 0 ? path : NULL;
}

static const char *find(const struct handlers *handlers, struct arena *arena,
                        const struct posthorn_event *event)
{
    struct posthorn_text type = posthorn_event_type(event);
    const char *path = is_plain(type) ? path_of(handlers, arena, type) : NULL;

    return path ? path : path_of(handlers, arena, (struct posthorn_text){"default", 7});
}

bool handlers_want(const struct handlers *handlers, const struct posthorn_event *event)
{
    struct arena arena;

    arena_init(&arena, ENVIRONMENT_LEN_MAX);
    bool wanted = find(handlers, &arena, event) != NULL;
    arena_fini(&arena);
    return wanted;
}

/* ---- its environment ----------------------------------------------------------------------------------- */

/* Our environment without variables that only the receiver needs or that look like the event's. */
static bool is_passed_on(const char *variable)
{
    static const char *const kept_back[] = {
        "POSTHORN_API_KEY=",    "POSTHORN_SECRET=",  "POSTHORN_EVENT_",
        "POSTHORN_CREATED_AT=", "POSTHORN_SENT_AT=", "POSTHORN_RESOURCE_"};

    for (size_t i = 0; i < sizeof kept_back / sizeof *kept_back; i++)
        if (strncmp(variable, kept_back[i], strlen(kept_back[i])) == 0)
            return false;
    return true;
}

/* Leaves out values that a variable cannot have, or that could harm a careless script: the event has them. */
static const char *variable(struct arena *arena, const char *name, struct posthorn_text value)
{
    bool carried = value.len <= VALUE_LEN_MAX && bytes_are_utf8(bytes_make(value.data, value.len));

    for (size_t i = 0; i < value.len && carried; i++)
        carried = (unsigned char)value.data[i] >= ' ' && value.data[i] != 0x7f;
    return arena_printf(arena, "%s=%.*s", name, carried ? (int)value.len : 0, value.data);
}

static char **environment_for(struct arena *arena, const struct posthorn_event *event)
{
    const struct {
        const char *name;
        struct posthorn_text value;
    } own[OWN_VARIABLES] = {
        {"POSTHORN_EVENT_ID", posthorn_event_id(event)},
        {"POSTHORN_EVENT_TYPE", posthorn_event_type(event)},
        {"POSTHORN_CREATED_AT", posthorn_event_created_at(event)},
        {"POSTHORN_SENT_AT", posthorn_event_sent_at(event)},
        {"POSTHORN_RESOURCE_TYPE", posthorn_event_resource_type(event)},
        {"POSTHORN_RESOURCE_ID", posthorn_event_resource_id(event)},
    };
    size_t count = 0, kept = 0;

    while (environ[count])
        count++;
    const char **variables = arena_zero(arena, (count + OWN_VARIABLES + 1) * sizeof *variables);
    for (size_t i = 0; variables && i < count; i++)
        if (is_passed_on(environ[i]))
            variables[kept++] = environ[i];
    for (size_t i = 0; variables && i < OWN_VARIABLES; i++)
        if (!(variables[kept++] = variable(arena, own[i].name, own[i].value)))
            return NULL;
    return (char **)variables;
}

/* ---- running it ---------------------------------------------------------------------------------------- */

static void describe(const struct handlers *handlers, const char *path, struct handlers_run *run)
{
    const struct program_end *end = &run->end;

    switch (end->how) {
    case PROGRAM_EXITED:
        if (end->code != 0)
            snprintf(run->detail, sizeof run->detail, "exit code %d", end->code);
        break;
    case PROGRAM_KILLED:
        snprintf(run->detail, sizeof run->detail, "killed by SIG%s", sigabbrev_np(end->code));
        break;
    case PROGRAM_TIMED_OUT:
        snprintf(run->detail, sizeof run->detail, "not done after %g s, and killed",
                 (double)handlers->limit_ms / 1000);
        break;
    case PROGRAM_NOT_STARTED:
        snprintf(run->detail, sizeof run->detail, "%.80s cannot be run: %s%s", path,
                 strerrordesc_np(end->code),
                 end->code == ENOEXEC  ? " (has it a first line like #!/bin/sh?)"
                 : end->code == EACCES ? " (chmod +x?)"
                                       : "");
        break;
    }
}

enum posthorn_result handlers_run(const struct handlers *handlers, const struct posthorn_event *event,
                                  struct handlers_run *run)
{
    struct posthorn_text body = posthorn_event_body(event);
    struct arena arena;

    *run = (struct handlers_run){0};
    arena_init(&arena, ENVIRONMENT_LEN_MAX);
    const char *path = find(handlers, &arena, event);
    char **environment = environment_for(&arena, event);
    if (path && environment) {
        program_run(path, environment, bytes_make(body.data, body.len), handlers->limit_ms, &run->end);
        describe(handlers, path, run);
    } else if (path) {
        snprintf(run->detail, sizeof run->detail, "our own environment is too large to pass on");
    }
    arena_fini(&arena);
    return run->detail[0] ? POSTHORN_HANDLER_FAILED : POSTHORN_OK;
}
