/* Idempotency-Key on POSTs of users, keys and signing secrets: one row, across a restart too. */
#include "api_fixture.h"
#include <pthread.h>
#include <string.h>

static struct reply post(const char *target, enum rig_user as, const char *body, const char *key)
{
    struct ask ask = {"POST", target, as, body, NULL, {{"Idempotency-Key", key}}};
    struct reply reply = rig_ask(&rig, &ask);
    if (reply.status / 100 != 2)
        reply_check(&reply, &ask);
    return reply;
}

static int count_of(const char *target)
{
    struct ask ask = {"GET", target, RIG_MASTER};
    struct reply reply = rig_ask(&rig, &ask);
    assert_int_equal(reply.status, 200);
    int count = (int)json_object_array_length(reply_get(&reply, "/data"));
    reply_free(&reply);
    return count;
}

static const struct {
    const char *target, *body, *other;
    const char *secrets[2]; /* what the first answer alone shows */
} makers[] = {{"/api/users",
               "{\"data\":{\"type\":\"users\",\"attributes\":{\"name\":\"a\"}}}",
               "{\"data\":{\"type\":\"users\",\"attributes\":{\"name\":\"b\"}}}",
               {"/meta/api_key", "/meta/signing_secret"}},
              {"/api/api_keys",
               "{\"data\":{\"type\":\"api_keys\",\"attributes\":{\"label\":\"a\"}}}",
               "{\"data\":{\"type\":\"api_keys\",\"attributes\":{\"label\":\"b\"}}}",
               {"/data/attributes/token", "/data/attributes/token"}},
              {"/api/signing_secrets",
               "{\"data\":{\"type\":\"signing_secrets\",\"attributes\":{\"algorithm\":\"v1\"}}}",
               "{\"data\":{\"type\":\"signing_secrets\",\"attributes\":{\"algorithm\":\"v1a\"}}}",
               {"/data/attributes/secret", "/data/attributes/secret"}}};
enum { MAKERS = sizeof makers / sizeof *makers };

static void test_once(void **state)
{
    for (int i = 0; i < MAKERS; i++) {
        int before = count_of(makers[i].target);
        struct reply first = post(makers[i].target, RIG_MASTER, makers[i].body, "once");
        assert_int_equal(first.status, 201);
        assert_true(reply_header_is(&first, "Idempotency-Replayed", NULL));
        static const char *const same[] = {"once", "\"once\"", "once", "\"on\\\\ce\""};
        for (int k = 0; k < 3; k++) {
            struct reply again = post(makers[i].target, RIG_MASTER, makers[i].body, same[k]);
            assert_int_equal(again.status, 201);
            assert_true(reply_header_is(&again, "Idempotency-Replayed", "true"));
            assert_string_equal(reply_text(&again, "/data/id"), reply_text(&first, "/data/id"));
            size_t len, first_len;
            const char *location = reply_header(&again, "Location", &len);
            assert_memory_equal(location, reply_header(&first, "Location", &first_len), len);
            assert_string_equal(reply_text(&again, "/meta/warnings/0/code"), "replayed");
            for (int s = 0; s < 2; s++) {
                const char *secret = reply_text(&first, makers[i].secrets[s]);
                assert_true(strlen(secret) > 20);
                assert_null(strstr(again.body, secret));
            }
            reply_free(&again);
            rig_restart(&rig);
        }
        struct reply other = post(makers[i].target, RIG_MASTER, makers[i].other, "once");
        assert_int_equal(other.status, 422);
        assert_string_equal(reply_text(&other, "/errors/0/code"), "idempotency_conflict");
        reply_free(&other);
        other = post(makers[i].target, RIG_MASTER, makers[i].body, same[3]); /* it is another text */
        assert_int_equal(other.status, 201);
        assert_string_not_equal(reply_text(&other, "/data/id"), reply_text(&first, "/data/id"));
        reply_free(&other);
        assert_int_equal(count_of(makers[i].target), before + 2);
        reply_free(&first);
    }
}

/* A limit that is reached refuses a new one, and not the replay of one that is among those. */
static void test_at_a_limit(void **state)
{
    struct reply first[MAKERS];
    for (int i = 0; i < MAKERS; i++)
        first[i] = post(makers[i].target, RIG_MASTER_2, makers[i].body, "k");
    rig.settings.users_max = 1;
    rig.settings.keys_max = 1;
    for (int i = 0, status = 201; status == 201; i++) {
        char key[16];
        snprintf(key, sizeof key, "fill-%d", i);
        struct reply reply = post("/api/signing_secrets", RIG_MASTER_2, makers[2].body, key);
        status = reply.status;
        reply_free(&reply);
        assert_true(i < 100);
    }
    for (int i = 0; i < MAKERS; i++) {
        struct reply again = post(makers[i].target, RIG_MASTER_2, makers[i].body, "k");
        assert_int_equal(again.status, 201);
        assert_string_equal(reply_text(&again, "/data/id"), reply_text(&first[i], "/data/id"));
        reply_free(&again);
        struct reply more = post(makers[i].target, RIG_MASTER_2, makers[i].body, "l");
        assert_int_equal(more.status, 409);
        reply_free(&more);
        reply_free(&first[i]);
    }
    rig.settings.users_max = rig.settings.keys_max = 0;
}

/* Keys are their requester's, and their path's. */
static void test_whose(void **state)
{
    struct reply a = post("/api/api_keys", RIG_REGULAR, makers[1].body, "mine"),
                 b = post("/api/api_keys", RIG_OTHER, makers[1].body, "mine"),
                 c = post("/api/signing_secrets", RIG_OTHER, makers[2].body, "mine");
    assert_int_equal(a.status, 201);
    assert_int_equal(b.status, 201);
    assert_int_equal(c.status, 201);
    assert_string_not_equal(reply_text(&a, "/data/id"), reply_text(&b, "/data/id"));
    reply_free(&a);
    reply_free(&b);
    reply_free(&c);
}

/* What is gone by now cannot be shown again, and is not made again either. */
static void test_gone(void **state)
{
    struct reply made = post("/api/signing_secrets", RIG_MASTER, makers[2].body, "gone");
    char target[128];
    snprintf(target, sizeof target, "/api/signing_secrets/%s", reply_text(&made, "/data/id"));
    reply_free(&made);
    struct ask remove = {"DELETE", target, RIG_MASTER};
    struct reply reply = rig_ask(&rig, &remove);
    assert_int_equal(reply.status, 204);
    reply_free(&reply);
    int before = count_of("/api/signing_secrets");
    reply = post("/api/signing_secrets", RIG_MASTER, makers[2].body, "gone");
    assert_int_equal(reply.status, 404);
    reply_free(&reply);
    assert_int_equal(count_of("/api/signing_secrets"), before);
}

/* What was refused, or could not be written, leaves its key free. */
static void test_a_failure_keeps_no_key(void **state)
{
    for (int i = 0; i < MAKERS; i++) {
        rig_fault(STORE_DOWN);
        struct reply reply = post(makers[i].target, RIG_MASTER, makers[i].body, "later");
        assert_int_equal(reply.status, 503);
        reply_free(&reply);
        rig_fault(STORE_OK);
        reply = post(makers[i].target, RIG_MASTER, makers[i].other, "later");
        assert_int_equal(reply.status, 201);
        reply_free(&reply);
    }
}

/* ---- while the first is in flight ---- */

static const char event[] =
    "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"paid\"},\"relationships\":"
    "{\"resource\":{\"data\":{\"type\":\"payments\",\"id\":\"1\"}}}},"
    "\"included\":[{\"type\":\"payments\",\"id\":\"1\"}]}";
static const char endpoint[] =
    "{\"data\":{\"type\":\"endpoints\",\"attributes\":{\"url\":\"https://example.com/\"}}}";

static void *ask_in_a_thread(void *ctx)
{
    struct ask *ask = ctx;
    struct reply *reply = malloc(sizeof *reply);
    *reply = rig_ask(&rig, ask);
    return reply;
}

/* The first is with the writer, and the second comes: 409. When the first is answered, it is a replay. */
static void while_in_flight(struct ask ask)
{
    pthread_t thread;
    void *first;
    rig_hold_writer(true);
    assert_int_equal(pthread_create(&thread, NULL, ask_in_a_thread, &ask), 0);
    rig_await_held();
    struct reply second = rig_ask(&rig, &ask);
    assert_int_equal(second.status, 409);
    reply_check(&second, &ask);
    assert_string_equal(reply_text(&second, "/errors/0/code"), "idempotency_in_flight");
    assert_string_equal(reply_text(&second, "/errors/0/source/header"), "Idempotency-Key");
    assert_true(reply_header_is(&second, "Retry-After", "1"));
    rig_hold_writer(false);
    pthread_join(thread, &first);
    assert_int_equal(((struct reply *)first)->status, 201);
    assert_true(reply_header_is(first, "Idempotency-Replayed", NULL));
    struct reply third = rig_ask(&rig, &ask);
    assert_int_equal(third.status, 201);
    assert_true(reply_header_is(&third, "Idempotency-Replayed", "true"));
    if (third.json)
        assert_string_equal(reply_text(&third, "/data/id"), reply_text(first, "/data/id"));
    reply_free(&second);
    reply_free(&third);
    reply_free(first);
    free(first);
}

static void test_in_flight(void **state)
{
    struct ask make = {"POST", "/api/endpoints", RIG_MASTER, endpoint};
    struct reply made = rig_ask(&rig, &make);
    char ping[128];
    snprintf(ping, sizeof ping, "/api/endpoints/%s/ping", reply_text(&made, "/data/id"));
    reply_free(&made);
    const struct ask asks[] = {
        {"POST", "/api/users", RIG_MASTER, makers[0].body},
        {"POST", "/api/api_keys", RIG_MASTER, makers[1].body},
        {"POST", "/api/signing_secrets", RIG_MASTER, makers[2].body},
        {"POST", "/api/endpoints", RIG_MASTER, endpoint},
        {"POST", ping, RIG_MASTER},
        {"POST", "/api/events", RIG_MASTER, event},
        {"POST", "/api/events", RIG_MASTER, event, "application/x-ndjson"},
        {"POST", "/api/events/batch", RIG_MASTER, event, "application/x-ndjson"},
    };
    rig.settings.rate_limit = 0;
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        char key[32];
        struct ask ask = asks[i];
        ask.headers[0][0] = "Idempotency-Key";
        ask.headers[0][1] = key;
        snprintf(key, sizeof key, "in flight %zu", i);
        while_in_flight(ask);
    }
}

/* The key of a line, and an event's own id as its key: of that line alone, and each by its pointer. Another
 * user's key, another path's, and another line of the same request with the same key are no repeats. */
static void test_what_is_in_flight(void **state)
{
    char lines[2048];
    pthread_t thread;
    void *first;
    rig.settings.rate_limit = 0;
    rig.settings.own_event_ids = true;
    snprintf(lines, sizeof lines,
             "%.*s,\"meta\":{\"idempotency_key\":\"k\"}}\n%.*s,\"meta\":{\"idempotency_key\":\"k\"}}\n"
             "{\"data\":{\"type\":\"events\",\"id\":\"mine\"%s",
             (int)strlen(event) - 1, event, (int)strlen(event) - 1, event,
             event + strlen("{\"data\":{\"type\":\"events\""));
    struct ask ask = {"POST", "/api/events", RIG_MASTER, lines, "application/x-ndjson"};
    struct ask others = {"POST", "/api/events", RIG_MASTER_2, lines, "application/x-ndjson"};
    rig_hold_writer(true);
    assert_int_equal(pthread_create(&thread, NULL, ask_in_a_thread, &ask), 0);
    rig_await_held();
    struct reply second = rig_ask(&rig, &ask);
    assert_int_equal(second.status, 207);
    assert_true(reply_header_is(&second, "Retry-After", "1"));
    int count = 0;
    for (const char *at = second.body; (at = strstr(at, "idempotency_in_flight")); at++)
        count++;
    assert_int_equal(count, 3);
    assert_non_null(strstr(second.body, "{\"pointer\":\"/meta/idempotency_key\"}"));
    assert_non_null(strstr(second.body, "{\"pointer\":\"/data/id\"}"));
    rig_hold_writer(false);
    pthread_join(thread, &first);
    assert_int_equal(((struct reply *)first)->status, 201);
    struct reply third = rig_ask(&rig, &others);
    assert_int_equal(third.status, 201);
    reply_free(first);
    free(first);
    reply_free(&second);
    reply_free(&third);
    rig.settings.own_event_ids = false;
}

/* The same key on another path, and another user's: both wait for the writer beside the first. */
static void test_whose_is_in_flight(void **state)
{
    struct ask asks[] = {
        {"POST", "/api/api_keys", RIG_REGULAR, makers[1].body, NULL, {{"Idempotency-Key", "k"}}},
        {"POST", "/api/api_keys", RIG_OTHER, makers[1].body, NULL, {{"Idempotency-Key", "k"}}},
        {"POST", "/api/signing_secrets", RIG_OTHER, makers[2].body, NULL, {{"Idempotency-Key", "k"}}}};
    enum { ASKS = sizeof asks / sizeof *asks };
    pthread_t threads[ASKS];
    rig_hold_writer(true);
    for (int i = 0; i < ASKS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_in_a_thread, &asks[i]), 0);
    rig_await_held();
    rig_hold_writer(false);
    for (int i = 0; i < ASKS; i++) {
        void *reply;
        pthread_join(threads[i], &reply);
        assert_int_equal(((struct reply *)reply)->status, 201);
        reply_free(reply);
        free(reply);
    }
}

/* ---- what is no key, and ids as keys ---- */

/* A producer's own id: the same event again is the same, another one is refused; or no id is taken at all. */
static void test_own_ids(void **state)
{
#define OWN(type)                                                                                            \
    "{\"data\":{\"type\":\"events\",\"id\":\"order-7\",\"attributes\":{\"event_type\":\"" type "\"}}}"
    const struct ask mine = {"POST", "/api/events", RIG_REGULAR, OWN("x")},
                     theirs = {"POST", "/api/events", RIG_OTHER, OWN("x")};
    rig.settings.own_event_ids = true;
    struct reply first = rig_ask(&rig, &mine), again = rig_ask(&rig, &mine), other = rig_ask(&rig, &theirs);
    assert_int_equal(first.status, 201);
    assert_string_equal(reply_text(&first, "/meta/warnings/0/code"), "id_own");
    assert_string_equal(again.body, first.body);
    assert_true(reply_header_is(&again, "Idempotency-Replayed", "true"));
    assert_string_not_equal(reply_text(&other, "/data/id"), reply_text(&first, "/data/id"));
    reply_free(&first);
    reply_free(&again);
    reply_free(&other);
    const struct refusal rows[] = {
        {{"POST", "/api/events", RIG_REGULAR, OWN("y")}, 409, "id_used", "pointer /data/id"},
        {{"POST", "/api/events", RIG_REGULAR,
          "{\"data\":{\"type\":\"events\",\"id\":\"\",\"attributes\":{\"event_type\":\"x\"}}}"},
         400,
         "document_invalid",
         "pointer /data/id"}};
    rig_refuses(&rig, rows, sizeof rows / sizeof *rows);
    rig.settings.refuse_event_ids = true;
    const struct refusal refused[] = {{mine, 403, "id_not_accepted", "pointer /data/id"}};
    rig_refuses(&rig, refused, 1);
    rig.settings.refuse_event_ids = rig.settings.own_event_ids = false;
    struct reply ignored = rig_ask(&rig, &mine);
    assert_int_equal(ignored.status, 201);
    assert_string_equal(reply_text(&ignored, "/meta/warnings/0/code"), "id_ignored");
    reply_free(&ignored);
}

static void test_idempotency_keys(void **state)
{
    char long_key[258];
    memset(long_key, 'k', 257);
    long_key[257] = '\0';
    const struct refusal rows[] = {
        {{"POST", "/api/events", RIG_REGULAR, RIG_EVENT, NULL, {{"Idempotency-Key", ""}}},
         400,
         "header_invalid",
         "header Idempotency-Key"},
        {{"POST", "/api/events", RIG_REGULAR, RIG_EVENT, NULL, {{"Idempotency-Key", long_key}}},
         400,
         "header_invalid",
         NULL},
        {{"POST", "/api/events", RIG_REGULAR, RIG_EVENT, NULL, {{"Idempotency-Key", "\"a"}}},
         400,
         "header_invalid",
         NULL},
        {{"POST", "/api/events", RIG_REGULAR, RIG_EVENT, NULL, {{"Idempotency-Key", "\"\""}}},
         400,
         "header_invalid",
         NULL},
        {{"POST", "/api/events", RIG_REGULAR, RIG_EVENT, NULL, {{"Idempotency-Key", "\"a\\b\""}}},
         400,
         "header_invalid",
         NULL},
        {{"POST", "/api/events", RIG_REGULAR, RIG_EVENT, NULL, {{"Idempotency-Key", "\"a\"b\""}}},
         400,
         "header_invalid",
         NULL},
        {{"POST",
          "/api/events",
          RIG_REGULAR,
          RIG_EVENT,
          NULL,
          {{"Idempotency-Key", "a"}, {"Idempotency-Key", "b"}}},
         400,
         "header_invalid",
         NULL},
    };
    rig_refuses(&rig, rows, sizeof rows / sizeof *rows);
}

int main(void)
{
#define WITH(f) cmocka_unit_test_setup_teardown(f, open_rig, close_rig)
    const struct CMUnitTest tests[] = {WITH(test_once),
                                       WITH(test_at_a_limit),
                                       WITH(test_whose),
                                       WITH(test_gone),
                                       WITH(test_a_failure_keeps_no_key),
                                       WITH(test_in_flight),
                                       WITH(test_what_is_in_flight),
                                       WITH(test_whose_is_in_flight),
                                       WITH(test_own_ids),
                                       WITH(test_idempotency_keys)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
