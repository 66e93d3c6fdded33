/* Further endpoints of a user: their settings, their events, and the rest of a removed one. */
#include "contract.h"

static struct store_answer endpoints_of(struct fixture *f, int64_t owner_id)
{
    return fixture_read(
        f, (struct store_query){.kind = STORE_LIST_ENDPOINTS, .owner_id = owner_id, .limit = 200});
}

static struct store_op remove_op(int64_t id, int64_t owner_id)
{
    return (struct store_op){.kind = STORE_ENDPOINT_REMOVE,
                             .endpoint = {.endpoint = {.id = id, .owner_id = owner_id}, .if_version = -1}};
}

static void round_trip(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/default"), other = fixture_user(f, NULL);
    struct store_op op = {.kind = STORE_ENDPOINT_CREATE,
                          .endpoint.endpoint = {.owner_id = user,
                                                .url = bytes_of("https://example.com/h"),
                                                .disable_on_410 = true,
                                                .paused = true,
                                                .signing = bytes_make("\1se\0aled", 8),
                                                .identity = bytes_make("\2id\0entity", 10),
                                                .push = fixture_push_settings(),
                                                .created_at_ms = 11,
                                                .updated_at_ms = 12}};
    int64_t id = fixture_do(f, op, STORE_DONE);
    assert_true(id > other);
    op.endpoint.endpoint.owner_id = 999;
    fixture_do(f, op, STORE_NOT_FOUND);
    fixture_reopen(f);
    struct endpoint found = fixture_endpoint_op(f, id).endpoint.endpoint;
    assert_int_equal(found.owner_id, user);
    assert_true(bytes_equal_text(found.url, "https://example.com/h"));
    assert_true(found.disable_on_410 && found.paused);
    assert_true(bytes_equal(found.signing, bytes_make("\1se\0aled", 8)));
    assert_true(bytes_equal(found.identity, bytes_make("\2id\0entity", 10)));
    assert_true(push_settings_equal(&found.push, &op.endpoint.endpoint.push));
    assert_int_equal(found.version, 1);
    assert_int_equal(found.created_at_ms, 11);
    assert_int_equal(found.updated_at_ms, 12);

    struct store_answer list = endpoints_of(f, user);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.endpoints[0].id, user);
    assert_int_equal(list.endpoints[1].id, id);
    assert_int_equal(endpoints_of(f, 0).count, 3);
    struct store_query page = {
        .kind = STORE_LIST_ENDPOINTS, .owner_id = user, .limit = 1, .descending = true, .after_id = id};
    assert_int_equal(fixture_read(f, page).endpoints[0].id, user);
    struct store_query get = {.kind = STORE_GET_ENDPOINT, .id = id, .owner_id = other};
    assert_int_equal(fixture_read(f, get).count, 0);
}

/* A box has the settings of its endpoint, also after a restart; and none once they are the defaults again. */
static void boxes_have_the_settings_of_pushes(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL), id = fixture_endpoint(f, user, "https://example.com/");
    struct push_settings some = fixture_push_settings();
    for (int i = 0; i < 3; i++) {
        struct store_op op = fixture_endpoint_op(f, id);
        op.endpoint.endpoint.push = i < 2 ? some : (struct push_settings){0};
        fixture_do(f, op, STORE_DONE);
        fixture_do(f, fixture_event_op(f, user), STORE_DONE);
        if (i == 1)
            fixture_reopen(f);
        fixture_claim(f, 1, 1);
        const struct store_work *box = &f->boxes[0];
        assert_true(i < 2 ? push_settings_equal(box->push, &some) : !box->push);
        fixture_do(f, fixture_outcome_op(f, box, DECISION_DELIVERED, 0), STORE_DONE);
    }
}

static void update_wants_its_version(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL), other = fixture_user(f, NULL);
    int64_t id = fixture_endpoint(f, user, "https://example.com/1");
    struct store_op op = fixture_endpoint_op(f, id);
    op.endpoint.endpoint.url = bytes_of("https://example.com/2");
    op.endpoint.endpoint.created_at_ms = 1; /* not changed by an update */
    op.endpoint.if_version = 1;
    assert_int_equal(fixture_do(f, op, STORE_DONE), id);
    assert_int_equal(fixture_do(f, op, STORE_CONFLICT), 0);
    struct endpoint now = fixture_endpoint_op(f, id).endpoint.endpoint;
    assert_true(bytes_equal_text(now.url, "https://example.com/2"));
    assert_int_equal(now.version, 2);
    assert_int_equal(now.created_at_ms, f->wall_ms);
    assert_int_equal(fixture_update_op(f, user).user.user.version, 1);
    op.endpoint.endpoint.owner_id = other;
    op.endpoint.if_version = -1;
    assert_int_equal(fixture_do(f, op, STORE_NOT_FOUND), 0);
}

/* The default endpoint is the user's own: whichever of the two is written, both have changed. */
static void the_default_one_is_the_users(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL);
    struct store_op op = fixture_endpoint_op(f, user);
    op.endpoint.endpoint.url = bytes_of("https://example.com/");
    fixture_do(f, op, STORE_DONE);
    struct store_op update = fixture_update_op(f, user);
    assert_true(bytes_equal_text(update.user.user.endpoint.url, "https://example.com/"));
    assert_int_equal(update.user.user.version, 2);
    update.user.user.endpoint.paused = true;
    fixture_do(f, update, STORE_DONE);
    struct endpoint now = fixture_endpoint_op(f, user).endpoint.endpoint;
    assert_true(now.paused);
    assert_int_equal(now.version, 3);
    fixture_do(f, remove_op(user, user), STORE_CONFLICT);
    assert_int_equal(endpoints_of(f, user).count, 1);
}

static int64_t wishing(struct fixture *f, int64_t owner, const char *types, const char *channels,
                       const char *filter)
{
    struct store_op op = fixture_endpoint_op(f, fixture_endpoint(f, owner, "https://example.com/"));
    op.endpoint.endpoint.event_types = bytes_of(types);
    op.endpoint.endpoint.channels = bytes_of(channels);
    op.endpoint.endpoint.filter = bytes_of(filter);
    return fixture_do(f, op, STORE_DONE);
}

/* Each event goes to the endpoints that want it, and says which others there were, also after a restart. */
static void wishes_decide(struct fixture *f)
{
    int64_t owner = fixture_user(f, NULL), ids[4];
    static const char filter[] = "{\"data\":{\"relationships\":{\"resource\":{\"data\":{\"id\":[\"8\"]}}}}}";
    ids[0] = wishing(f, owner, "payment_*", "", "");
    ids[1] = wishing(f, owner, "user_enabled", "", filter);
    ids[2] = wishing(f, owner, "", "eu us", "");
    ids[3] = wishing(f, owner, "payment_updated", "", filter);
    for (int i = 0; i < 2; i++) {
        struct store_op op = fixture_event_op(f, owner);
        op.event.event.channels = bytes_of(i ? "us" : "");
        fixture_write(f, &op, 1, 0);
        assert_int_equal(op.count, i ? 2 : 1);
        struct store_answer sent =
            fixture_read(f, (struct store_query){.kind = STORE_LIST_DELIVERIES, .id = op.id, .limit = 9});
        assert_int_equal(sent.count, op.count);
        assert_int_equal(sent.deliveries[0].endpoint_id, ids[0]);
        assert_int_equal(sent.deliveries[op.count - 1].endpoint_id, ids[i ? 2 : 0]);
        struct event event = fixture_event(f, op.id);
        assert_true(bytes_equal(event.channels, bytes_of(i ? "us" : "")));
        const char *others =
            i ? arena_printf(&f->arena, "%lld:type %lld:filter", (long long)ids[1], (long long)ids[3])
              : arena_printf(&f->arena, "%lld:type %lld:channel %lld:filter", (long long)ids[1],
                             (long long)ids[2], (long long)ids[3]);
        assert_true(bytes_equal_text(event.unmatched, others));
        fixture_reopen(f);
    }
    struct endpoint kept = fixture_endpoint_op(f, ids[3]).endpoint.endpoint;
    assert_true(bytes_equal_text(kept.event_types, "payment_updated"));
    assert_true(bytes_equal_text(kept.filter, filter));
}

/* Nobody wanted it: it has no delivery, none that was skipped, and goes in its time. */
static void unwanted_events(struct fixture *f)
{
    int64_t owner = fixture_user(f, NULL);
    int64_t endpoint = wishing(f, owner, "user_enabled", "", "");
    struct store_op op = fixture_event_op(f, owner);
    fixture_write(f, &op, 1, FIXTURE_BOXES);
    assert_int_equal(op.result, STORE_DONE);
    assert_int_equal(op.count + f->filled, 0);
    assert_int_equal(op.event.skipped, 0);
    struct store_query deliveries = {.kind = STORE_LIST_DELIVERIES, .id = op.id, .limit = 9};
    assert_int_equal(fixture_read(f, deliveries).count, 0);
    struct store_op all = fixture_endpoint_op(f, endpoint);
    all.endpoint.endpoint.event_types = (struct bytes){0};
    fixture_do(f, all, STORE_DONE);
    int64_t wanted = fixture_do(f, fixture_event_op(f, owner), STORE_DONE);
    fixture_reopen(f);
    assert_int_equal(fixture_read(f, deliveries).count, 0);
    deliveries.id = wanted;
    assert_int_equal(fixture_read(f, deliveries).count, 1);
    fixture_advance(f, 60000);
    struct store_op purge = {.kind = STORE_PURGE, .purge = {.before_ms = f->wall_ms, .rows_max = 100}};
    fixture_write(f, &purge, 1, 0);
    assert_int_equal(purge.count, 1);
    assert_int_equal(fixture_read(f, (struct store_query){.kind = STORE_GET_EVENT, .id = op.id}).count, 0);
}

/* One delivery for each that has a URL, half of them born leased; they name their endpoint and their owner.
 */
static void to_a_hundred(struct fixture *f)
{
    enum { ALL = MODEL_ENDPOINTS_MAX };
    int64_t owner = fixture_user(f, "https://example.com/0"), ids[ALL] = {owner};
    struct store_op second = {.kind = STORE_ENDPOINT_CREATE,
                              .endpoint = {.endpoint.owner_id = owner, .endpoints_max = 1}};
    fixture_do(f, second, STORE_QUOTA);
    for (int i = 1; i < ALL; i++)
        ids[i] = fixture_endpoint(f, owner, arena_printf(&f->arena, "https://example.com/%d", i));
    struct store_op one_more = {.kind = STORE_ENDPOINT_CREATE, .endpoint.endpoint.owner_id = owner};
    fixture_do(f, one_more, STORE_QUOTA);
    struct store_op op = fixture_event_op(f, owner);
    fixture_write(f, &op, 1, ALL / 2);
    assert_int_equal(op.result, STORE_DONE);
    assert_int_equal(op.count, ALL);
    assert_int_equal(f->filled, ALL / 2);
    for (int i = 0; i < f->filled; i++) {
        assert_int_equal(f->boxes[i].endpoint_id, ids[i]);
        assert_int_equal(f->boxes[i].user_id, owner);
        assert_true(bytes_equal_text(f->boxes[i].url, arena_printf(&f->arena, "https://example.com/%d", i)));
        assert_true(i == 0 || f->backend != &store_sqlite || f->boxes[i].payload == f->boxes[0].payload);
    }
    struct store_query list = {.kind = STORE_LIST_DELIVERIES, .id = op.id, .limit = ALL};
    struct store_answer answer = fixture_read(f, list);
    assert_int_equal(answer.count, ALL);
    for (int i = 0; i < ALL; i++) {
        assert_int_equal(answer.deliveries[i].endpoint_id, ids[i]);
        assert_int_equal(answer.deliveries[i].user_id, owner);
    }
    list.descending = true;
    list.after_id = answer.deliveries[2].id;
    assert_int_equal(fixture_read(f, list).count, 2);
    list.master_id = fixture_user(f, NULL); /* reads go by the owner */
    assert_int_equal(fixture_read(f, list).count, 0);
    list.master_id = owner;
    assert_int_equal(fixture_read(f, list).count, 2);
    fixture_claim(f, ALL, ALL - ALL / 2);
}

/* A Master's further endpoints get the copies, too; those without a URL get nothing. */
static void copies(struct fixture *f)
{
    int64_t master = fixture_user(f, NULL);
    int64_t with = fixture_endpoint(f, master, "https://master.example/2");
    fixture_endpoint(f, master, NULL);
    struct store_op wants = fixture_update_op(f, master);
    wants.user.user.receives_users_events = true;
    fixture_do(f, wants, STORE_DONE);
    struct store_op op = {.kind = STORE_USER_CREATE, .user.user = {.master_id = master}};
    int64_t user = fixture_do(f, op, STORE_DONE);
    fixture_do(f, fixture_key_op(f, user), STORE_DONE);
    struct store_op event = fixture_event_op(f, user);
    fixture_write(f, &event, 1, 4);
    assert_int_equal(event.count, 1);
    assert_int_equal(event.event.skipped, 0);
    assert_int_equal(f->boxes[0].endpoint_id, with);
    assert_int_equal(f->boxes[0].user_id, master);
}

/* One that is paused, is gone or fails says nothing of its siblings. */
static void each_on_its_own(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/0");
    int64_t second = fixture_endpoint(f, user, "https://example.com/1");
    struct store_op asks = fixture_endpoint_op(f, second);
    asks.endpoint.endpoint.disable_on_410 = true;
    asks.endpoint.endpoint.identity = bytes_of("its own");
    asks.endpoint.endpoint.signing = bytes_of("its secrets");
    fixture_do(f, asks, STORE_DONE);
    struct store_op event = fixture_event_op(f, user);
    fixture_write(f, &event, 1, 2);
    assert_int_equal(f->filled, 2);
    assert_int_equal(f->boxes[0].identity.len, 0);
    assert_true(bytes_equal_text(f->boxes[1].identity, "its own"));
    assert_int_equal(f->boxes[0].signing.len, 0);
    assert_true(bytes_equal_text(f->boxes[1].signing, "its secrets"));
    struct store_op gone = fixture_outcome_op(f, &f->boxes[1], DECISION_RETRY, 1000);
    gone.outcome.decision.reason = FAILURE_GONE;
    fixture_do(f, gone, STORE_DONE);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    fixture_reopen(f);
    assert_true(fixture_endpoint_op(f, second).endpoint.endpoint.paused);
    assert_false(fixture_update_op(f, user).user.user.endpoint.paused);
    assert_int_equal(fixture_update_op(f, user).user.user.version, 1);
    fixture_advance(f, 100000);
    event = fixture_event_op(f, user);
    fixture_write(f, &event, 1, 4);
    assert_int_equal(event.count, 2);
    assert_int_equal(f->filled, 1);
    assert_int_equal(f->boxes[0].endpoint_id, user);
}

/* The quota counts what waits for all of them. */
static void quota_is_the_owners(struct fixture *f)
{
    f->config.quotas.pending = 4;
    fixture_reopen(f);
    int64_t user = fixture_user(f, "https://example.com/0");
    int64_t second = fixture_endpoint(f, user, "https://example.com/1");
    struct store_op event = fixture_event_op(f, user);
    fixture_accept(f, &event);
    event = fixture_event_op(f, user);
    fixture_accept(f, &event);
    event = fixture_event_op(f, user);
    fixture_do(f, event, STORE_QUOTA);
    fixture_reopen(f);
    fixture_do(f, event, STORE_QUOTA);
    fixture_do(f, remove_op(second, user), STORE_DONE);
    fixture_do(f, event, STORE_DONE);
}

static void removed(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/0"), other = fixture_user(f, NULL);
    int64_t second = fixture_endpoint(f, user, "https://example.com/1");
    struct store_op first = fixture_event_op(f, user), waits = fixture_event_op(f, user);
    fixture_write(f, &first, 1, 2);
    assert_int_equal(f->filled, 2);
    assert_int_equal(f->boxes[1].endpoint_id, second);
    fixture_write(f, &waits, 1, 0);
    fixture_do(f, remove_op(second, other), STORE_NOT_FOUND);
    assert_int_equal(fixture_do(f, remove_op(second, user), STORE_DONE), second);
    fixture_do(f, remove_op(second, user), STORE_NOT_FOUND);
    assert_int_equal(endpoints_of(f, user).count, 1);

    struct store_query list = {.kind = STORE_LIST_DELIVERIES, .id = waits.id, .limit = 5, .master_id = user};
    struct store_answer answer = fixture_read(f, list);
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.deliveries[0].state, DELIVERY_PENDING);
    assert_int_equal(answer.deliveries[1].state, DELIVERY_CANCELLED);
    assert_int_equal(answer.deliveries[1].user_id, user); /* still its owner's */
    struct store_op again = {.kind = STORE_RESEND, .delivery.delivery_id = answer.deliveries[1].id};
    fixture_do(f, again, STORE_CONFLICT);

    /* What was in hand is recorded, and not tried again. */
    fixture_do(f, fixture_outcome_op(f, &f->boxes[1], DECISION_RETRY, 1000), STORE_DONE);
    struct store_op purge = {.kind = STORE_PURGE, .purge.rows_max = 100};
    fixture_reopen(f);
    fixture_do(f, purge, STORE_DONE);
    list.id = first.id;
    answer = fixture_read(f, list);
    assert_int_equal(answer.deliveries[1].state, DELIVERY_CANCELLED);
    assert_int_equal(answer.deliveries[1].attempt, 1);
    struct store_op after = fixture_event_op(f, user);
    fixture_write(f, &after, 1, 0);
    assert_int_equal(after.count, 1);
    assert_int_equal(
        fixture_read(f, (struct store_query){.kind = STORE_GET_STATS, .limit = 1}).stats->endpoints, 1);
}

/* With the last event that can have gone to it, nothing is left of it; and there is room for others all the
 * while. */
static void forgotten(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL);
    for (int i = 0; i < 2 * MODEL_ENDPOINTS_MAX; i++)
        fixture_do(f, remove_op(fixture_endpoint(f, user, "https://example.com/"), user), STORE_DONE);
    int64_t last = fixture_endpoint(f, user, "https://example.com/");
    struct store_op event = fixture_event_op(f, user);
    fixture_write(f, &event, 1, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    fixture_do(f, remove_op(last, user), STORE_DONE);
    fixture_advance(f, 100000);
    struct store_op purge = {.kind = STORE_PURGE, .purge = {.before_ms = f->wall_ms - 1, .rows_max = 1000}};
    fixture_do(f, purge, STORE_DONE);
    fixture_do(f, purge, STORE_DONE);
    fixture_reopen(f);
    assert_int_equal(endpoints_of(f, user).count, 1);
    event = fixture_event_op(f, user);
    fixture_write(f, &event, 1, 1);
    assert_int_equal(event.count, 0);
}

/* Whatever it wants, and though its owner has others, and a Master. */
static void to_one_only(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/0"), other = fixture_user(f, "https://example.com/1");
    struct store_op make = {.kind = STORE_ENDPOINT_CREATE,
                            .endpoint = {.endpoint = {.owner_id = user,
                                                      .url = bytes_of("https://example.com/2"),
                                                      .event_types = bytes_of("none_of_ours"),
                                                      .channels = bytes_of("x")},
                                         .if_version = -1}};
    int64_t picky = fixture_do(f, make, STORE_DONE);
    struct store_op ping = fixture_event_op(f, user);
    ping.event.only_endpoint_id = picky;
    fixture_write(f, &ping, 1, 3);
    assert_int_equal(ping.result, STORE_DONE);
    assert_int_equal(ping.count, 1);
    assert_int_equal(f->filled, 1);
    assert_int_equal(f->boxes[0].endpoint_id, picky);
    ping = fixture_event_op(f, other);
    ping.event.only_endpoint_id = picky; /* not its owner's */
    fixture_do(f, ping, STORE_NOT_FOUND);
    ping = fixture_event_op(f, user);
    ping.event.only_endpoint_id = 999999;
    fixture_do(f, ping, STORE_NOT_FOUND);
    ping.event.only_endpoint_id = picky;
    fixture_do(f, remove_op(picky, user), STORE_DONE);
    fixture_do(f, ping, STORE_NOT_FOUND);
    int64_t silent = fixture_user(f, NULL);
    ping = fixture_event_op(f, silent);
    ping.event.only_endpoint_id = silent; /* it has no URL */
    fixture_do(f, ping, STORE_NOT_FOUND);
}

const struct contract_test contract_endpoints[] = {
    {"an endpoint comes back as written", round_trip},
    {"boxes have the settings of pushes", boxes_have_the_settings_of_pushes},
    {"an endpoint's update wants its version", update_wants_its_version},
    {"the default endpoint is the user's", the_default_one_is_the_users},
    {"an event goes to the endpoints that want it", wishes_decide},
    {"an event that no endpoint wants", unwanted_events},
    {"an event to a hundred endpoints", to_a_hundred},
    {"a Master's endpoints get copies", copies},
    {"each endpoint is on its own", each_on_its_own},
    {"the quota of what waits is the owner's", quota_is_the_owners},
    {"an event to one endpoint only", to_one_only},
    {"an endpoint is removed", removed},
    {"an endpoint that was removed is forgotten", forgotten},
    {0},
};
