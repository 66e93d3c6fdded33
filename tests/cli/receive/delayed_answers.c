/* Delayed answers, with a listener that only remembers what it was told. */
#include "delayed_answers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { REQUESTS = 100 };

static struct listener_request requests[REQUESTS];

/* What was answered, in order; only the answering thread writes, and the count says how far. */
static const struct listener_request *answered[REQUESTS];
static int statuses[REQUESTS];
static atomic_int answered_count;

void listener_answer(struct listener_request *request, const struct listener_reply *reply)
{
    int at = atomic_load(&answered_count);

    answered[at] = request;
    statuses[at] = reply->status;
    atomic_store(&answered_count, at + 1);
}

static struct delayed_answers *open_with_requests(int64_t delay_ms)
{
    struct delayed_answers *delayed_answers = delayed_answers_open(delay_ms);

    assert_non_null(delayed_answers);
    atomic_store(&answered_count, 0);
    for (int i = 0; i < REQUESTS - 1; i++)
        delayed_answers_answer(delayed_answers, &requests[i], &(struct listener_reply){.status = 200 + i});
    return delayed_answers;
}

static void nothing_is_answered_early_and_a_flush_answers_in_order(void **state)
{
    struct delayed_answers *delayed_answers = open_with_requests(3600 * 1000);

    assert_int_equal(atomic_load(&answered_count), 0);
    delayed_answers_flush(delayed_answers);
    assert_int_equal(atomic_load(&answered_count), REQUESTS - 1);
    for (int i = 0; i < REQUESTS - 1; i++) {
        assert_ptr_equal(answered[i], &requests[i]);
        assert_int_equal(statuses[i], 200 + i);
    }
    delayed_answers_answer(delayed_answers, &requests[REQUESTS - 1], &(struct listener_reply){.status = 200});
    assert_int_equal(atomic_load(&answered_count), REQUESTS);
    delayed_answers_close(delayed_answers);
}

static void the_delay_passes(void **state)
{
    struct delayed_answers *delayed_answers = open_with_requests(5);

    while (atomic_load(&answered_count) < REQUESTS - 1)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    delayed_answers_close(delayed_answers);
}

static void closing_answers_what_is_left(void **state)
{
    delayed_answers_close(open_with_requests(3600 * 1000));
    assert_int_equal(atomic_load(&answered_count), REQUESTS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_answered_early_and_a_flush_answers_in_order),
        cmocka_unit_test(the_delay_passes),
        cmocka_unit_test(closing_answers_what_is_left),
    };
    return cmocka_run_group_tests_name("cli/receive/delayed_answers", tests, NULL, NULL);
}
