/* The latest snapshots of resources: from events, from a Master, and destroyed ones. */
#include "body.h"
#include "contract.h"
#include <stdio.h>

/* An event about payments/ID whose snapshot says `state`; others: further snapshots in it. */
static struct store_op event_op(struct fixture *f, int64_t owner_id, const char *id, const char *state,
                                int others)
{
    struct text text, included;
    uint32_t stamp_offset;
    struct store_op op = fixture_event_op(f, owner_id);
    struct resource *resources = arena_zero(&f->arena, ((size_t)others + 1) * sizeof *resources);
    size_t ends[8];
    text_init(&included, &f->arena, 4096);
    for (int i = 0; i <= others; i++) {
        text_printf(&included, "%s{\"type\":\"%s\",\"id\":\"%s\",\"attributes\":{\"state\":\"%s\"}}",
                    i ? "," : "", i ? "quotes" : "payments", id, state);
        ends[i] = included.len;
    }
    struct body_parts parts = {.event_type = op.event.event.event_type,
                               .resource_type = bytes_of("payments"),
                               .resource_id = bytes_of(id),
                               .included = text_bytes(&included)};
    text_init(&text, &f->arena, 8192);
    body_render(&text, &parts, &stamp_offset);
    const char *start = text.data + text.len - 2 - included.len;
    for (int i = 0; i <= others; i++) {
        size_t begin = i ? ends[i - 1] + 1 : 0;
        resources[i] = (struct resource){.type = bytes_of(i ? "quotes" : "payments"),
                                         .id = bytes_of(id),
                                         .json = bytes_make(start + begin, ends[i] - begin)};
    }
    op.event.event.resource_id = bytes_of(id);
    op.event.event.document = text_bytes(&text);
    op.event.event.stamp_offset = stamp_offset;
    op.event.included = resources;
    op.event.included_count = others + 1;
    return op;
}

static struct store_op destroyed_op(struct fixture *f, int64_t owner_id, const char *id)
{
    struct store_op op = event_op(f, owner_id, id, "gone", 0);
    op.event.destroyed = true;
    return op;
}

static struct store_op put_op(struct fixture *f, int64_t owner_id, const char *id, const char *json)
{
    return (struct store_op){.kind = STORE_RESOURCE_PUT,
                             .resource = {.resource = {.owner_id = owner_id,
                                                       .type = bytes_of("payments"),
                                                       .id = bytes_of(id),
                                                       .json = bytes_of(json),
                                                       .updated_at_ms = f->wall_ms},
                                          .if_version = -1}};
}

static struct resource *get(struct fixture *f, int64_t owner_id, const char *type, const char *id)
{
    struct store_answer answer = fixture_read(f, (struct store_query){.kind = STORE_GET_RESOURCE,
                                                                      .owner_id = owner_id,
                                                                      .resource_type = bytes_of(type),
                                                                      .resource_id = bytes_of(id)});
    assert_true(answer.count == 0 || answer.count == 1);
    return answer.count ? answer.resources : NULL;
}

static void has_state(struct fixture *f, int64_t owner_id, const char *type, const char *id,
                      const char *state)
{
    const struct resource *resource = get(f, owner_id, type, id);
    char json[256];
    assert_non_null(resource);
    snprintf(json, sizeof json, "{\"type\":\"%s\",\"id\":\"%s\",\"attributes\":{\"state\":\"%s\"}}", type, id,
             state);
    assert_true(bytes_equal_text(resource->json, json));
}

static void latest_counts(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL), other = fixture_user(f, NULL);
    assert_null(get(f, user, "payments", "1"));
    fixture_do(f, event_op(f, user, "1", "created", 0), STORE_DONE);
    has_state(f, user, "payments", "1", "created");
    assert_null(get(f, other, "payments", "1"));
    assert_null(get(f, user, "payments", "2"));
    assert_null(get(f, user, "quotes", "1"));
    fixture_advance(f, 500);
    int64_t id = fixture_do(f, event_op(f, user, "1", "paid", 0), STORE_DONE);
    fixture_do(f, event_op(f, other, "1", "theirs", 0), STORE_DONE);
    for (int round = 0; round < 2; round++) {
        const struct resource *resource = get(f, user, "payments", "1");
        has_state(f, user, "payments", "1", "paid");
        has_state(f, other, "payments", "1", "theirs");
        assert_int_equal(resource->owner_id, user);
        assert_true(bytes_equal_text(resource->type, "payments"));
        assert_true(bytes_equal_text(resource->id, "1"));
        assert_int_equal(resource->event_id, id);
        assert_int_equal(resource->version, id);
        assert_int_equal(resource->updated_at_ms, f->wall_ms);
        fixture_reopen(f);
    }
    /* Without a snapshot, an event changes none; nor does one that was before, or is refused. */
    struct store_op op = event_op(f, user, "1", "x", 0), again = op;
    op.event.included_count = 0;
    fixture_accept(f, &op);
    again.event.event.id = op.id;
    fixture_do(f, again, STORE_DONE);
    op = event_op(f, 999, "1", "x", 0);
    fixture_do(f, op, STORE_NOT_FOUND);
    assert_null(get(f, 999, "payments", "1"));
    has_state(f, user, "payments", "1", "paid");
}

static void several_in_one(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL);
    fixture_do(f, event_op(f, user, "1", "created", 2), STORE_DONE);
    has_state(f, user, "payments", "1", "created");
    has_state(f, user, "quotes", "1", "created");
    assert_int_equal(get(f, user, "quotes", "1")->updated_at_ms, f->wall_ms);
    fixture_do(f, event_op(f, user, "1", "paid", 1), STORE_DONE);
    has_state(f, user, "payments", "1", "paid");
    has_state(f, user, "quotes", "1", "paid");
}

static void destroyed(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL);
    fixture_do(f, destroyed_op(f, user, "1"), STORE_DONE); /* never heard of it before */
    assert_null(get(f, user, "payments", "1"));
    fixture_do(f, event_op(f, user, "1", "created", 1), STORE_DONE);
    fixture_do(f, event_op(f, user, "2", "created", 0), STORE_DONE);
    fixture_do(f, destroyed_op(f, user, "1"), STORE_DONE);
    for (int round = 0; round < 2; round++) {
        assert_null(get(f, user, "payments", "1"));
        has_state(f, user, "quotes", "1", "created");
        has_state(f, user, "payments", "2", "created");
        fixture_reopen(f);
    }
    fixture_do(f, event_op(f, user, "1", "back", 0), STORE_DONE);
    has_state(f, user, "payments", "1", "back");
}

/* More than a backend may put into their places at once; the names in another order than the events. */
static void many_at_once(struct fixture *f)
{
    enum { MANY = 75, NAMES = 23 };
    int64_t users[2] = {fixture_user(f, NULL), fixture_user(f, NULL)};
    char names[NAMES][8], states[MANY][8];
    for (int i = 0; i < NAMES; i++)
        snprintf(names[i], sizeof names[i], "%d", i * 7 % NAMES);
    for (int i = 0; i < MANY; i++) {
        snprintf(states[i], sizeof states[i], "s%d", i);
        fixture_do(f, event_op(f, users[i % 2], names[i % NAMES], states[i], 0), STORE_DONE);
    }
    fixture_do(f, put_op(f, users[0], "none", "{}"), STORE_DONE);
    for (int round = 0; round < 2; round++) {
        for (int i = MANY - 2 * NAMES; i < MANY; i++)
            has_state(f, users[i % 2], "payments", names[i % NAMES], states[i]);
        for (int i = 0; i < 2; i++) {
            struct store_query list = {.kind = STORE_LIST_EVENTS, .owner_id = users[i], .limit = MANY};
            assert_int_equal(fixture_read(f, list).count, MANY / 2 + (i == 0));
        }
        fixture_reopen(f);
    }
}

/* Whichever was made first. */
static void last_write_wins(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL);
    struct store_op late = event_op(f, user, "1", "late", 0);
    fixture_do(f, event_op(f, user, "1", "first", 0), STORE_DONE);
    fixture_do(f, late, STORE_DONE);
    has_state(f, user, "payments", "1", "late");
    late = event_op(f, user, "1", "later", 0);
    struct store_op gone = destroyed_op(f, user, "1");
    fixture_do(f, put_op(f, user, "1", "{}"), STORE_DONE);
    fixture_do(f, late, STORE_DONE);
    has_state(f, user, "payments", "1", "later");
    fixture_do(f, event_op(f, user, "2", "x", 0), STORE_DONE);
    fixture_do(f, gone, STORE_DONE);
    fixture_reopen(f);
    assert_null(get(f, user, "payments", "1"));
}

static void put(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL);
    fixture_do(f, event_op(f, user, "1", "created", 0), STORE_DONE);
    fixture_advance(f, 500);
    struct store_op op = put_op(f, user, "1", "{\"put\":1}");
    fixture_write(f, &op, 1, 0);
    assert_int_equal(op.result, STORE_DONE);
    assert_int_equal(op.count, 0);
    for (int round = 0; round < 2; round++) {
        const struct resource *resource = get(f, user, "payments", "1");
        assert_true(bytes_equal_text(resource->json, "{\"put\":1}"));
        assert_int_equal(resource->version, op.id);
        assert_int_equal(resource->event_id, 0);
        assert_int_equal(resource->updated_at_ms, f->wall_ms);
        fixture_reopen(f);
    }
    fixture_do(f, event_op(f, user, "1", "paid", 0), STORE_DONE);
    has_state(f, user, "payments", "1", "paid");
    op = put_op(f, user, "new", "{}");
    fixture_write(f, &op, 1, 0);
    assert_int_equal(op.count, 1);
    fixture_do(f, destroyed_op(f, user, "new"), STORE_DONE);
    op = put_op(f, user, "new", "{}");
    fixture_write(f, &op, 1, 0);
    assert_int_equal(op.count, 1); /* new again */
    fixture_do(f, put_op(f, 999, "1", "{}"), STORE_NOT_FOUND);
    assert_int_equal(op.id, op.resource.resource.version);
    assert_true(fixture_do(f, event_op(f, user, "2", "x", 0), STORE_DONE) > op.id);
}

static void put_wants_its_version(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL);
    struct store_op op = put_op(f, user, "1", "{}");
    op.resource.if_version = 7;
    fixture_do(f, op, STORE_CONFLICT);
    op.resource.if_version = 0;
    int64_t version = fixture_do(f, op, STORE_DONE);
    fixture_do(f, op, STORE_CONFLICT);
    op.resource.if_version = version;
    int64_t second = fixture_do(f, op, STORE_DONE);
    int64_t carried = fixture_do(f, event_op(f, user, "1", "paid", 0), STORE_DONE);
    op.resource.if_version = second;
    fixture_do(f, op, STORE_CONFLICT);
    has_state(f, user, "payments", "1", "paid");
    op.resource.if_version = carried;
    fixture_do(f, op, STORE_DONE);
    assert_true(bytes_equal_text(get(f, user, "payments", "1")->json, "{}"));
}

static void delete (struct fixture *f)
{
    int64_t user = fixture_user(f, NULL), other = fixture_user(f, NULL);
    int64_t version = fixture_do(f, event_op(f, user, "1", "created", 0), STORE_DONE);
    struct store_op op = {
        .kind = STORE_RESOURCE_DELETE,
        .resource = {.resource = {.owner_id = other, .type = bytes_of("payments"), .id = bytes_of("1")},
                     .if_version = -1}};
    fixture_do(f, op, STORE_NOT_FOUND);
    op.resource.resource.owner_id = user;
    op.resource.if_version = version + 1;
    fixture_do(f, op, STORE_CONFLICT);
    op.resource.if_version = version;
    fixture_do(f, op, STORE_DONE);
    assert_null(get(f, user, "payments", "1"));
    op.resource.if_version = -1;
    fixture_do(f, op, STORE_NOT_FOUND);
    fixture_reopen(f);
    assert_null(get(f, user, "payments", "1"));
}

/* Ids in the order of their bytes, in pages, both ways; what events destroyed is not counted. */
static void pages(struct fixture *f)
{
    static const char *const ids[] = {"1", "10", "2", "A", "a", "b", "ñ"};
    int64_t user = fixture_user(f, NULL), other = fixture_user(f, NULL);
    for (int i = 6; i >= 0; i--) {
        fixture_do(f, i % 3 ? event_op(f, user, ids[i], "x", 0) : put_op(f, user, ids[i], "{}"), STORE_DONE);
        if (i == 4)
            fixture_reopen(f); /* some merged, some not */
    }
    fixture_do(f, event_op(f, other, "1a", "x", 0), STORE_DONE);
    fixture_do(f, event_op(f, user, "aa", "x", 0), STORE_DONE);
    fixture_do(f, event_op(f, user, "ab", "x", 0), STORE_DONE);
    fixture_reopen(f);
    fixture_do(f, destroyed_op(f, user, "aa"), STORE_DONE);
    fixture_do(f, destroyed_op(f, user, "ab"), STORE_DONE);
    fixture_do(f, event_op(f, user, "1", "again", 0), STORE_DONE);
    for (int round = 0; round < 4; round++) {
        bool descending = round % 2;
        struct bytes after = {0};
        for (int seen = 0; seen < 7;) {
            struct store_answer answer =
                fixture_read(f, (struct store_query){.kind = STORE_LIST_RESOURCES,
                                                     .owner_id = user,
                                                     .resource_type = bytes_of("payments"),
                                                     .after_resource_id = after,
                                                     .descending = descending,
                                                     .limit = 3});
            assert_int_equal(answer.count, seen < 6 ? 3 : 1);
            assert_int_equal(answer.more, seen < 4);
            for (int i = 0; i < answer.count; i++, seen++)
                assert_true(bytes_equal_text(answer.resources[i].id, ids[descending ? 6 - seen : seen]));
            after = answer.resources[answer.count - 1].id;
        }
        if (round == 1)
            fixture_reopen(f);
    }
}

/* The snapshot outlives its event. */
static void purged(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL);
    struct store_op purge = {.kind = STORE_PURGE, .purge = {.rows_max = 100}};
    fixture_do(f, event_op(f, user, "1", "old", 0), STORE_DONE);
    fixture_do(f, event_op(f, user, "1", "kept", 1), STORE_DONE);
    fixture_do(f, event_op(f, user, "2", "gone", 0), STORE_DONE);
    fixture_do(f, destroyed_op(f, user, "2"), STORE_DONE);
    int64_t received_at_ms = f->wall_ms;
    fixture_advance(f, 1000);
    purge.purge.before_ms = f->wall_ms;
    fixture_do(f, event_op(f, user, "3", "young", 0), STORE_DONE);
    fixture_do(f, purge, STORE_DONE);
    assert_int_equal(fixture_read(f, (struct store_query){.kind = STORE_GET_STATS}).stats->events, 1);
    for (int round = 0; round < 2; round++) {
        has_state(f, user, "payments", "1", "kept");
        assert_int_equal(get(f, user, "payments", "1")->event_id, 0);
        assert_int_equal(get(f, user, "payments", "1")->updated_at_ms, received_at_ms);
        has_state(f, user, "quotes", "1", "kept");
        has_state(f, user, "payments", "3", "young");
        assert_null(get(f, user, "payments", "2"));
        fixture_reopen(f);
    }
}

/* More than any backend keeps waiting: those that are merged and those that are not, each once. */
static void many(struct fixture *f)
{
    enum { EACH = 250, ROUNDS = 10 };
    int64_t user = fixture_user(f, NULL);
    struct store_op ops[EACH];
    char id[16], state[16];
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < EACH; i++) {
            snprintf(state, sizeof state, "%d", round);
            ops[i] = event_op(f, user, arena_printf(&f->arena, "%d", i % 100), state, 0);
            ops[i].event.destroyed = round == ROUNDS - 1 && i % 100 == 7;
        }
        fixture_write(f, ops, EACH, 0);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "%d", i);
        if (i == 7)
            assert_null(get(f, user, "payments", id));
        else
            has_state(f, user, "payments", id, "9");
    }
    struct store_query list = {
        .kind = STORE_LIST_RESOURCES, .owner_id = user, .resource_type = bytes_of("payments"), .limit = 200};
    assert_int_equal(fixture_read(f, list).count, 99);
}

const struct contract_test contract_resources[] = {
    {"the latest snapshot counts", latest_counts},
    {"many snapshots are put at once", many_at_once},
    {"an event may carry several", several_in_one},
    {"destroyed is gone", destroyed},
    {"the last write wins", last_write_wins},
    {"a Master puts one", put},
    {"a put wants its version", put_wants_its_version},
    {"a Master deletes one", delete},
    {"resources come in pages, both ways", pages},
    {"a snapshot outlives its event", purged},
    {"many snapshots", many},
    {0},
};
