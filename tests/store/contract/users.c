/* Users and keys. */
#include "contract.h"
#include <stdio.h>

static void first_user_is_5(struct fixture *f)
{
    assert_int_equal(fixture_user(f, NULL), 5);
    assert_int_equal(fixture_user(f, NULL), 6);
    struct store_op op = {.kind = STORE_USER_CREATE, .user.user = {.id = 40, .name = bytes_of("x")}};
    assert_int_equal(fixture_do(f, op, STORE_DONE), 40);
    assert_int_equal(fixture_do(f, op, STORE_CONFLICT), 0);
    assert_int_equal(fixture_user(f, NULL), 41);
    fixture_reopen(f);
    assert_int_equal(fixture_user(f, NULL), 42);
}

/* Both or neither. */
static void a_user_with_its_first_key(struct fixture *f)
{
    struct api_key key = fixture_key_op(f, 0).key;
    struct store_op op = {.kind = STORE_USER_CREATE,
                          .user = {.user = {.name = bytes_of("x")}, .first_key = &key}};
    int64_t user = fixture_do(f, op, STORE_DONE);
    assert_int_equal(key.user_id, user);
    struct store_query list = {.kind = STORE_LIST_KEYS, .id = user, .limit = 10};
    for (int round = 0; round < 2; round++) {
        struct store_answer answer = fixture_read(f, list);
        assert_int_equal(answer.count, 1);
        assert_int_equal(answer.keys[0].id, key.id);
        assert_string_equal(answer.keys[0].digest, key.digest);
        assert_int_equal(fixture_do(f, op, STORE_CONFLICT), 0); /* the digest is there */
        assert_int_equal(fixture_read(f, (struct store_query){.kind = STORE_LIST_USERS, .limit = 9}).count,
                         1);
        fixture_reopen(f);
    }
    struct api_key second = fixture_key_op(f, 0).key;
    op.user.first_key = &second;
    assert_int_equal(fixture_do(f, op, STORE_DONE), user + 1);
    assert_true(second.id > key.id);
}

static void user_round_trip(struct fixture *f)
{
    struct store_op op = {.kind = STORE_USER_CREATE,
                          .user.user = {.role = USER_MASTER,
                                        .name = bytes_of("Águeda"),
                                        .email = bytes_of("a@example.com"),
                                        .endpoint.url = bytes_of("https://example.com/h"),
                                        .receives_users_events = true,
                                        .endpoint.push.success = bytes_of("2xx"),
                                        .endpoint.disable_on_410 = true,
                                        .endpoint.paused = true,
                                        .endpoint.signing = bytes_make("\1se\0aled", 8),
                                        .endpoint.identity = bytes_make("\2id\0entity", 10),
                                        .created_at_ms = 11,
                                        .updated_at_ms = 12}};
    int64_t id = fixture_do(f, op, STORE_DONE);
    fixture_reopen(f);
    struct user user = fixture_update_op(f, id).user.user;
    assert_int_equal(user.role, USER_MASTER);
    assert_true(bytes_equal_text(user.name, "Águeda"));
    assert_true(bytes_equal_text(user.email, "a@example.com"));
    assert_true(bytes_equal_text(user.endpoint.url, "https://example.com/h"));
    assert_true(user.receives_users_events && bytes_equal_text(user.endpoint.push.success, "2xx") &&
                user.endpoint.disable_on_410 && user.endpoint.paused);
    assert_true(bytes_equal(user.endpoint.signing, bytes_make("\1se\0aled", 8)));
    assert_true(bytes_equal(user.endpoint.identity, bytes_make("\2id\0entity", 10)));
    assert_int_equal(user.version, 1);
    assert_int_equal(user.created_at_ms, 11);
    assert_int_equal(user.updated_at_ms, 12);
}

/* What is sealed goes into every box of the endpoint as it is now, born leased or claimed. */
static void sealed_secrets_reach_the_box(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    for (int round = 0; round < 2; round++) {
        struct store_op update = fixture_update_op(f, user);
        update.user.user.endpoint.signing = bytes_of(round ? "" : "sealed signing");
        update.user.user.endpoint.identity = bytes_of(round ? "another identity" : "sealed identity");
        fixture_do(f, update, STORE_DONE);
        for (int claimed = 0; claimed < 2; claimed++) {
            struct store_op event = fixture_event_op(f, user);
            fixture_write(f, &event, 1, !claimed);
            if (claimed)
                fixture_reopen(f); /* the roster comes back with them */
            if (claimed)
                fixture_claim(f, 1, 1);
            assert_int_equal(f->filled, 1);
            const struct store_work *box = &f->boxes[0];
            assert_true(bytes_equal(box->signing, update.user.user.endpoint.signing));
            assert_true(bytes_equal(box->identity, update.user.user.endpoint.identity));
            assert_int_equal(box->endpoint_version, 2 + round);
            fixture_do(f, fixture_outcome_op(f, box, DECISION_DELIVERED, 0), STORE_DONE);
        }
    }
}

static void update_wants_its_version(struct fixture *f)
{
    int64_t id = fixture_user(f, NULL);
    struct store_op op = fixture_update_op(f, id);
    op.user.user.name = bytes_of("Eva");
    op.user.user.role = USER_MASTER; /* not changed by an update */
    op.user.user.master_id = 7777;   /* nor this */
    op.user.user.created_at_ms = 1;  /* nor this */
    op.user.if_version = 1;
    assert_int_equal(fixture_do(f, op, STORE_DONE), id);
    assert_int_equal(fixture_do(f, op, STORE_CONFLICT), 0);
    struct user user = fixture_update_op(f, id).user.user;
    assert_true(bytes_equal_text(user.name, "Eva"));
    assert_int_equal(user.version, 2);
    assert_int_equal(user.role, USER_REGULAR);
    assert_int_equal(user.master_id, 0);
    assert_int_equal(user.created_at_ms, f->wall_ms);
    op.user.user.id = 99;
    op.user.if_version = -1;
    assert_int_equal(fixture_do(f, op, STORE_NOT_FOUND), 0);
}

static void master_sees_his_own(struct fixture *f)
{
    int64_t master = fixture_user(f, NULL), other = fixture_user(f, NULL);
    struct store_op op = {.kind = STORE_USER_CREATE, .user.user = {.master_id = master}};
    int64_t his = fixture_do(f, op, STORE_DONE);
    struct store_query list = {.kind = STORE_LIST_USERS, .master_id = master, .limit = 10};
    struct store_answer answer = fixture_read(f, list);
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.users[0].id, master);
    assert_int_equal(answer.users[1].id, his);
    assert_int_equal(answer.users[1].master_id, master);
    struct store_query get = {.kind = STORE_GET_USER, .id = other, .master_id = master};
    assert_int_equal(fixture_read(f, get).count, 0);
    op.user.user.master_id = 1234;
    fixture_do(f, op, STORE_NOT_FOUND);
}

static void keys(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL), other = fixture_user(f, NULL);
    struct store_op second = fixture_key_op(f, user), stray = fixture_key_op(f, 999);
    second.key.allow_from = bytes_of("192.0.2.0/24 2001:db8::/32");
    second.key.rate_per_s = -1;
    struct store_op again = second;
    int64_t key = fixture_do(f, second, STORE_DONE);
    assert_true(key > 0);
    fixture_do(f, again, STORE_CONFLICT);
    fixture_do(f, stray, STORE_NOT_FOUND);
    struct store_answer ring = fixture_read(f, (struct store_query){.kind = STORE_GET_KEYRING, .limit = 10});
    assert_int_equal(ring.count, 3);
    struct store_query page = {.kind = STORE_GET_KEYRING, .limit = 2};
    ring = fixture_read(f, page);
    assert_true(ring.count == 2 && ring.more);
    page.after_id = ring.keys[1].id;
    ring = fixture_read(f, page);
    assert_true(ring.count == 1 && !ring.more);

    struct store_op revoke = {.kind = STORE_KEY_REVOKE, .key = {.id = key, .user_id = other}};
    fixture_do(f, revoke, STORE_NOT_FOUND); /* somebody else's */
    revoke.key.user_id = user;
    assert_int_equal(fixture_do(f, revoke, STORE_DONE), key);
    fixture_do(f, revoke, STORE_CONFLICT);
    ring = fixture_read(f, (struct store_query){.kind = STORE_GET_KEYRING, .limit = 10});
    assert_int_equal(ring.count, 2);
    struct store_answer list =
        fixture_read(f, (struct store_query){.kind = STORE_LIST_KEYS, .id = user, .limit = 10});
    assert_int_equal(list.count, 2);
    assert_int_equal(list.keys[0].revoked_at_ms, 0);
    assert_int_equal(list.keys[1].revoked_at_ms, f->wall_ms);
    assert_string_equal(list.keys[1].digest, second.key.digest);
    assert_true(bytes_equal_text(list.keys[1].label, "a key"));
    assert_true(bytes_equal(list.keys[1].allow_from, second.key.allow_from));
    assert_int_equal(list.keys[1].rate_per_s, -1);
    assert_int_equal(list.keys[0].allow_from.len, 0);
    revoke.key.id = list.keys[0].id;
    fixture_do(f, revoke, STORE_CONFLICT); /* the last one */
}

static void key_terms_change(struct fixture *f)
{
    int64_t user = fixture_user(f, NULL), other = fixture_user(f, NULL);
    struct store_op second = fixture_key_op(f, user);
    second.key.allow_from = bytes_of("192.0.2.0/24");
    int64_t key = fixture_do(f, second, STORE_DONE);
    struct store_op update = {.kind = STORE_KEY_UPDATE,
                              .key_changes = STORE_KEY_LABEL | STORE_KEY_ALLOW_FROM | STORE_KEY_RATE,
                              .key = {.id = key,
                                      .user_id = other,
                                      .label = bytes_of("renamed"),
                                      .allow_from = bytes_of("::1 10.0.0.0/8"),
                                      .rate_per_s = 50}};
    fixture_do(f, update, STORE_NOT_FOUND); /* somebody else's */
    update.key.user_id = user;
    assert_int_equal(fixture_do(f, update, STORE_DONE), key);
    struct store_answer list =
        fixture_read(f, (struct store_query){.kind = STORE_LIST_KEYS, .id = user, .limit = 10});
    assert_int_equal(list.count, 2);
    const struct api_key *now = &list.keys[1];
    assert_true(bytes_equal_text(now->label, "renamed") &&
                bytes_equal_text(now->allow_from, "::1 10.0.0.0/8"));
    assert_int_equal(now->rate_per_s, 50);
    assert_string_equal(now->digest, second.key.digest);
    assert_int_equal(list.keys[0].rate_per_s, 0);
    /* What an update does not name stays as it is when that update is written. */
    update.key = (struct api_key){.id = key, .user_id = user, .label = bytes_of("again")};
    update.key_changes = STORE_KEY_LABEL;
    fixture_do(f, update, STORE_DONE);
    list = fixture_read(f, (struct store_query){.kind = STORE_LIST_KEYS, .id = user, .limit = 10});
    assert_true(bytes_equal_text(list.keys[1].label, "again") &&
                bytes_equal_text(list.keys[1].allow_from, "::1 10.0.0.0/8"));
    assert_int_equal(list.keys[1].rate_per_s, 50);
    update.key.label = bytes_of("");
    update.key_changes = STORE_KEY_LABEL | STORE_KEY_ALLOW_FROM | STORE_KEY_RATE;
    fixture_do(f, update, STORE_DONE);
    list = fixture_read(f, (struct store_query){.kind = STORE_LIST_KEYS, .id = user, .limit = 10});
    assert_int_equal(list.keys[1].allow_from.len + list.keys[1].label.len, 0);
    /* Each change raises the version, and one that wants another is refused. */
    assert_int_equal(list.keys[0].version, 1);
    assert_int_equal(list.keys[1].version, 4);
    struct store_op revoke = {.kind = STORE_KEY_REVOKE, .key = {.id = key, .user_id = user}};
    update.key_if_version = revoke.key_if_version = 3;
    fixture_do(f, update, STORE_CONFLICT);
    fixture_do(f, revoke, STORE_CONFLICT);
    update.key_if_version = 4;
    fixture_do(f, update, STORE_DONE);
    revoke.key_if_version = 5;
    fixture_do(f, revoke, STORE_DONE);
    list = fixture_read(f, (struct store_query){.kind = STORE_LIST_KEYS, .id = user, .limit = 10});
    assert_int_equal(list.keys[1].version, 6);
    fixture_do(f, update, STORE_NOT_FOUND);
}

/* 8.23: a user has at most so many active keys, whoever makes them; and what is revoked is not kept for ever.
 */
static void keys_are_counted(struct fixture *f)
{
    enum { MAX = 5, ROUNDS = STORE_REVOKED_KEPT + 7 };
    int64_t user = fixture_user(f, NULL), other = fixture_user(f, NULL), key = 0;
    for (int i = 1; i <= MAX; i++) {
        struct store_op create = fixture_key_op(f, user);
        create.keys_max = MAX;
        key = fixture_do(f, create, i == MAX ? STORE_QUOTA : STORE_DONE) ? create.key.id : key;
    }
    struct store_op create = fixture_key_op(f, other);
    create.keys_max = MAX;
    fixture_do(f, create, STORE_DONE);
    for (int i = 0; i < ROUNDS; i++) {
        create = fixture_key_op(f, other);
        key = fixture_do(f, create, STORE_DONE);
        fixture_do(f, (struct store_op){.kind = STORE_KEY_REVOKE, .key = {.id = key, .user_id = other}},
                   STORE_DONE);
    }
    struct store_answer list =
        fixture_read(f, (struct store_query){.kind = STORE_LIST_KEYS, .id = other, .limit = 1000});
    assert_int_equal(list.count, 2 + STORE_REVOKED_KEPT);
    assert_int_equal(list.keys[list.count - 1].id, key);
    list = fixture_read(f, (struct store_query){.kind = STORE_LIST_KEYS, .id = user, .limit = 1000});
    assert_int_equal(list.count, MAX);
}

/* Two keys: the older one signs; once it is revoked, the other. */
static void oldest_key_signs(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op second = fixture_key_op(f, user);
    fixture_do(f, second, STORE_DONE);
    struct store_op event = fixture_event_op(f, user);
    fixture_write(f, &event, 1, 1);
    assert_int_equal(f->filled, 1);
    assert_string_not_equal(f->boxes[0].auth_digest, second.key.digest);
    struct store_answer list =
        fixture_read(f, (struct store_query){.kind = STORE_LIST_KEYS, .id = user, .limit = 10});
    struct store_op revoke = {.kind = STORE_KEY_REVOKE, .key = {.id = list.keys[0].id, .user_id = user}};
    fixture_do(f, revoke, STORE_DONE);
    event = fixture_event_op(f, user);
    fixture_write(f, &event, 1, 1);
    assert_string_equal(f->boxes[0].auth_digest, second.key.digest);
}

/* 410 is tried again like every failure; who asked for it is disabled then, and what waits is held until
 * somebody enables it. */
static void gone_disables_who_asked_for_it(struct fixture *f)
{
    for (int asked = 1; asked >= 0; asked--) {
        int64_t user = fixture_user(f, "https://example.com/");
        struct store_op update = fixture_update_op(f, user), event = fixture_event_op(f, user);
        update.user.user.endpoint.disable_on_410 = asked;
        fixture_do(f, update, STORE_DONE);
        int64_t version = fixture_update_op(f, user).user.user.version;
        fixture_write(f, &event, 1, 1);
        assert_int_equal(f->filled, 1);
        struct store_op gone = fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 1000);
        gone.outcome.decision.reason = FAILURE_GONE;
        fixture_do(f, gone, STORE_DONE);
        int64_t since_ms = f->wall_ms;
        fixture_reopen(f);
        struct user now = fixture_update_op(f, user).user.user;
        assert_int_equal(now.endpoint.paused, asked);
        assert_int_equal(now.endpoint.disabled, asked ? ENDPOINT_GONE : ENDPOINT_ENABLED);
        assert_int_equal(now.endpoint.paused_at_ms, asked ? since_ms : 0);
        assert_int_equal(now.version, version + asked);
        fixture_advance(f, 5000);
        fixture_claim(f, 1, !asked);
        if (!asked)
            continue;
        struct store_op again = fixture_update_op(f, user);
        again.user.user.name = bytes_of("other"); /* what else is changed leaves it as it is */
        fixture_do(f, again, STORE_DONE);
        again = fixture_update_op(f, user);
        assert_int_equal(again.user.user.endpoint.disabled, ENDPOINT_GONE);
        assert_int_equal(again.user.user.endpoint.paused_at_ms, since_ms);
        again.user.user.endpoint.paused = false;
        fixture_do(f, again, STORE_DONE);
        assert_int_equal(fixture_update_op(f, user).user.user.endpoint.disabled, ENDPOINT_ENABLED);
        assert_int_equal(fixture_update_op(f, user).user.user.endpoint.paused_at_ms, 0);
        fixture_claim(f, 1, 1);
    }
}

/* The one user that has changed since; returns its number. */
static int64_t changed(struct fixture *f, int64_t user_id, int64_t since)
{
    struct store_answer answer =
        fixture_read(f, (struct store_query){.kind = STORE_LIST_CHANGED, .after_id = since, .limit = 10});
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.users[0].id, user_id);
    assert_true(answer.users[0].change > since);
    return answer.users[0].change;
}

/* Whatever is written of a user, of a key or of an endpoint: whoever reads on hears of it, once and as it is
 * now. */
static void changes_are_read_on(struct fixture *f)
{
    int64_t master = fixture_user(f, NULL), user = fixture_user(f, "https://example.com/");
    struct store_query page = {.kind = STORE_LIST_CHANGED, .limit = 1};
    assert_int_equal(fixture_read(f, page).users[0].id, master);
    assert_true(fixture_read(f, page).more);
    int64_t seen = changed(f, user, fixture_read(f, page).users[0].change);

    struct store_op op = fixture_update_op(f, user);
    op.user.user.name = bytes_of("another");
    fixture_do(f, op, STORE_DONE);
    seen = changed(f, user, seen);
    op = fixture_endpoint_op(f, user);
    fixture_do(f, op, STORE_DONE);
    seen = changed(f, user, seen);
    int64_t further = fixture_endpoint(f, user, "https://example.com/2");
    seen = changed(f, user, seen);
    op = fixture_endpoint_op(f, further);
    op.endpoint.endpoint.disable_on_410 = true;
    fixture_do(f, op, STORE_DONE);
    seen = changed(f, user, seen);

    struct store_op event = fixture_event_op(f, user);
    fixture_write(f, &event, 1, 2);
    assert_int_equal(f->boxes[1].endpoint_id, further);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    page.after_id = seen;
    assert_int_equal(fixture_read(f, page).count, 0); /* what only deliveries do is none */
    op = fixture_outcome_op(f, &f->boxes[1], DECISION_RETRY, 1000);
    op.outcome.decision.reason = FAILURE_GONE;
    fixture_do(f, op, STORE_DONE);
    seen = changed(f, user, seen); /* paused by 410 */
    op = fixture_endpoint_op(f, further);
    op.kind = STORE_ENDPOINT_REMOVE;
    fixture_do(f, op, STORE_DONE);
    seen = changed(f, user, seen);

    struct store_op key = fixture_key_op(f, user);
    key.key.id = fixture_do(f, key, STORE_DONE);
    seen = changed(f, user, seen);
    key.kind = STORE_KEY_UPDATE;
    key.key_changes = STORE_KEY_RATE;
    fixture_do(f, key, STORE_DONE);
    seen = changed(f, user, seen);
    key.kind = STORE_KEY_REVOKE;
    fixture_do(f, key, STORE_DONE);
    seen = changed(f, user, seen);
    fixture_do(f, key, STORE_CONFLICT); /* and what was refused has changed nothing */
    fixture_reopen(f);
    page.after_id = seen;
    assert_int_equal(fixture_read(f, page).count, 0);

    op = fixture_update_op(f, master);
    fixture_do(f, op, STORE_DONE);
    changed(f, master, seen);
    page.after_id = 0;
    assert_int_equal(fixture_read(f, page).users[0].id, user); /* each by its last change */
}

/* What was made with a request is not made again, whatever became of it; another request with its key is
 * told. */
static void requests_make_once(struct fixture *f)
{
    int64_t master = fixture_user(f, NULL), other = fixture_user(f, NULL);
    struct store_request request = {
        .requester_id = master, .key = bytes_of("/api/users k\0y"), .digest = {1}};
    struct store_op user = {
        .kind = STORE_USER_CREATE, .request = &request, .user.user = {.master_id = master}};
    snprintf(request.made, sizeof request.made, "a name");
    request.only_known = true;
    fixture_do(f, user, STORE_QUOTA);
    request.only_known = false;
    int64_t id = fixture_do(f, user, STORE_DONE);
    for (int i = 0; i < 2; i++) {
        request.made[0] = '\0';
        request.only_known = i;
        assert_int_equal(fixture_do(f, user, STORE_REPLAYED), id);
        assert_string_equal(request.made, "a name");
        fixture_reopen(f);
    }
    request.digest[31] = 1;
    assert_int_equal(fixture_do(f, user, STORE_REUSED), 0);
    struct store_request others = request;
    others.requester_id = other;
    others.only_known = false;
    struct store_op key = fixture_key_op(f, other);
    key.request = &others;
    int64_t key_id = fixture_do(f, key, STORE_DONE);
    key.keys_max = 1; /* there are that many, and this one is among them */
    assert_int_equal(fixture_do(f, key, STORE_REPLAYED), key_id);
    /* What was refused is not kept. */
    others.key = bytes_of("another");
    snprintf(key.key.digest, sizeof key.key.digest, "%064d", 77);
    fixture_do(f, key, STORE_QUOTA);
    key.keys_max = 0;
    fixture_do(f, key, STORE_DONE);
    /* And all is forgotten with the keys of events. */
    struct store_op update = fixture_update_op(f, other);
    struct store_request third = {.requester_id = other, .key = bytes_of("third")},
                         fourth = {.requester_id = other, .key = bytes_of("fourth")};
    update.request = &third;
    fixture_do(f, update, STORE_DONE);
    assert_int_equal(fixture_do(f, update, STORE_REPLAYED), other);
    struct store_op endpoint = {.kind = STORE_ENDPOINT_UPDATE, .request = &fourth};
    endpoint.endpoint.endpoint = update.user.user.endpoint;
    endpoint.endpoint.endpoint.id = endpoint.endpoint.endpoint.owner_id = other;
    endpoint.endpoint.if_version = -1;
    fixture_do(f, endpoint, STORE_DONE);
    assert_int_equal(fixture_do(f, endpoint, STORE_REPLAYED), other);
    struct store_op purge = {
        .kind = STORE_PURGE,
        .purge = {.before_ms = 1, .idempotency_before_ms = f->wall_ms + 1, .rows_max = 10}};
    fixture_do(f, purge, STORE_DONE);
    update.user.if_version = -1;
    fixture_do(f, update, STORE_DONE);
}

const struct contract_test contract_users[] = {
    {"changes are read on", changes_are_read_on},
    {"requests with a key make what they make once", requests_make_once},
    {"a user and its first key are made together", a_user_with_its_first_key},
    {"410 disables who asked for it", gone_disables_who_asked_for_it},
    {"the first user has id 5", first_user_is_5},
    {"a user comes back as written", user_round_trip},
    {"sealed secrets reach the box", sealed_secrets_reach_the_box},
    {"an update wants its version", update_wants_its_version},
    {"a Master sees his own users", master_sees_his_own},
    {"keys: made, listed, revoked, never the last", keys},
    {"a key's terms change, its digest never", key_terms_change},
    {"the oldest active key signs", oldest_key_signs},
    {"8.23: keys are counted", keys_are_counted},
    {0},
};
