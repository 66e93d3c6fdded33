/*
 * 8.12: bytes of the file are flipped, in every kind of page, before a start, while a server runs, and in the
 * log that a killed one leaves. Nothing crashes or hangs, no damage is taken for a disk that failed, which
 * would end the server, and a store that has met some goes on reading.
 *
 *   DAMAGE_SEEDS=5000 DAMAGE_FIRST=1 build-test/tests/store/test_store_damage_pages
 */
#include "damage_life.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEEDS = 240, BULK = 160, PAGE = 4096, PAGE_HEAD = 12, FLIPS_MAX = 6 };

static unsigned random_next(unsigned *random)
{
    *random = *random * 1664525u + 1013904223u;
    return *random >> 8;
}

/* Of a page's head or anywhere in it, with the same chance: most bytes are documents. */
static void flip(const char *path, unsigned seed)
{
    unsigned random = seed;
    FILE *file = fopen(path, "r+b");
    if (!file)
        return; /* no log: nothing was written */
    fseek(file, 0, SEEK_END);
    long pages = ftell(file) / PAGE;
    for (unsigned flips = 1 + random_next(&random) % FLIPS_MAX; pages > 0 && flips > 0; flips--) {
        long page = (long)(random_next(&random) % (unsigned)pages);
        unsigned at = random_next(&random) % (random_next(&random) % 2 ? PAGE_HEAD : PAGE);
        unsigned mask = 1 + random_next(&random) % 255;
        if (page == 0 && at < 20) /* what it calls itself has a test of its own */
            at += 20;
        fseek(file, page * PAGE + at, SEEK_SET);
        int byte = fgetc(file);
        fseek(file, page * PAGE + at, SEEK_SET);
        fputc(byte ^ (int)mask, file);
    }
    fclose(file);
}

static void flip_file(const struct base *base, unsigned seed)
{
    flip(base->f->path, seed);
}

static void flip_log(const struct base *base, unsigned seed)
{
    char path[128];
    snprintf(path, sizeof path, "%s-wal", base->f->path);
    flip(path, seed);
}

/* A server that was killed has left its log, and the log is damaged. */
static void killed_before(const struct base *base, unsigned seed)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        life_live(base, &(struct life){.lives = 1, .killed = true});
    waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        life_wrong("the server that is killed ended before", status);
    flip_log(base, seed);
}

enum when { BEFORE, MIDWAY, LOG, LOG_MIDWAY, WHENS };

static void one_case(const struct base *base, unsigned seed)
{
    static void (*const midway[WHENS])(const struct base *,
                                       unsigned) = {[MIDWAY] = flip_file, [LOG_MIDWAY] = flip_log};
    enum when when = (enum when)(seed % WHENS);
    base_copy(base);
    if (when == LOG)
        killed_before(base, seed);
    else if (!midway[when])
        flip_file(base, seed);
    life_live(base, &(struct life){.lives = 2, .midway = midway[when], .seed = seed});
}

static unsigned number_from(const char *name, unsigned otherwise)
{
    const char *value = getenv(name);
    return value ? (unsigned)strtoul(value, NULL, 10) : otherwise;
}

static void flipped_bytes(void **state)
{
    struct base *base = *state;
    int failed = 0, no_row = 0;
    unsigned first = number_from("DAMAGE_FIRST", 1), seeds = number_from("DAMAGE_SEEDS", SEEDS);
    for (unsigned seed = first; seed < first + seeds; seed++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            alarm(HANG_S);
            one_case(base, seed);
        }
        const char *how = life_ended(child, &no_row);
        if (how)
            printf("seed %u: %s\n", seed, how);
        failed += how != NULL;
    }
    assert_int_equal(failed, 0);
}

int main(void)
{
    static struct base base;
    base_make(&base, BULK);
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(flipped_bytes, &base)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    base_copy(&base);
    base_free(&base);
    return failed;
}
