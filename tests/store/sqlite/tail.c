/* New deliveries that wait in memory for their first lease (src/store/sqlite/tail.c). */
#include "fixture.h"
#include "sqlite_parts.h"

enum { TAIL = 6 };

/* An endpoint that is quick, and no box is there: TAIL events wait in memory. */
static int64_t tail_of(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    fixture_prove(f, user);
    struct store_op ops[TAIL];
    for (int i = 0; i < TAIL; i++)
        ops[i] = fixture_event_op(f, user);
    fixture_write(f, ops, TAIL, 0);
    return user;
}

static int64_t queued(const struct fixture *f)
{
    return fixture_ask(f, "SELECT count(*) FROM deliveries WHERE queue > 0");
}

/* The next `count` of the tail, in order of acceptance, from its `first` on. */
static void claim_in_order(struct fixture *f, int count, int64_t first)
{
    fixture_claim(f, count, count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(f->boxes[i].event_id, first + i);
        assert_int_equal(f->boxes[i].lease, 1);
        assert_int_equal(f->boxes[i].lost, 0);
        assert_int_equal(fixture_event(f, first + i).sent_at_ms, f->boxes[i].sent_at_ms);
    }
}

/* 9: what waits for an endpoint that is busy for a moment is not in the index, and a claim does not change
 * its row. */
static void a_tail_waits_in_memory(void **state)
{
    struct fixture *f = *state;
    int64_t user = tail_of(f), first = f->store->counts.event_id_max - TAIL + 1;
    assert_int_equal(queued(f), 0);
    claim_in_order(f, 2, first);
    assert_int_equal(fixture_ask(f, "SELECT count(*) FROM deliveries WHERE queue = 0"), 0);
    struct delivery waits = fixture_delivery(f, f->boxes[1].delivery_id + MODEL_DELIVERY_STEP);
    assert_false(waits.leased);
    assert_int_equal(waits.lease, 0);
    assert_int_equal(waits.next_in_ms, 0);
    assert_true(fixture_delivery(f, f->boxes[1].delivery_id).leased);
    struct store_op late = fixture_event_op(f, user);
    fixture_write(f, &late, 1, 1);
    assert_int_equal(f->boxes[0].event_id, first + 2);
}

/* 9: after a crash it waits in the table, in its order. What was never sent has lost no lease. */
static void a_tail_outlives_its_process(void **state)
{
    struct fixture *f = *state;
    tail_of(f);
    int64_t first = f->store->counts.event_id_max - TAIL + 1;
    fixture_claim(f, 1, 1);
    fixture_reopen(f);
    assert_int_equal(queued(f), TAIL);
    fixture_claim(f, 1, 1);
    assert_int_equal(f->boxes[0].event_id, first);
    assert_int_equal(f->boxes[0].lease, 2);
    assert_int_equal(f->boxes[0].lost, 1);
    claim_in_order(f, 3, first + 1); /* four at once: it has been resumed */
}

/* 9: an endpoint that is not to be served soon holds no memory: its tail goes to the table. */
static void a_tail_of_one_that_is_paused(void **state)
{
    struct fixture *f = *state;
    int64_t user = tail_of(f), first = f->store->counts.event_id_max - TAIL + 1;
    struct store_op pause = fixture_update_op(f, user);
    pause.user.user.endpoint.paused = true;
    fixture_do(f, pause, STORE_DONE);
    assert_int_equal(queued(f), TAIL);
    assert_int_equal(fixture_ask(f, "SELECT sum(lease) + sum(lost) FROM deliveries WHERE queue > 0"), 0);
    fixture_claim(f, 1, 0);
    struct store_op go = fixture_update_op(f, user);
    go.user.user.endpoint.paused = false;
    fixture_do(f, go, STORE_DONE);
    claim_in_order(f, TAIL, first);
}

/* 9: a person's word about one of a tail. */
static void one_of_a_tail(void **state)
{
    struct fixture *f = *state;
    tail_of(f);
    int64_t last = fixture_ask(f, "SELECT max(id) FROM deliveries"),
            first = f->store->counts.event_id_max - TAIL + 1;
    fixture_do(f, (struct store_op){.kind = STORE_CANCEL, .delivery.delivery_id = last}, STORE_DONE);
    last -= MODEL_DELIVERY_STEP;
    fixture_do(f, (struct store_op){.kind = STORE_RESEND, .delivery.delivery_id = last}, STORE_DONE);
    claim_in_order(f, TAIL - 1, first);
    fixture_claim(f, 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SQLITE_TEST(a_tail_waits_in_memory),
        SQLITE_TEST(a_tail_outlives_its_process),
        SQLITE_TEST(a_tail_of_one_that_is_paused),
        SQLITE_TEST(one_of_a_tail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
