/* Issue 8.14: the log's lines about endpoints, and their number. */
#include "endpoint_log.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* OWNER: of every endpoint here; 5 is its default one. */
enum { SAID_LEN = 1 << 20, OWNER = 5 };

static struct {
    int64_t now_ms;
    int fds[2];
    struct log *log;
    struct endpoint_log *endpoints;
    char said[SAID_LEN];
} rig;

static void begin(enum log_level level)
{
    rig.now_ms = 1000000;
    assert_int_equal(pipe2(rig.fds, O_NONBLOCK), 0);
    rig.log = log_open(rig.fds[1], level, false, clock_system());
    rig.endpoints = endpoint_log_open(rig.log);
}

static void finish(void)
{
    endpoint_log_close(rig.endpoints);
    log_close(rig.log);
    close(rig.fds[0]);
    close(rig.fds[1]);
}

/* What has been written since the last call. */
static const char *said(void)
{
    ssize_t len = read(rig.fds[0], rig.said, SAID_LEN - 1);
    rig.said[len > 0 ? len : 0] = '\0';
    return rig.said;
}

static int count(const char *text, const char *part)
{
    int found = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        found++;
    return found;
}

static void end_with(int64_t endpoint_id, enum decision_kind kind, enum failure reason, int status,
                     enum endpoint_disabled disabled)
{
    endpoint_log_ended(rig.endpoints, rig.now_ms,
                       &(struct endpoint_end){.user_id = OWNER,
                                              .endpoint_id = endpoint_id,
                                              .event_id = 8,
                                              .delivery_id = 9,
                                              .decision = {.kind = kind, .reason = reason, .delay_ms = 10000},
                                              .attempt = 3,
                                              .status = status,
                                              .duration_ms = 12,
                                              .disabled = disabled});
}

static void refuse(int64_t endpoint_id)
{
    end_with(endpoint_id, DECISION_RETRY, FAILURE_UNEXPECTED_STATUS, 500, ENDPOINT_ENABLED);
}

static void deliver(int64_t endpoint_id)
{
    end_with(endpoint_id, DECISION_DELIVERED, FAILURE_NONE, 200, ENDPOINT_ENABLED);
}

static void test_8_14_turns(void **state)
{
    begin(LOG_LEVEL_INFO);
    deliver(5);
    assert_string_equal(said(), "");
    refuse(5);
    assert_non_null(strstr(
        said(),
        "info delivery: endpoint starts failing: user=5 endpoint=5 reason=unexpected_status status=500 "
        "event=8 delivery=9"));
    rig.now_ms += 60000;
    refuse(5);
    refuse(5);
    assert_string_equal(said(), "");
    deliver(5);
    assert_non_null(
        strstr(said(), "endpoint recovers: user=5 endpoint=5 failed_attempts=3 failed_for_ms=60000"));
    deliver(5);
    end_with(5, DECISION_RELEASE, FAILURE_SHUTDOWN, 0, ENDPOINT_ENABLED);
    assert_string_equal(said(), "");
    finish();
}

static void test_8_14_disables_and_give_ups(void **state)
{
    begin(LOG_LEVEL_INFO);
    end_with(5, DECISION_RETRY, FAILURE_GONE, 410, ENDPOINT_GONE);
    assert_non_null(strstr(
        said(), "endpoint is disabled: user=5 endpoint=5 status=410 event=8 delivery=9 (disable_on_410)"));
    end_with(5, DECISION_RETRY, FAILURE_RESET, 0, ENDPOINT_FAILING);
    assert_non_null(strstr(
        said(), "endpoint is disabled: user=5 endpoint=5 status=0 event=8 delivery=9 (disable_after)"));
    end_with(5, DECISION_GIVE_UP, FAILURE_CONNECT_REFUSED, 0, ENDPOINT_ENABLED);
    assert_non_null(strstr(
        said(), "event given up: user=5 endpoint=5 event=8 delivery=9 attempts=3 reason=connect_refused"));
    for (int i = 0; i < 1000; i++)
        end_with(5, DECISION_GIVE_UP, FAILURE_CONNECT_REFUSED, 0, ENDPOINT_ENABLED);
    assert_string_equal(said(), "");
    rig.now_ms += 60000;
    endpoint_log_tick(rig.endpoints, rig.now_ms);
    assert_non_null(strstr(said(), "user=5 endpoint=5 failing=true turns=0 given_up=1000"));
    finish();
}

static void test_8_14_each_attempt_at_debug(void **state)
{
    begin(LOG_LEVEL_DEBUG);
    refuse(5);
    deliver(5);
    end_with(5, DECISION_RELEASE, FAILURE_SHUTDOWN, 0, ENDPOINT_ENABLED);
    const char *text = said();
    assert_int_equal(
        count(text, "debug delivery: attempt: user=5 endpoint=5 event=8 delivery=9 attempt=3 outcome="), 3);
    assert_non_null(strstr(text, "outcome=retry reason=unexpected_status status=500 ms=12 next_ms=10000"));
    assert_non_null(strstr(text, "outcome=delivered reason=none status=200"));
    assert_non_null(strstr(text, "outcome=released reason=shutdown"));
    finish();
}

/* A fault of ours is told apart from the receiver's, whichever comes first. */
static void test_8_14_held_up_by_us(void **state)
{
    begin(LOG_LEVEL_INFO);
    end_with(5, DECISION_RELEASE, FAILURE_LOCAL_OUTAGE, 0, ENDPOINT_ENABLED);
    assert_non_null(strstr(said(), "warn delivery: endpoint is held up by a fault of posthorn's own machine: "
                                   "user=5 endpoint=5 reason=local_outage status=0"));
    rig.now_ms += 60000;
    end_with(5, DECISION_RELEASE, FAILURE_LOCAL_OUTAGE, 0, ENDPOINT_ENABLED);
    assert_string_equal(said(), "");
    refuse(5);
    assert_non_null(strstr(said(), "info delivery: endpoint starts failing: user=5 endpoint=5"));
    rig.now_ms += 60000;
    end_with(5, DECISION_RELEASE, FAILURE_SEALED, 0, ENDPOINT_ENABLED);
    assert_non_null(
        strstr(said(), "held up by a fault of posthorn's own machine: user=5 endpoint=5 reason=sealed"));
    deliver(5);
    assert_non_null(
        strstr(said(), "endpoint recovers: user=5 endpoint=5 failed_attempts=4 failed_for_ms=120000"));
    finish();
}

/* One that turns again and again gets a line in ten seconds; its turns are counted. */
static void test_8_14_a_flapping_endpoint(void **state)
{
    begin(LOG_LEVEL_INFO);
    int lines = 0;
    for (int i = 0; i < 6000; i++, rig.now_ms += 10) { /* a minute */
        refuse(5);
        deliver(5);
        lines += count(said(), "user=5 endpoint=5");
    }
    assert_in_range(lines, 6, 14);
    refuse(6); /* and takes nobody's line, not even that of another endpoint of its user */
    assert_non_null(strstr(said(), "endpoint starts failing: user=5 endpoint=6"));
    finish();
}

/* One that recovers and fails again at once, for good: its next attempt behind the quiet says so. */
static void test_8_14_fails_again_for_good(void **state)
{
    begin(LOG_LEVEL_INFO);
    refuse(5);
    deliver(5);
    assert_non_null(strstr(said(), "endpoint recovers"));
    refuse(5);
    assert_string_equal(said(), "");
    rig.now_ms += 10 * 1000;
    refuse(5);
    assert_non_null(strstr(said(), "endpoint, unlogged: user=5 endpoint=5 failing=true turns=1"));
    rig.now_ms += 10 * 1000;
    refuse(5);
    assert_string_equal(said(), "");
    finish();
}

/* A thousand that fail at once: some lines, and the number of those left out; then all is told apart again.
 */
static void test_8_14_many_at_once(void **state)
{
    begin(LOG_LEVEL_INFO);
    for (int64_t id = 1; id <= 1000; id++)
        refuse(id);
    assert_int_equal(count(said(), "starts failing"), 20);
    rig.now_ms += 60000;
    endpoint_log_tick(rig.endpoints, rig.now_ms);
    assert_non_null(strstr(said(), "lines about endpoints left out: count=980"));
    for (int64_t id = 1; id <= 1000; id++)
        deliver(id);
    assert_int_equal(count(said(), "endpoint recovers"), 20);
    rig.now_ms += 60000;
    endpoint_log_tick(rig.endpoints, rig.now_ms);
    said();
    for (int64_t id = 1; id <= 100000; id++) /* more than are told apart */
        refuse(id);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_8_14_turns),
        cmocka_unit_test(test_8_14_disables_and_give_ups),
        cmocka_unit_test(test_8_14_each_attempt_at_debug),
        cmocka_unit_test(test_8_14_held_up_by_us),
        cmocka_unit_test(test_8_14_a_flapping_endpoint),
        cmocka_unit_test(test_8_14_fails_again_for_good),
        cmocka_unit_test(test_8_14_many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
