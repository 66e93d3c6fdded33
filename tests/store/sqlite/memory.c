/* 8.21: the memory of documents in hand: bounded in all and for each endpoint, held once, given back. */
#include "body.h"
#include "fixture.h"
#include <stdlib.h>

enum { LARGE = 1 << 20, BUDGET = 64 << 20, SHARE_MAX = BUDGET / 5 + LARGE };

struct memory {
    struct fixture fixture;
    struct budget budget;
    char *large;
};

static int open_one(void **state)
{
    struct memory *m = calloc(1, sizeof *m);
    fixture_open(&m->fixture, &store_sqlite);
    budget_init(&m->budget, BUDGET);
    m->fixture.config.budget = &m->budget;
    fixture_reopen(&m->fixture);
    m->large = malloc(LARGE);
    memset(m->large, ' ', LARGE);
    *state = m;
    return 0;
}

static int close_one(void **state)
{
    struct memory *m = *state;
    fixture_close(&m->fixture);
    assert_int_equal(budget_used(&m->budget, BUDGET_OUT), 0);
    free(m->large);
    free(m);
    return 0;
}

/* The same event, with spaces behind it. */
static struct store_op large_op(struct memory *m, int64_t owner_id)
{
    struct store_op op = fixture_event_op(&m->fixture, owner_id);
    struct bytes *document = &op.event.event.document;
    memcpy(m->large, document->data, document->len);
    *document = bytes_make(m->large, LARGE);
    return op;
}

static void accept_large(struct memory *m, int64_t owner_id, int count)
{
    for (int i = 0; i < count; i++)
        fixture_do(&m->fixture, large_op(m, owner_id), STORE_DONE);
}

/* Of the boxes filled last: every one is delivered, and its memory given back. */
static void deliver_filled(struct memory *m)
{
    struct fixture *f = &m->fixture;
    int count = f->filled; /* each write sets it anew */
    for (int i = 0; i < count; i++) {
        fixture_do(f, fixture_outcome_op(f, &f->boxes[i], DECISION_DELIVERED, 0), STORE_DONE);
        store_work_clear(&f->boxes[i]);
    }
}

static void an_endpoint_has_a_share(void **state)
{
    struct memory *m = *state;
    struct fixture *f = &m->fixture;
    int64_t slow = fixture_user(f, "https://slow.example.com/"), other;
    other = fixture_user(f, "https://other.example.com/");
    fixture_prove(f, slow);
    fixture_prove(f, other);
    accept_large(m, slow, 60);
    fixture_write(f, NULL, 0, 100);
    int first = f->filled;
    assert_in_range(first, 1, SHARE_MAX / LARGE);
    assert_in_range(budget_used(&m->budget, BUDGET_OUT), 1, SHARE_MAX + 4096);
    assert_true(f->next_due_in_ms > 0); /* nobody turns around and around for it */

    /* The one that waits for memory delays nobody else. */
    struct store_op op = fixture_event_op(f, other);
    struct store_work *kept[FIXTURE_BOXES];
    memcpy(kept, f->box_list, sizeof kept);
    for (int i = 0; i < FIXTURE_BOXES - first; i++)
        f->box_list[i] = kept[first + i];
    struct store_op *list[] = {&op};
    struct store_batch batch = {.ops = list, .op_count = 1, .boxes = f->box_list, .box_count = 2};
    assert_int_equal(f->backend->write(f->store, &batch), STORE_OK);
    assert_int_equal(batch.filled_count, 1);
    assert_int_equal(f->box_list[0]->endpoint_id, other);
    store_work_clear(f->box_list[0]);
    memcpy(f->box_list, kept, sizeof kept);

    int delivered = 0;
    for (int rounds = 0; delivered < 60; rounds++) {
        assert_true(rounds < 60);
        f->filled = rounds == 0 ? first : f->filled;
        delivered += f->filled;
        deliver_filled(m);
        fixture_advance(f, 100);
        fixture_write(f, NULL, 0, 100);
    }
    assert_int_equal(delivered, 60);
}

static void a_new_event_waits_if_there_is_no_memory(void **state)
{
    struct memory *m = *state;
    struct fixture *f = &m->fixture;
    int64_t user = fixture_user(f, "https://receiver.example.com/");
    fixture_prove(f, user);
    store_work_clear(&f->boxes[0]);
    assert_true(budget_take(&m->budget, BUDGET_OUT, BUDGET / 4 * 3)); /* others have it all */
    struct store_op op = large_op(m, user);
    fixture_write(f, &op, 1, 1);
    assert_int_equal(op.result, STORE_DONE);
    assert_int_equal(f->filled, 0);
    fixture_advance(f, 1000);
    fixture_claim(f, 1, 0);
    assert_true(f->next_due_in_ms > 0);
    budget_give(&m->budget, BUDGET_OUT, BUDGET / 4 * 3);
    fixture_advance(f, f->next_due_in_ms);
    fixture_claim(f, 1, 1);
    assert_int_equal(f->boxes[0].document_len, LARGE);
    deliver_filled(m);
}

static void a_document_is_held_once(void **state)
{
    struct memory *m = *state;
    struct fixture *f = &m->fixture;
    int64_t master = fixture_user(f, "https://master.example.com/");
    struct store_op update = fixture_update_op(f, master);
    update.user.user.receives_users_events = true;
    fixture_do(f, update, STORE_DONE);
    struct store_op create = {.kind = STORE_USER_CREATE,
                              .user.user = {.name = bytes_of("Bo"),
                                            .master_id = master,
                                            .endpoint.url = bytes_of("https://owner.example.com/")}};
    int64_t owner = fixture_do(f, create, STORE_DONE);
    fixture_do(f, fixture_key_op(f, owner), STORE_DONE);

    struct store_op op = large_op(m, owner);
    fixture_write(f, &op, 1, 2); /* born leased, both */
    assert_int_equal(f->filled, 2);
    assert_ptr_equal(f->boxes[0].document, f->boxes[1].document);
    assert_in_range(budget_used(&m->budget, BUDGET_OUT), LARGE, LARGE + 4096);
    deliver_filled(m);
    assert_int_equal(budget_used(&m->budget, BUDGET_OUT), 0);

    fixture_do(f, large_op(m, owner), STORE_DONE);
    fixture_claim(f, 2, 2); /* from the table */
    assert_ptr_equal(f->boxes[0].document, f->boxes[1].document);
    assert_in_range(budget_used(&m->budget, BUDGET_OUT), LARGE, LARGE + 4096);
    deliver_filled(m);
}

/* As the API makes it: the writer stamps it where it lies, and it is sent from there. */
static struct store_op made_op(struct memory *m, int64_t owner_id)
{
    struct store_op op = large_op(m, owner_id);
    struct payload *payload = payload_begin(LARGE);
    payload->data = arena_alloc(&payload->memory, LARGE);
    payload->len = LARGE;
    memcpy(payload->data, m->large, LARGE);
    op.event.event.document = bytes_make(payload->data, LARGE);
    op.event.payload = payload;
    return op;
}

static void a_document_is_sent_from_where_it_was_made(void **state)
{
    struct memory *m = *state;
    struct fixture *f = &m->fixture;
    int64_t user = fixture_user(f, "https://receiver.example.com/");
    struct store_op op = made_op(m, user);
    fixture_write(f, &op, 1, 1);
    assert_int_equal(f->filled, 1);
    assert_ptr_equal(f->boxes[0].document, op.event.event.document.data);
    assert_true(body_has_stamp(op.event.event.document, op.event.event.stamp_offset));
    assert_in_range(budget_used(&m->budget, BUDGET_OUT), LARGE, LARGE + 4096);
    static char sent[LARGE];
    memcpy(sent, f->boxes[0].document, LARGE);
    assert_memory_not_equal(sent + op.event.event.stamp_offset, m->large + op.event.event.stamp_offset, 1);
    payload_drop(op.event.payload); /* answered, while it is being sent */
    assert_memory_equal(f->boxes[0].document, sent, LARGE);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 1000), STORE_DONE);
    store_work_clear(&f->boxes[0]);
    assert_int_equal(budget_used(&m->budget, BUDGET_OUT), 0);
    fixture_advance(f, 5000);
    fixture_claim(f, 1, 1); /* from the table */
    assert_memory_equal(f->boxes[0].document, sent, LARGE);
    deliver_filled(m);
}

static void one_that_nobody_can_send_now_is_not_counted(void **state)
{
    struct memory *m = *state;
    struct fixture *f = &m->fixture;
    int64_t user = fixture_user(f, "https://receiver.example.com/");
    assert_true(budget_take(&m->budget, BUDGET_OUT, BUDGET / 4 * 3));
    struct store_op op = made_op(m, user);
    fixture_write(f, &op, 1, 1);
    assert_int_equal(f->filled, 0);
    budget_give(&m->budget, BUDGET_OUT, BUDGET / 4 * 3);
    assert_int_equal(budget_used(&m->budget, BUDGET_OUT), 0);
    payload_drop(op.event.payload);
    fixture_advance(f, 1000);
    fixture_claim(f, 1, 1);
    deliver_filled(m);
}

static void what_was_not_written_is_given_back(void **state)
{
    struct memory *m = *state;
    struct fixture *f = &m->fixture;
    int64_t user = fixture_user(f, "https://receiver.example.com/");
    accept_large(m, user, 2);
    fixture_claim(f, 1, 1);
    fixture_reopen(f); /* as after a restart: the lease is nobody's */
    store_work_clear(&f->boxes[0]);
    assert_int_equal(budget_used(&m->budget, BUDGET_OUT), 0);
    fixture_claim(f, 2, 2);
    deliver_filled(m);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_one, close_one)
    const struct CMUnitTest tests[] = {
        TEST(an_endpoint_has_a_share),
        TEST(a_new_event_waits_if_there_is_no_memory),
        TEST(a_document_is_held_once),
        TEST(a_document_is_sent_from_where_it_was_made),
        TEST(one_that_nobody_can_send_now_is_not_counted),
        TEST(what_was_not_written_is_given_back),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
