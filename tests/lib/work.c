/* The two phases of an event, against a real folder; fsync and the library's memory are watched (--wrap), and
 * processes are killed in the middle. */
#include "posthorn.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

int __real_fsync(int fd);
int __wrap_fsync(int fd);

/* f: a file is fsynced, d: a folder is, h: the handler runs. */
static struct {
    bool on;
    char steps[64];
    int fail_at; /* from 1; 0: none */
} watch;

static bool step(char what)
{
    size_t len = strlen(watch.steps);

    if (!watch.on || len + 1 == sizeof watch.steps)
        return true;
    watch.steps[len] = what;
    errno = ENOSPC;
    return (int)len + 1 != watch.fail_at;
}

static void watch_steps(int fail_at)
{
    memset(&watch, 0, sizeof watch);
    watch.on = true;
    watch.fail_at = fail_at;
}

int __wrap_fsync(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && step(S_ISDIR(status.st_mode) ? 'd' : 'f') ? __real_fsync(fd) : -1;
}

/* What the library holds; json-c has its tree from elsewhere. */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __real_free(void *old);
void __wrap_free(void *old);

static _Atomic long held, held_max;

static void *hold(void *got)
{
    held += (long)malloc_usable_size(got);
    if (held > held_max)
        held_max = held;
    return got;
}

void *__wrap_malloc(size_t size)
{
    return hold(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return hold(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    held -= (long)malloc_usable_size(old);
    return hold(__real_realloc(old, size));
}

void __wrap_free(void *old)
{
    held -= (long)malloc_usable_size(old);
    __real_free(old);
}

/* ---- a folder and a handler for each test -------------------------------------------------------------- */

struct place {
    char folder[64];
    struct posthorn_store *store;
    struct posthorn_dispatcher *dispatcher;
    struct posthorn_event *event; /* 8_a */
    enum posthorn_result answer;  /* of the handler */
    int calls;
    void (*inside)(struct place *place, const struct posthorn_event *event); /* what the handler does */
};

static enum posthorn_result on_event(void *ctx, const struct posthorn_event *event)
{
    struct place *place = ctx;

    place->calls++;
    step('h');
    if (place->inside)
        place->inside(place, event);
    return place->answer;
}

static struct posthorn_event *make(const char *id, const char *type, const char *extra)
{
    char body[512];
    struct posthorn_event *event;
    int len =
        snprintf(body, sizeof body,
                 "{\"data\":{\"type\":\"events\",\"id\":\"%s\",\"attributes\":{\"event_type\":\"%s\"%s}}}",
                 id, type, extra);

    assert_int_equal(posthorn_parse(body, (size_t)len, &event, NULL), POSTHORN_OK);
    return event;
}

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);

    memset(&watch, 0, sizeof watch);
    strcpy(place->folder, "/tmp/posthorn-work-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    assert_int_equal(posthorn_store_open(place->folder, &place->store), POSTHORN_OK);
    place->dispatcher = posthorn_dispatcher_new();
    place->event = make("8", "a", "");
    assert_int_equal(posthorn_on(place->dispatcher, "a", on_event, place), POSTHORN_OK);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    char command[128];

    posthorn_store_close(place->store);
    posthorn_dispatcher_free(place->dispatcher);
    posthorn_event_free(place->event);
    snprintf(command, sizeof command, "rm -rf '%s'", place->folder);
    assert_int_equal(system(command), 0);
    free(place);
    return 0;
}

static bool there(const struct place *place, const char *name)
{
    char path[256];
    struct stat status;

    snprintf(path, sizeof path, "%s/%s", place->folder, name);
    return lstat(path, &status) == 0;
}

static void write_file(const struct place *place, const char *name, const char *content)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", place->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static enum posthorn_result handle(struct place *place, const struct posthorn_event *event)
{
    char name[POSTHORN_NAME_LEN_MAX + 1];
    return posthorn_handle(place->dispatcher, place->store, event, name);
}

/* ---- in one process ------------------------------------------------------------------------------------ */

static void seen_is_durable_before_the_handler_and_done_after(void **state)
{
    struct place *place = *state;
    struct posthorn_event *ignored = make("9", "b", "");

    watch_steps(0);
    assert_int_equal(handle(place, place->event), POSTHORN_OK);
    assert_string_equal(watch.steps, "fdhd");
    assert_true(there(place, "8_a.json"));
    assert_false(there(place, "8.work"));
    watch_steps(0); /* what nobody handles is never in work */
    assert_int_equal(handle(place, ignored), POSTHORN_OK);
    assert_string_equal(watch.steps, "fd");
    posthorn_event_free(ignored);
}

static void what_cannot_be_made_durable_is_not_handled(void **state)
{
    struct place *place = *state;

    for (int fail_at = 1; fail_at <= 2; fail_at++) {
        watch_steps(fail_at);
        assert_int_equal(handle(place, place->event), POSTHORN_IO);
        assert_int_equal(errno, ENOSPC);
        assert_int_equal(place->calls, 0);
        assert_false(there(place, "8.work"));
    }
    watch_steps(4); /* handled, and not stored: it comes again */
    assert_int_equal(handle(place, place->event), POSTHORN_IO);
    assert_int_equal(place->calls, 1);
    assert_false(there(place, "8.work"));
    assert_false(there(place, "8_a.json"));
}

static void a_failed_handler_leaves_nothing(void **state)
{
    struct place *place = *state;

    place->answer = POSTHORN_HANDLER_FAILED;
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(handle(place, place->event), POSTHORN_HANDLER_FAILED);
        assert_int_equal(place->calls, i);
        assert_false(there(place, "8.work"));
    }
    place->answer = POSTHORN_OK;
    assert_int_equal(handle(place, place->event), POSTHORN_OK);
    assert_int_equal(handle(place, place->event), POSTHORN_DUPLICATE);
    assert_int_equal(place->calls, 3);
}

/* The same id while its handler runs: same content, other content, other type, another store of the folder.
 */
static void second_deliveries(struct place *place, const struct posthorn_event *event)
{
    struct posthorn_event *const others[] = {make("8", "a", ""), make("8", "a", ",\"x\":1"),
                                             make("8", "b", "")};
    struct posthorn_store *another;
    struct posthorn_work *work;

    place->inside = NULL;
    assert_true(there(place, "8.work"));
    assert_int_equal(posthorn_store_open(place->folder, &another), POSTHORN_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(posthorn_work_begin(place->store, others[i], &work), POSTHORN_IN_WORK);
        assert_int_equal(posthorn_work_begin(another, others[i], &work), POSTHORN_IN_WORK);
        assert_null(work);
        posthorn_event_free(others[i]);
    }
    assert_int_equal(handle(place, event), POSTHORN_IN_WORK);
    assert_int_equal(posthorn_resume(place->dispatcher, another, NULL, NULL), POSTHORN_OK);
    posthorn_store_close(another);
}

static void nobody_else_works_on_the_same_id(void **state)
{
    struct place *place = *state;

    place->inside = second_deliveries;
    assert_int_equal(posthorn_http_status(POSTHORN_IN_WORK), 503);
    assert_int_equal(handle(place, place->event), POSTHORN_OK);
    assert_int_equal(place->calls, 1);
    assert_true(there(place, "8_a.json"));
}

/* Another process stores the event while our handler runs. */
static void stored_meanwhile(struct place *place, const struct posthorn_event *event)
{
    assert_int_equal(posthorn_store_put(place->store, event, NULL), POSTHORN_OK);
}

static void what_was_stored_meanwhile_is_a_duplicate(void **state)
{
    struct place *place = *state;

    place->inside = stored_meanwhile;
    assert_int_equal(handle(place, place->event), POSTHORN_DUPLICATE);
    assert_false(there(place, "8.work"));
}

static void what_is_planted_is_not_touched(void **state)
{
    struct place *place = *state;
    char path[256], elsewhere[256], content[8] = "";

    write_file(place, "elsewhere", "mine");
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", place->folder);
    snprintf(path, sizeof path, "%s/8.work", place->folder);
    assert_int_equal(symlink(elsewhere, path), 0);
    assert_int_equal(handle(place, place->event), POSTHORN_UNSAFE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(link(elsewhere, path), 0);
    assert_int_equal(handle(place, place->event), POSTHORN_UNSAFE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(handle(place, place->event), POSTHORN_UNSAFE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(handle(place, place->event), POSTHORN_UNSAFE);
    assert_int_equal(place->calls, 0);
    FILE *file = fopen(elsewhere, "r");
    assert_int_equal(fread(content, 1, sizeof content - 1, file), 4);
    fclose(file);
    assert_string_equal(content, "mine");
}

/* ---- many at once -------------------------------------------------------------------------------------- */

enum { THREADS = 6, ROUNDS = 40 };

struct race {
    struct place *place;
    struct posthorn_dispatcher *dispatcher;
    pthread_barrier_t start;
    atomic_int at_work[ROUNDS], handled[ROUNDS], stored[ROUNDS];
};

static enum posthorn_result on_race(void *ctx, const struct posthorn_event *event)
{
    struct race *race = ctx;
    int round = atoi(posthorn_event_id(event).data);

    if (atomic_fetch_add(&race->at_work[round], 1) != 0)
        return POSTHORN_BAD_ARGUMENT; /* two at one time */
    int number = atomic_fetch_add(&race->handled[round], 1);
    sched_yield();
    atomic_fetch_sub(&race->at_work[round], 1);
    return number == 0 ? POSTHORN_HANDLER_FAILED : POSTHORN_OK; /* the first one has to try again */
}

static void *racer(void *ctx)
{
    struct race *race = ctx;

    for (int round = 0; round < ROUNDS; round++) {
        char id[16];
        enum posthorn_result result;
        snprintf(id, sizeof id, "%d", round);
        struct posthorn_event *event = make(id, "race", "");
        pthread_barrier_wait(&race->start);
        do {
            result = posthorn_handle(race->dispatcher, race->place->store, event, NULL);
            if (result == POSTHORN_OK)
                atomic_fetch_add(&race->stored[round], 1);
        } while (result == POSTHORN_IN_WORK || result == POSTHORN_HANDLER_FAILED);
        if (result != POSTHORN_OK && result != POSTHORN_DUPLICATE)
            atomic_fetch_add(&race->stored[round], 100);
        posthorn_event_free(event);
    }
    return NULL;
}

static void many_at_once_one_handler_at_a_time_and_one_success(void **state)
{
    struct race race = {.place = *state, .dispatcher = posthorn_dispatcher_new()};
    pthread_t threads[THREADS];

    posthorn_on_prefix(race.dispatcher, "ra", on_race, &race);
    pthread_barrier_init(&race.start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, racer, &race), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&race.start);
    for (int round = 0; round < ROUNDS; round++) {
        assert_int_equal(race.stored[round], 1);
        assert_int_equal(race.handled[round], 2);
    }
    posthorn_dispatcher_free(race.dispatcher);
}

/* ---- crashes ------------------------------------------------------------------------------------------- */

static void die(struct place *place, const struct posthorn_event *event)
{
    raise(SIGKILL);
}

/* Handles the event in a process that is killed in its handler. */
static void crash(struct place *place, const struct posthorn_event *event)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        place->inside = die;
        handle(place, event);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

static void restart(struct place *place)
{
    posthorn_store_close(place->store);
    assert_int_equal(posthorn_store_open(place->folder, &place->store), POSTHORN_OK);
}

static void a_crash_in_a_handler_is_retried(void **state)
{
    struct place *place = *state;

    crash(place, place->event);
    assert_true(there(place, "8.work"));
    assert_false(there(place, "8_a.json"));
    restart(place);
    assert_int_equal(handle(place, place->event), POSTHORN_OK);
    assert_int_equal(place->calls, 1);
    assert_false(there(place, "8.work"));
    assert_int_equal(handle(place, place->event), POSTHORN_DUPLICATE);
}

static void what_a_crash_left_is_written_over(void **state)
{
    struct place *place = *state;
    struct posthorn_event *longer = make("8", "a", ",\"x\":\"longer than the one that comes after it\"");

    crash(place, longer);
    assert_int_equal(handle(place, place->event), POSTHORN_OK);
    assert_int_equal(handle(place, place->event), POSTHORN_DUPLICATE);
    assert_int_equal(handle(place, longer), POSTHORN_CONFLICT);
    posthorn_event_free(longer);
}

static bool on_resumed(void *ctx, const struct posthorn_event *event, enum posthorn_result result,
                       const char *name)
{
    *(int *)ctx += result == POSTHORN_OK && strcmp(name, "8_a.json") == 0 ? 1 : 100;
    return true;
}

static void what_was_in_work_is_resumed(void **state)
{
    struct place *place = *state;
    struct posthorn_event *stored = make("10", "a", "");
    int resumed = 0;

    crash(place, place->event);
    assert_int_equal(handle(place, stored), POSTHORN_OK);
    write_file(place, "9.work", "{\"data\":{\"type\":\"ev"); /* never seen by a handler */
    write_file(place, "10.work", "");
    write_file(place, ".work", "x");
    restart(place);
    place->calls = 0;
    assert_int_equal(posthorn_resume(place->dispatcher, place->store, on_resumed, &resumed), POSTHORN_OK);
    assert_int_equal(resumed, 1);
    assert_int_equal(place->calls, 1);
    assert_true(there(place, "8_a.json"));
    assert_true(there(place, ".work"));
    assert_false(there(place, "8.work") || there(place, "9.work") || there(place, "10.work"));
    assert_int_equal(handle(place, place->event), POSTHORN_DUPLICATE); /* when the sender comes again */
    posthorn_event_free(stored);
}

static void a_resumed_one_that_fails_is_left_to_the_sender(void **state)
{
    struct place *place = *state;

    crash(place, place->event);
    place->answer = POSTHORN_HANDLER_FAILED;
    assert_int_equal(posthorn_resume(place->dispatcher, place->store, NULL, NULL), POSTHORN_OK);
    assert_int_equal(place->calls, 1);
    place->answer = POSTHORN_OK;
    assert_int_equal(handle(place, place->event), POSTHORN_OK);
    assert_int_equal(place->calls, 2);
}

static void what_nobody_handles_any_more_is_stored(void **state)
{
    struct place *place = *state;
    struct posthorn_dispatcher *none = posthorn_dispatcher_new();

    crash(place, place->event);
    assert_int_equal(posthorn_resume(none, place->store, NULL, NULL), POSTHORN_OK);
    assert_true(there(place, "8_a.json"));
    assert_false(there(place, "8.work"));
    posthorn_dispatcher_free(none);
}

/* Of the largest body, whose file is larger: twice its length, itself and what is stored, and not more. */
static void test_8_21_a_body_is_held_twice(void **state)
{
    static char body[POSTHORN_DOCUMENT_LEN_MAX];
    static const char head[] =
        "{\"data\":{\"type\":\"events\",\"id\":\"8\",\"attributes\":{\"event_type\":\"a\","
        "\"note\":\"",
                      tail[] = "\"}}}";
    const long twice = 2 * (long)sizeof body + (64 << 10);
    struct place *place = *state;
    struct posthorn_event *event;
    int resumed = 0;

    memset(body, 'x', sizeof body);
    memcpy(body, head, sizeof head - 1);
    memcpy(body + sizeof body - (sizeof tail - 1), tail, sizeof tail - 1);
    long before = held;
    held_max = before;
    assert_int_equal(posthorn_parse(body, sizeof body, &event, NULL), POSTHORN_OK);
    assert_in_range(held_max - before, sizeof body, twice);
    crash(place, event);
    posthorn_event_free(event);
    assert_int_equal(held, before);

    restart(place);
    before = held;
    held_max = before;
    assert_int_equal(posthorn_resume(place->dispatcher, place->store, on_resumed, &resumed), POSTHORN_OK);
    assert_int_equal(resumed, 1);
    assert_in_range(held_max - before, sizeof body, twice);
    assert_true(there(place, "8_a.json"));
}

#define ON_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_A_FOLDER(seen_is_durable_before_the_handler_and_done_after),
        ON_A_FOLDER(what_cannot_be_made_durable_is_not_handled),
        ON_A_FOLDER(a_failed_handler_leaves_nothing),
        ON_A_FOLDER(nobody_else_works_on_the_same_id),
        ON_A_FOLDER(what_was_stored_meanwhile_is_a_duplicate),
        ON_A_FOLDER(what_is_planted_is_not_touched),
        ON_A_FOLDER(many_at_once_one_handler_at_a_time_and_one_success),
        ON_A_FOLDER(a_crash_in_a_handler_is_retried),
        ON_A_FOLDER(what_a_crash_left_is_written_over),
        ON_A_FOLDER(what_was_in_work_is_resumed),
        ON_A_FOLDER(a_resumed_one_that_fails_is_left_to_the_sender),
        ON_A_FOLDER(what_nobody_handles_any_more_is_stored),
        ON_A_FOLDER(test_8_21_a_body_is_held_twice),
    };
    return cmocka_run_group_tests_name("lib/work", tests, NULL, NULL);
}
