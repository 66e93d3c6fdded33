/* /api/TYPE and /api/TYPE/ID: snapshots that events carry, and a Master's changes to them. */
#include "api_fixture.h"
#include <pthread.h>

static int status_of(const char *method, const char *target, enum rig_user as, const char *body)
{
    struct reply reply = ask(method, target, as, body);
    int status = reply.status;
    reply_free(&reply);
    return status;
}

/* An event about TYPE/ID that includes `included`. */
static void post(const char *event_type, const char *type, const char *id, const char *included)
{
    char body[8192];
    snprintf(body, sizeof body,
             "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"%s\"},\"relationships\":"
             "{\"user\":{\"data\":{\"type\":\"users\",\"id\":%lld}},"
             "\"resource\":{\"data\":{\"type\":\"%s\",\"id\":\"%s\"}}}},\"included\":[%s]}",
             event_type, (long long)rig_id(RIG_REGULAR), type, id, included);
    assert_int_equal(status_of("POST", "/api/events", RIG_MASTER, body), 201);
}

static void state_is(const char *target, const char *state)
{
    struct reply reply = ask("GET", target, RIG_REGULAR, NULL);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply_text(&reply, "/data/attributes/state"), state);
    reply_free(&reply);
}

/* More than those that are kept with the request. */
static void test_many_in_one_event(void **state)
{
    char included[6000] = "", lines[2000] = "", target[64];
    for (int i = 0; i < 40; i++)
        if (i != 20)
            snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "%s{\"type\":\"lines\",\"id\":%d}",
                     i ? "," : "", i);
    for (int i = 0; i < 40; i++) {
        size_t len = strlen(included);
        snprintf(included + len, sizeof included - len,
                 "%s{\"type\":\"%s\",\"id\":%d,\"attributes\":{\"state\":\"s%d\"}%s%s%s}", i ? "," : "",
                 i == 20 ? "orders" : "lines", i, i,
                 i == 20 ? ",\"relationships\":{\"lines\":{\"data\":[" : "", i == 20 ? lines : "",
                 i == 20 ? "]}}" : "");
    }
    post("order_updated", "orders", "20", included);
    state_is("/api/orders/20", "s20");
    for (int i = 0; i < 40; i++) {
        char expected[8];
        snprintf(target, sizeof target, "/api/%s/%d", i == 20 ? "orders" : "lines", i);
        snprintf(expected, sizeof expected, "s%d", i);
        state_is(target, expected);
    }
    assert_int_equal(status_of("GET", "/api/lines/20", RIG_REGULAR, NULL), 404);
}

/* A snapshot's own links and meta stay as they are; ours are added where there are none. */
static void test_shown_as_it_was(void **state)
{
    static const char own[] = "{\"type\":\"papers\",\"id\":\"1\",\"attributes\":{\"n\":1.10000000000000},"
                              "\"links\":{\"self\":\"https://example.com/1\"},\"meta\":{\"x\":[]}}";
    post("paper_updated", "papers", "1", own);
    struct reply reply = ask("GET", "/api/papers/1", RIG_REGULAR, NULL);
    assert_non_null(strstr(reply.body, own));
    assert_string_equal(reply_text(&reply, "/links/self"), "/api/papers/1");
    reply_free(&reply);
    post("paper_updated", "papers", "a/b \u00e9", "{\"type\":\"papers\",\"id\":\"a/b \u00e9\"}");
    reply = ask("GET", "/api/papers/a%2Fb%20%C3%A9", RIG_REGULAR, NULL);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply_text(&reply, "/data/links/self"), "/api/papers/a%2Fb%20%C3%A9");
    reply_free(&reply);
}

static void test_who_may(void **state)
{
    static const char body[] = "{\"data\":{\"type\":\"notes\"}}";
    static const struct {
        const char *method, *target;
        enum rig_user as;
        const char *body;
        int status;
    } rows[] = {
        {"PUT", "/api/notes/1", RIG_NOBODY, body, 401},
        {"PUT", "/api/notes/1", RIG_REGULAR, body, 403},
        {"PATCH", "/api/notes/1", RIG_REGULAR, body, 403},
        {"DELETE", "/api/notes/1", RIG_REGULAR, NULL, 403},
        {"PUT", "/api/notes/1?filter[user]=6", RIG_MASTER_2, body, 404},
        {"PUT", "/api/notes/1?filter[user]=6", RIG_MASTER, body, 201},
        {"PUT", "/api/notes/1?filter[user]=6", RIG_MASTER, body, 200},
        {"GET", "/api/notes/1", RIG_REGULAR, NULL, 200},
        {"GET", "/api/notes/1", RIG_OTHER, NULL, 404},
        {"GET", "/api/notes/1", RIG_MASTER, NULL, 404}, /* his own; and he has none */
        {"GET", "/api/notes/1?filter[user]=6", RIG_MASTER, NULL, 200},
        {"GET", "/api/notes?filter[user]=6", RIG_MASTER, NULL, 200},
        {"GET", "/api/notes/1?filter[user]=6", RIG_MASTER_2, NULL, 404},
        {"GET", "/api/notes/1?filter[user]=6", RIG_OTHER, NULL, 403},
        {"DELETE", "/api/notes/1?filter[user]=6", RIG_MASTER_2, NULL, 404},
        {"GET", "/api/notes/1", RIG_NOBODY, NULL, 401},
        {"POST", "/api/notes", RIG_MASTER, body, 405},
        {"GET", "/api/n%20otes/1", RIG_MASTER, NULL, 404},
        {"GET", "/api/notes/%01", RIG_MASTER, NULL, 404},
        {"GET", "/api/nothing", RIG_MASTER, NULL, 404},
        {"GET", "/api/notes?include=x", RIG_MASTER, NULL, 400},
        {"PUT", "/api/notes/2", RIG_MASTER, "{\"data\":{\"type\":\"note\"}}", 409},
        {"PUT", "/api/notes/2", RIG_MASTER, "{\"data\":{\"type\":\"notes\",\"id\":\"3\"}}", 409},
        {"PUT", "/api/notes/2", RIG_MASTER, "{\"data\":{\"type\":\"notes\",\"id\":2}}", 201},
        {"PUT", "/api/notes/2", RIG_MASTER, "{\"data\":{\"type\":\"notes\",\"attributes\":[]}}", 400},
        {"PUT", "/api/notes/2", RIG_MASTER,
         "{\"data\":{\"type\":\"notes\",\"relationships\":{\"a\":{\"data\":1}}}}", 422},
        {"PUT", "/api/notes/2", RIG_MASTER,
         "{\"data\":{\"type\":\"notes\",\"relationships\":{\"user\":{\"data\":{\"type\":\"users\","
         "\"id\":\"999\"}}}}}",
         404},
        {"DELETE", "/api/notes/2", RIG_MASTER, NULL, 204},
        {"DELETE", "/api/notes/2", RIG_MASTER, NULL, 404},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct reply reply = ask(rows[i].method, rows[i].target, rows[i].as, rows[i].body);
        if (reply.status != rows[i].status)
            print_error("%s %s as %d: %d, not %d: %s\n", rows[i].method, rows[i].target, rows[i].as,
                        reply.status, rows[i].status, reply.body);
        assert_int_equal(reply.status, rows[i].status);
        reply_free(&reply);
    }
}

static void test_if_match(void **state)
{
    static const char body[] = "{\"data\":{\"type\":\"tags\",\"attributes\":{\"state\":\"x\"}}}";
    char etag[64];
    size_t len;
    struct reply reply = ask("PUT", "/api/tags/1", RIG_MASTER, body);
    assert_int_equal(reply.status, 201);
    const char *given = reply_header(&reply, "ETag", &len);
    snprintf(etag, sizeof etag, "%.*s", (int)len, given);
    reply_free(&reply);
    const struct {
        const char *method, *body, *header, *etag;
        int status;
    } rows[] = {{"GET", NULL, "If-None-Match", etag, 304}, {"PATCH", body, "If-Match", etag, 200},
                {"GET", NULL, "If-None-Match", etag, 200}, {"PATCH", body, "If-Match", etag, 412},
                {"PUT", body, "If-Match", etag, 412},      {"DELETE", NULL, "If-Match", etag, 412},
                {"PUT", body, "If-Match", "*", 200},       {"DELETE", NULL, "If-Match", "*", 204},
                {"PUT", body, "If-Match", "*", 412}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ask asked = {rows[i].method, "/api/tags/1", RIG_MASTER, rows[i].body};
        asked.headers[0][0] = rows[i].header;
        asked.headers[0][1] = rows[i].etag;
        reply = rig_ask(&rig, &asked);
        assert_int_equal(reply.status, rows[i].status);
        reply_free(&reply);
    }
}

enum { WRITERS = 4, CHANGES_EACH = 5 };

static void *change_own_attribute(void *argument)
{
    int number = *(int *)argument;
    char body[128];
    for (int i = 1; i <= CHANGES_EACH; i++) {
        snprintf(body, sizeof body, "{\"data\":{\"type\":\"sums\",\"attributes\":{\"w%d\":%d}}}", number, i);
        int status;
        do /* changed by others again and again: the client tries again */
            status = status_of("PATCH", "/api/sums/1", RIG_MASTER, body);
        while (status == 409);
        assert_int_equal(status, 200);
    }
    return NULL;
}

/* Changes of several at once are all there in the end. */
static void test_no_change_is_lost(void **state)
{
    pthread_t threads[WRITERS];
    int numbers[WRITERS];
    assert_int_equal(status_of("PUT", "/api/sums/1", RIG_MASTER, "{\"data\":{\"type\":\"sums\"}}"), 201);
    for (int i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, change_own_attribute, &numbers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    struct reply reply = ask("GET", "/api/sums/1", RIG_MASTER, NULL);
    for (int i = 0; i < WRITERS; i++) {
        char pointer[48];
        snprintf(pointer, sizeof pointer, "/data/attributes/w%d", i);
        assert_int_equal(json_object_get_int(reply_get(&reply, pointer)), CHANGES_EACH);
    }
    reply_free(&reply);
}

/* Reads a number and puts the next one, if nobody else has meanwhile. */
static void *count_up(void *argument)
{
    for (int i = 0; i < CHANGES_EACH; i++) {
        int status;
        do {
            char body[128], etag[64];
            size_t len;
            struct reply reply = ask("GET", "/api/counts/1", RIG_MASTER, NULL);
            snprintf(body, sizeof body, "{\"data\":{\"type\":\"counts\",\"attributes\":{\"n\":%d}}}",
                     json_object_get_int(reply_get(&reply, "/data/attributes/n")) + 1);
            const char *given = reply_header(&reply, "ETag", &len);
            snprintf(etag, sizeof etag, "%.*s", (int)len, given);
            reply_free(&reply);
            struct ask put = {"PUT", "/api/counts/1", RIG_MASTER, body, NULL, {{"If-Match", etag}}};
            reply = rig_ask(&rig, &put);
            status = reply.status;
            reply_free(&reply);
        } while (status == 412);
        assert_int_equal(status, 200);
    }
    return NULL;
}

static void test_if_match_of_several(void **state)
{
    pthread_t threads[WRITERS];
    assert_int_equal(status_of("PUT", "/api/counts/1", RIG_MASTER,
                               "{\"data\":{\"type\":\"counts\",\"attributes\":{\"n\":0}}}"),
                     201);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, NULL), 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    struct reply reply = ask("GET", "/api/counts/1", RIG_MASTER, NULL);
    assert_int_equal(json_object_get_int(reply_get(&reply, "/data/attributes/n")), WRITERS * CHANGES_EACH);
    reply_free(&reply);
}

static void test_cursors_name_their_list(void **state)
{
    char next[512], other[600];
    for (int i = 0; i < 3; i++) {
        char id[128] = "", included[256];
        memset(id, 'a' + i, 127); /* the longest */
        snprintf(included, sizeof included, "{\"type\":\"pages\",\"id\":\"%s\"}", id);
        post("page_updated", "pages", id, included);
    }
    struct reply reply = ask("GET", "/api/pages?page[size]=2", RIG_REGULAR, NULL);
    snprintf(next, sizeof next, "%s", reply_text(&reply, "/links/next"));
    reply_free(&reply);
    reply = ask("GET", next, RIG_REGULAR, NULL);
    assert_int_equal(json_object_array_length(reply_get(&reply, "/data")), 1);
    assert_string_not_equal(reply_text(&reply, "/links/prev"), "");
    reply_free(&reply);
    assert_int_equal(status_of("GET", next, RIG_OTHER, NULL), 400);
    snprintf(other, sizeof other, "/api/papers%s", strchr(next, '?'));
    assert_int_equal(status_of("GET", other, RIG_REGULAR, NULL), 400);
}

static void test_store_faults(void **state)
{
    static const char body[] = "{\"data\":{\"type\":\"notes\"}}";
    rig_fault(STORE_DOWN);
    assert_int_equal(status_of("PUT", "/api/notes/9", RIG_MASTER, body), 503);
    rig_fault(STORE_FULL);
    assert_int_equal(status_of("PUT", "/api/notes/9", RIG_MASTER, body), 507);
    rig_fault(STORE_OK);
    assert_int_equal(status_of("GET", "/api/notes/9", RIG_MASTER, NULL), 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_in_one_event), cmocka_unit_test(test_shown_as_it_was),
        cmocka_unit_test(test_who_may),           cmocka_unit_test(test_if_match),
        cmocka_unit_test(test_no_change_is_lost), cmocka_unit_test(test_cursors_name_their_list),
        cmocka_unit_test(test_store_faults),      cmocka_unit_test(test_if_match_of_several),
    };
    return cmocka_run_group_tests(tests, open_rig, close_rig);
}
