/* Lists, their filters and pages, and the figures. */
#include "contract.h"

static void pages(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL), other = fixture_user(f, NULL);
    int64_t ids[7];
    for (int i = 0; i < 7; i++)
        ids[i] = fixture_do(f, fixture_event_op(f, i % 3 == 2 ? other : user), STORE_DONE);
    for (int descending = 0; descending <= 1; descending++) {
        int64_t after = 0;
        for (int seen = 0; seen < 7;) {
            struct store_query list = {
                .kind = STORE_LIST_EVENTS, .limit = 3, .after_id = after, .descending = descending};
            struct store_answer answer = fixture_read(f, list);
            assert_int_equal(answer.count, seen < 6 ? 3 : 1);
            assert_int_equal(answer.more, seen < 4);
            for (int i = 0; i < answer.count; i++, seen++)
                assert_int_equal(answer.events[i].id, ids[descending ? 6 - seen : seen]);
            after = answer.events[answer.count - 1].id;
            assert_int_equal(answer.events[0].document.len, 0); /* not asked for */
        }
    }
    struct store_query own = {.kind = STORE_LIST_EVENTS, .owner_id = other, .descending = true, .limit = 2};
    struct store_answer answer = fixture_read(f, own);
    assert_int_equal(answer.count, 2);
    assert_false(answer.more);
    assert_int_equal(answer.events[0].id, ids[5]);
    assert_int_equal(answer.events[1].id, ids[2]);
    struct store_query get = {.kind = STORE_GET_EVENT, .id = ids[0], .owner_id = other};
    assert_int_equal(fixture_read(f, get).count, 0);
    get.id = ids[2];
    assert_int_equal(fixture_read(f, get).count, 1);
}

/* Page by page, both ways. */
static void lists_of(struct fixture *f, int64_t user, const int64_t *ids, int count)
{
    for (int descending = 0; descending <= 1; descending++) {
        int64_t after = 0;
        for (int seen = 0; seen < count;) {
            struct store_query list = {.kind = STORE_LIST_EVENTS,
                                       .owner_id = user,
                                       .limit = 2,
                                       .after_id = after,
                                       .descending = descending};
            struct store_answer answer = fixture_read(f, list);
            assert_int_equal(answer.count, count - seen < 2 ? 1 : 2);
            assert_int_equal(answer.more, seen + 2 < count);
            for (int i = 0; i < answer.count; i++, seen++)
                assert_int_equal(answer.events[i].id, ids[descending ? count - 1 - seen : seen]);
            after = answer.events[answer.count - 1].id;
        }
    }
}

/* A page that looks at few events may end early and empty; the walk finds what there is, each once. */
static void filters_in_bounded_steps(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL), found[3] = {0};
    f->config.scan_rows_max = 5;
    fixture_reopen(f);
    for (int i = 0; i < 40; i++) {
        struct store_op op = fixture_event_op(f, user);
        bool rare = i == 17 || i == 18 || i == 31;
        if (rare)
            op.event.event.event_type = bytes_of("rare");
        fixture_accept(f, &op);
        if (rare)
            found[i == 17 ? 0 : i == 18 ? 1 : 2] = op.id;
    }
    for (int descending = 0; descending <= 1; descending++) {
        struct store_answer answer = {.more = true};
        struct store_query list = {.kind = STORE_LIST_EVENTS,
                                   .owner_id = user,
                                   .event_type = bytes_of("rare"),
                                   .limit = 2,
                                   .descending = descending};
        int seen = 0, pages = 0;
        for (; answer.more; pages++) {
            answer = fixture_read(f, list);
            for (int i = 0; i < answer.count; i++, seen++)
                assert_int_equal(answer.events[i].id, found[descending ? 2 - seen : seen]);
            assert_true(!answer.more || answer.scanned_to || answer.count == 2);
            list.after_id = answer.scanned_to  ? answer.scanned_to
                            : answer.count > 0 ? answer.events[answer.count - 1].id
                                               : list.after_id;
        }
        assert_int_equal(seen, 3);
        assert_true(f->backend == &store_sqlite ? pages >= 8 : pages == 2);
    }
}

/* However a backend finds them: before and after a Master put a resource. */
static void events_of_one_user(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL), other = fixture_user(f, NULL);
    struct store_op ops[9];
    for (int i = 0; i < 9; i++)
        ops[i] = fixture_event_op(f, i % 4 == 3 ? other : user);
    for (int i = 0; i < 4; i++)
        fixture_accept(f, &ops[i]);
    lists_of(f, user, (int64_t[]){ops[0].id, ops[1].id, ops[2].id}, 3);
    fixture_do(f,
               (struct store_op){.kind = STORE_RESOURCE_PUT,
                                 .resource = {.resource = {.owner_id = user,
                                                           .type = bytes_of("payments"),
                                                           .id = bytes_of("1"),
                                                           .json = bytes_of("{}")},
                                              .if_version = -1}},
               STORE_DONE);
    for (int i = 4; i < 9; i++)
        fixture_accept(f, &ops[i]);
    const int64_t ids[] = {ops[0].id, ops[1].id, ops[2].id, ops[4].id, ops[5].id, ops[6].id, ops[8].id};
    lists_of(f, user, ids, 7);
    lists_of(f, other, (int64_t[]){ops[3].id, ops[7].id}, 2);
    fixture_reopen(f);
    lists_of(f, user, ids, 7);
}

static void filters(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op ops[3] = {fixture_event_op(f, user), fixture_event_op(f, user),
                              fixture_event_op(f, user)};
    ops[0].event.event.event_type = bytes_of("user_enabled");
    ops[1].event.event.resource_type = bytes_of("users");
    ops[2].event.event.resource_id = bytes_of("x' OR 1=1 --");
    fixture_write(f, ops, 3, 1);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    struct store_query list = {.kind = STORE_LIST_EVENTS, .limit = 10};
    struct store_query query = list;
    query.event_type = bytes_of("user_enabled");
    struct store_answer answer = fixture_read(f, query);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.events[0].id, ops[0].event.event.id);
    query = list;
    query.resource_type = bytes_of("users");
    assert_int_equal(fixture_read(f, query).count, 1);
    query = list;
    query.resource_id = bytes_of("x' OR 1=1 --");
    assert_int_equal(fixture_read(f, query).count, 1);
    query.event_type = bytes_of("user_enabled");
    assert_int_equal(fixture_read(f, query).count, 0);
    query = list;
    query.event_type = bytes_of("user%"); /* literal */
    assert_int_equal(fixture_read(f, query).count, 0);
    query = list;
    query.undelivered = true;
    query.owner_id = user;
    answer = fixture_read(f, query);
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.events[0].id, ops[1].event.event.id);
}

/* The ids of the deliveries that match, newest first, in pages of one or two. */
static void found_are(struct fixture *f, struct store_query find, const int64_t *ids, int count)
{
    for (find.limit = 1; find.limit <= 2; find.limit++) {
        struct store_answer answer = {.more = true};
        int seen = 0, pages = 0;
        for (find.after_id = 0; answer.more; pages++) {
            answer = fixture_read(f, find);
            for (int i = 0; i < answer.count; i++, seen++) {
                assert_true(seen < count);
                assert_int_equal(answer.deliveries[i].id, ids[find.descending ? count - 1 - seen : seen]);
            }
            assert_true(!answer.more || answer.scanned_to || answer.count == find.limit);
            find.after_id = answer.scanned_to  ? answer.scanned_to
                            : answer.count > 0 ? answer.deliveries[answer.count - 1].id
                                               : find.after_id;
        }
        assert_int_equal(seen, count);
        assert_in_range(pages, 1, f->config.scan_rows_max ? 40 : count + 1);
    }
}

static void found_both_ways(struct fixture *f, struct store_query find, const int64_t *ids, int count)
{
    find.kind = STORE_FIND_DELIVERIES;
    found_are(f, find, ids, count);
    find.descending = true;
    found_are(f, find, ids, count);
}

/* Six events an hour and a half apart, alternately of two users: delivered, given up, and waiting. */
static void find_deliveries(struct fixture *f)
{
    enum { COUNT = 6 };
    int64_t users[2] = {fixture_user(f, "https://one.example/"), fixture_user(f, "https://two.example/")};
    int64_t ids[COUNT], at_ms[COUNT];
    for (int i = 0; i < COUNT; i++) {
        struct store_op op = fixture_event_op(f, users[i % 2]);
        op.event.event.event_type = bytes_of(i == 4 ? "rare" : "user_enabled");
        op.event.event.received_at_ms = at_ms[i] = f->wall_ms;
        fixture_write(f, &op, 1, i < 4 ? 1 : 0);
        struct store_query list = {.kind = STORE_LIST_DELIVERIES, .id = op.id, .limit = 9};
        ids[i] = fixture_read(f, list).deliveries[0].id;
        if (i < 4)
            fixture_do(f,
                       fixture_outcome_op(f, &f->boxes[0], i < 2 ? DECISION_DELIVERED : DECISION_GIVE_UP, 0),
                       STORE_DONE);
        fixture_advance(f, 90 * 60 * 1000);
    }
    f->config.scan_rows_max = 0;
    for (int round = 0; round < 2; round++) {
        found_both_ways(f, (struct store_query){0}, ids, 6);
        found_both_ways(f, (struct store_query){.states = 1U << DELIVERY_GIVEN_UP}, ids + 2, 2);
        found_both_ways(f, (struct store_query){.states = 1U << DELIVERY_GIVEN_UP | 1U << DELIVERY_PENDING},
                        ids + 2, 4);
        found_both_ways(f, (struct store_query){.endpoint_id = users[1]}, (int64_t[]){ids[1], ids[3], ids[5]},
                        3);
        found_both_ways(f, (struct store_query){.owner_id = users[0]}, (int64_t[]){ids[0], ids[2], ids[4]},
                        3);
        found_both_ways(f, (struct store_query){.master_id = users[0], .owner_id = users[1]}, NULL, 0);
        found_both_ways(f, (struct store_query){.event_type = bytes_of("rare")}, ids + 4, 1);
        found_both_ways(f, (struct store_query){.reason = bytes_of("unexpected_status")}, ids + 2, 2);
        found_both_ways(f, (struct store_query){.reason = bytes_of("unexpected%")}, NULL, 0);
        for (int i = 0; i < COUNT; i++)
            found_both_ways(f, (struct store_query){.received_from_ms = at_ms[i]}, ids + i, COUNT - i);
        found_both_ways(f, (struct store_query){.received_from_ms = f->wall_ms + 1}, NULL, 0);
        found_both_ways(f, (struct store_query){.received_from_ms = INT64_MAX}, NULL, 0);
        f->config.scan_rows_max = 1;
        fixture_reopen(f);
    }
}

static void deliveries_of_an_event(struct fixture *f)
{
    int64_t master = fixture_user(f, "https://master.example/");
    struct store_op wants = fixture_update_op(f, master);
    wants.user.user.receives_users_events = true;
    fixture_do(f, wants, STORE_DONE);
    struct store_op op = {
        .kind = STORE_USER_CREATE,
        .user.user = {.master_id = master, .endpoint.url = bytes_of("https://user.example/")}};
    int64_t user = fixture_do(f, op, STORE_DONE);
    fixture_do(f, fixture_event_op(f, user), STORE_DONE);
    int64_t event = fixture_do(f, fixture_event_op(f, user), STORE_DONE);
    struct store_query list = {.kind = STORE_LIST_DELIVERIES, .id = event, .limit = 10};
    struct store_answer answer = fixture_read(f, list);
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.deliveries[0].user_id, user);
    assert_int_equal(answer.deliveries[1].user_id, master);
    assert_int_equal(answer.deliveries[1].event_id, event);
    assert_int_equal(answer.deliveries[1].state, DELIVERY_PENDING);
    assert_int_equal(answer.deliveries[1].next_in_ms, 0);
    assert_int_equal(answer.deliveries[1].first_attempt_at_ms, 0);
    int64_t copy = answer.deliveries[1].id;
    list.master_id = user;
    answer = fixture_read(f, list);
    assert_int_equal(answer.count, 1);
    struct store_query get = {.kind = STORE_GET_DELIVERY, .id = copy, .master_id = user};
    assert_int_equal(fixture_read(f, get).count, 0);
    get.id = answer.deliveries[0].id;
    assert_int_equal(fixture_read(f, get).count, 1);
    get.master_id = list.master_id = master; /* sees his users' as well */
    assert_int_equal(fixture_read(f, get).count, 1);
    assert_int_equal(fixture_read(f, list).count, 2);
    struct store_query undelivered = {
        .kind = STORE_LIST_EVENTS, .owner_id = user, .master_id = user, .undelivered = true, .limit = 10};
    assert_int_equal(fixture_read(f, undelivered).count, 2);
    fixture_do(f, (struct store_op){.kind = STORE_CANCEL, .delivery.delivery_id = get.id}, STORE_DONE);
    assert_int_equal(fixture_read(f, undelivered).count, 1); /* that the Master waits is not theirs to see */
    undelivered.master_id = master;
    assert_int_equal(fixture_read(f, undelivered).count, 2);
    list.id = 424242;
    assert_int_equal(fixture_read(f, list).count, 0);
}

static void figures(struct fixture *f)
{
    struct store_query query = {.kind = STORE_GET_STATS};
    int64_t user = fixture_user(f, "https://example.com/");
    fixture_user(f, NULL);
    struct store_op ops[5];
    for (int i = 0; i < 5; i++)
        ops[i] = fixture_event_op(f, user);
    fixture_write(f, ops, 5, 3);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[1], DECISION_GIVE_UP, 0), STORE_DONE);
    struct store_op cancel = {.kind = STORE_CANCEL, .delivery.delivery_id = f->boxes[2].delivery_id};
    fixture_do(f, cancel, STORE_DONE);
    fixture_advance(f, 2500);
    for (int round = 0; round < 2; round++) {
        const struct store_stats *stats = fixture_read(f, query).stats;
        assert_non_null(stats);
        assert_int_equal(stats->events, 5);
        assert_int_equal(stats->endpoints, 1);
        assert_int_equal(stats->deliveries_pending, 2);
        assert_int_equal(stats->deliveries_delivered, 1);
        assert_int_equal(stats->deliveries_given_up, 1);
        assert_int_equal(stats->deliveries_cancelled, 1);
        fixture_reopen(f);
    }
    struct store_op update = fixture_update_op(f, user);
    update.user.user.endpoint.url = bytes_of("");
    fixture_do(f, update, STORE_DONE);
    cancel.kind = STORE_RESEND;
    fixture_do(f, cancel, STORE_DONE);
    const struct store_stats *stats = fixture_read(f, query).stats;
    assert_int_equal(stats->endpoints, 0);
    assert_int_equal(stats->deliveries_cancelled, 0);
}

static void large_document(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op op = fixture_event_op(f, user);
    size_t len = MODEL_BODY_LEN_MAX;
    char *large = arena_alloc(&f->arena, len);
    assert_non_null(large);
    memset(large, 'x', len);
    memcpy(large, op.event.event.document.data, op.event.event.document.len);
    op.event.event.document = bytes_make(large, len);
    fixture_accept(f, &op);
    fixture_reopen(f);
    fixture_claim(f, 1, 1);
    assert_int_equal(f->boxes[0].document_len, len);
    assert_true(bytes_equal(fixture_event(f, op.event.event.id).document, op.event.event.document));
}

const struct contract_test contract_reads[] = {
    {"lists come in pages, both ways", pages},
    {"the events of one user, whatever their order", events_of_one_user},
    {"filters are literal", filters},
    {"a filter looks at so many events a page", filters_in_bounded_steps},
    {"the deliveries of all events, by filters", find_deliveries},
    {"the deliveries of an event, each user's own", deliveries_of_an_event},
    {"the figures add up, over a restart too", figures},
    {"the largest document", large_document},
    {0},
};
