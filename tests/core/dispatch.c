#include "dispatch.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { READY_MS = 1000, RECORD_RETRY_MS = 500 };

static struct dispatch *fresh(uint32_t slots, uint32_t endpoint_sending_max)
{
    struct dispatch_config config = {.policy = policy_default(),
                                     .slots = slots,
                                     .endpoint_sending_max = endpoint_sending_max,
                                     .ready_ms_max = READY_MS,
                                     .record_retry_ms = RECORD_RETRY_MS,
                                     .seed = 7};
    size_t size = dispatch_size(&config);
    char *memory = malloc(size);
    memset(memory, 0xa5, size);
    struct dispatch *dispatch = dispatch_init(memory, &config);
    dispatch_check(dispatch);
    return dispatch;
}

static void feed(struct dispatch *dispatch, int64_t now_ms, struct input input)
{
    dispatch_feed(dispatch, now_ms, &input);
    dispatch_check(dispatch);
}

static struct effect expect(struct dispatch *dispatch, int64_t now_ms, enum effect_kind kind)
{
    struct effect effect;
    assert_true(dispatch_next(dispatch, now_ms, &effect));
    dispatch_check(dispatch);
    assert_int_equal(effect.kind, kind);
    return effect;
}

static void expect_quiet(struct dispatch *dispatch, int64_t now_ms)
{
    struct effect effect;
    assert_false(dispatch_next(dispatch, now_ms, &effect));
    dispatch_check(dispatch);
}

static void offer_all(struct dispatch *dispatch)
{
    while (dispatch_count(dispatch, SLOT_FREE) > 0)
        expect(dispatch, 0, EFFECT_OFFER);
}

static struct input work(uint32_t slot, int64_t delivery_id, int64_t endpoint_id)
{
    return (struct input){
        .kind = INPUT_WORK,
        .slot = slot,
        .work = {.delivery_id = delivery_id, .endpoint_id = endpoint_id, .lease = 1, .attempt = 0}};
}

static struct input answered(uint32_t slot, int status)
{
    return (struct input){.kind = INPUT_OUTCOME,
                          .slot = slot,
                          .outcome = {.failure = FAILURE_NONE, .status = status, .retry_after_ms = -1}};
}

static struct input recorded(uint32_t slot, enum record_result result)
{
    return (struct input){.kind = INPUT_RECORDED, .slot = slot, .recorded = result};
}

static void test_one_delivery_goes_round(void **state)
{
    (void)state;
    struct dispatch *dispatch = fresh(1, 1);
    uint32_t slot = expect(dispatch, 0, EFFECT_OFFER).slot;
    expect_quiet(dispatch, 0);
    assert_int_equal(dispatch_wake_at(dispatch), INT64_MAX);

    feed(dispatch, 10, work(slot, 41, 5));
    struct effect effect = expect(dispatch, 10, EFFECT_SEND);
    assert_int_equal(effect.work.delivery_id, 41);
    assert_int_equal(effect.work.lease, 1);
    assert_int_equal(dispatch_slot_state(dispatch, slot), SLOT_SENDING);
    expect_quiet(dispatch, 10);

    feed(dispatch, 20, answered(slot, 200));
    effect = expect(dispatch, 20, EFFECT_RECORD);
    assert_int_equal(effect.work.delivery_id, 41);
    assert_int_equal(effect.decision.kind, DECISION_DELIVERED);
    assert_int_equal(dispatch_slot_state(dispatch, slot), SLOT_RECORDING);

    feed(dispatch, 30, recorded(slot, RECORD_DONE));
    assert_int_equal(expect(dispatch, 30, EFFECT_OFFER).slot, slot);
    feed(dispatch, 40, (struct input){.kind = INPUT_RETURNED, .slot = slot});
    assert_int_equal(dispatch_count(dispatch, SLOT_FREE), 1);
    free(dispatch);
}

static void test_a_fenced_record_frees_the_slot(void **state)
{
    (void)state;
    struct dispatch *dispatch = fresh(1, 1);
    offer_all(dispatch);
    feed(dispatch, 0, work(0, 1, 5));
    expect(dispatch, 0, EFFECT_SEND);
    feed(dispatch, 0, answered(0, 500));
    assert_int_equal(expect(dispatch, 0, EFFECT_RECORD).decision.kind, DECISION_RETRY);
    feed(dispatch, 0, recorded(0, RECORD_FENCED));
    assert_int_equal(dispatch_slot_state(dispatch, 0), SLOT_FREE);
    free(dispatch);
}

/* The decision stands: it is recorded again as it was, after the moment, not before. */
static void test_a_failed_record_is_done_again(void **state)
{
    (void)state;
    struct dispatch *dispatch = fresh(1, 1);
    offer_all(dispatch);
    feed(dispatch, 0, work(0, 1, 5));
    expect(dispatch, 0, EFFECT_SEND);
    feed(dispatch, 0, answered(0, 503));
    struct effect first = expect(dispatch, 0, EFFECT_RECORD);
    for (int64_t now = 100; now < 5000; now += RECORD_RETRY_MS) {
        feed(dispatch, now, recorded(0, RECORD_FAILED));
        assert_int_equal(dispatch_slot_state(dispatch, 0), SLOT_DECIDED);
        assert_int_equal(dispatch_wake_at(dispatch), now + RECORD_RETRY_MS);
        expect_quiet(dispatch, now + RECORD_RETRY_MS - 1);
        struct effect again = expect(dispatch, now + RECORD_RETRY_MS, EFFECT_RECORD);
        assert_int_equal(again.decision.kind, first.decision.kind);
        assert_int_equal(again.decision.delay_ms, first.decision.delay_ms);
        assert_int_equal(again.work.lease, first.work.lease);
    }
    free(dispatch);
}

static void test_age_at_the_decision_includes_the_attempt(void **state)
{
    (void)state;
    struct dispatch *dispatch = fresh(2, 2);
    struct policy policy = policy_default();
    offer_all(dispatch);
    for (uint32_t slot = 0; slot < 2; slot++) {
        struct input input = work(slot, slot + 1, 5);
        input.work.attempt = 13;
        input.work.age_ms = policy.window_ms - 1000;
        feed(dispatch, 0, input);
        expect(dispatch, 0, EFFECT_SEND);
    }
    for (uint32_t slot = 0; slot < 2; slot++) {
        struct input input = answered(slot, 500);
        input.duration_ms = slot == 0 ? 999 : 1000;
        feed(dispatch, 0, input);
        assert_int_equal(expect(dispatch, 0, EFFECT_RECORD).decision.kind,
                         slot == 0 ? DECISION_RETRY : DECISION_GIVE_UP);
    }
    free(dispatch);
}

static void test_one_endpoint_has_only_its_connections(void **state)
{
    (void)state;
    struct dispatch *dispatch = fresh(6, 2);
    offer_all(dispatch);
    for (uint32_t slot = 0; slot < 6; slot++)
        feed(dispatch, 0, work(slot, slot + 1, 5));
    assert_int_equal(expect(dispatch, 0, EFFECT_SEND).work.delivery_id, 1);
    assert_int_equal(expect(dispatch, 0, EFFECT_SEND).work.delivery_id, 2);
    expect_quiet(dispatch, 0);
    feed(dispatch, 1, answered(0, 200));
    expect(dispatch, 1, EFFECT_RECORD);
    assert_int_equal(expect(dispatch, 1, EFFECT_SEND).work.delivery_id, 3); /* in order of arrival */
    expect_quiet(dispatch, 1);
    free(dispatch);
}

/* Ten of a noisy endpoint arrived first: the two quiet ones still go second and third. */
static void test_endpoints_take_turns(void **state)
{
    (void)state;
    struct dispatch *dispatch = fresh(14, 10);
    int64_t order[14], expected[14] = {5, 6, 7, 5, 6, 7, 5, 5, 5, 5, 5, 5, 5, 5};
    offer_all(dispatch);
    for (uint32_t slot = 0; slot < 14; slot++)
        feed(dispatch, 0, work(slot, slot + 1, slot < 10 ? 5 : 6 + slot % 2));
    for (int i = 0; i < 14; i++)
        order[i] = expect(dispatch, 0, EFFECT_SEND).work.endpoint_id;
    assert_memory_equal(order, expected, sizeof order);
    free(dispatch);
}

static struct input quick_work(uint32_t slot, int64_t delivery_id, int64_t endpoint_id)
{
    struct input input = work(slot, delivery_id, endpoint_id);
    input.work.quick = true;
    return input;
}

/* 8.2: however many are READY for others, who is quick and answers waits for one of them at most, and none is
 * forgotten. */
static void test_quick_endpoints_go_first(void **state)
{
    (void)state;
    enum { OTHERS = 50, A = 1000, B = 1001 };
    struct dispatch *dispatch = fresh(OTHERS + 17, 16);
    offer_all(dispatch);
    for (uint32_t slot = 0; slot < OTHERS; slot++)
        feed(dispatch, 0, work(slot, slot + 1, slot + 1));
    for (uint32_t slot = OTHERS; slot < OTHERS + 16; slot++)
        feed(dispatch, 0, quick_work(slot, slot + 1, slot % 2 ? B : A));
    /* One each, and more only as answers come: one that begins to hang is as the others. */
    const int64_t begin[] = {A, B, 1, 2}, then[] = {A, A, 3, 4};
    for (int i = 0; i < 4; i++)
        assert_int_equal(expect(dispatch, 0, EFFECT_SEND).work.endpoint_id, begin[i]);
    feed(dispatch, 1, quick_work(OTHERS + 16, 99, B));
    feed(dispatch, 1, answered(OTHERS, 200));
    expect(dispatch, 1, EFFECT_RECORD);
    for (int i = 0; i < 4; i++)
        assert_int_equal(expect(dispatch, 1, EFFECT_SEND).work.endpoint_id, then[i]);
    feed(dispatch, 2, answered(OTHERS + 2, 200));
    expect(dispatch, 2, EFFECT_RECORD);
    feed(dispatch, 2, answered(OTHERS + 4, 200));
    expect(dispatch, 2, EFFECT_RECORD);
    const int64_t last[] = {A, A, A, 5, A, 6};
    for (int i = 0; i < 6; i++)
        assert_int_equal(expect(dispatch, 2, EFFECT_SEND).work.endpoint_id, last[i]);
    free(dispatch);
}

/* 8.2: one that was not quick when it was leased, perhaps for a stall of ours, is first as soon as it is
 * answered; a failure says nothing for it. */
static void test_who_answers_goes_first(void **state)
{
    (void)state;
    struct dispatch *dispatch = fresh(12, 4);
    offer_all(dispatch);
    for (uint32_t slot = 0; slot < 3; slot++) {
        feed(dispatch, 0, work(slot, slot + 1, 5));
        feed(dispatch, 0, work(slot + 3, slot + 4, 6));
    }
    assert_int_equal(expect(dispatch, 0, EFFECT_SEND).work.endpoint_id, 5);
    assert_int_equal(expect(dispatch, 0, EFFECT_SEND).work.endpoint_id, 6);
    for (uint32_t slot = 6; slot < 9; slot++)
        feed(dispatch, 0, work(slot, slot + 1, slot + 1));
    feed(dispatch, 1, answered(0, 200));
    expect(dispatch, 1, EFFECT_RECORD);
    struct input failed = answered(3, 0);
    failed.outcome.failure = FAILURE_HEADER_TIMEOUT;
    feed(dispatch, 1, failed);
    expect(dispatch, 1, EFFECT_RECORD);
    feed(dispatch, 1, work(9, 10, 20));
    feed(dispatch, 1, quick_work(10, 11, 20)); /* known as quick meanwhile */
    const int64_t order[] = {5, 20, 5, 6};
    for (int i = 0; i < 4; i++)
        assert_int_equal(expect(dispatch, 1, EFFECT_SEND).work.endpoint_id, order[i]);
    free(dispatch);
}

/* 8.2: thousands may be READY. Who comes meanwhile needs a box, not to wait until they are sent. */
static void test_boxes_are_offered_before_anything_is_sent(void **state)
{
    (void)state;
    struct dispatch *dispatch = fresh(6, 1);
    offer_all(dispatch);
    feed(dispatch, 0, work(0, 1, 5));
    expect(dispatch, 0, EFFECT_SEND);
    feed(dispatch, 0, answered(0, 200));
    expect(dispatch, 0, EFFECT_RECORD);
    for (uint32_t slot = 1; slot < 4; slot++)
        feed(dispatch, 0, work(slot, slot + 1, slot));
    feed(dispatch, 0, recorded(0, RECORD_DONE));
    assert_int_equal(expect(dispatch, 0, EFFECT_OFFER).slot, 0);
    for (int i = 0; i < 3; i++)
        expect(dispatch, 0, EFFECT_SEND);
    expect_quiet(dispatch, 0);
    free(dispatch);
}

/* An idle server does not touch the memory of a thousand boxes. */
static void test_boxes_are_offered_as_they_are_needed(void **state)
{
    (void)state;
    struct dispatch_config config = {.policy = policy_default(),
                                     .slots = 3000,
                                     .offered_max = 1000,
                                     .endpoint_sending_max = 1,
                                     .ready_ms_max = READY_MS,
                                     .record_retry_ms = RECORD_RETRY_MS};
    struct dispatch *dispatch = dispatch_init(malloc(dispatch_size(&config)), &config);
    static const struct {
        uint32_t offered, needed;
    } rows[] = {{128, 63}, {128, 64}, {256, 100}, {256, 128}, {512, 256}, {1000, 600}, {1000, 0}};
    struct effect effect;
    uint32_t slot = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        while (dispatch_next(dispatch, 0, &effect) && effect.kind == EFFECT_OFFER) {
        }
        assert_int_equal(dispatch_count(dispatch, SLOT_OFFERED), rows[i].offered);
        for (uint32_t end = slot + rows[i].needed; slot < end; slot++)
            feed(dispatch, 0, work(slot, slot + 1, 5));
    }
    free(dispatch);
}

static void test_ready_too_long_is_released(void **state)
{
    (void)state;
    struct dispatch *dispatch = fresh(3, 1);
    offer_all(dispatch);
    feed(dispatch, 0, work(0, 1, 5));
    expect(dispatch, 0, EFFECT_SEND);
    feed(dispatch, 100, work(1, 2, 5));
    feed(dispatch, 200, work(2, 3, 5));
    assert_int_equal(dispatch_wake_at(dispatch), 100 + READY_MS);
    expect_quiet(dispatch, 100 + READY_MS - 1);
    struct effect effect = expect(dispatch, 100 + READY_MS, EFFECT_RECORD);
    assert_int_equal(effect.slot, 1);
    assert_int_equal(effect.decision.kind, DECISION_RELEASE);
    assert_int_equal(effect.decision.delay_ms, 0);
    expect_quiet(dispatch, 100 + READY_MS);
    assert_int_equal(dispatch_wake_at(dispatch), 200 + READY_MS);
    feed(dispatch, 150 + READY_MS, answered(0, 200));
    expect(dispatch, 150 + READY_MS, EFFECT_RECORD);
    assert_int_equal(expect(dispatch, 150 + READY_MS, EFFECT_SEND).slot, 2);
    assert_int_equal(dispatch_wake_at(dispatch), INT64_MAX);
    free(dispatch);
}

static void test_too_many_lost_leases_are_not_sent(void **state)
{
    (void)state;
    struct dispatch *dispatch = fresh(2, 1);
    int max = policy_default().lost_leases_max;
    offer_all(dispatch);
    struct input input = work(0, 1, 5);
    input.work.lost = max - 1;
    feed(dispatch, 0, input);
    expect(dispatch, 0, EFFECT_SEND);
    input = work(1, 2, 5);
    input.work.lost = max;
    feed(dispatch, 0, input);
    struct effect effect = expect(dispatch, 0, EFFECT_RECORD);
    assert_int_equal(effect.slot, 1);
    assert_int_equal(effect.decision.kind, DECISION_RETRY); /* it costs one attempt */
    assert_int_equal(effect.decision.reason, FAILURE_LEASE_LOST);
    expect_quiet(dispatch, 0);
    free(dispatch);
}

static void test_drain(void **state)
{
    (void)state;
    struct dispatch *dispatch = fresh(4, 1);
    offer_all(dispatch);
    feed(dispatch, 0, work(0, 1, 5));
    expect(dispatch, 0, EFFECT_SEND);
    feed(dispatch, 0, work(1, 2, 5)); /* READY: waits for the connection */
    assert_false(dispatch_drained(dispatch));

    feed(dispatch, 10, (struct input){.kind = INPUT_DRAIN});
    expect(dispatch, 10, EFFECT_WITHDRAW);
    struct effect effect = expect(dispatch, 10, EFFECT_RECORD);
    assert_int_equal(effect.slot, 1);
    assert_int_equal(effect.decision.kind, DECISION_RELEASE);
    assert_int_equal(effect.decision.delay_ms, 0);
    expect_quiet(dispatch, 10);

    feed(dispatch, 11, (struct input){.kind = INPUT_RETURNED, .slot = 2});
    feed(dispatch, 11, work(3, 4, 6)); /* filled before the writer saw the withdrawal */
    assert_int_equal(expect(dispatch, 11, EFFECT_RECORD).decision.kind, DECISION_RELEASE);
    feed(dispatch, 12, answered(0, 200)); /* what is under way may finish */
    assert_int_equal(expect(dispatch, 12, EFFECT_RECORD).decision.kind, DECISION_DELIVERED);
    feed(dispatch, 13, recorded(0, RECORD_DONE));
    feed(dispatch, 13, recorded(1, RECORD_DONE));
    assert_false(dispatch_drained(dispatch));
    feed(dispatch, 13, recorded(3, RECORD_FAILED));
    expect_quiet(dispatch, 13); /* nothing is offered, no second WITHDRAW */
    expect(dispatch, 13 + RECORD_RETRY_MS, EFFECT_RECORD);
    feed(dispatch, 600, recorded(3, RECORD_DONE));
    expect_quiet(dispatch, 600);
    assert_true(dispatch_drained(dispatch));
    free(dispatch);
}

/* Every input in a state it does not belong to must abort, in release builds too. */
static void test_illegal_moves_abort(void **state)
{
    (void)state;
    const struct input inputs[] = {work(0, 1, 5),
                                   answered(0, 200),
                                   recorded(0, RECORD_DONE),
                                   recorded(0, RECORD_FAILED),
                                   {.kind = INPUT_RETURNED, .slot = 0}};
    static const bool legal[SLOT_STATE_COUNT][5] = {
        [SLOT_OFFERED] = {true, false, false, false, true},
        [SLOT_SENDING] = {false, true, false, false, false},
        [SLOT_RECORDING] = {false, false, true, true, false},
    };
    for (int at = 0; at < SLOT_STATE_COUNT; at++) {
        for (int i = 0; i < 5; i++) {
            pid_t pid = fork();
            if (pid == 0) {
                close(STDERR_FILENO);
                signal(SIGABRT, SIG_DFL);
                struct dispatch *dispatch = fresh(1, 1);
                if (at >= SLOT_OFFERED)
                    expect(dispatch, 0, EFFECT_OFFER);
                if (at >= SLOT_READY)
                    feed(dispatch, 0, work(0, 1, 5));
                if (at >= SLOT_SENDING)
                    expect(dispatch, 0, EFFECT_SEND);
                if (at >= SLOT_DECIDED)
                    feed(dispatch, 0, answered(0, 200));
                if (at >= SLOT_RECORDING)
                    expect(dispatch, 0, EFFECT_RECORD);
                if (dispatch_slot_state(dispatch, 0) != (enum slot_state)at)
                    _exit(9);
                dispatch_feed(dispatch, 0, &inputs[i]);
                _exit(0);
            }
            int status;
            assert_int_equal(waitpid(pid, &status, 0), pid);
            if (legal[at][i])
                assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            else
                assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        }
    }
}

/* A long random walk over colliding endpoint ids: every invariant after every step, and nothing starves. */
static void test_random_walk(void **state)
{
    (void)state;
    enum { SLOTS = 13, STEPS = 40000 };
    struct dispatch *dispatch = fresh(SLOTS, 2);
    uint64_t random = 99;
    int64_t now = 0, sent = 0, done = 0, next_delivery = 1;
    for (int step = 0; step < STEPS; step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint32_t slot = (uint32_t)(random >> 33) % SLOTS;
        unsigned dice = (unsigned)(random >> 50) % 8;
        now += dice * 20;
        switch (dispatch_slot_state(dispatch, slot)) {
        case SLOT_OFFERED:
            if (dice == 0)
                feed(dispatch, now, (struct input){.kind = INPUT_RETURNED, .slot = slot});
            else if (dice < 4)
                feed(dispatch, now, work(slot, next_delivery++, (int64_t)(random >> 40) % 9 * 32));
            else
                feed(dispatch, now, quick_work(slot, next_delivery++, (int64_t)(random >> 40) % 9 * 32));
            break;
        case SLOT_SENDING:
            feed(dispatch, now, answered(slot, dice < 4 ? 200 : 500));
            break;
        case SLOT_RECORDING:
            done += dice >= 2;
            feed(dispatch, now, recorded(slot, dice < 2 ? RECORD_FAILED : RECORD_DONE));
            break;
        default:
            break;
        }
        struct effect effect;
        while (dice != 7 && dispatch_next(dispatch, now, &effect)) {
            sent += effect.kind == EFFECT_SEND;
            dispatch_check(dispatch);
        }
        assert_true(dice == 7 || dispatch_wake_at(dispatch) > now);
    }
    assert_true(sent > 1000 && done > 1000);
    free(dispatch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_delivery_goes_round),
        cmocka_unit_test(test_a_fenced_record_frees_the_slot),
        cmocka_unit_test(test_a_failed_record_is_done_again),
        cmocka_unit_test(test_age_at_the_decision_includes_the_attempt),
        cmocka_unit_test(test_one_endpoint_has_only_its_connections),
        cmocka_unit_test(test_endpoints_take_turns),
        cmocka_unit_test(test_quick_endpoints_go_first),
        cmocka_unit_test(test_who_answers_goes_first),
        cmocka_unit_test(test_boxes_are_offered_before_anything_is_sent),
        cmocka_unit_test(test_boxes_are_offered_as_they_are_needed),
        cmocka_unit_test(test_ready_too_long_is_released),
        cmocka_unit_test(test_too_many_lost_leases_are_not_sent),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_illegal_moves_abort),
        cmocka_unit_test(test_random_walk),
    };
    return cmocka_run_group_tests_name("core/dispatch", tests, NULL, NULL);
}
