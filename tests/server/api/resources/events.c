/* /api/events. */
#include "api_fixture.h"
#include <pthread.h>
#include <stdatomic.h>

static struct reply post_with_key(const char *body, enum rig_user as, const char *idempotency_key)
{
    struct ask asked = {"POST", "/api/events",
                        as,     body,
                        NULL,   {{"Idempotency-Key", idempotency_key}, {"X-Request-Id", "the-same"}}};
    struct reply reply = rig_ask(&rig, &asked);
    reply_check(&reply, &asked);
    return reply;
}

/* The guide's sample (webhooks-guide lines 31 to 66), its missing comma and its `...` mended. */
static const char guide_sample[] =
    "{\n"
    "   \"data\" : {\n"
    "      \"type\" : \"events\",\n"
    "      // Events have a unique identifier you can store on your end to make sure\n"
    "      // you never handle the same event twice.\n"
    "      \"id\" : \"8\",\n"
    "      \"attributes\" : {\n"
    "         \"event_type\" : \"user_enabled\",\n"
    "         // This is the date in which the event happened.\n"
    "         \"created_at\" : \"2000-01-01T00:00:00.000Z\",\n"
    "         \"sent_at\" : \"2000-01-01T00:00:00.000Z\",\n"
    "      },\n"
    "      \"relationships\" : {\n"
    "         \"resource\" : { \"data\" : { \"type\" : \"concierge_requests\", \"id\" : \"1\" } }\n"
    "      }\n"
    "   },\n"
    "   \"included\" : [\n"
    "     // The 'resource' attributes will be included.\n"
    "     {\"type\": \"concierge_requests\", \"id\": 1, \"attributes\": {\"amount\": 1.10000000000000, "
    "\"a-b\": \"\\u00e9\"}}\n"
    "   ]\n"
    "}";

static void test_guides_sample(void **state)
{
    char location[64], id[32];
    struct reply reply = ask("POST", "/api/events", RIG_REGULAR, guide_sample);
    assert_int_equal(reply.status, 201);
    snprintf(id, sizeof id, "%s", reply_text(&reply, "/data/id"));
    assert_string_not_equal(id, "8");
    snprintf(location, sizeof location, "/api/events/%s", id);
    assert_true(reply_header_is(&reply, "Location", location));
    assert_string_equal(reply_text(&reply, "/data/links/self"), location);
    assert_string_equal(reply_text(&reply, "/data/attributes/created_at"), "2000-01-01T00:00:00.000Z");
    struct json_object *sent_at;
    assert_int_equal(json_pointer_get(reply.json, "/data/attributes/sent_at", &sent_at), 0);
    assert_null(sent_at);
    assert_string_equal(reply_text(&reply, "/data/relationships/resource/data/type"), "concierge_requests");
    assert_null(reply_get(&reply, "/included"));
    int ignored = 0;
    struct json_object *warnings = reply_get(&reply, "/meta/warnings");
    for (size_t i = 0; i < json_object_array_length(warnings); i++) {
        struct json_object *code;
        json_object_object_get_ex(json_object_array_get_idx(warnings, i), "code", &code);
        ignored += strcmp(json_object_get_string(code), "id_ignored") == 0;
        ignored += strcmp(json_object_get_string(code), "attribute_ignored") == 0;
    }
    assert_int_equal(ignored, 2);
    reply_free(&reply);

    reply = ask("GET", location, RIG_REGULAR, NULL);
    assert_int_equal(reply.status, 200);
    assert_null(reply_get(&reply, "/included"));
    assert_string_equal(reply_text(&reply, "/data/meta/user"), "6");
    reply_free(&reply);
    char target[96];
    snprintf(target, sizeof target, "%s?include=resource", location);
    reply = ask("GET", target, RIG_REGULAR, NULL);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply_text(&reply, "/included/0/id"), "1");
    assert_non_null(strstr(reply.body, "\"amount\":1.10000000000000")); /* decimals keep their text */
    assert_true(json_object_is_type(reply_get(&reply, "/included/0/id"), json_type_string));
    reply_free(&reply);
}

/* As printed: the missing comma is named with its line (mission row 20). */
static void test_guides_sample_as_printed(void **state)
{
    static const char printed[] =
        "{\n   \"data\" : {\n      \"type\" : \"events\",\n      // one\n      // two\n"
        "      \"id\" : \"8\",\n      \"attributes\" : {\n         // three\n"
        "         // four\n"
        "         \"event_type\" : \"user_enabled\"\n\n"
        "         \"created_at\" : \"2000-01-01T00:00:00.000Z\"\n}}}";
    struct reply reply = ask("POST", "/api/events", RIG_REGULAR, printed);
    assert_int_equal(reply.status, 400);
    assert_string_equal(reply_text(&reply, "/errors/0/code"), "json_syntax");
    assert_true(atoi(reply_text(&reply, "/errors/0/meta/line")) >= 10);
    assert_non_null(strstr(reply_text(&reply, "/errors/0/detail"), "comma"));
    reply_free(&reply);
}

static void test_further_relationships_pass(void **state)
{
    char target[96];
    struct reply reply =
        ask("POST", "/api/events", RIG_REGULAR,
            "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"x\"},\"relationships\":{"
            "\"failures\":{\"data\":[{\"type\":\"failures\",\"id\":3}],\"meta\":{\"included\":[1],\"}\":\"{"
            "\\\"\"}},"
            "\"user\":{\"data\":{\"type\":\"users\",\"id\":\"6\"}}}},\"included\":[]}");
    assert_int_equal(reply.status, 201);
    assert_string_equal(reply_text(&reply, "/data/relationships/failures/data/0/id"), "3");
    assert_string_equal(reply_text(&reply, "/data/relationships/user/data/id"), "6");
    snprintf(target, sizeof target, "%s?include=resource", reply_text(&reply, "/data/links/self"));
    reply_free(&reply);
    reply = ask("GET", target, RIG_REGULAR, NULL);
    assert_string_equal(reply_text(&reply, "/data/relationships/failures/meta/included/0"), "1");
    assert_int_equal(json_object_array_length(reply_get(&reply, "/included")), 0);
    reply_free(&reply);
}

static void test_created_at_is_now(void **state)
{
    struct reply reply = ask("POST", "/api/events", RIG_REGULAR,
                             "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"x\"}}}");
    assert_string_equal(reply_text(&reply, "/data/attributes/created_at"),
                        reply_text(&reply, "/data/meta/received_at"));
    assert_int_equal(strlen(reply_text(&reply, "/data/attributes/created_at")), 24);
    reply_free(&reply);
    reply = ask("POST", "/api/events", RIG_REGULAR,
                "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"x\","
                "\"created_at\":\"1999-12-31T21:00:00.1239-03:00\"}}}");
    assert_string_equal(reply_text(&reply, "/data/attributes/created_at"), "2000-01-01T00:00:00.123Z");
    reply_free(&reply);
}

static const char for_user_6[] = "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"owned\"},"
                                 "\"relationships\":{\"user\":{\"data\":{\"type\":\"users\",\"id\":6}}}}}";

static void test_owner(void **state)
{
    char self[64];
    struct reply reply = ask("POST", "/api/events", RIG_MASTER, for_user_6);
    assert_int_equal(reply.status, 201);
    assert_string_equal(reply_text(&reply, "/data/meta/user"), "6");
    snprintf(self, sizeof self, "%s", reply_text(&reply, "/data/links/self"));
    reply_free(&reply);
    static const struct {
        enum rig_user as;
        int status;
    } rows[] = {
        {RIG_REGULAR, 200}, {RIG_MASTER, 200}, {RIG_OTHER, 404}, {RIG_MASTER_2, 404}, {RIG_STRANGER, 404}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char target[96];
        reply = ask("GET", self, rows[i].as, NULL);
        assert_int_equal(reply.status, rows[i].status);
        reply_free(&reply);
        snprintf(target, sizeof target, "%s/deliveries", self);
        reply = ask("GET", target, rows[i].as, NULL);
        assert_int_equal(reply.status, rows[i].status);
        reply_free(&reply);
    }
    reply = ask("POST", "/api/events", RIG_OTHER, for_user_6);
    assert_int_equal(reply.status, 403);
    reply_free(&reply);
    reply = ask("POST", "/api/events", RIG_MASTER_2, for_user_6);
    assert_int_equal(reply.status, 404);
    reply_free(&reply);
    struct ask acting = {"POST", "/api/events", RIG_NOBODY,
                         "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"x\"}}}"};
    char authorization[128];
    snprintf(authorization, sizeof authorization, "%s; user=6", rig_key(RIG_MASTER));
    acting.headers[0][0] = "Authorization";
    acting.headers[0][1] = authorization;
    reply = rig_ask(&rig, &acting);
    assert_int_equal(reply.status, 201);
    assert_string_equal(reply_text(&reply, "/data/meta/user"), "6");
    reply_free(&reply);
}

/* ---- Idempotency-Key ---- */

static const char paid[] =
    "{\"data\":{\"type\":\"events\",\"id\":\"1\",\"attributes\":{\"event_type\":\"paid\"}}}";

static void test_replay(void **state)
{
    struct reply first = post_with_key(paid, RIG_REGULAR, "k1");
    assert_int_equal(first.status, 201);
    for (int i = 0; i < 2; i++) {
        struct reply again = post_with_key(paid, RIG_REGULAR, "k1");
        assert_int_equal(again.status, 201);
        assert_string_equal(again.body, first.body);
        assert_true(reply_header_is(&again, "Idempotency-Replayed", "true"));
        assert_non_null(strstr(again.headers, first.headers)); /* and what the first had */
        reply_free(&again);
        rig_restart(&rig);
    }
    struct reply other = post_with_key(guide_sample, RIG_REGULAR, "k1");
    assert_int_equal(other.status, 422);
    assert_string_equal(reply_text(&other, "/errors/0/source/header"), "Idempotency-Key");
    reply_free(&other);
    other = post_with_key(paid, RIG_OTHER, "k1"); /* another user's keys are other keys */
    assert_int_equal(other.status, 201);
    assert_string_not_equal(other.body, first.body);
    reply_free(&other);
    reply_free(&first);
}

enum { ASKERS = 20 };

static void *ask_at_once(void *ctx)
{
    struct reply *reply = ctx;
    struct ask asked = {"POST", "/api/events", RIG_REGULAR, paid, NULL, {{"Idempotency-Key", "at once"}}};
    *reply = rig_ask(&rig, &asked);
    while (reply->status == 409) { /* the first is in flight */
        reply_free(reply);
        *reply = rig_ask(&rig, &asked);
    }
    return NULL;
}

static void test_the_same_key_at_once(void **state)
{
    pthread_t threads[ASKERS];
    struct reply replies[ASKERS];
    for (int i = 0; i < ASKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_at_once, &replies[i]), 0);
    for (int i = 0; i < ASKERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < ASKERS; i++) {
        assert_int_equal(replies[i].status, 201);
        assert_string_equal(replies[i].body, replies[0].body);
    }
    for (int i = 0; i < ASKERS; i++)
        reply_free(&replies[i]);
}

/* ---- lists ---- */

static void post(enum rig_user as, const char *type, const char *resource_id)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"%s\"},\"relationships\":"
             "{\"resource\":{\"data\":{\"type\":\"payments\",\"id\":\"%s\"}}}}}",
             type, resource_id);
    struct reply reply = ask("POST", "/api/events", as, body);
    assert_int_equal(reply.status, 201);
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

static void test_filters_are_literal(void **state)
{
    for (int i = 0; i < 3; i++)
        post(RIG_STRANGER, i == 1 ? "a_b" : "axb", i == 2 ? "' OR 1=1--" : "50%");
    assert_int_equal(count_of("/api/events", RIG_STRANGER), 3);
    assert_int_equal(count_of("/api/events?filter[event_type]=a_b", RIG_STRANGER), 1);
    assert_int_equal(count_of("/api/events?filter[event_type]=a%25", RIG_STRANGER), 0);
    assert_int_equal(count_of("/api/events?filter[resource_id]=%27%20OR%201%3D1--", RIG_STRANGER), 1);
    assert_int_equal(count_of("/api/events?filter[resource_id]=50%25&filter[event_type]=axb", RIG_STRANGER),
                     1);
    assert_int_equal(count_of("/api/events?filter%5Bresource_type%5D=payments", RIG_STRANGER), 3);
    char target[64];
    snprintf(target, sizeof target, "/api/events?filter[user]=%lld", (long long)rig_id(RIG_STRANGER));
    assert_int_equal(count_of(target, RIG_MASTER_2), 3);
    assert_int_equal(count_of(target, RIG_STRANGER), 3);
    struct reply reply = ask("GET", target, RIG_MASTER, NULL);
    assert_int_equal(reply.status, 404);
    reply_free(&reply);
    reply = ask("GET", target, RIG_REGULAR, NULL);
    assert_int_equal(reply.status, 403);
    reply_free(&reply);
}

/* Mission row 3: a poller with a cursor sees every event exactly once, restarts included. */
static void test_a_poller_sees_each_once(void **state)
{
    char target[256] = "/api/events?page[size]=2", cursor[64] = "";
    long long last = 0;
    int seen = 0;
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 3 && round < 3; i++)
            post(RIG_MASTER_2, "polled", "1");
        if (*cursor)
            snprintf(target, sizeof target, "/api/events?page[size]=2&page[after]=%s", cursor);
        struct reply reply = ask("GET", target, RIG_MASTER_2, NULL);
        assert_int_equal(reply.status, 200);
        struct json_object *data = reply_get(&reply, "/data");
        for (size_t i = 0; i < json_object_array_length(data); i++, seen++) {
            struct json_object *id;
            json_object_object_get_ex(json_object_array_get_idx(data, i), "id", &id);
            assert_true(atoll(json_object_get_string(id)) > last);
            last = atoll(json_object_get_string(id));
        }
        snprintf(cursor, sizeof cursor, "%s", reply_text(&reply, "/meta/cursor"));
        reply_free(&reply);
        rig_restart(&rig);
    }
    assert_int_equal(seen, 9);
}

/* The same while four producers are at it: ids become visible in the order of their size. */
enum { PRODUCERS = 4, EVENTS_EACH = 150 };

static void *produce(void *ctx)
{
    for (int i = 0; i < EVENTS_EACH; i++)
        post(RIG_OTHER, "raced", "1");
    atomic_fetch_add((atomic_int *)ctx, 1);
    return NULL;
}

static void test_a_poller_misses_nothing(void **state)
{
    pthread_t threads[PRODUCERS];
    atomic_int finished = 0;
    char target[256] = "/api/events?filter[event_type]=raced&page[size]=100", cursor[64] = "";
    int seen = 0;
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &finished), 0);
    for (bool last = false, over = false; !over; over = last) {
        last = atomic_load(&finished) == PRODUCERS;
        int count;
        do {
            if (*cursor)
                snprintf(target, sizeof target,
                         "/api/events?filter[event_type]=raced&page[size]=100&page[after]=%s", cursor);
            struct reply reply = ask("GET", target, RIG_OTHER, NULL);
            assert_int_equal(reply.status, 200);
            count = (int)json_object_array_length(reply_get(&reply, "/data"));
            if (count)
                snprintf(cursor, sizeof cursor, "%s", reply_text(&reply, "/meta/cursor"));
            reply_free(&reply);
            seen += count;
        } while (count);
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(seen, PRODUCERS * EVENTS_EACH);
}

static void test_cursors_are_bound(void **state)
{
    char good[64], target[256];
    struct reply reply = ask("GET", "/api/events?page[size]=1", RIG_STRANGER, NULL);
    snprintf(good, sizeof good, "%s", reply_text(&reply, "/meta/cursor"));
    int len = (int)strlen(good);
    assert_in_range(len, 32, 63);
    reply_free(&reply);
    const struct {
        const char *format;
        enum rig_user as;
        int status;
    } rows[] = {{"/api/events?page[after]=%s", RIG_STRANGER, 200},
                {"/api/events?page[after]=%s&page[size]=7", RIG_STRANGER, 200},
                {"/api/events?page[after]=%s", RIG_MASTER_2, 400},
                {"/api/events?page[after]=%s&sort=-id", RIG_STRANGER, 400},
                {"/api/events?page[after]=%s&filter[event_type]=axb", RIG_STRANGER, 400},
                {"/api/events?page[after]=%s0", RIG_STRANGER, 400},
                {"/api/events?page[after]=%.31s", RIG_STRANGER, 400},
                {"/api/events?page[before]=%s", RIG_STRANGER, 200},
                {"/api/events?page[after]=", RIG_STRANGER, 400},
                {"/api/events?page[after]=A%s", RIG_STRANGER, 400},
                {"/api/api_keys?page[after]=%s", RIG_STRANGER, 400}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(target, sizeof target, rows[i].format, good);
#pragma GCC diagnostic pop
        reply = ask("GET", target, rows[i].as, NULL);
        assert_int_equal(reply.status, rows[i].status);
        if (reply.status == 400)
            assert_string_equal(reply_text(&reply, "/errors/0/source/parameter"), "page[after]");
        reply_free(&reply);
    }
    snprintf(target, sizeof target, "/api/events?page[after]=%s&page[before]=%s", good, good);
    reply = ask("GET", target, RIG_STRANGER, NULL);
    assert_int_equal(reply.status, 400);
    assert_string_equal(reply_text(&reply, "/errors/0/source/parameter"), "page[before]");
    reply_free(&reply);
    for (int i = 0; i < len; i++) { /* every single character counts */
        snprintf(target, sizeof target, "/api/events?page[after]=%s", good);
        char *changed = strrchr(target, '=') + 1 + i;
        *changed = *changed == 'x' ? 'y' : 'x';
        reply = ask("GET", target, RIG_STRANGER, NULL);
        assert_int_equal(reply.status, 400);
        reply_free(&reply);
    }
}

/* ---- what the store says ---- */

static void test_store_faults(void **state)
{
    static const struct {
        enum store_status fault;
        bool no_space;
        int status;
        const char *code;
    } rows[] = {{STORE_DOWN, false, 503, "store_down"},
                {STORE_FULL, false, 507, "store_full"},
                {STORE_OK, true, 507, "store_full"}};
    struct reply reply;
    size_t len;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rig_fault(rows[i].fault);
        rig_no_space(rows[i].no_space);
        reply = ask("POST", "/api/events", RIG_REGULAR, paid);
        rig_fault(STORE_OK);
        rig_no_space(false);
        assert_int_equal(reply.status, rows[i].status);
        assert_string_equal(reply_text(&reply, "/errors/0/code"), rows[i].code);
        assert_non_null(reply_header(&reply, "Retry-After", &len));
        assert_null(reply_header(&reply, "Location", &len));
        reply_free(&reply);
    }
    reply = ask("POST", "/api/events", RIG_REGULAR, paid); /* heals without a restart */
    assert_int_equal(reply.status, 201);
    reply_free(&reply);
}

static void test_large_events(void **state)
{
    enum { LEN = 1 << 20 };
    char *body = malloc(LEN + 512);
    assert_non_null(body);
    int len = sprintf(body, "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"large\"},"
                            "\"relationships\":{\"x\":{\"meta\":{\"blob\":\"");
    memset(body + len, 'x', (size_t)(LEN - len - 8));
    strcpy(body + LEN - 8, "\"}}}}}");
    for (int i = 0; i < 4; i++) {
        struct reply reply = ask("POST", "/api/events", RIG_OTHER, body);
        assert_int_equal(reply.status, 201);
        reply_free(&reply);
    }
    free(body);
    /* A page of them is cut short, and the next goes on. */
    char target[256] = "/api/events?filter[event_type]=large&page[size]=100";
    int seen = 0, pages = 0;
    while (*target) {
        struct reply reply = ask("GET", target, RIG_OTHER, NULL);
        assert_int_equal(reply.status, 200);
        assert_true(reply.body_len <= 4 << 20);
        seen += (int)json_object_array_length(reply_get(&reply, "/data"));
        pages++;
        struct json_object *next = reply_get(&reply, "/links/next");
        snprintf(target, sizeof target, "%s", next ? json_object_get_string(next) : "");
        reply_free(&reply);
    }
    assert_int_equal(seen, 4);
    assert_true(pages > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guides_sample),
        cmocka_unit_test(test_guides_sample_as_printed),
        cmocka_unit_test(test_further_relationships_pass),
        cmocka_unit_test(test_created_at_is_now),
        cmocka_unit_test(test_owner),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_the_same_key_at_once),
        cmocka_unit_test(test_filters_are_literal),
        cmocka_unit_test(test_a_poller_sees_each_once),
        cmocka_unit_test(test_a_poller_misses_nothing),
        cmocka_unit_test(test_cursors_are_bound),
        cmocka_unit_test(test_store_faults),
        cmocka_unit_test(test_large_events),
    };
    return cmocka_run_group_tests(tests, open_rig, close_rig);
}
