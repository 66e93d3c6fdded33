#include "posthorn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static enum posthorn_result count(void *ctx, const struct posthorn_event *event)
{
    ++*(int *)ctx;
    return POSTHORN_OK;
}

static enum posthorn_result refuse(void *ctx, const struct posthorn_event *event)
{
    return POSTHORN_HANDLER_FAILED;
}

static enum posthorn_result dispatch(const struct posthorn_dispatcher *dispatcher, const char *type)
{
    char body[256];
    struct posthorn_event *event;

    snprintf(body, sizeof body,
             "{\"data\":{\"type\":\"events\",\"id\":\"1\",\"attributes\":{\"event_type\":\"%s\"}}}", type);
    assert_int_equal(posthorn_parse(body, strlen(body), &event, NULL), POSTHORN_OK);
    enum posthorn_result result = posthorn_dispatch(dispatcher, event);
    posthorn_event_free(event);
    return result;
}

static void types_are_matched_exactly(void **state)
{
    static const char *const names[] = {"user_enabled", "user_disabled", "a", "zz", "user", "m"};
    struct posthorn_dispatcher *dispatcher = posthorn_dispatcher_new();
    int calls[6] = {0};

    for (int i = 0; i < 6; i++)
        assert_int_equal(posthorn_on(dispatcher, names[i], count, &calls[i]), POSTHORN_OK);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(dispatch(dispatcher, names[i]), POSTHORN_OK);
        for (int k = 0; k < 6; k++)
            assert_int_equal(calls[k], k <= i);
    }
    static const char *const others[] = {"use", "user_", "user_enabledx", "USER", "user\\u0000x", "b", "zzz"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(dispatch(dispatcher, others[i]), POSTHORN_OK);
    for (int k = 0; k < 6; k++)
        assert_int_equal(calls[k], 1);
    posthorn_dispatcher_free(dispatcher);
}

static void unknown_types_are_ignored_unless_somebody_wants_them(void **state)
{
    struct posthorn_dispatcher *dispatcher = posthorn_dispatcher_new();
    int calls = 0;

    assert_int_equal(dispatch(dispatcher, "new_type"), POSTHORN_OK);
    posthorn_otherwise(dispatcher, count, &calls);
    assert_int_equal(dispatch(dispatcher, "new_type"), POSTHORN_OK);
    assert_int_equal(calls, 1);
    posthorn_otherwise(dispatcher, refuse, NULL);
    assert_int_equal(dispatch(dispatcher, "new_type"), POSTHORN_HANDLER_FAILED);
    posthorn_dispatcher_free(dispatcher);
}

static void registering_again_replaces(void **state)
{
    struct posthorn_dispatcher *dispatcher = posthorn_dispatcher_new();
    int calls = 0;

    posthorn_on(dispatcher, "a", count, &calls);
    posthorn_on(dispatcher, "a", refuse, NULL);
    assert_int_equal(dispatch(dispatcher, "a"), POSTHORN_HANDLER_FAILED);
    assert_int_equal(calls, 0);
    assert_int_equal(posthorn_on(dispatcher, "", count, NULL), POSTHORN_BAD_ARGUMENT);
    assert_int_equal(posthorn_on(dispatcher, NULL, count, NULL), POSTHORN_BAD_ARGUMENT);
    assert_int_equal(posthorn_on(dispatcher, "b", NULL, NULL), POSTHORN_BAD_ARGUMENT);
    posthorn_dispatcher_free(dispatcher);
}

static void the_longest_prefix_wins_and_a_type_wins_over_it(void **state)
{
    static const char *const prefixes[] = {"concierge_request_", "concierge_request_output_", "pay", "z"};
    static const struct {
        const char *type;
        int expected; /* of the prefixes; 4: the type itself, 5: otherwise */
    } rows[] = {
        {"concierge_request_cancelled", 0},
        {"concierge_request_output_settled", 1},
        {"concierge_request_output_", 1},
        {"concierge_request_output", 0},
        {"concierge_request_output_failed", 4},
        {"concierge_request_output_failed2", 1},
        {"payment_paid", 2},
        {"pay", 2},
        {"pa", 5},
        {"user_enabled", 5},
        {"zz", 3},
        {"pa\\u0000y", 5},
    };
    struct posthorn_dispatcher *dispatcher = posthorn_dispatcher_new();
    int calls[6] = {0};

    for (int i = 0; i < 4; i++)
        assert_int_equal(posthorn_on_prefix(dispatcher, prefixes[i], count, &calls[i]), POSTHORN_OK);
    assert_int_equal(posthorn_on(dispatcher, "concierge_request_output_failed", count, &calls[4]),
                     POSTHORN_OK);
    posthorn_otherwise(dispatcher, count, &calls[5]);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int before[6];
        memcpy(before, calls, sizeof calls);
        assert_int_equal(dispatch(dispatcher, rows[i].type), POSTHORN_OK);
        for (int k = 0; k < 6; k++)
            assert_int_equal(calls[k] - before[k], k == rows[i].expected);
    }
    assert_int_equal(posthorn_on_prefix(dispatcher, "pay", refuse, NULL), POSTHORN_OK);
    assert_int_equal(dispatch(dispatcher, "payment_paid"), POSTHORN_HANDLER_FAILED);
    assert_int_equal(posthorn_on_prefix(dispatcher, "", count, NULL), POSTHORN_BAD_ARGUMENT);
    posthorn_dispatcher_free(dispatcher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_are_matched_exactly),
        cmocka_unit_test(unknown_types_are_ignored_unless_somebody_wants_them),
        cmocka_unit_test(registering_again_replaces),
        cmocka_unit_test(the_longest_prefix_wins_and_a_type_wins_over_it),
    };
    return cmocka_run_group_tests_name("lib/dispatcher", tests, NULL, NULL);
}
