/* Where a job begins and ends, and which deliveries it takes. */
#include "job.h"
#include "ids.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* 2026: ids of events are times. */
#define SINCE_MS INT64_C(1790000000000)
#define UNTIL_MS (SINCE_MS + 5000)
#define MADE_MS  (SINCE_MS + 9000)

static struct job job_of(enum job_kind kind, int64_t until_ms)
{
    return (struct job){.kind = kind,
                        .since_ms = SINCE_MS,
                        .until_ms = until_ms,
                        .created_at_ms = MADE_MS,
                        .below_id = ids_first_at(MADE_MS),
                        .delivery_state = DELIVERY_DELIVERED};
}

/* It takes what is at its `since`, and nothing that is at its end. */
static void bounds(void **state)
{
    (void)state;
    for (int kind = JOB_RECOVER; kind <= JOB_BACKFILL; kind++)
        for (int limited = 0; limited < 2; limited++) {
            struct job job = job_of((enum job_kind)kind, limited ? UNTIL_MS : 0);
            int64_t end_ms = limited ? UNTIL_MS : MADE_MS;
            bool by_time = kind == JOB_RECOVER;
            struct job_cursor begin = job_begin(&job);
            struct job_cursor first =
                by_time ? (struct job_cursor){SINCE_MS, 1} : (struct job_cursor){0, ids_first_at(SINCE_MS)};
            struct job_cursor last = by_time ? (struct job_cursor){end_ms - 1, INT64_MAX}
                                             : (struct job_cursor){0, ids_first_at(end_ms) - 1};
            struct job_cursor end =
                by_time ? (struct job_cursor){end_ms, 1} : (struct job_cursor){0, ids_first_at(end_ms)};
            assert_true(begin.at_ms < first.at_ms || begin.id < first.id);
            assert_int_equal(by_time ? begin.at_ms : begin.id + 1, by_time ? SINCE_MS : first.id);
            assert_false(job_is_past(&job, first));
            assert_false(job_is_past(&job, last));
            assert_true(job_is_past(&job, end));
            assert_true(job_cursor_equal(end, end));
            assert_false(job_cursor_equal(begin, end));
        }
}

static void deliveries(void **state)
{
    static const struct {
        enum job_kind kind;
        bool takes[DELIVERY_STATES];
    } rows[] = {{JOB_RECOVER, {[DELIVERY_GIVEN_UP] = true, [DELIVERY_CANCELLED] = true}},
                {JOB_REPLAY, {[DELIVERY_DELIVERED] = true}},
                {JOB_BACKFILL, {false}}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int is = 0; is < DELIVERY_STATES; is++) {
            struct job job = job_of(rows[i].kind, 0);
            assert_int_equal(job_takes_delivery(&job, (enum delivery_state)is, false), rows[i].takes[is]);
            assert_false(job_takes_delivery(&job, (enum delivery_state)is, true));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bounds), cmocka_unit_test(deliveries)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
