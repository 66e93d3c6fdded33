/* Events and outcomes. */
#include "contract.h"
#include "instant.h"

static void event_without_url(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL);
    struct store_op op = fixture_event_op(f, user);
    fixture_write(f, &op, 1, 4);
    assert_int_equal(op.result, STORE_DONE);
    assert_int_equal(op.id, op.event.event.id);
    assert_int_equal(op.count, 0);
    assert_int_equal(f->filled, 0);
    assert_int_equal(f->next_due_in_ms, -1);
    struct event event = fixture_event(f, op.id);
    assert_int_equal(event.owner_id, user);
    assert_int_equal(event.sent_at_ms, 0);
    assert_int_equal(event.created_at_ms, 946684800000);
    assert_int_equal(event.received_at_ms, f->wall_ms);
    assert_true(bytes_equal(event.document, op.event.event.document));
    assert_true(bytes_equal_text(event.event_type, "payment_updated"));
    assert_true(bytes_equal_text(event.resource_type, "payments"));
    assert_true(bytes_equal_text(event.resource_id, "7"));
    assert_int_equal(event.stamp_offset, op.event.event.stamp_offset);
    op = fixture_event_op(f, 999);
    assert_int_equal(fixture_do(f, op, STORE_NOT_FOUND), 0);
}

static void assert_stamped(const struct store_work *box, const struct event *event)
{
    char stamp[INSTANT_LEN];
    instant_format(event->sent_at_ms, stamp);
    assert_int_equal(box->sent_at_ms, event->sent_at_ms);
    assert_int_equal(box->document_len, event->document.len);
    assert_memory_equal(box->document + event->stamp_offset, stamp, INSTANT_LEN);
    size_t after = event->stamp_offset + INSTANT_LEN;
    assert_memory_equal(box->document, event->document.data, event->stamp_offset);
    assert_memory_equal(box->document + after, event->document.data + after, event->document.len - after);
}

/* The one delivery of an event that went to nobody. */
static struct delivery skipped_delivery(struct fixture *f, const struct store_op *op)
{
    struct store_query list = {.kind = STORE_LIST_DELIVERIES, .id = op->event.event.id, .limit = 9};
    struct store_answer answer = fixture_read(f, list);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.deliveries[0].id, op->event.skipped);
    return answer.deliveries[0];
}

static int64_t skipped_count(struct fixture *f, int64_t pending)
{
    const struct store_stats *stats = fixture_read(f, (struct store_query){.kind = STORE_GET_STATS}).stats;
    assert_int_equal(stats->deliveries_pending, pending);
    return stats->deliveries_skipped;
}

static void to_nobody(struct fixture *f)
{
    int64_t id = fixture_user(f, NULL);
    struct store_op op = fixture_event_op(f, id);
    op.event.idempotency_key = bytes_of("once");
    fixture_write(f, &op, 1, 4);
    assert_int_equal(op.count, 0);
    struct delivery delivery = skipped_delivery(f, &op);
    assert_int_equal(delivery.state, DELIVERY_SKIPPED);
    assert_int_equal(delivery.user_id, id);
    assert_int_equal(delivery.finished_at_ms, op.event.event.received_at_ms);
    assert_int_equal(delivery.next_in_ms, -1);
    struct store_query undelivered = {.kind = STORE_LIST_EVENTS, .undelivered = true, .limit = 9};
    assert_int_equal(fixture_read(f, undelivered).count, 1);
    struct store_op resend = {.kind = STORE_RESEND, .delivery.delivery_id = delivery.id};
    struct store_op cancel = {.kind = STORE_CANCEL, .delivery.delivery_id = delivery.id};
    fixture_do(f, resend, STORE_CONFLICT);
    fixture_do(f, cancel, STORE_CONFLICT);
    fixture_reopen(f); /* its count is found again, and nothing waits */
    fixture_claim(f, 4, 0);
    assert_int_equal(skipped_count(f, 0), 1);

    /* Whoever asks again is told again, as long as it is so. */
    struct store_op again = op;
    again.event.skipped = 0;
    fixture_write(f, &again, 1, 4);
    assert_int_equal(again.result, STORE_REPLAYED);
    assert_int_equal(again.event.skipped, delivery.id);

    struct store_op update = {.kind = STORE_USER_UPDATE, .user = {.if_version = -1}};
    update.user.user =
        *fixture_read(f, (struct store_query){.kind = STORE_GET_USER, .id = id, .limit = 1}).users;
    update.user.user.endpoint.url = bytes_of("https://example.com/");
    fixture_do(f, update, STORE_DONE);
    fixture_claim(f, 4, 0); /* a URL alone sends nothing of the past */
    fixture_do(f, resend, STORE_DONE);
    assert_int_equal(skipped_count(f, 1), 0);
    fixture_claim(f, 4, 1);
    assert_int_equal(f->boxes[0].delivery_id, delivery.id);
    struct event sent = fixture_event(f, op.id);
    assert_stamped(&f->boxes[0], &sent);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    assert_int_equal(fixture_delivery(f, delivery.id).state, DELIVERY_DELIVERED);
    assert_int_equal(fixture_read(f, undelivered).count, 0);
    fixture_write(f, &again, 1, 4);
    assert_int_equal(again.event.skipped, 0);
}

/* It went to somebody: then nothing is skipped. */
static void to_the_master_alone(struct fixture *f)
{
    struct store_op user = {.kind = STORE_USER_CREATE,
                            .user.user = {.role = USER_MASTER,
                                          .name = bytes_of("x"),
                                          .endpoint.url = bytes_of("https://example.com/"),
                                          .receives_users_events = true}};
    int64_t master = fixture_do(f, user, STORE_DONE);
    fixture_do(f, fixture_key_op(f, master), STORE_DONE);
    user.user.user = (struct user){.name = bytes_of("y"), .master_id = master};
    struct store_op op = fixture_event_op(f, fixture_do(f, user, STORE_DONE));
    fixture_write(f, &op, 1, 4);
    assert_int_equal(op.count, 1);
    assert_int_equal(op.event.skipped, 0);
    assert_int_equal(f->boxes[0].user_id, master);
    struct store_op own = fixture_event_op(f, op.event.event.owner_id);
    own.event.owner_only = true;
    fixture_write(f, &own, 1, 4);
    assert_int_equal(own.count, 0);
    assert_int_equal(skipped_delivery(f, &own).user_id, own.event.event.owner_id);
}

static void born_leased(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/hook?x=1");
    struct store_op op = fixture_event_op(f, user);
    fixture_write(f, &op, 1, 4);
    assert_int_equal(op.count, 1);
    assert_int_equal(f->filled, 1);
    struct store_work *box = &f->boxes[0];
    assert_int_equal(box->event_id, op.id);
    assert_int_equal(box->endpoint_id, user);
    assert_int_equal(box->user_id, user);
    assert_int_equal(box->lease, 1);
    assert_int_equal(box->attempt, 0);
    assert_int_equal(box->lost, 0);
    assert_int_equal(box->age_ms, 0);
    assert_true(bytes_equal_text(box->url, "https://example.com/hook?x=1"));
    assert_int_equal(strlen(box->auth_digest), 64);
    assert_int_equal(box->signing.len, 0);
    assert_int_equal(box->identity.len, 0);
    assert_int_equal(box->endpoint_version, 1);
    struct event event = fixture_event(f, op.id);
    assert_int_equal(event.sent_at_ms, f->wall_ms);
    assert_stamped(box, &event);
    struct delivery delivery = fixture_delivery(f, box->delivery_id);
    assert_int_equal(delivery.state, DELIVERY_PENDING);
    assert_true(delivery.leased);
    assert_int_equal(delivery.lease, 1);
    assert_int_equal(delivery.next_in_ms, -1);
    assert_int_equal(delivery.created_at_ms, f->wall_ms);
}

/* Without a box at hand the delivery waits, and its claim stamps sent_at: once. */
static void claimed_later(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op op = fixture_event_op(f, user);
    fixture_write(f, &op, 1, 0);
    assert_int_equal(op.count, 1);
    assert_int_equal(f->next_due_in_ms, 0);
    assert_int_equal(fixture_event(f, op.id).sent_at_ms, 0);
    fixture_advance(f, 5000);
    fixture_claim(f, 3, 1);
    struct event event = fixture_event(f, op.id);
    assert_int_equal(event.sent_at_ms, f->wall_ms);
    assert_stamped(&f->boxes[0], &event);
    assert_int_equal(f->boxes[0].lease, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 10000), STORE_DONE);
    fixture_reopen(f);
    fixture_advance(f, 10000);
    fixture_claim(f, 3, 1);
    assert_int_equal(fixture_event(f, op.id).sent_at_ms, event.sent_at_ms);
    assert_stamped(&f->boxes[0], &event);
    assert_int_equal(f->boxes[0].lease, 2);
    assert_int_equal(f->boxes[0].attempt, 1);
}

static void master_gets_a_copy(struct fixture *f)
{
    int64_t master = fixture_user(f, "https://master.example/");
    struct store_op op = {
        .kind = STORE_USER_CREATE,
        .user.user = {.master_id = master, .endpoint.url = bytes_of("https://user.example/")}};
    int64_t user = fixture_do(f, op, STORE_DONE);
    fixture_do(f, fixture_key_op(f, user), STORE_DONE);
    struct store_op event = fixture_event_op(f, user);
    fixture_write(f, &event, 1, 4);
    assert_int_equal(event.count, 1); /* he has not asked for them */
    struct store_op wants = fixture_update_op(f, master);
    wants.user.user.receives_users_events = true;
    fixture_do(f, wants, STORE_DONE);
    event = fixture_event_op(f, user);
    fixture_write(f, &event, 1, 4);
    assert_int_equal(event.count, 2);
    assert_int_equal(f->filled, 2);
    assert_int_equal(f->boxes[0].user_id, user);
    assert_int_equal(f->boxes[1].user_id, master);
    assert_memory_equal(f->boxes[0].document, f->boxes[1].document, f->boxes[0].document_len);
    event = fixture_event_op(f, user);
    event.event.owner_only = true;
    fixture_write(f, &event, 1, 4);
    assert_int_equal(event.count, 1);
    assert_int_equal(f->boxes[0].user_id, user);
    event = fixture_event_op(f, master); /* his own: once */
    fixture_write(f, &event, 1, 4);
    assert_int_equal(event.count, 1);
}

static void idempotency(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/"), other = fixture_user(f, NULL);
    struct store_op ops[4];
    for (int i = 0; i < 4; i++) {
        ops[i] = fixture_event_op(f, user);
        ops[i].event.idempotency_key = bytes_of("order-7");
        memset(ops[i].event.request_digest, 1, 32);
    }
    memset(ops[2].event.request_digest, 2, 32);
    ops[3].event.requester_id = other;
    fixture_write(f, ops, 4, 0); /* in one batch */
    int64_t first = ops[0].id;
    assert_int_equal(ops[0].result, STORE_DONE);
    assert_int_equal(ops[1].result, STORE_REPLAYED);
    assert_int_equal(ops[1].id, first);
    assert_int_equal(ops[2].result, STORE_CONFLICT);
    assert_int_equal(ops[2].id, 0);
    assert_int_equal(ops[3].result, STORE_DONE); /* keys are each requester's own */
    fixture_reopen(f);
    assert_int_equal(fixture_do(f, ops[1], STORE_REPLAYED), first);
    fixture_do(f, ops[2], STORE_CONFLICT);
    assert_int_equal(fixture_read(f, (struct store_query){.kind = STORE_LIST_EVENTS, .limit = 9}).count, 2);
}

static void delivered(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op op = fixture_event_op(f, user);
    fixture_write(f, &op, 1, 1);
    fixture_advance(f, 70);
    struct store_op outcome = fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0);
    assert_int_equal(fixture_do(f, outcome, STORE_DONE), f->boxes[0].delivery_id);
    struct delivery delivery = fixture_delivery(f, f->boxes[0].delivery_id);
    assert_int_equal(delivery.state, DELIVERY_DELIVERED);
    assert_false(delivery.leased);
    assert_int_equal(delivery.attempt, 1);
    assert_int_equal(delivery.next_in_ms, -1);
    assert_int_equal(delivery.last_status, 200);
    assert_int_equal(delivery.last_reason.len, 0);
    assert_int_equal(delivery.first_attempt_at_ms, f->wall_ms);
    assert_int_equal(delivery.finished_at_ms, f->wall_ms);
    assert_int_equal(fixture_do(f, outcome, STORE_FENCED), 0);
    assert_int_equal(f->next_due_in_ms, -1);
    fixture_advance(f, 1000000);
    fixture_claim(f, 4, 0);
}

static void retried_until_given_up(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op op = fixture_event_op(f, user);
    fixture_write(f, &op, 1, 1);
    int64_t id = f->boxes[0].delivery_id;
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 9000), STORE_DONE);
    struct delivery delivery = fixture_delivery(f, id);
    assert_int_equal(delivery.state, DELIVERY_PENDING);
    assert_int_equal(delivery.next_in_ms, 9000);
    assert_true(bytes_equal_text(delivery.last_reason, "unexpected_status"));
    assert_int_equal(delivery.last_status, 500);
    fixture_claim(f, 4, 0);
    assert_int_equal(f->next_due_in_ms, 9000);
    fixture_advance(f, 8999);
    fixture_claim(f, 4, 0);
    assert_int_equal(f->next_due_in_ms, 1);
    fixture_advance(f, 1);
    fixture_claim(f, 4, 1);
    assert_int_equal(f->boxes[0].attempt, 1);
    assert_int_equal(f->boxes[0].lost, 0);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_GIVE_UP, 0), STORE_DONE);
    delivery = fixture_delivery(f, id);
    assert_int_equal(delivery.state, DELIVERY_GIVEN_UP);
    assert_int_equal(delivery.attempt, 2);
    assert_int_equal(delivery.next_in_ms, -1);
    fixture_advance(f, 1000000);
    fixture_claim(f, 4, 0);
}

static void fenced(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op op = fixture_event_op(f, user);
    fixture_write(f, &op, 1, 1);
    struct store_work first = f->boxes[0];
    struct store_op unknown = fixture_outcome_op(f, &first, DECISION_DELIVERED, 0);
    unknown.outcome.delivery_id = 12345;
    fixture_do(f, unknown, STORE_NOT_FOUND);
    struct store_op later = fixture_outcome_op(f, &first, DECISION_DELIVERED, 0);
    later.outcome.lease = 2;
    fixture_do(f, later, STORE_FENCED); /* a lease nobody has */

    fixture_advance(f, f->config.lease_ms);
    fixture_claim(f, 1, 1); /* it ran out, and somebody else has it */
    assert_int_equal(f->boxes[0].lease, 2);
    assert_int_equal(f->boxes[0].lost, 1);
    assert_int_equal(f->boxes[0].attempt, 0);
    fixture_do(f, fixture_outcome_op(f, &first, DECISION_DELIVERED, 0), STORE_FENCED);
    assert_int_equal(fixture_delivery(f, first.delivery_id).state, DELIVERY_PENDING);

    struct store_op retry = fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 1000);
    fixture_do(f, retry, STORE_DONE);
    fixture_do(f, retry, STORE_FENCED); /* once is enough */
    assert_int_equal(fixture_delivery(f, first.delivery_id).attempt, 1);
}

/* A lease that ran out may still be recorded as long as nobody has claimed the delivery since. */
static void late_but_not_too_late(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op op = fixture_event_op(f, user);
    fixture_write(f, &op, 1, 1);
    fixture_advance(f, f->config.lease_ms + 1);
    fixture_write(f, NULL, 0, 0);
    struct delivery delivery = fixture_delivery(f, f->boxes[0].delivery_id);
    assert_false(delivery.leased);
    assert_int_equal(delivery.next_in_ms, 0);
    struct store_op late = fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0);
    fixture_do(f, late, STORE_DONE);
    fixture_do(f, late, STORE_FENCED);
    assert_int_equal(fixture_delivery(f, f->boxes[0].delivery_id).state, DELIVERY_DELIVERED);
    fixture_claim(f, 2, 0);
    assert_int_equal(f->next_due_in_ms, -1);
}

/* Of the last attempt all that the receiver said is kept, of the others the first KiB; page by page, all of
 * them. */
static void many_attempts(struct fixture *f)
{
    enum { ATTEMPTS = 131, PAGE = 50 };
    int64_t user = fixture_user(f, "https://example.com/"), id = 0;
    char *body = arena_alloc(&f->arena, 16 << 10);
    memset(body, 'x', 16 << 10);
    fixture_do(f, fixture_event_op(f, user), STORE_DONE);
    for (int i = 0; i < ATTEMPTS; i++) {
        fixture_advance(f, 3600000);
        fixture_claim(f, 1, 1);
        id = f->boxes[0].delivery_id;
        struct store_op outcome = fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 0);
        outcome.outcome.attempt.response = bytes_make(body, i % 2 ? 16 << 10 : 100);
        fixture_do(f, outcome, STORE_DONE);
        struct store_query last = {.kind = STORE_LIST_ATTEMPTS, .id = id, .descending = true, .limit = 2};
        struct store_answer answer = fixture_read(f, last);
        assert_int_equal(answer.attempts[0].response.len, i % 2 ? 16 << 10 : 100);
        if (i > 0)
            assert_int_equal(answer.attempts[1].response.len, i % 2 ? 100 : MODEL_RESPONSE_KEPT_LEN);
    }
    for (int descending = 0; descending <= 1; descending++) {
        struct store_query list = {
            .kind = STORE_LIST_ATTEMPTS, .id = id, .limit = PAGE, .descending = descending};
        struct store_answer answer = {.more = true};
        int seen = 0;
        while (answer.more) {
            answer = fixture_read(f, list);
            for (int i = 0; i < answer.count; i++, seen++)
                assert_int_equal(answer.attempts[i].lease, descending ? ATTEMPTS - seen : seen + 1);
            list.after_id = answer.attempts[answer.count - 1].lease;
        }
        assert_int_equal(seen, ATTEMPTS);
    }
}

static void history(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    fixture_prove(f, user); /* so that one failure does not hold it */
    struct store_op op = fixture_event_op(f, user);
    fixture_write(f, &op, 1, 1);
    int64_t id = f->boxes[0].delivery_id;
    struct store_op outcome = fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 0);
    struct attempt *attempt = &outcome.outcome.attempt;
    attempt->failure = FAILURE_TLS_NAME;
    attempt->status = 503;
    attempt->body_incomplete = attempt->mixed_answer = attempt->request_unread = true;
    attempt->detail = bytes_of("the certificate is for b.example");
    attempt->response = bytes_make("a\0b\xff", 4);
    fixture_do(f, outcome, STORE_DONE);
    fixture_claim(f, 1, 1);
    outcome = fixture_outcome_op(f, &f->boxes[0], DECISION_RELEASE, 0);
    outcome.outcome.attempt.started_at_ms = 0; /* nothing was started: no line */
    fixture_do(f, outcome, STORE_DONE);
    fixture_claim(f, 1, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    struct store_query list = {.kind = STORE_LIST_ATTEMPTS, .id = id, .limit = 10};
    struct store_answer answer = fixture_read(f, list);
    assert_int_equal(answer.count, 2);
    struct attempt *line = &answer.attempts[0];
    assert_int_equal(line->delivery_id, id);
    assert_int_equal(line->lease, 1);
    assert_int_equal(line->attempt, 1);
    assert_int_equal(line->started_at_ms, f->wall_ms);
    assert_int_equal(line->duration_ms, 40);
    assert_int_equal(line->status, 503);
    assert_int_equal(line->failure, FAILURE_TLS_NAME);
    assert_true(line->counted && line->body_incomplete && line->mixed_answer && !line->reused_connection);
    assert_true(bytes_equal_text(line->address, "192.0.2.1:443"));
    assert_true(line->request_unread && bytes_equal_text(line->detail, "the certificate is for b.example"));
    assert_int_equal(line->response.len, 4);
    assert_memory_equal(line->response.data, "a\0b\xff", 4);
    assert_int_equal(answer.attempts[1].lease, 3);
    assert_int_equal(answer.attempts[1].attempt, 2);
    assert_int_equal(answer.attempts[1].failure, FAILURE_NONE);
    assert_int_equal(answer.attempts[1].detail.len, 0);
    list.limit = 1;
    assert_true(fixture_read(f, list).more);
}

static void no_space(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op op = fixture_event_op(f, user);
    op.event.idempotency_key = bytes_of("k");
    struct store_op again = op, other = fixture_event_op(f, user);
    fixture_do(f, op, STORE_DONE);
    fixture_no_space(f, true);
    fixture_do(f, other, STORE_NO_SPACE);
    fixture_do(f, again, STORE_REPLAYED); /* needs none */
    fixture_claim(f, 1, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    fixture_no_space(f, false);
    fixture_do(f, other, STORE_DONE);
}

static void resend_and_cancel(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op op = fixture_event_op(f, user);
    fixture_write(f, &op, 1, 1);
    struct store_work box = f->boxes[0];
    struct store_op resend = {.kind = STORE_RESEND,
                              .delivery = {.delivery_id = box.delivery_id, .user_id = user}};
    struct store_op cancel = {.kind = STORE_CANCEL, .delivery = {.delivery_id = box.delivery_id}};
    fixture_do(f, resend, STORE_DONE); /* it is under way: nothing to do */
    fixture_claim(f, 1, 0);
    fixture_do(f, cancel, STORE_DONE);
    assert_int_equal(fixture_delivery(f, box.delivery_id).state, DELIVERY_CANCELLED);
    fixture_do(f, cancel, STORE_CONFLICT);
    fixture_do(f, fixture_outcome_op(f, &box, DECISION_DELIVERED, 0), STORE_FENCED);
    resend.delivery.user_id = user + 1;
    fixture_do(f, resend, STORE_NOT_FOUND);
    resend.delivery.user_id = user;
    fixture_do(f, resend, STORE_DONE);
    assert_int_equal(f->next_due_in_ms, 0);
    struct delivery delivery = fixture_delivery(f, box.delivery_id);
    assert_int_equal(delivery.state, DELIVERY_PENDING);
    assert_int_equal(delivery.next_in_ms, 0);
    assert_int_equal(delivery.finished_at_ms, 0);
    fixture_do(f, fixture_outcome_op(f, &box, DECISION_DELIVERED, 0), STORE_FENCED);
    fixture_claim(f, 2, 1);
    assert_int_equal(f->boxes[0].lease, 2);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_GIVE_UP, 0), STORE_DONE);
    fixture_do(f, resend, STORE_DONE);
    fixture_claim(f, 2, 1);
    assert_int_equal(f->boxes[0].lease, 3);
    assert_int_equal(f->boxes[0].attempt, 0); /* as if new */
    assert_int_equal(f->boxes[0].age_ms, 0);
    cancel.delivery.delivery_id = 4321;
    fixture_do(f, cancel, STORE_NOT_FOUND);
}

/* if_as: done if the delivery is as it was read, and else nothing. */
static void words_about_what_was_read(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op op = fixture_event_op(f, user);
    fixture_write(f, &op, 1, 1);
    struct store_work box = f->boxes[0];
    struct delivery seen = fixture_delivery(f, box.delivery_id), now;
    assert_true(seen.leased);
    struct store_op resend = {.kind = STORE_RESEND, .delivery = {.delivery_id = seen.id, .if_as = &seen}};
    struct store_op cancel = {.kind = STORE_CANCEL, .delivery = {.delivery_id = seen.id, .if_as = &seen}};
    fixture_do(f, resend, STORE_DONE);
    fixture_do(f, fixture_outcome_op(f, &box, DECISION_RELEASE, 10), STORE_DONE); /* counts nothing */
    fixture_do(f, cancel, STORE_FENCED);
    seen = fixture_delivery(f, seen.id);
    fixture_do(f, cancel, STORE_DONE);
    fixture_do(f, resend, STORE_FENCED);
    assert_int_equal(fixture_delivery(f, seen.id).state, DELIVERY_CANCELLED);
    seen = fixture_delivery(f, seen.id);
    fixture_do(f, cancel, STORE_CONFLICT); /* it is as it was read, and has ended */
    fixture_do(f, resend, STORE_DONE);
    fixture_claim(f, 1, 1);
    fixture_do(f, resend, STORE_FENCED);
    seen = fixture_delivery(f, seen.id);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    fixture_do(f, resend, STORE_FENCED);
    seen = fixture_delivery(f, seen.id);
    fixture_do(f, resend, STORE_DONE);
    fixture_do(f, resend, STORE_FENCED); /* it is being sent again */
    now = fixture_delivery(f, seen.id);
    now.finished_at_ms++;
    cancel.delivery.if_as = &now;
    fixture_do(f, cancel, STORE_FENCED);
    cancel.delivery.delivery_id = 4321;
    fixture_do(f, cancel, STORE_NOT_FOUND);
}

/* 8.29: what is sent is in the history, also if somebody cancelled it, or another lease took over, meanwhile.
 */
static void what_is_overtaken_is_in_the_history(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op op = fixture_event_op(f, user);
    fixture_write(f, &op, 1, 1);
    struct store_work box = f->boxes[0];
    struct store_op cancel = {.kind = STORE_CANCEL, .delivery = {.delivery_id = box.delivery_id}};
    struct store_op resend = {.kind = STORE_RESEND, .delivery = {.delivery_id = box.delivery_id}};
    fixture_do(f, cancel, STORE_DONE);
    struct store_op outcome = fixture_outcome_op(f, &box, DECISION_DELIVERED, 0);
    fixture_do(f, outcome, STORE_FENCED);
    fixture_do(f, outcome, STORE_FENCED); /* the commit's fate was unknown: one line */
    struct store_op never = outcome;
    never.outcome.lease = 7;
    fixture_do(f, never, STORE_FENCED); /* nobody ever had that lease */
    struct delivery delivery = fixture_delivery(f, box.delivery_id);
    assert_int_equal(delivery.state, DELIVERY_CANCELLED);
    assert_int_equal(delivery.attempt, 0);
    struct store_query list = {.kind = STORE_LIST_ATTEMPTS, .id = box.delivery_id, .limit = 10};
    struct store_answer answer = fixture_read(f, list);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.attempts[0].status, 200);
    assert_false(answer.attempts[0].counted);

    fixture_do(f, resend, STORE_DONE);
    fixture_claim(f, 1, 1);
    struct store_work slow = f->boxes[0];
    fixture_advance(f, f->config.lease_ms);
    fixture_claim(f, 1, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    fixture_do(f, fixture_outcome_op(f, &slow, DECISION_RETRY, 0), STORE_FENCED);
    answer = fixture_read(f, list);
    assert_int_equal(answer.count, 3);
    assert_int_equal(answer.attempts[1].status, 500);
    assert_false(answer.attempts[1].counted);
    assert_true(answer.attempts[2].counted);
    delivery = fixture_delivery(f, box.delivery_id);
    assert_int_equal(delivery.state, DELIVERY_DELIVERED);
    assert_int_equal(delivery.attempt, 1);
}

/* 8.9 */
static void delivered_stays_delivered(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op op = fixture_event_op(f, user);
    fixture_write(f, &op, 1, 1);
    struct store_work box = f->boxes[0];
    fixture_do(f, fixture_outcome_op(f, &box, DECISION_DELIVERED, 0), STORE_DONE);
    struct delivery first = fixture_delivery(f, box.delivery_id);
    struct store_op resend = {.kind = STORE_RESEND, .delivery.delivery_id = box.delivery_id};
    struct store_op cancel = {.kind = STORE_CANCEL, .delivery.delivery_id = box.delivery_id};
    static const enum decision_kind ends[] = {DECISION_GIVE_UP, DECISION_DELIVERED, DECISION_RETRY};
    for (int i = 0; i < 3; i++) {
        fixture_advance(f, 5000);
        fixture_do(f, resend, STORE_DONE);
        assert_true(fixture_delivery(f, box.delivery_id).resending);
        fixture_claim(f, 1, 1);
        assert_int_equal(f->boxes[0].attempt, 0);
        fixture_do(f, fixture_outcome_op(f, &f->boxes[0], ends[i], 1000), STORE_DONE);
        struct delivery now = fixture_delivery(f, box.delivery_id);
        assert_int_equal(now.state, DELIVERY_DELIVERED);
        assert_int_equal(now.finished_at_ms, first.finished_at_ms);
        assert_int_equal(now.attempt, 2 + i); /* it never falls */
        assert_int_equal(now.resending, ends[i] == DECISION_RETRY);
    }
    fixture_do(f, cancel, STORE_DONE);
    struct delivery now = fixture_delivery(f, box.delivery_id);
    assert_int_equal(now.state, DELIVERY_DELIVERED);
    assert_int_equal(now.attempt, 4);
    assert_false(now.resending);
    fixture_do(f, cancel, STORE_CONFLICT);
    struct store_stats *stats = fixture_read(f, (struct store_query){.kind = STORE_GET_STATS}).stats;
    assert_int_equal(stats->deliveries_delivered, 1);
    assert_int_equal(stats->deliveries_pending + stats->deliveries_given_up, 0);
}

static void a_resend_of_what_waits_is_now(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op op = fixture_event_op(f, user);
    fixture_write(f, &op, 1, 1);
    struct store_op resend = {.kind = STORE_RESEND, .delivery.delivery_id = f->boxes[0].delivery_id};
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 3600000), STORE_DONE);
    fixture_claim(f, 1, 0);
    fixture_do(f, resend, STORE_DONE);
    fixture_claim(f, 1, 1);
    assert_int_equal(f->boxes[0].attempt, 1); /* the next step of the same */
}

/* "A try now. If it fails, the old schedule goes on as if it had not been." (Others start it afresh, or end
 * it.)
 */
static void a_resend_that_fails_harms_nothing(struct fixture *f)
{
    static const enum decision_kind fails[] = {DECISION_RETRY, DECISION_GIVE_UP};
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op op = fixture_event_op(f, user);
    fixture_write(f, &op, 1, 1);
    int64_t id = f->boxes[0].delivery_id;
    struct store_op resend = {.kind = STORE_RESEND, .delivery.delivery_id = id};
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 3600000), STORE_DONE);
    int64_t left_ms = fixture_delivery(f, id).next_in_ms;
    for (int i = 0; i < 2; i++) {
        fixture_advance(f, 60000);
        fixture_do(f, resend, STORE_DONE);
        fixture_do(f, resend, STORE_DONE); /* once more, before it is out */
        fixture_claim(f, 1, 1);
        assert_int_equal(f->boxes[0].attempt, 1);
        fixture_do(f, fixture_outcome_op(f, &f->boxes[0], fails[i], 7200000), STORE_DONE);
        struct delivery now = fixture_delivery(f, id);
        assert_int_equal(now.state, DELIVERY_PENDING);
        assert_int_equal(now.attempt, 2 + i); /* of the history */
        assert_int_equal(now.next_in_ms, left_ms - (i + 1) * 60000);
    }
    fixture_advance(f, left_ms);
    fixture_claim(f, 1, 1);
    assert_int_equal(f->boxes[0].attempt, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_GIVE_UP, 0), STORE_DONE);
    assert_int_equal(fixture_delivery(f, id).state, DELIVERY_GIVEN_UP);
}

static void purge(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/"), silent = fixture_user(f, NULL);
    struct store_op ops[3] = {fixture_event_op(f, user), fixture_event_op(f, user),
                              fixture_event_op(f, silent)};
    fixture_write(f, ops, 3, 1); /* the first is out, the second waits, the third has nobody */
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    int64_t delivery = f->boxes[0].delivery_id;
    fixture_advance(f, 1000);
    struct store_op young = fixture_event_op(f, silent);
    fixture_accept(f, &young);
    struct store_op op = {.kind = STORE_PURGE, .purge = {.before_ms = f->wall_ms, .rows_max = 1}};
    int64_t removed = 0;
    for (int i = 0; i < 6; i++) { /* a few at a time, and some calls may find none */
        fixture_write(f, &op, 1, 0);
        assert_true(op.count <= 1);
        removed += op.count;
    }
    assert_int_equal(removed, 2);
    struct store_answer answer = fixture_read(f, (struct store_query){.kind = STORE_LIST_EVENTS, .limit = 9});
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.events[0].id, ops[1].event.event.id);
    assert_int_equal(answer.events[1].id, young.event.event.id);
    struct store_query get = {.kind = STORE_GET_DELIVERY, .id = delivery};
    assert_int_equal(fixture_read(f, get).count, 0);
    get.kind = STORE_LIST_ATTEMPTS;
    assert_int_equal(fixture_read(f, get).count, 0);
    fixture_claim(f, 2, 1);
    assert_int_equal(f->boxes[0].event_id, ops[1].event.event.id);
}

const struct contract_test contract_events[] = {
    {"an event without a URL is kept for polling", event_without_url},
    {"8.10: an event to nobody is skipped, and can be sent later", to_nobody},
    {"8.10: what goes to the Master alone is not skipped", to_the_master_alone},
    {"a delivery is born leased while boxes are there", born_leased},
    {"a delivery that waited is stamped by its first claim, once", claimed_later},
    {"a Master gets his users' events if he wants them", master_gets_a_copy},
    {"an idempotency key replays or conflicts", idempotency},
    {"delivered", delivered},
    {"retried when due, until given up", retried_until_given_up},
    {"outcomes are fenced by the lease", fenced},
    {"a lease that ran out may be recorded until it is claimed", late_but_not_too_late},
    {"history keeps what was started", history},
    {"8.24: many attempts: the last one whole, page by page", many_attempts},
    {"without space events are refused and outcomes recorded", no_space},
    {"resend and cancel", resend_and_cancel},
    {"words about what was read", words_about_what_was_read},
    {"8.29: what is overtaken is in the history", what_is_overtaken_is_in_the_history},
    {"8.9: delivered stays delivered, a resend is beside it", delivered_stays_delivered},
    {"8.9: a resend of what waits is now", a_resend_of_what_waits_is_now},
    {"resend: one that fails harms nothing: the old schedule goes on", a_resend_that_fails_harms_nothing},
    {"purge takes old events that have ended", purge},
    {0},
};
