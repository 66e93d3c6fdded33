/*
 * The rules of the core against the model store, which states them in its own words: from each of many random
 * states, both must take the same step.
 */
#include "failing.h"
#include "fixture.h"
#include "model_state.h"
#include "wishes.h"
#include <stdio.h>
#include <stdlib.h>

enum { SEEDS = 60, STEPS = 250, USERS = 3 };

struct rules {
    struct fixture model;
    uint64_t random;
    int64_t users[USERS], further[USERS]; /* an endpoint more of each */
};

static int64_t draw(struct rules *r, int64_t below)
{
    r->random ^= r->random << 13;
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    return (int64_t)(r->random % (uint64_t)below);
}

static struct ledger_row row_of(const struct model_delivery *delivery)
{
    return (struct ledger_row){.lease = delivery->lease,
                               .due_at_ms = delivery->due_ms,
                               .aged_from_ms = delivery->age_start_ms,
                               .attempt = delivery->attempt,
                               .earlier = delivery->earlier,
                               .resumes_at_ms = delivery->resumes_ms,
                               .lost = delivery->lost + delivery->leased,
                               .state = delivery->state,
                               .under_way = model_under_way(delivery)};
}

static void same_row(const struct model_delivery *delivery, const struct ledger_row *row)
{
    struct ledger_row model = row_of(delivery);
    assert_int_equal(row->lease, model.lease);
    assert_int_equal(row->attempt, model.attempt);
    assert_int_equal(row->earlier, model.earlier);
    assert_int_equal(row->resumes_at_ms, model.resumes_at_ms);
    assert_int_equal(row->lost, model.lost);
    assert_int_equal(row->state, model.state);
    assert_int_equal(row->under_way, model.under_way);
    if (row->under_way)
        assert_int_equal(row->due_at_ms, model.due_at_ms);
    if (row->under_way && row->attempt > 0)
        assert_int_equal(row->aged_from_ms, model.aged_from_ms);
}

static struct model_disk *disk_of(const struct rules *r)
{
    return r->model.store->disk;
}

static struct model_delivery *some_delivery(struct rules *r)
{
    return &disk_of(r)->deliveries[draw(r, disk_of(r)->delivery_count)];
}

static struct moment now_of(const struct rules *r)
{
    return (struct moment){.wall_ms = r->model.wall_ms,
                           .mono_ms = r->model.mono_ms,
                           .due_ms = model_due_now_ms(r->model.store),
                           .service_ms = model_service_now_ms(r->model.store)};
}

/* ---- outcomes ---- */

static struct ledger_outcome some_outcome(struct rules *r, const struct model_delivery *delivery)
{
    static const enum failure failures[] = {FAILURE_UNEXPECTED_STATUS, FAILURE_GONE, FAILURE_RESET};
    static const enum failure ours[] = {FAILURE_SHUTDOWN, FAILURE_LOCAL_OUTAGE, FAILURE_LOCAL_LIMIT};
    struct ledger_outcome outcome = {.delivery_id = delivery->id,
                                     .lease = delivery->lease + (draw(r, 6) ? 0 : draw(r, 3) - 1),
                                     .attempt = {.delivery_id = delivery->id,
                                                 .started_at_ms = draw(r, 8) ? r->model.wall_ms : 0,
                                                 .duration_ms = (int32_t)draw(r, 2000)}};
    struct decision *decision = &outcome.decision;
    decision->kind = (enum decision_kind)draw(r, 4);
    outcome.answered = decision->kind == DECISION_DELIVERED;
    outcome.attempt.lease = outcome.lease;
    if (outcome.answered)
        return outcome;
    decision->reason = decision->kind == DECISION_RELEASE ? ours[draw(r, 3)] : failures[draw(r, 3)];
    decision->delay_ms = decision->kind == DECISION_GIVE_UP || !draw(r, 5) ? 0 : draw(r, 20000);
    decision->refused = decision->kind != DECISION_RELEASE && !draw(r, 3);
    decision->hold_ms = decision->refused ? draw(r, 3000) : 0;
    outcome.attempt.failure = decision->reason;
    return outcome;
}

static int lines(const struct rules *r, const struct model_delivery *delivery, int64_t lease, bool *news,
                 enum failure failure)
{
    int count = 0;
    const struct attempt *last = NULL;
    for (int i = 0; i < disk_of(r)->attempt_count; i++) {
        const struct attempt *line = &disk_of(r)->attempts[i];
        if (line->delivery_id != delivery->id)
            continue;
        count += line->lease == lease;
        last = !last || line->lease > last->lease ? line : last;
    }
    *news = !last || last->failure != failure;
    return count;
}

static void same_pace(const struct pace *a, const struct pace *b)
{
    assert_int_equal(a->held_until_ms, b->held_until_ms);
    assert_int_equal(a->answered_ms, b->answered_ms);
    assert_int_equal(a->window, b->window);
    assert_int_equal(a->failures_in_a_row, b->failures_in_a_row);
    assert_int_equal(a->probes_failed, b->probes_failed);
    assert_int_equal(a->took_ms, b->took_ms);
    assert_int_equal(a->ever_answered, b->ever_answered);
    assert_int_equal(a->failing, b->failing);
    assert_int_equal(a->released, b->released);
    assert_int_equal(a->pushback.from_ms, b->pushback.from_ms);
}

/* Of those that were missed before: they are due now, or they are still missed. */
static void missed_are_due(struct rules *r, const struct model_endpoint *before,
                           const struct model_endpoint *endpoint, const struct ledger_pace *made,
                           int64_t delivery_id)
{
    int added = made->missed != PACE_BY_BACKOFF && before->missed_count < PACE_MISSED_MAX;
    assert_int_equal(endpoint->missed_count, made->answered ? 0 : before->missed_count + added);
    if (added)
        assert_int_equal(endpoint->missed[endpoint->missed_count - 1],
                         made->missed == PACE_ON_ANSWER ? delivery_id : -delivery_id);
    for (int i = 0; i < before->missed_count && made->answered; i++) {
        int64_t id = before->missed[i] > 0 ? before->missed[i] : -before->missed[i];
        const struct model_delivery *missed = model_find_delivery(disk_of(r), id);
        bool waits = missed && id != delivery_id && model_under_way(missed) &&
                     !(missed->leased && missed->due_ms > model_due_now_ms(r->model.store));
        if (waits && (before->missed[i] > 0 || made->recovered))
            assert_int_equal(missed->due_ms, ledger_missed_due_at(id));
    }
}

/* Since when it fails, and whether that disables it. `was`: before the outcome, which was recorded. */
static void same_failing(struct rules *r, int64_t endpoint_id, const struct model_row *was,
                         const struct ledger_outcome *outcome, int64_t now_ms)
{
    const struct model_row *row = model_find_endpoint(disk_of(r), endpoint_id);
    const struct endpoint *before = &was->endpoint;
    struct failing failing = {was->fails_since_ms, was->outage_since_ms};
    struct failing_limits limits = {before->disable_on_410, before->disable_after};
    enum endpoint_disabled why = ENDPOINT_ENABLED;
    bool idle = before->paused || was->removed;
    failing_ended(&failing, outcome, idle, now_ms);
    if (!idle)
        why = failing_disables(&failing, outcome, limits, &r->model.store->config.pace, now_ms);
    if (why)
        failing = (struct failing){0};
    assert_int_equal(row->fails_since_ms, failing.since_ms);
    assert_int_equal(row->outage_since_ms, failing.outage_from_ms);
    assert_int_equal(row->endpoint.paused, before->paused || why);
    assert_int_equal(row->endpoint.disabled, why ? why : before->disabled);
}

static void try_outcome(struct rules *r)
{
    struct model_delivery *delivery = some_delivery(r);
    struct model_endpoint *endpoint = model_view(r->model.store, delivery->endpoint_id);
    struct model_endpoint endpoint_before = *endpoint;
    struct store *store = r->model.store;
    struct moment now = now_of(r);
    struct ledger_row row = row_of(delivery);
    struct ledger_outcome outcome = some_outcome(r, delivery);
    struct pace pace = endpoint->pace;
    struct pace_outage outage = store->outage;
    struct model_row was = *model_find_endpoint(store->disk, delivery->endpoint_id);
    bool news = false;
    int before = lines(r, delivery, outcome.lease, &news, outcome.attempt.failure);
    int64_t began_ms = delivery->due_ms > now.due_ms ? delivery->due_ms - store->config.lease_ms : now.due_ms;
    struct ledger_record made = ledger_record(&row, &outcome, &now);
    bool line = made.line == LEDGER_LINE || (made.line == LEDGER_LINE_IF_NEWS && news) ||
                (made.line == LEDGER_LINE_IF_MISSING && before == 0);

    struct store_op op = {.kind = STORE_OUTCOME, .outcome = outcome};
    fixture_do(&r->model, op, made.fenced ? STORE_FENCED : STORE_DONE);
    same_row(delivery, &row);
    assert_int_equal(lines(r, delivery, outcome.lease, &news, outcome.attempt.failure), before + line);
    struct ledger_pace paced = {0};
    if (!made.fenced)
        paced = ledger_pace(&pace, &outage, &store->config.pace, &outcome, &row, endpoint->endpoint.id,
                            began_ms, now.due_ms);
    same_pace(&pace, &endpoint->pace);
    assert_int_equal(outage.on, store->outage.on);
    if (outage.on)
        assert_int_equal(outage.from_ms, store->outage.from_ms);
    if (!made.fenced)
        missed_are_due(r, &endpoint_before, endpoint, &paced, delivery->id);
    if (!made.fenced)
        same_failing(r, delivery->endpoint_id, &was, &outcome, now.service_ms);
}

/* ---- people ---- */

static void try_resend(struct rules *r)
{
    struct model_delivery *delivery = some_delivery(r);
    const struct model_endpoint *endpoint = model_view(r->model.store, delivery->endpoint_id);
    struct ledger_row row = row_of(delivery);
    enum ledger_resent resent = ledger_resend(&row, endpoint->endpoint.url.len > 0, endpoint->removed,
                                              model_due_now_ms(r->model.store));
    struct store_op op = {.kind = STORE_RESEND, .delivery = {.delivery_id = delivery->id}};
    fixture_do(&r->model, op, resent == LEDGER_REFUSED ? STORE_CONFLICT : STORE_DONE);
    same_row(delivery, &row);
}

static void try_cancel(struct rules *r)
{
    struct model_delivery *delivery = some_delivery(r);
    struct ledger_row row = row_of(delivery);
    bool done = ledger_cancel(&row);
    struct store_op op = {.kind = STORE_CANCEL, .delivery = {.delivery_id = delivery->id}};
    fixture_do(&r->model, op, done ? STORE_DONE : STORE_CONFLICT);
    same_row(delivery, &row);
}

static struct endpoint some_settings(struct rules *r, struct endpoint endpoint)
{
    endpoint.url = bytes_of(draw(r, 4) ? "https://a.example/" : "");
    endpoint.disable_on_410 = draw(r, 2);
    endpoint.disable_after = (int32_t)draw(r, 3);
    endpoint.paused = draw(r, 5) == 0;
    fixture_wish(&endpoint, (int)draw(r, FIXTURE_WISHES));
    return endpoint;
}

static void try_change(struct rules *r)
{
    struct store_op op = fixture_update_op(&r->model, r->users[draw(r, USERS)]);
    op.user.user.endpoint = some_settings(r, op.user.user.endpoint);
    op.user.user.receives_users_events = draw(r, 2);
    fixture_do(&r->model, op, STORE_DONE);
}

/* The further one; now and then it goes, and another takes its place. */
static void try_endpoint(struct rules *r)
{
    int at = (int)draw(r, USERS);
    struct store_op op = fixture_endpoint_op(&r->model, r->further[at]);
    op.endpoint.endpoint = some_settings(r, op.endpoint.endpoint);
    op.kind = draw(r, 3) ? STORE_ENDPOINT_UPDATE : STORE_ENDPOINT_REMOVE;
    fixture_do(&r->model, op, STORE_DONE);
    if (op.kind == STORE_ENDPOINT_REMOVE)
        r->further[at] = fixture_endpoint(&r->model, r->users[at], "https://b.example/");
}

/* ---- events and claims ---- */

static void same_snapshot(const struct rules *r, const struct store_op *op)
{
    const struct event *event = &op->event.event;
    bool carried = routing_own_snapshot(event, op->event.included, op->event.included_count) != NULL;
    bool latest = false, any = false;
    for (int i = 0; i < disk_of(r)->resource_count; i++) {
        const struct resource *resource = &disk_of(r)->resources[i];
        if (resource->owner_id != event->owner_id || !bytes_equal(resource->id, event->resource_id))
            continue;
        any = true;
        latest = resource->event_id == op->id;
    }
    assert_true(op->event.destroyed ? !any : latest == carried);
}

static enum routing_verdict judge(struct routing_event *event, const struct endpoint *endpoint,
                                  const struct user *user)
{
    struct wishes *wishes = NULL;
    assert_true(wishes_set(&wishes, endpoint->event_types, endpoint->channels, endpoint->filter));
    struct routing_endpoint to = {user->id, endpoint->url.len > 0, user->receives_users_events,
                                  wishes_of(wishes)};
    enum routing_verdict verdict = routing_judge(event, &to);
    wishes_free(wishes);
    return verdict;
}

/* The next one of those that the model kept. */
static void same_unmatched(struct bytes *rest, int64_t endpoint_id, enum routing_verdict verdict,
                           bool is_masters)
{
    struct routing_unmatched kept;
    assert_true(routing_next_unmatched(rest, &kept));
    assert_int_equal(kept.endpoint_id, endpoint_id);
    assert_int_equal(kept.verdict, verdict);
    assert_int_equal(kept.is_masters, is_masters);
}

static void try_event(struct rules *r)
{
    struct store_op op = fixture_event_op(&r->model, r->users[draw(r, USERS)]);
    struct resource included[2];
    op.event.owner_only = draw(r, 4) == 0;
    op.event.event.channels = fixture_channels((int)draw(r, FIXTURE_CHANNELS));
    op.event.destroyed = draw(r, 4) == 0;
    op.event.included = included;
    op.event.included_count = (int)draw(r, 3);
    for (int i = 0; i < 2; i++)
        included[i] = (struct resource){
            .type = bytes_of("payments"), .id = bytes_of(draw(r, 2) ? "7" : "8"), .json = bytes_of("{}")};
    int at = disk_of(r)->delivery_count;
    op.id = fixture_do(&r->model, op, STORE_DONE);
    const struct user *owner = model_find_user(disk_of(r), op.event.event.owner_id);
    struct routing_event event = {owner->id,
                                  owner->master_id,
                                  op.event.owner_only,
                                  op.event.event.event_type,
                                  op.event.event.channels,
                                  op.event.event.document,
                                  FILTER_STEPS_MAX};
    const struct ledger_row row = ledger_accepted(model_due_now_ms(r->model.store));
    int sent = 0;
    struct bytes unmatched = disk_of(r)->events[disk_of(r)->event_count - 1].event.unmatched;
    const bool wanted = unmatched.len == 0;
    const int count = disk_of(r)->endpoint_count;
    for (int i = 0; i < 2 * count; i++) { /* the owner's first */
        const struct endpoint *endpoint = &disk_of(r)->endpoints[i % count].endpoint;
        const struct user *user = model_find_user(disk_of(r), endpoint->owner_id);
        if ((i < count) != (user == owner))
            continue;
        enum routing_verdict verdict = judge(&event, endpoint, user);
        if (routing_is_unmatched(verdict))
            same_unmatched(&unmatched, endpoint->id, verdict, user != owner);
        if (verdict != ROUTING_SENT)
            continue;
        assert_true(at < disk_of(r)->delivery_count);
        assert_int_equal(disk_of(r)->deliveries[at].endpoint_id, endpoint->id);
        assert_int_equal(disk_of(r)->deliveries[at].user_id, user->id);
        same_row(&disk_of(r)->deliveries[at++], &row);
        sent++;
    }
    assert_int_equal(unmatched.len, 0);
    if (sent == 0 && wanted) {
        assert_int_equal(disk_of(r)->deliveries[at].user_id, owner->id);
        assert_int_equal(disk_of(r)->deliveries[at++].state, DELIVERY_SKIPPED);
    }
    assert_int_equal(at, disk_of(r)->delivery_count);
    same_snapshot(r, &op);
}

static void try_claim(struct rules *r)
{
    enum { ROWS_MAX = 2 * STEPS * USERS };
    struct ledger_row rows[ROWS_MAX];
    const struct model_disk *disk = disk_of(r);
    struct moment now = now_of(r);
    for (int i = 0; i < disk->delivery_count; i++)
        rows[i] = row_of(&disk->deliveries[i]);
    fixture_write(&r->model, NULL, 0, 1 + (int)draw(r, 3));
    for (int box = 0; box < r->model.filled; box++)
        for (int i = 0; i < disk->delivery_count; i++) {
            if (disk->deliveries[i].id != r->model.boxes[box].delivery_id)
                continue;
            ledger_lease(&rows[i], now.due_ms, r->model.config.lease_ms);
            assert_int_equal(r->model.boxes[box].lost, rows[i].lost - 1);
            assert_int_equal(r->model.boxes[box].age_ms, ledger_age_ms(&rows[i], &now));
        }
    for (int i = 0; i < disk->delivery_count; i++)
        same_row(&disk->deliveries[i], &rows[i]);
}

static void try_life(struct rules *r)
{
    static void (*const steps[])(struct rules * r) = {try_event,   try_event,   try_claim,   try_claim,
                                                      try_outcome, try_outcome, try_outcome, try_resend,
                                                      try_cancel,  try_change,  try_endpoint};
    static const int64_t pauses_ms[] = {0, 0, 1, 40, 700, 6000, 61000};
    try_event(r);
    for (int i = 0; i < STEPS; i++) {
        steps[draw(r, sizeof steps / sizeof *steps)](r);
        fixture_advance(&r->model, pauses_ms[draw(r, sizeof pauses_ms / sizeof *pauses_ms)]);
    }
}

static void core_and_model_take_the_same_steps(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct rules *r = calloc(1, sizeof *r);
        assert_non_null(r);
        r->random = seed * 0x9E3779B97F4A7C15u;
        fixture_open(&r->model, &store_model);
        for (int i = 0; i < USERS; i++) {
            struct store_op op = {.kind = STORE_USER_CREATE,
                                  .user.user = {.name = bytes_of("Ana"),
                                                .role = i ? USER_REGULAR : USER_MASTER,
                                                .master_id = i ? r->users[0] : 0,
                                                .endpoint.url = bytes_of("https://a.example/")}};
            r->users[i] = fixture_do(&r->model, op, STORE_DONE);
            fixture_do(&r->model, fixture_key_op(&r->model, r->users[i]), STORE_DONE);
            r->further[i] = fixture_endpoint(&r->model, r->users[i], "https://b.example/");
        }
        print_message("seed %d\n", (int)seed);
        try_life(r);
        fixture_close(&r->model);
        free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(core_and_model_take_the_same_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
