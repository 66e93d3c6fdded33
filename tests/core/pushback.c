/* An endpoint's pace against receivers that refuse, in virtual time: every attempt is begun as pace.h allows.
 */
#include "pace.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { ATTEMPTS_MAX = 4096, RETRY_MS = 10000 };

enum limit { TOKEN_BUCKET, FIXED_WINDOW };

struct receiver {
    enum limit limit;
    int64_t per_s, latency_ms;
    int64_t tokens, tokens_at_ms; /* thousandths */
    int64_t window, taken;
};

struct run {
    struct pace_config config;
    struct pace pace;
    struct receiver receiver;
    struct {
        int64_t began_ms, ends_ms;
        bool takes;
    } out[ATTEMPTS_MAX];
    int leased;
    int64_t waiting, taken, refused, now_ms, most_refused_in_a_second;
    int64_t again[600000]; /* how many come back at that ms */
};

static bool receiver_takes(struct receiver *r, int64_t now_ms)
{
    if (r->limit == FIXED_WINDOW) {
        if (now_ms / 1000 != r->window)
            r->taken = 0;
        r->window = now_ms / 1000;
        return r->taken++ < r->per_s;
    }
    r->tokens += (now_ms - r->tokens_at_ms) * r->per_s;
    r->tokens_at_ms = now_ms;
    if (r->tokens > r->per_s * 1000)
        r->tokens = r->per_s * 1000;
    if (r->tokens < 1000)
        return false;
    r->tokens -= 1000;
    return true;
}

static struct run *start(enum limit limit, int64_t per_s, int64_t latency_ms)
{
    static struct run run;
    memset(&run, 0, sizeof run);
    run.config = pace_default();
    run.receiver = (struct receiver){limit, per_s, latency_ms, per_s * 1000, 5000, 0, 0};
    run.now_ms = 5000;
    return &run;
}

static void begin_some(struct run *run)
{
    /* Whoever sleeps until then must find something to do. */
    if (run->leased == 0 && run->now_ms >= pace_from_ms(&run->pace))
        assert_true(pace_more(&run->pace, &run->config, 0, run->now_ms) > 0);
    while (run->waiting > 0 && pace_more(&run->pace, &run->config, run->leased, run->now_ms) > 0) {
        assert_true(run->leased < ATTEMPTS_MAX);
        run->waiting--;
        bool takes = receiver_takes(&run->receiver, run->now_ms);
        run->out[run->leased].began_ms = run->now_ms;
        run->out[run->leased].ends_ms = run->now_ms + run->receiver.latency_ms;
        run->out[run->leased++].takes = takes;
        pace_begun(&run->pace, &run->config, run->leased, run->now_ms);
    }
}

static void end_some(struct run *run)
{
    int kept = 0;
    for (int i = 0; i < run->leased; i++) {
        if (run->out[i].ends_ms > run->now_ms) {
            run->out[kept++] = run->out[i];
            continue;
        }
        bool takes = run->out[i].takes;
        run->taken += takes;
        run->refused += !takes;
        if (!takes)
            run->again[run->now_ms + RETRY_MS]++;
        pace_ended(&run->pace, &run->config,
                   &(struct pace_end){.now_ms = run->now_ms,
                                      .began_ms = run->out[i].began_ms,
                                      .took_ms = run->receiver.latency_ms,
                                      .answered = takes,
                                      .refused = !takes,
                                      .endpoint_id = 3});
    }
    run->leased = kept;
}

/* `per_s` more come each second; until all is taken, or for so long. */
static void go(struct run *run, int64_t per_s, int64_t for_ms)
{
    int64_t begun_ms = run->now_ms;
    while (run->now_ms < begun_ms + for_ms) {
        run->now_ms++;
        run->waiting +=
            run->again[run->now_ms] + run->now_ms * per_s / 1000 - (run->now_ms - 1) * per_s / 1000;
        run->again[run->now_ms] = 0;
        end_some(run);
        begin_some(run);
    }
}

static void twenty_a_second(void **state)
{
    static const int64_t latencies_ms[] = {1, 50, 1000};
    for (int limit = 0; limit < 2; limit++)
        for (int i = 0; i < 3; i++) {
            struct run *run = start((enum limit)limit, 20, latencies_ms[i]);
            run->waiting = 400;
            go(run, 0, 30 * 1000);
            print_message("20/s, %s, %d ms: %d taken, %d refused\n", limit ? "window" : "bucket",
                          (int)latencies_ms[i], (int)run->taken, (int)run->refused);
            if (latencies_ms[i] < 1000)
                assert_int_equal(run->taken, 400);
            assert_in_range(run->refused, 1, 100);
        }
}

static void five_hundred_a_second(void **state)
{
    static const int64_t latencies_ms[] = {1, 50, 1000};
    for (int limit = 0; limit < 2; limit++)
        for (int i = 0; i < 3; i++) {
            struct run *run = start((enum limit)limit, 500, latencies_ms[i]);
            run->waiting = 1000000;
            go(run, 0, 10 * 1000); /* it is found out */
            int64_t taken = run->taken, refused = run->refused;
            go(run, 0, 60 * 1000);
            print_message("500/s, %s, %d ms: %d taken, %d refused in 10 s; then %d and %d in 60 s\n",
                          limit ? "window" : "bucket", (int)latencies_ms[i], (int)taken, (int)refused,
                          (int)(run->taken - taken), (int)(run->refused - refused));
            assert_true(run->taken - taken >= 500 * 60 * 8 / 10);
            assert_true((run->refused - refused) * 10 <= run->taken - taken);
            assert_true(run->refused * 10 <= run->refused + run->taken);
        }
}

/* Ten seconds late: what was begun meanwhile is refused too, but it settles. */
static void late_answers(void **state)
{
    struct run *run = start(TOKEN_BUCKET, 20, 10000);
    run->waiting = 100000;
    go(run, 0, 300 * 1000);
    print_message("20/s, bucket, 10 s: %d taken, %d refused\n", (int)run->taken, (int)run->refused);
    assert_true(run->taken > 20 * 300 / 2);
    assert_true(run->refused * 4 < run->taken);
}

/* Less comes than it takes: nothing is refused, and nothing waits once the limit is forgotten. */
static void the_limit_is_forgotten(void **state)
{
    struct run *run = start(TOKEN_BUCKET, 100, 10);
    run->waiting = 1000;
    go(run, 0, 20 * 1000);
    assert_true(pushback_rate(&run->pace.pushback, run->now_ms) > 0);
    int64_t refused = run->refused;
    go(run, 50, 70 * 1000);
    assert_int_equal(pushback_rate(&run->pace.pushback, run->now_ms), 0);
    assert_true(run->refused - refused <= 2);
    assert_int_equal(run->waiting, 0);
}

/* It goes down to a tenth: the rate follows. And up again. */
static void the_rate_follows(void **state)
{
    struct run *run = start(TOKEN_BUCKET, 500, 5);
    run->waiting = 1000000;
    go(run, 0, 20 * 1000);
    run->receiver.per_s = 50;
    go(run, 0, 10 * 1000);
    int64_t taken = run->taken, refused = run->refused;
    go(run, 0, 30 * 1000);
    assert_true(run->taken - taken >= 50 * 30 * 8 / 10);
    assert_true((run->refused - refused) * 10 <= run->taken - taken);
    run->receiver.per_s = 500;
    go(run, 0, 30 * 1000);
    taken = run->taken;
    go(run, 0, 20 * 1000);
    assert_true(run->taken - taken >= 500 * 20 * 8 / 10);
}

/* Whoever refuses everything fails, and is tried at the pace of those that fail. */
static void refuses_all(void **state)
{
    struct run *run = start(TOKEN_BUCKET, 20, 5);
    run->waiting = 20;
    go(run, 0, 2000);
    assert_int_equal(run->taken, 20);
    run->receiver.per_s = run->receiver.tokens = 0;
    run->waiting = 100000;
    go(run, 0, 30 * 1000);
    assert_true(run->pace.failing);
    int64_t refused = run->refused;
    go(run, 0, 120 * 1000);
    assert_in_range(run->refused - refused, 1, 10);
}

/* It wants a minute of peace each time, and takes nothing: the limit stays what it is. */
static void refuses_for_ever(void **state)
{
    struct pushback pushback = {0};
    int64_t now_ms = 5000;
    for (int i = 0; i < 1000; i++, now_ms += 55 * 1000) {
        assert_true(pushback_left(&pushback, now_ms) > 0);
        pushback_begun(&pushback, now_ms);
        pushback_refused(&pushback, now_ms + 5, now_ms);
        assert_in_range(pushback_rate(&pushback, now_ms + 5), 1, 1000);
    }
}

static void retry_after_holds_it(void **state)
{
    struct pace pace = {0};
    struct pace_config config = pace_default();
    struct pace_end end = {.now_ms = 1000, .began_ms = 900, .refused = true, .retry_after_ms = 30000};
    pace_ended(&pace, &config, &end);
    assert_int_equal(pace_from_ms(&pace), 31000);
    assert_int_equal(pace_more(&pace, &config, 0, 30999), 0);
    assert_true(pace_more(&pace, &config, 0, 31000) > 0);
    end.retry_after_ms = 5000; /* one that was under way says less, or more */
    pace_ended(&pace, &config, &end);
    assert_int_equal(pace_from_ms(&pace), 31000);
    end.retry_after_ms = 60000;
    pace_ended(&pace, &config, &end);
    assert_int_equal(pace_from_ms(&pace), 61000);
    pace_hurry(&pace);
    assert_true(pace_more(&pace, &config, 0, 2500) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twenty_a_second),  cmocka_unit_test(five_hundred_a_second),
        cmocka_unit_test(late_answers),     cmocka_unit_test(the_limit_is_forgotten),
        cmocka_unit_test(the_rate_follows), cmocka_unit_test(refuses_all),
        cmocka_unit_test(refuses_for_ever), cmocka_unit_test(retry_after_holds_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
