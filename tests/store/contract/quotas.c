/* Quotas: a user's stored bytes and waiting deliveries, and the writes that are never refused; and the health
 * of its endpoint. */
#include "contract.h"

static const char URL[] = "https://example.com/";

static void limit(struct fixture *f, struct user_usage quotas)
{
    f->config.quotas = quotas;
    fixture_reopen(f);
}

static void refused(struct fixture *f, struct store_op op, enum quota quota, int64_t used)
{
    fixture_write(f, &op, 1, 0);
    assert_int_equal(op.result, STORE_QUOTA);
    assert_int_equal(op.reached.quota, quota);
    assert_int_equal(op.reached.used, used);
    assert_int_equal(op.id, 0);
    assert_int_equal(op.count, 0);
}

/* An event with a snapshot of payments/ID, of 2 bytes. */
static struct store_op event_of(struct fixture *f, int64_t user, const char *id)
{
    struct store_op op = fixture_event_op(f, user);
    struct resource *own = arena_zero(&f->arena, sizeof *own);
    *own = (struct resource){.type = op.event.event.resource_type,
                             .id = bytes_of(id),
                             .json = bytes_make(op.event.event.document.data, 2)};
    op.event.event.resource_id = bytes_of(id);
    op.event.included = own;
    op.event.included_count = 1;
    return op;
}

static struct store_op put_of(struct fixture *f, int64_t user, const char *id, const char *json)
{
    return (struct store_op){.kind = STORE_RESOURCE_PUT,
                             .resource = {.resource = {.owner_id = user,
                                                       .type = bytes_of("payments"),
                                                       .id = bytes_of(id),
                                                       .json = bytes_of(json),
                                                       .updated_at_ms = f->wall_ms},
                                          .if_version = -1}};
}

static struct store_op purge_of(struct fixture *f)
{
    fixture_advance(f, 1000);
    return (struct store_op){
        .kind = STORE_PURGE,
        .purge = {.before_ms = f->wall_ms, .resources_before_ms = f->wall_ms, .rows_max = 1000}};
}

static void waiting(struct fixture *f)
{
    int64_t master = fixture_user(f, URL), user = fixture_user(f, URL), quiet = fixture_user(f, NULL);
    limit(f, (struct user_usage){.pending = 3});
    fixture_prove(f, user);
    struct store_op ops[5];
    for (int i = 0; i < 5; i++)
        ops[i] = fixture_event_op(f, user);
    fixture_write(f, ops, 5, 0); /* exact within a batch */
    for (int i = 0; i < 5; i++)
        assert_int_equal(ops[i].result, i < 3 ? STORE_DONE : STORE_QUOTA);
    assert_int_equal(ops[4].reached.limit, 3);
    for (int round = 0; round < 2; round++) {
        refused(f, fixture_event_op(f, user), QUOTA_WAITING, 3);
        fixture_do(f, ops[1], STORE_DONE); /* done again */
        fixture_reopen(f);
    }
    fixture_do(f, fixture_event_op(f, master), STORE_DONE);
    for (int i = 0; i < 5; i++)
        fixture_do(f, fixture_event_op(f, quiet), STORE_DONE); /* nobody waits for these */
    /* What ends makes room, and what is resent is not refused, room or none. */
    fixture_claim(f, 4, 4);
    struct store_work *box = &f->boxes[f->boxes[0].user_id == master];
    struct store_op resend = {.kind = STORE_RESEND, .delivery = {.delivery_id = box->delivery_id}};
    fixture_do(f, fixture_outcome_op(f, box, DECISION_DELIVERED, 0), STORE_DONE);
    fixture_do(f, fixture_event_op(f, user), STORE_DONE);
    refused(f, fixture_event_op(f, user), QUOTA_WAITING, 3);
    fixture_do(f, resend, STORE_DONE);
    refused(f, fixture_event_op(f, user), QUOTA_WAITING, 4);
}

/* Copies count for the Master that gets them, but no event of another is refused for them. */
static void copies(struct fixture *f)
{
    int64_t master = fixture_user(f, URL);
    struct store_op update = fixture_update_op(f, master);
    update.user.user.receives_users_events = true;
    fixture_do(f, update, STORE_DONE);
    struct store_op create = {.kind = STORE_USER_CREATE,
                              .user.user = {.name = bytes_of("x"), .master_id = master}};
    int64_t user = fixture_do(f, create, STORE_DONE);
    limit(f, (struct user_usage){.pending = 2});
    for (int i = 0; i < 4; i++)
        fixture_do(f, fixture_event_op(f, user), STORE_DONE);
    refused(f, fixture_event_op(f, master), QUOTA_WAITING, 4);
    fixture_do(f, fixture_event_op(f, user), STORE_DONE);
}

static void stored_bytes(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL), other = fixture_user(f, NULL);
    struct store_op first = fixture_event_op(f, user), second = fixture_event_op(f, user);
    int64_t len = (int64_t)first.event.event.document.len;
    first.event.idempotency_key = bytes_of("k");
    limit(f, (struct user_usage){.stored_bytes = 2 * len + 12});
    fixture_do(f, first, STORE_DONE);
    fixture_do(f, second, STORE_DONE);
    refused(f, fixture_event_op(f, user), QUOTA_STORED_BYTES, 2 * len);
    fixture_do(f, first, STORE_REPLAYED);
    fixture_do(f, fixture_event_op(f, other), STORE_DONE);
    fixture_do(f, put_of(f, user, "1", "{\"a\":\"bcd\"}"), STORE_DONE); /* 11 bytes */
    refused(f, put_of(f, user, "2", "{}"), QUOTA_STORED_BYTES, 2 * len + 11);
    refused(f, put_of(f, user, "1", "{\"a\":\"bcdef\"}"), QUOTA_STORED_BYTES, 2 * len + 11);
    limit(f, (struct user_usage){.stored_bytes = 5}); /* lowered */
    fixture_do(f, put_of(f, user, "1", "{\"a\":\"bc\"}"), STORE_DONE);
    limit(f, (struct user_usage){.stored_bytes = len + 12});
    refused(f, fixture_event_op(f, user), QUOTA_STORED_BYTES, 2 * len + 10);
    fixture_do(f, purge_of(f), STORE_DONE);
    fixture_do(f, fixture_event_op(f, user), STORE_DONE);
}

static void resources(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL);
    limit(f, (struct user_usage){.resources = 2});
    fixture_do(f, event_of(f, user, "1"), STORE_DONE);
    fixture_do(f, event_of(f, user, "2"), STORE_DONE);
    for (int round = 0; round < 2; round++) {
        refused(f, event_of(f, user, "3"), QUOTA_RESOURCES, 2);
        refused(f, put_of(f, user, "3", "{}"), QUOTA_RESOURCES, 2);
        fixture_do(f, event_of(f, user, "2"), STORE_DONE); /* there already */
        fixture_do(f, put_of(f, user, "1", "{\"a\":1}"), STORE_DONE);
        fixture_do(f, fixture_event_op(f, user), STORE_DONE); /* without a snapshot */
        fixture_reopen(f);
    }
    struct store_op destroyed = event_of(f, user, "3");
    destroyed.event.destroyed = true;
    fixture_do(f, destroyed, STORE_DONE);
    destroyed = event_of(f, user, "2");
    destroyed.event.destroyed = true;
    fixture_do(f, destroyed, STORE_DONE);
    fixture_do(f, event_of(f, user, "3"), STORE_DONE);
    refused(f, event_of(f, user, "4"), QUOTA_RESOURCES, 2);
    struct store_op gone = put_of(f, user, "1", "");
    gone.kind = STORE_RESOURCE_DELETE;
    fixture_do(f, gone, STORE_DONE);
    fixture_do(f, put_of(f, user, "4", "{}"), STORE_DONE);
}

static struct store_stats *stats_of(struct fixture *f)
{
    fixture_advance(f, 60000);
    return fixture_read(f, (struct store_query){.kind = STORE_GET_STATS}).stats;
}

static void figures_are(struct fixture *f, struct store_figures wanted)
{
    struct store_figures figures = {.id = wanted.id, .window = 7};
    struct store_op op = {.kind = STORE_LOOK, .look = {.figures = &figures, .count = 1}};
    fixture_do(f, op, STORE_DONE);
    assert_int_equal(figures.found, wanted.found);
    assert_int_equal(figures.failing, wanted.failing);
    assert_int_equal(figures.waiting, wanted.waiting);
    assert_int_equal(figures.in_hand, wanted.in_hand);
    assert_int_equal(figures.delivered, wanted.delivered);
    assert_int_equal(figures.window > 0, wanted.found);
}

static void figures(struct fixture *f)
{
    int64_t user = fixture_user(f, URL), quiet = fixture_user(f, NULL);
    figures_are(f, (struct store_figures){.id = quiet});
    figures_are(f, (struct store_figures){.id = 999});
    fixture_prove(f, user);
    assert_int_equal(stats_of(f)->oldest_waiting_at_ms, 0);
    int64_t received_at_ms = f->wall_ms;
    struct store_op ops[3] = {fixture_event_op(f, user), fixture_event_op(f, user)};
    fixture_write(f, ops, 2, 0);
    assert_int_equal(stats_of(f)->oldest_waiting_at_ms, received_at_ms);
    ops[2] = fixture_event_op(f, user);
    fixture_write(f, &ops[2], 1, 0);
    fixture_claim(f, 1, 1);
    figures_are(
        f, (struct store_figures){.id = user, .found = true, .waiting = 2, .in_hand = 1, .delivered = 1});
    for (int failed = 0; failed < 20 && !stats_of(f)->endpoints_failing; failed++) {
        if (f->filled)
            fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 1), STORE_DONE);
        fixture_advance(f, 3600000);
        fixture_write(f, NULL, 0, 1);
    }
    assert_int_equal(stats_of(f)->endpoints_failing, 1);
    struct store_op update = fixture_update_op(f, user);
    update.user.user.endpoint.url = bytes_of("https://example.com/new");
    fixture_do(f, update, STORE_DONE);
    assert_int_equal(stats_of(f)->endpoints_failing, 0);
    assert_int_equal(stats_of(f)->oldest_waiting_at_ms, received_at_ms);
}

const struct contract_test contract_quotas[] = {
    {"8.24: deliveries that wait", waiting},
    {"8.24: a Master's copies", copies},
    {"8.24: stored bytes", stored_bytes},
    {"8.24: resources", resources},
    {"8.14: figures of endpoints, and what waits longest", figures},
    {0}};
