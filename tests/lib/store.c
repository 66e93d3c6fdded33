/* The store against a real folder. fsync and renameat2 go through wrappers (--wrap), so that a test
 * sees the order of the syncs, and can make each fail. */
#include "event.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

int __real_fsync(int fd);
int __real_renameat2(int old_folder, const char *old, int new_folder, const char *new, unsigned flags);
int __wrap_fsync(int fd);
int __wrap_renameat2(int old_folder, const char *old, int new_folder, const char *new, unsigned flags);

/* f: a file is fsynced, d: a folder is, r: a file gets its name. */
static struct {
    bool on;
    char steps[64];
    int fail_at; /* which of the steps fails, from 1; 0: none */
    int error;
    void (*before_rename)(int folder, const char *name); /* somebody else, at the last moment */
} watch;

static bool step(char what)
{
    size_t len = strlen(watch.steps);

    if (!watch.on || len + 1 == sizeof watch.steps)
        return true;
    watch.steps[len] = what;
    watch.steps[len + 1] = '\0';
    errno = watch.error;
    return (int)len + 1 != watch.fail_at;
}

static void watch_steps(int fail_at, int error)
{
    memset(&watch, 0, sizeof watch);
    watch.on = true;
    watch.fail_at = fail_at;
    watch.error = error;
}

int __wrap_fsync(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && step(S_ISDIR(status.st_mode) ? 'd' : 'f') ? __real_fsync(fd) : -1;
}

int __wrap_renameat2(int old_folder, const char *old, int new_folder, const char *new, unsigned flags)
{
    if (watch.before_rename)
        watch.before_rename(new_folder, new);
    return step('r') ? __real_renameat2(old_folder, old, new_folder, new, flags) : -1;
}

/* ---- a folder for each test ---------------------------------------------------------------------------- */

struct place {
    char root[64];   /* nothing but `folder` may ever be in here */
    char folder[80]; /* of the store */
    struct posthorn_store *store;
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof *place);

    memset(&watch, 0, sizeof watch);
    strcpy(place->root, "/tmp/posthorn-store-XXXXXX");
    assert_non_null(mkdtemp(place->root));
    snprintf(place->folder, sizeof place->folder, "%s/events", place->root);
    assert_int_equal(posthorn_store_open(place->folder, &place->store), POSTHORN_OK);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    char command[128];

    posthorn_store_close(place->store);
    snprintf(command, sizeof command, "rm -rf '%s'", place->root);
    assert_int_equal(system(command), 0);
    free(place);
    return 0;
}

static void restart(struct place *place)
{
    posthorn_store_close(place->store);
    assert_int_equal(posthorn_store_open(place->folder, &place->store), POSTHORN_OK);
}

static struct posthorn_event *make(const char *id, const char *type, const char *extra)
{
    char body[2048];
    struct posthorn_event *event;
    int len =
        snprintf(body, sizeof body,
                 "{\"data\":{\"type\":\"events\",\"id\":\"%s\",\"attributes\":{\"event_type\":\"%s\"%s}}}",
                 id, type, extra);

    assert_int_equal(posthorn_parse(body, (size_t)len, &event, NULL), POSTHORN_OK);
    return event;
}

/* `name` may be NULL. */
static enum posthorn_result put(struct place *place, const char *id, const char *type, const char *extra,
                                char *name)
{
    struct posthorn_event *event = make(id, type, extra);
    char ignored[POSTHORN_NAME_LEN_MAX + 1];
    enum posthorn_result result = posthorn_store_put(place->store, event, name ? name : ignored);

    posthorn_event_free(event);
    return result;
}

static int count_files(const char *folder)
{
    DIR *entries = opendir(folder);
    int count = 0;

    assert_non_null(entries);
    for (struct dirent *entry; (entry = readdir(entries));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(entries);
    return count;
}

static void path_of(const struct place *place, const char *name, char path[400])
{
    snprintf(path, 400, "%s/%s", place->folder, name);
}

/* ---- tests --------------------------------------------------------------------------------------------- */

static void an_event_is_one_private_file(void **state)
{
    struct place *place = *state;
    static const char expected[] =
        "{\n  \"data\": {\n    \"type\": \"events\",\n    \"id\": \"8\",\n    \"attributes\": {\n"
        "      \"event_type\": \"user_enabled\"\n    }\n  }\n}\n";
    char name[POSTHORN_NAME_LEN_MAX + 1], path[400], content[512];
    struct stat status;

    assert_int_equal(put(place, "8", "user_enabled", "", name), POSTHORN_OK);
    assert_string_equal(name, "8_user_enabled.json");
    path_of(place, name, path);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(content, 1, sizeof content, file);
    fclose(file);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(content, expected, len);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(count_files(place->folder), 1);
}

static void the_order_is_file_name_folder(void **state)
{
    struct place *place = *state;

    watch_steps(0, 0);
    assert_int_equal(put(place, "8", "a", "", NULL), POSTHORN_OK);
    assert_string_equal(watch.steps, "frd");
    watch_steps(0, 0); /* a duplicate's file may be in the page cache only */
    assert_int_equal(put(place, "8", "a", "", NULL), POSTHORN_DUPLICATE);
    assert_string_equal(watch.steps, "fd");
    watch_steps(0, 0);
    assert_int_equal(put(place, "8", "a", ",\"x\":1", NULL), POSTHORN_CONFLICT);
    assert_string_equal(watch.steps, "frd");
}

static void any_step_that_fails_fails_the_event_and_leaves_nothing(void **state)
{
    struct place *place = *state;

    for (int fail_at = 1; fail_at <= 3; fail_at++) {
        watch_steps(fail_at, ENOSPC);
        assert_int_equal(put(place, "8", "a", "", NULL), POSTHORN_IO);
        assert_int_equal(errno, ENOSPC);
        assert_int_equal((int)strlen(watch.steps), fail_at);
        assert_int_equal(count_files(place->folder), 0);
    }
    watch_steps(0, 0);
    assert_int_equal(put(place, "8", "a", "", NULL), POSTHORN_OK);
    for (int fail_at = 1; fail_at <= 2; fail_at++) {
        watch_steps(fail_at, EIO);
        assert_int_equal(put(place, "8", "a", "", NULL), POSTHORN_IO);
        assert_int_equal(count_files(place->folder), 1);
    }
}

static void a_write_that_fails_leaves_nothing(void **state)
{
    struct place *place = *state;
    struct rlimit limit, small;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum posthorn_result result = put(place, "8", "a", "", NULL);
    int error = errno;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(result, POSTHORN_IO);
    assert_int_equal(error, EFBIG);
    assert_int_equal(count_files(place->folder), 0);
}

static void a_file_system_without_noreplace_links(void **state)
{
    struct place *place = *state;

    watch_steps(2, EINVAL);
    assert_int_equal(put(place, "8", "a", "", NULL), POSTHORN_OK);
    watch_steps(2, EINVAL);
    assert_int_equal(put(place, "8", "a", ",\"x\":1", NULL), POSTHORN_CONFLICT);
    assert_int_equal(count_files(place->folder), 2);
}

static void duplicates_are_known_after_a_restart(void **state)
{
    struct place *place = *state;
    char name[POSTHORN_NAME_LEN_MAX + 1];

    assert_int_equal(put(place, "8", "a", "", NULL), POSTHORN_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(put(place, "8", "a", "", name), POSTHORN_DUPLICATE);
        assert_string_equal(name, "8_a.json");
        assert_int_equal(put(place, "8", "a", "   ", name), POSTHORN_DUPLICATE); /* white space only */
        restart(place);
    }
    assert_int_equal(count_files(place->folder), 1);
}

static void other_content_is_kept_beside(void **state)
{
    struct place *place = *state;
    char name[POSTHORN_NAME_LEN_MAX + 1], again[POSTHORN_NAME_LEN_MAX + 1];

    assert_int_equal(put(place, "8", "a", "", NULL), POSTHORN_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(put(place, "8", "a", ",\"x\":1", name), POSTHORN_CONFLICT);
        assert_non_null(strstr(name, "8_a.json."));
        assert_string_equal(name + strlen(name) - 9, ".conflict");
        assert_int_equal(put(place, "8", "a", ",\"x\":1", again), POSTHORN_CONFLICT);
        assert_string_equal(again, name);
        assert_int_equal(put(place, "8", "a", "", again), POSTHORN_DUPLICATE);
        assert_int_equal(put(place, "8", "a", ",\"x\":2", again), POSTHORN_CONFLICT);
        assert_string_not_equal(again, name);
        assert_int_equal(count_files(place->folder), 3);
        restart(place);
    }
}

static void the_same_id_with_another_type_is_a_conflict(void **state)
{
    struct place *place = *state;
    char name[POSTHORN_NAME_LEN_MAX + 1];

    assert_int_equal(put(place, "8", "user_enabled", "", NULL), POSTHORN_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(put(place, "8", "user_disabled", "", name), POSTHORN_CONFLICT);
        assert_non_null(strstr(name, "8_user_enabled.json."));
        restart(place);
    }
    assert_int_equal(put(place, "88", "user_disabled", "", NULL), POSTHORN_OK);
    assert_int_equal(count_files(place->folder), 3);
}

static void hostile_names_stay_inside(void **state)
{
    struct place *place = *state;
    static char long_id[301];
    static const char *const parts[] = {"/etc/x",    "..",      ".",          "../../x", "a/b",
                                        "a\\u0000b", "a\\nb",   "\\u202egpj", ".hidden", "-rf",
                                        "a b",       "\\u00e9", "sha256-00",  "a\\\\b",  "a:b",
                                        "a*",        "%2e%2e",  "~",          "con\\t",  long_id};
    size_t count = sizeof parts / sizeof *parts;

    memset(long_id, 'a', 300);
    for (size_t i = 0; i < count; i++) {
        char name[POSTHORN_NAME_LEN_MAX + 1], path[400];
        char id[16];
        struct stat status;
        snprintf(id, sizeof id, "%zu", 100 + i);
        assert_int_equal(put(place, parts[i], "user_enabled", "", name), POSTHORN_OK);
        assert_int_equal(strncmp(name, "sha256-", 7), 0);
        assert_string_equal(name + 71, "_user_enabled.json");
        path_of(place, name, path);
        assert_int_equal(lstat(path, &status), 0);
        assert_int_equal(put(place, parts[i], "user_enabled", "", NULL), POSTHORN_DUPLICATE);
        assert_int_equal(put(place, id, parts[i], "", name), POSTHORN_OK);
        assert_int_equal(strncmp(name, id, 3), 0);
        assert_int_equal(strncmp(name + 3, "_sha256-", 8), 0);
        assert_int_equal(put(place, id, parts[i], "", NULL), POSTHORN_DUPLICATE);
    }
    assert_int_equal(count_files(place->folder), (int)(2 * count));
    assert_int_equal(count_files(place->root), 1);
}

/* a_b + c and a + b_c must not meet in a_b_c.json; nor what is hashed and what looks like it. */
static void different_events_never_share_a_name(void **state)
{
    struct place *place = *state;
    char name[POSTHORN_NAME_LEN_MAX + 1], spelled[POSTHORN_NAME_LEN_MAX + 1];

    assert_int_equal(put(place, "a", "b_c", "", name), POSTHORN_OK);
    assert_string_equal(name, "a_b_c.json");
    assert_int_equal(put(place, "a_b", "c", "", NULL), POSTHORN_OK);
    assert_int_equal(put(place, "..", "c", "", name), POSTHORN_OK);
    *strchr(name, '_') = '\0';
    assert_int_equal(put(place, name, "c", "", spelled), POSTHORN_OK);
    assert_string_not_equal(spelled, name);
    assert_int_equal(count_files(place->folder), 4);
}

static void what_is_planted_is_not_touched(void **state)
{
    struct place *place = *state;
    char path[400], outside[128];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat status;

    snprintf(outside, sizeof outside, "%s/outside", place->root);
    path_of(place, "1_a.json", path);
    assert_int_equal(symlink(outside, path), 0); /* to nothing yet */
    path_of(place, "2_a.json", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    path_of(place, "3_a.json", path);
    assert_int_equal(mkdir(path, 0700), 0);
    path_of(place, "4_a.json", path);
    assert_true(strlen(path) < sizeof address.sun_path);
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    path_of(place, "5_a.json", path);
    assert_int_equal(symlink("5_a.json", path), 0);
    for (int i = 0; i < 2; i++) {
        static const char *const ids[] = {"1", "2", "3", "4", "5"};
        for (int k = 0; k < 5; k++)
            assert_int_equal(put(place, ids[k], "a", "", NULL), POSTHORN_UNSAFE);
        assert_int_equal(lstat(outside, &status), -1);
        restart(place);
    }
    /* A link to a file with the very same content is still a link. */
    char name[POSTHORN_NAME_LEN_MAX + 1], target[400];
    assert_int_equal(put(place, "6", "a", "", name), POSTHORN_OK);
    path_of(place, name, target);
    assert_int_equal(rename(target, outside), 0);
    assert_int_equal(symlink(outside, target), 0);
    assert_int_equal(put(place, "6", "a", "", NULL), POSTHORN_UNSAFE);
    assert_int_equal(count_files(place->folder), 6);
}

static void plant_link(int folder, const char *name)
{
    watch.before_rename = NULL;
    assert_int_equal(symlinkat("../outside", folder, name), 0);
}

static void plant_file(int folder, const char *name)
{
    watch.before_rename = NULL;
    close(openat(folder, name, O_CREAT | O_EXCL | O_WRONLY, 0600));
}

/* Between looking and taking the name, another process may take it: nothing is replaced. */
static void a_name_taken_at_the_last_moment(void **state)
{
    struct place *place = *state;
    char name[POSTHORN_NAME_LEN_MAX + 1];

    watch.before_rename = plant_link;
    assert_int_equal(put(place, "8", "a", "", NULL), POSTHORN_UNSAFE);
    assert_int_equal(count_files(place->root), 1);
    watch.before_rename = plant_file;
    assert_int_equal(put(place, "9", "a", "", name), POSTHORN_CONFLICT);
    assert_non_null(strstr(name, "9_a.json."));
    assert_int_equal(count_files(place->folder), 3);
}

static void folders_that_cannot_be_used(void **state)
{
    struct place *place = *state;
    struct posthorn_store *store;
    char path[400], name[POSTHORN_NAME_LEN_MAX + 1];

    path_of(place, "no/such", path);
    assert_int_equal(posthorn_store_open(path, &store), POSTHORN_IO);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(put(place, "8", "a", "", name), POSTHORN_OK);
    path_of(place, name, path);
    assert_int_equal(posthorn_store_open(path, &store), POSTHORN_IO);
    assert_int_equal(errno, ENOTDIR);
    assert_null(store);
    assert_int_equal(posthorn_store_open("", &store), POSTHORN_BAD_ARGUMENT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(place->folder), 0);
    assert_int_equal(put(place, "9", "a", "", NULL), POSTHORN_IO);
    assert_int_equal(errno, ENOENT);
}

static void what_a_crash_left_is_swept_once_it_is_old(void **state)
{
    struct place *place = *state;
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    char path[400];

    path_of(place, ".posthorn-0123456789abcdef.tmp", path);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    restart(place);
    assert_int_equal(count_files(place->folder), 1);
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    restart(place);
    assert_int_equal(count_files(place->folder), 0);
}

/* ---- threads ------------------------------------------------------------------------------------------- */

enum { THREADS = 8, ROUNDS = 20 };

struct race {
    struct place *place;
    pthread_barrier_t start;
    bool differ;
    int counts[POSTHORN_RESULT_COUNT];
    pthread_mutex_t mutex;
    int next;
};

static void *race(void *ctx)
{
    struct race *race = ctx;
    char extra[32] = "";

    pthread_mutex_lock(&race->mutex);
    int number = race->next++;
    pthread_mutex_unlock(&race->mutex);
    if (race->differ)
        snprintf(extra, sizeof extra, ",\"x\":%d", number);
    for (int i = 0; i < ROUNDS; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        struct posthorn_event *event = make(id, "a", extra);
        pthread_barrier_wait(&race->start);
        enum posthorn_result result = posthorn_store_put(race->place->store, event, NULL);
        posthorn_event_free(event);
        pthread_mutex_lock(&race->mutex);
        race->counts[result]++;
        pthread_mutex_unlock(&race->mutex);
    }
    return NULL;
}

static void run_race(struct place *place, bool differ, int counts[POSTHORN_RESULT_COUNT])
{
    struct race shared = {.place = place, .differ = differ, .mutex = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[THREADS];

    pthread_barrier_init(&shared.start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race, &shared), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&shared.start);
    memcpy(counts, shared.counts, sizeof shared.counts);
}

static void the_same_event_at_once_is_stored_once(void **state)
{
    struct place *place = *state;
    int counts[POSTHORN_RESULT_COUNT];

    run_race(place, false, counts);
    assert_int_equal(counts[POSTHORN_OK], ROUNDS);
    assert_int_equal(counts[POSTHORN_DUPLICATE], ROUNDS * (THREADS - 1));
    assert_int_equal(count_files(place->folder), ROUNDS);
}

static void different_contents_at_once_are_all_kept(void **state)
{
    struct place *place = *state;
    int counts[POSTHORN_RESULT_COUNT];

    run_race(place, true, counts);
    assert_int_equal(counts[POSTHORN_OK], ROUNDS);
    assert_int_equal(counts[POSTHORN_CONFLICT], ROUNDS * (THREADS - 1));
    assert_int_equal(count_files(place->folder), ROUNDS * THREADS);
}

/* ---- handling ------------------------------------------------------------------------------------------ */

struct handler {
    int calls;
    enum posthorn_result result;
};

static enum posthorn_result on_event(void *ctx, const struct posthorn_event *event)
{
    struct handler *handler = ctx;
    handler->calls++;
    return handler->result;
}

static void a_failed_handler_is_called_again_a_done_one_is_not(void **state)
{
    struct place *place = *state;
    struct handler handler = {.result = POSTHORN_HANDLER_FAILED};
    struct posthorn_dispatcher *dispatcher = posthorn_dispatcher_new();
    struct posthorn_event *event = make("8", "a", ""), *other = make("8", "a", ",\"x\":1");

    posthorn_on(dispatcher, "a", on_event, &handler);
    assert_int_equal(posthorn_handle(dispatcher, place->store, event, NULL), POSTHORN_HANDLER_FAILED);
    assert_int_equal(count_files(place->folder), 0);
    handler.result = POSTHORN_OK;
    assert_int_equal(posthorn_handle(dispatcher, place->store, event, NULL), POSTHORN_OK);
    assert_int_equal(handler.calls, 2);
    restart(place);
    assert_int_equal(posthorn_handle(dispatcher, place->store, event, NULL), POSTHORN_DUPLICATE);
    assert_int_equal(posthorn_store_look(place->store, other), POSTHORN_CONFLICT);
    assert_int_equal(count_files(place->folder), 1);
    assert_int_equal(posthorn_handle(dispatcher, place->store, other, NULL), POSTHORN_CONFLICT);
    assert_int_equal(count_files(place->folder), 2);
    assert_int_equal(handler.calls, 2);
    posthorn_event_free(event);
    posthorn_event_free(other);
    posthorn_dispatcher_free(dispatcher);
}

#define ON_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_A_FOLDER(an_event_is_one_private_file),
        ON_A_FOLDER(the_order_is_file_name_folder),
        ON_A_FOLDER(any_step_that_fails_fails_the_event_and_leaves_nothing),
        ON_A_FOLDER(a_write_that_fails_leaves_nothing),
        ON_A_FOLDER(a_file_system_without_noreplace_links),
        ON_A_FOLDER(duplicates_are_known_after_a_restart),
        ON_A_FOLDER(other_content_is_kept_beside),
        ON_A_FOLDER(the_same_id_with_another_type_is_a_conflict),
        ON_A_FOLDER(hostile_names_stay_inside),
        ON_A_FOLDER(different_events_never_share_a_name),
        ON_A_FOLDER(what_is_planted_is_not_touched),
        ON_A_FOLDER(a_name_taken_at_the_last_moment),
        ON_A_FOLDER(folders_that_cannot_be_used),
        ON_A_FOLDER(what_a_crash_left_is_swept_once_it_is_old),
        ON_A_FOLDER(the_same_event_at_once_is_stored_once),
        ON_A_FOLDER(different_contents_at_once_are_all_kept),
        ON_A_FOLDER(a_failed_handler_is_called_again_a_done_one_is_not),
    };
    return cmocka_run_group_tests_name("lib/store", tests, NULL, NULL);
}
