/* /api/deliveries: the outcomes of an event. */
#include "api_fixture.h"

static char event_self[64], delivery_self[64];

static int setup(void **state)
{
    char target[96];
    rig_open(&rig);
    struct reply reply = ask(
        "PATCH", "/api/users/me", RIG_REGULAR,
        "{\"data\":{\"type\":\"users\",\"attributes\":{\"webhook_url\":\"https://hooks.example.com/\"}}}");
    assert_int_equal(reply.status, 200);
    reply_free(&reply);
    reply = ask("POST", "/api/events", RIG_REGULAR,
                "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"x\"}}}");
    assert_int_equal(reply.status, 201);
    snprintf(event_self, sizeof event_self, "%s", reply_text(&reply, "/data/links/self"));
    reply_free(&reply);
    snprintf(target, sizeof target, "%s/deliveries", event_self);
    reply = ask("GET", target, RIG_REGULAR, NULL);
    assert_int_equal(reply.status, 200);
    assert_int_equal(json_object_array_length(reply_get(&reply, "/data")), 1);
    assert_string_equal(reply_text(&reply, "/data/0/attributes/state"), "pending");
    assert_null(reply_get(&reply, "/data/0/attributes/attempts"));
    snprintf(delivery_self, sizeof delivery_self, "%s", reply_text(&reply, "/data/0/links/self"));
    reply_free(&reply);
    return 0;
}

static int post_to(const char *action, enum rig_user as, char state_now[32])
{
    char target[96];
    snprintf(target, sizeof target, "%s/%s", delivery_self, action);
    struct reply reply = ask("POST", target, as, NULL);
    int status = reply.status;
    if (state_now)
        snprintf(state_now, 32, "%s", reply_text(&reply, "/data/attributes/state"));
    reply_free(&reply);
    return status;
}

static void test_cancel_and_resend(void **state)
{
    char now[32];
    assert_int_equal(post_to("cancel", RIG_OTHER, NULL), 404);
    assert_int_equal(post_to("resend", RIG_STRANGER, NULL), 404);
    assert_int_equal(post_to("cancel", RIG_MASTER, now), 200);
    assert_string_equal(now, "cancelled");
    assert_int_equal(post_to("cancel", RIG_REGULAR, NULL), 409);
    assert_int_equal(post_to("resend", RIG_REGULAR, now), 200);
    assert_string_equal(now, "pending");
}

/* If-Match is judged in the transaction of the write: what another request did since the read counts. */
static void test_if_match_is_judged_by_the_write(void **state)
{
    size_t len;
    int64_t id = atoll(strrchr(delivery_self, '/') + 1);
    char target[96], etag[64];
    struct reply reply = ask("GET", delivery_self, RIG_REGULAR, NULL);
    const char *now = reply_header(&reply, "ETag", &len);
    snprintf(etag, sizeof etag, "%.*s", (int)len, now);
    reply_free(&reply);
    snprintf(target, sizeof target, "%s/resend", delivery_self);
    struct ask resend = {"POST", target, RIG_REGULAR, NULL, NULL, {{"If-Match", etag}}};
    struct store_op cancelled = {.kind = STORE_CANCEL, .delivery.delivery_id = id};
    rig_meanwhile(STORE_RESEND, cancelled);
    reply = rig_ask(&rig, &resend);
    assert_int_equal(reply.status, 412);
    reply_check(&reply, &resend);
    reply_free(&reply);
    reply = ask("GET", delivery_self, RIG_REGULAR, NULL);
    assert_string_equal(reply_text(&reply, "/data/attributes/state"), "cancelled");
    reply_free(&reply);
    /* `*` holds however often it changes: read again, and done. */
    resend.headers[0][1] = "*";
    rig_meanwhile(STORE_RESEND, (struct store_op){.kind = STORE_RESEND, .delivery.delivery_id = id});
    reply = rig_ask(&rig, &resend);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply_text(&reply, "/data/attributes/state"), "pending");
    reply_free(&reply);
}

static void test_attempts(void **state)
{
    struct store_work box = {.slot = 0};
    arena_init(&box.memory, 1 << 20);
    rig_claim(&rig, &box);
    struct reply reply = ask("GET", delivery_self, RIG_REGULAR, NULL);
    assert_string_equal(reply_text(&reply, "/data/attributes/in_flight"), "true");
    reply_free(&reply);
    reply = ask("GET", event_self, RIG_REGULAR, NULL); /* stamped by the claim */
    assert_int_equal(strlen(reply_text(&reply, "/data/attributes/sent_at")), 24);
    reply_free(&reply);

    struct store_op outcome = {.kind = STORE_OUTCOME};
    outcome.outcome.delivery_id = box.delivery_id;
    outcome.outcome.lease = box.lease;
    outcome.outcome.decision =
        (struct decision){.kind = DECISION_RETRY, .delay_ms = 3600000, .reason = FAILURE_UNEXPECTED_STATUS};
    outcome.outcome.attempt = (struct attempt){.delivery_id = box.delivery_id,
                                               .lease = box.lease,
                                               .attempt = 1,
                                               .started_at_ms = 946684800000,
                                               .duration_ms = 12,
                                               .status = 204,
                                               .failure = FAILURE_UNEXPECTED_STATUS,
                                               .counted = true,
                                               .address = bytes_of("192.0.2.1:443"),
                                               .response = bytes_make("\x1b<script>\xff\0", 11)};
    rig_write(&rig, outcome);
    reply = ask("GET", delivery_self, RIG_REGULAR, NULL);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply_text(&reply, "/data/attributes/attempt_count"), "1");
    assert_string_equal(reply_text(&reply, "/data/attributes/last_reason"), "unexpected_status");
    assert_true(atoll(reply_text(&reply, "/data/attributes/next_attempt_in_ms")) > 3500000);
    assert_string_equal(reply_text(&reply, "/data/attributes/attempts/0/status"), "204");
    assert_string_equal(reply_text(&reply, "/data/attributes/attempts/0/started_at"),
                        "2000-01-01T00:00:00.000Z");
    assert_string_equal(reply_text(&reply, "/data/attributes/attempts/0/response_hex"),
                        "1b3c7363726970743eff00");
    assert_string_equal(reply_text(&reply, "/data/attributes/attempts/0/address"), "192.0.2.1:443");
    reply_free(&reply);
    store_work_clear(&box);
    arena_fini(&box.memory);
}

/* The first answer again, although the event was sent meanwhile. */
static void test_replay_after_sending(void **state)
{
    struct ask asked = {"POST", "/api/events", RIG_REGULAR,
                        "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"x\"}}}"};
    asked.headers[0][0] = "Idempotency-Key";
    asked.headers[0][1] = "k";
    struct reply first = rig_ask(&rig, &asked);
    assert_int_equal(first.status, 201);
    struct store_work box = {.slot = 0};
    arena_init(&box.memory, 1 << 20);
    do
        rig_claim(&rig, &box);
    while (box.event_id != atoll(reply_text(&first, "/data/id")));
    struct reply again = rig_ask(&rig, &asked);
    assert_int_equal(again.status, 201);
    assert_string_equal(again.body, first.body);
    reply_free(&again);
    again = ask("GET", reply_text(&first, "/data/links/self"), RIG_REGULAR, NULL);
    assert_int_equal(strlen(reply_text(&again, "/data/attributes/sent_at")), 24);
    reply_free(&again);
    reply_free(&first);
    store_work_clear(&box);
    arena_fini(&box.memory);
}

static void test_undelivered(void **state)
{
    struct reply reply = ask("GET", "/api/events?filter[undelivered]=true", RIG_REGULAR, NULL);
    assert_int_equal(json_object_array_length(reply_get(&reply, "/data")), 1);
    reply_free(&reply);
    assert_int_equal(post_to("cancel", RIG_REGULAR, NULL), 200);
    reply = ask("GET", "/api/events?filter[undelivered]=true", RIG_REGULAR, NULL);
    assert_int_equal(json_object_array_length(reply_get(&reply, "/data")), 0);
    reply_free(&reply);
}

static int count_of(const char *target, enum rig_user as)
{
    struct reply reply = ask("GET", target, as, NULL);
    assert_int_equal(reply.status, 200);
    int count = (int)json_object_array_length(reply_get(&reply, "/data"));
    reply_free(&reply);
    return count;
}

/* 10: what is listed has a page: who sees an event does not see its Master's delivery, with its address and
 * why it failed. */
static void test_a_masters_copy_is_the_masters(void **state)
{
    char target[128], event[256];
    struct reply reply = ask("PATCH", "/api/users/me", RIG_MASTER,
                             "{\"data\":{\"type\":\"users\",\"attributes\":{\"receives_users_events\":true,"
                             "\"webhook_url\":\"https://master.example.com/\"}}}");
    assert_int_equal(reply.status, 200);
    reply_free(&reply);
    snprintf(event, sizeof event,
             "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"copied\"},\"relationships\":"
             "{\"user\":{\"data\":{\"type\":\"users\",\"id\":\"%lld\"}}}}}",
             (long long)rig_id(RIG_REGULAR));
    reply = ask("POST", "/api/events", RIG_MASTER, event);
    assert_int_equal(reply.status, 201);
    snprintf(target, sizeof target, "%s/deliveries", reply_text(&reply, "/data/links/self"));
    reply_free(&reply);
    assert_int_equal(count_of(target, RIG_MASTER), 2);
    for (enum rig_user as = RIG_MASTER; as <= RIG_REGULAR; as++) {
        reply = ask("GET", target, as, NULL);
        int count = (int)json_object_array_length(reply_get(&reply, "/data"));
        assert_int_equal(count, as == RIG_MASTER ? 2 : 1);
        for (int i = 0; i < count; i++) {
            char self[64];
            snprintf(self, sizeof self, "/data/%d/links/self", i);
            struct reply page = ask("GET", reply_text(&reply, self), as, NULL);
            assert_int_equal(page.status, 200);
            snprintf(delivery_self, sizeof delivery_self, "%s", reply_text(&reply, self));
            reply_free(&page);
            if (i == 0) /* the Regular's own; the Master's goes on waiting */
                assert_int_equal(post_to(as == RIG_MASTER ? "cancel" : "resend", as, NULL), 200);
        }
        reply_free(&reply);
    }
    const char *undelivered = "/api/events?filter[undelivered]=true&filter[event_type]=copied";
    assert_int_equal(count_of(undelivered, RIG_REGULAR), 1);
    assert_int_equal(post_to("cancel", RIG_REGULAR, NULL), 200);
    assert_int_equal(count_of(undelivered, RIG_REGULAR), 0);
}

/* A store that cannot write shows what it has. */
static void test_stats_of_a_full_store(void **state)
{
    char target[96], etags[2][96];
    struct reply reply = ask("GET", "/api/users/me", RIG_REGULAR, NULL);
    snprintf(target, sizeof target, "/api/endpoints/%s/stats", reply_text(&reply, "/data/id"));
    reply_free(&reply);
    for (int full = 0; full < 2; full++) {
        rig_fault(full ? STORE_FULL : STORE_OK);
        reply = ask("GET", target, RIG_REGULAR, NULL);
        assert_int_equal(reply.status, 200);
        assert_true(json_object_get_int64(reply_get(&reply, "/data/attributes/accepted")) > 0);
        assert_int_equal(reply_get(&reply, "/data/attributes/waiting") == NULL, full);
        size_t len = 0;
        const char *etag = reply_header(&reply, "ETag", &len);
        snprintf(etags[full], sizeof *etags, "%.*s", (int)len, etag);
        reply_free(&reply);
    }
    rig_fault(STORE_OK);
    assert_string_not_equal(etags[0], etags[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel_and_resend),
        cmocka_unit_test(test_if_match_is_judged_by_the_write),
        cmocka_unit_test(test_attempts),
        cmocka_unit_test(test_stats_of_a_full_store),
        cmocka_unit_test(test_undelivered),
        cmocka_unit_test(test_replay_after_sending),
        cmocka_unit_test(test_a_masters_copy_is_the_masters),
    };
    return cmocka_run_group_tests(tests, setup, close_rig);
}
