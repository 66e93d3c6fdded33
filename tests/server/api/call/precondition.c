/* If-Match and If-None-Match: each resource that can be read alone has an ETag, and one rule. */
#include "api_fixture.h"
#include "route.h"
#include <string.h>

static int setup(void **state)
{
    rig_open(&rig);
    rig.settings.rate_limit = rig.settings.public_rate = 0;
    return 0;
}

enum { TEXT_LEN = 256 };

static struct reply asked(const char *method, const char *target, const char *body, const char *header,
                          const char *value)
{
    struct ask ask = {method, target, RIG_MASTER, body, NULL, {{header, value}}};
    struct reply reply = rig_ask(&rig, &ask);
    if (reply.body_len && reply.status / 100 != 2)
        reply_check(&reply, &ask);
    return reply;
}

static int status_of(const char *method, const char *target, const char *body, const char *header,
                     const char *value)
{
    struct reply reply = asked(method, target, body, header, value);
    int status = reply.status;
    if (status == 412)
        assert_string_equal(reply_text(&reply, "/errors/0/source/header"), header);
    reply_free(&reply);
    return status;
}

static void etag_of(const char *target, char out[TEXT_LEN])
{
    struct reply reply = asked("GET", target, NULL, NULL, NULL);
    size_t len = 0;
    const char *etag = reply_header(&reply, "ETag", &len);
    if (reply.status != 200 || !etag || len < 3)
        fail_msg("GET %s: %d, without an ETag", target, reply.status);
    snprintf(out, TEXT_LEN, "%.*s", (int)len, etag);
    reply_free(&reply);
}

/* Makes one, and says where it is. */
static void made(const char *target, const char *body, char out[TEXT_LEN])
{
    struct reply reply = asked("POST", target, body, NULL, NULL);
    assert_int_equal(reply.status, 201);
    size_t len = 0;
    const char *location = reply_header(&reply, "Location", &len);
    snprintf(out, TEXT_LEN, "%.*s", (int)len, location);
    reply_free(&reply);
}

#define DOCUMENT(type, attributes) "{\"data\":{\"type\":\"" type "\",\"attributes\":{" attributes "}}}"

/* One target for each route that shows a single resource. A new route has to be named here. */
struct single {
    const char *pattern;
    char target[TEXT_LEN];
};

enum {
    SINGLES = 15,
    EVENT = 0,
    DELIVERY = 1,
    USER = 2,
    KEY = 3,
    SECRET = 4,
    SNAPSHOT = 5,
    ENDPOINT_SECRET = 12,
    JOB = 13
};
static struct single singles[SINGLES] = {{"/api/events/:id", ""},
                                         {"/api/deliveries/:id", ""},
                                         {"/api/users/:id", "/api/users/me"},
                                         {"/api/api_keys/:id", ""},
                                         {"/api/signing_secrets/:id", ""},
                                         {"/api/:type/:id", "/api/payments/1"},
                                         {"/api/resources/:type/:id", "/api/resources/payments/1"},
                                         {"/api/event_types/:id", "/api/event_types/user_enabled"},
                                         {"/api/meta", "/api/meta"},
                                         {"/openapi.json", "/openapi.json"},
                                         {"/docs", "/docs"},
                                         {"/api/endpoints/:id", "/api/endpoints/5"},
                                         {"/api/endpoints/:endpoint/signing_secrets/:id", ""},

                                         {"/api/jobs/:id", ""},
                                         {"/api/endpoints/:id/stats", "/api/endpoints/5/stats"}};

static void make_all(void)
{
    char deliveries[TEXT_LEN + 16];
    made("/api/events", DOCUMENT("events", "\"event_type\":\"x\""), singles[EVENT].target);
    struct store_op job = {.kind = STORE_JOB_CREATE, .job = {.owner_id = 5, .endpoint_id = 5}};
    rig_write(&rig, job);
    struct reply jobs = asked("GET", "/api/jobs", NULL, NULL, NULL);
    snprintf(singles[JOB].target, TEXT_LEN, "/api/jobs/%s", reply_text(&jobs, "/data/0/id"));
    reply_free(&jobs);
    made("/api/api_keys", DOCUMENT("api_keys", "\"label\":\"x\""), singles[KEY].target);
    made("/api/signing_secrets", DOCUMENT("signing_secrets", ""), singles[SECRET].target);
    made("/api/endpoints/5/signing_secrets", DOCUMENT("signing_secrets", ""),
         singles[ENDPOINT_SECRET].target);
    assert_int_equal(status_of("PUT", singles[SNAPSHOT].target, DOCUMENT("payments", "\"a\":1"), NULL, NULL),
                     201);
    snprintf(deliveries, sizeof deliveries, "%s/deliveries", singles[EVENT].target);
    struct reply reply = asked("GET", deliveries, NULL, NULL, NULL);
    snprintf(singles[DELIVERY].target, TEXT_LEN, "/api/deliveries/%s", reply_text(&reply, "/data/0/id"));
    reply_free(&reply);
}

static bool is_single(const char *pattern)
{
    const char *last = strrchr(pattern, '/') + 1;
    return strcmp(last, ":id") == 0;
}

static void test_every_single_resource_is_in_the_list(void **state)
{
    const struct route *route;
    for (int i = 0; (route = route_at(i)); i++) {
        bool known = !is_single(route->pattern);
        for (int k = 0; k < SINGLES && !known; k++)
            known = strcmp(singles[k].pattern, route->pattern) == 0;
        if (!known)
            fail_msg("%s has no row: does it have an ETag?", route->pattern);
    }
}

/* The one list that has an ETag: for all, and the same until a restart. */
static void test_the_list_of_event_types(void **state)
{
    char all[TEXT_LEN], some[TEXT_LEN];
    etag_of("/api/event_types", all);
    etag_of("/api/event_types?filter[status]=inferred", some);
    assert_string_not_equal(all, some);
    assert_int_equal(status_of("GET", "/api/event_types", NULL, "If-None-Match", all), 304);
    assert_int_equal(status_of("GET", "/api/event_types", NULL, "If-None-Match", some), 200);
    assert_int_equal(status_of("GET", "/api/event_types", NULL, "If-Match", some), 412);
    static const char *const targets[] = {"/api/event_types", "/api/event_types/user_enabled"};
    for (int i = 0; i < 2; i++) {
        struct reply reply = asked("GET", targets[i], NULL, NULL, NULL);
        assert_true(reply_header_is(&reply, "Cache-Control", "public, max-age=300"));
        reply_free(&reply);
    }
}

static void test_reads(void **state)
{
    make_all();
    for (int i = 0; i < SINGLES; i++) {
        const char *target = singles[i].target;
        char now[TEXT_LEN], weak[TEXT_LEN + 8], list[TEXT_LEN + 16];
        etag_of(target, now);
        snprintf(weak, sizeof weak, "W/%s", now);
        snprintf(list, sizeof list, "\"x\", %s", now);
        const struct {
            const char *header, *value;
            int status;
        } rows[] = {{"If-None-Match", now, 304},
                    {"If-None-Match", weak, 304},
                    {"If-None-Match", list, 304},
                    {"If-None-Match", "*", 304},
                    {"If-None-Match", "\"x\"", 200},
                    {"If-Match", now, 200},
                    {"If-Match", "*", 200},
                    {"If-Match", list, 200},
                    {"If-Match", "\"x\"", 412},
                    {"If-Match", weak, 412},
                    {"If-Match", "", 412}};
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
            int get = status_of("GET", target, NULL, rows[k].header, rows[k].value);
            int head = status_of("HEAD", target, NULL, rows[k].header, rows[k].value);
            if (get != rows[k].status || head != get)
                fail_msg("%s with %s: %s: GET %d, HEAD %d", target, rows[k].header, rows[k].value, get, head);
        }
        struct reply reply = asked("GET", target, NULL, "If-None-Match", now);
        assert_int_equal(reply.body_len, 0);
        assert_true(reply_header_is(&reply, "ETag", now));
        reply_free(&reply);
    }
    /* Two preconditions: both count, If-Match first. What is not there is 404, whatever is asked. */
    struct ask both = {
        "GET", "/api/users/me", RIG_MASTER, NULL, NULL, {{"If-Match", "\"x\""}, {"If-None-Match", "*"}}};
    struct reply reply = rig_ask(&rig, &both);
    assert_int_equal(reply.status, 412);
    reply_free(&reply);
    assert_int_equal(status_of("GET", "/api/payments/none", NULL, "If-Match", "*"), 404);
    assert_int_equal(status_of("GET", "/api/events", NULL, "If-Match", "\"x\""), 200); /* a list has none */
}

/* A change is made only from the state that the client names, and that state is another one then. */
static void test_changes(void **state)
{
    static const struct {
        int single;
        const char *method, *body, *action;
        int status;
    } rows[] = {{USER, "PATCH", DOCUMENT("users", "\"name\":\"n\""), "", 200},
                {KEY, "PATCH", DOCUMENT("api_keys", "\"label\":\"y\""), "", 200},
                {SNAPSHOT, "PATCH", DOCUMENT("payments", "\"b\":1"), "", 200},
                {SNAPSHOT, "PUT", DOCUMENT("payments", "\"b\":1"), "", 200},
                {DELIVERY, "POST", NULL, "/cancel", 409}, /* it was skipped: the state comes after the ETag */
                {KEY, "DELETE", NULL, "", 204},
                {JOB, "DELETE", NULL, "", 204},
                {SECRET, "DELETE", NULL, "", 204},
                {ENDPOINT_SECRET, "DELETE", NULL, "", 204},
                {SNAPSHOT, "DELETE", NULL, "", 204}};
    make_all();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *read = singles[rows[i].single].target, *method = rows[i].method, *body = rows[i].body;
        char target[TEXT_LEN + 16], now[TEXT_LEN];
        snprintf(target, sizeof target, "%s%s", read, rows[i].action);
        etag_of(read, now);
        if (status_of(method, target, body, "If-Match", "\"x\"") != 412 ||
            status_of(method, target, body, "If-None-Match", "*") != 412 ||
            status_of(method, target, body, "If-None-Match", now) != 412)
            fail_msg("%s %s", method, target);
        assert_int_equal(status_of(method, target, body, "If-Match", now), rows[i].status);
        if (rows[i].status != 200)
            continue;
        assert_int_equal(status_of(method, target, body, "If-Match", now), 412);
        assert_int_equal(status_of(method, target, body, "If-None-Match", now), 200);
    }
}

/* If-None-Match: * is how a client makes what is not there yet. */
static void test_a_put_that_only_makes(void **state)
{
    static const char body[] = DOCUMENT("payments", "\"a\":1");
    assert_int_equal(status_of("PUT", "/api/payments/9", body, "If-Match", "*"), 412);
    assert_int_equal(status_of("PUT", "/api/payments/9", body, "If-None-Match", "*"), 201);
    assert_int_equal(status_of("PUT", "/api/payments/9", body, "If-None-Match", "*"), 412);
    assert_int_equal(status_of("PATCH", "/api/payments/none", body, "If-Match", "*"), 404);
    assert_int_equal(status_of("DELETE", "/api/payments/none", NULL, "If-Match", "\"x\""), 404);
}

/* A last key stays, and its refusal says so whatever was asked before. */
static void test_the_last_key(void **state)
{
    char now[TEXT_LEN];
    etag_of("/api/api_keys/1", now);
    assert_int_equal(status_of("DELETE", "/api/api_keys/1", NULL, "If-Match", now), 409);
    assert_int_equal(status_of("DELETE", "/api/api_keys/1", NULL, "If-Match", "\"x\""), 412);
}

/* An event's ETag changes with sent_at, and a delivery's with each attempt. */
static void test_states_that_the_server_changes(void **state)
{
    char event[TEXT_LEN], delivery[TEXT_LEN], now[TEXT_LEN], then[TEXT_LEN];
    assert_int_equal(status_of("PATCH", "/api/users/me",
                               DOCUMENT("users", "\"webhook_url\":\"https://example.com/\""), NULL, NULL),
                     200);
    struct reply reply = asked("POST", "/api/events", DOCUMENT("events", "\"event_type\":\"x\""), NULL, NULL);
    snprintf(event, sizeof event, "/api/events/%s", reply_text(&reply, "/data/id"));
    reply_free(&reply);
    etag_of(event, now);
    struct store_work box = {0};
    arena_init(&box.memory, 1 << 20);
    rig_claim(&rig, &box);
    etag_of(event, then);
    assert_string_not_equal(now, then);
    snprintf(delivery, sizeof delivery, "/api/deliveries/%lld", (long long)box.delivery_id);
    etag_of(delivery, now);
    rig_write(&rig, (struct store_op){.kind = STORE_OUTCOME,
                                      .outcome = {.delivery_id = box.delivery_id,
                                                  .lease = box.lease,
                                                  .decision = {.kind = DECISION_DELIVERED},
                                                  .attempt = {.started_at_ms = 1}}});
    etag_of(delivery, then);
    assert_string_not_equal(now, then);
    store_work_clear(&box);
    arena_fini(&box.memory);
}

/* A document's `self` leads to the same document. */
static void test_self_keeps_the_query(void **state)
{
    static const char *const queries[] = {
        "?fields[users]=name",     "?include=resource&fields[events]=event_type,created_at",
        "?include=event,attempts", "?fields[api_keys]=",
        "?fields[payments]=a",     ""};
    static const int places[] = {USER, EVENT, DELIVERY, KEY, SNAPSHOT, SECRET};
    make_all();
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        char target[2 * TEXT_LEN], again[2 * TEXT_LEN];
        snprintf(target, sizeof target, "%s%s", singles[places[i]].target, queries[i]);
        struct reply first = asked("GET", target, NULL, NULL, NULL);
        assert_int_equal(first.status, 200);
        snprintf(again, sizeof again, "%s", reply_text(&first, "/links/self"));
        assert_int_equal(strchr(again, '?') != NULL, queries[i][0] == '?');
        struct reply second = asked("GET", again, NULL, NULL, NULL);
        assert_int_equal(second.status, 200);
        assert_string_equal(first.body, second.body);
        reply_free(&first);
        reply_free(&second);
    }
    struct reply list = asked("GET", "/api/signing_secrets?filter[user]=6", NULL, NULL, NULL);
    assert_string_equal(reply_text(&list, "/links/self"), "/api/signing_secrets?filter%5Buser%5D=6");
    reply_free(&list);
}

int main(void)
{
#define WITH(f) cmocka_unit_test_setup_teardown(f, setup, close_rig)
    const struct CMUnitTest tests[] = {WITH(test_every_single_resource_is_in_the_list),
                                       WITH(test_the_list_of_event_types),
                                       WITH(test_reads),
                                       WITH(test_changes),
                                       WITH(test_a_put_that_only_makes),
                                       WITH(test_the_last_key),
                                       WITH(test_states_that_the_server_changes),
                                       WITH(test_self_keeps_the_query)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
