/* /api/users and /api/api_keys. */
#include "api_fixture.h"
#include <pthread.h>

/* Mission rows 40 to 44: the guide's curl, byte for byte. */
static const char guide_body[] = "{\n"
                                 "    \"data\": {\n"
                                 "        \"id\": \"5\",\n"
                                 "        \"type\": \"users\",\n"
                                 "        \"attributes\": {\n"
                                 "            \"webhook_url\": \"https://example.com\",\n"
                                 "        }\n"
                                 "    }\n"
                                 "}";

static void test_guides_curl(void **state)
{
    struct reply reply = ask("PATCH", "/api/users/me", RIG_MASTER, guide_body);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply_text(&reply, "/data/attributes/webhook_url"), "https://example.com");
    assert_string_equal(reply_text(&reply, "/meta/warnings/0/code"), "json_trailing_comma");
    assert_string_equal(reply_text(&reply, "/meta/warnings/0/line"), "6");
    assert_string_equal(reply_text(&reply, "/meta/warnings/0/column"), "49");
    reply_free(&reply);
    static const char *const same[] = {"/api/users/me", "/api/users/5", "/api/users/me/", "/api/users/%6de"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        reply = ask("GET", same[i], RIG_MASTER, NULL);
        assert_int_equal(reply.status, 200);
        assert_string_equal(reply_text(&reply, "/data/id"), "5");
        assert_string_equal(reply_text(&reply, "/data/attributes/webhook_url"), "https://example.com");
        assert_true(reply_header_is(&reply, "Content-Type", "application/vnd.api+json"));
        reply_free(&reply);
    }
}

static void test_strict_reading(void **state)
{
    rig.settings.strict_json = true;
    struct reply reply = ask("PATCH", "/api/users/me", RIG_MASTER, guide_body);
    rig.settings.strict_json = false;
    assert_int_equal(reply.status, 400);
    assert_string_equal(reply_text(&reply, "/errors/0/meta/line"), "6");
    reply_free(&reply);
}

static void test_url_is_removed(void **state)
{
    struct reply reply =
        ask("PATCH", "/api/users/me", RIG_REGULAR,
            "{\"data\":{\"type\":\"users\",\"attributes\":{\"webhook_url\":\"https://a.example.com/x\"}}}");
    assert_int_equal(reply.status, 200);
    reply_free(&reply);
    reply = ask("PATCH", "/api/users/me", RIG_REGULAR,
                "{\"data\":{\"type\":\"users\",\"attributes\":{\"webhook_url\":null,\"name\":\"N\"}}}");
    assert_int_equal(reply.status, 200);
    struct json_object *url = NULL;
    assert_int_equal(json_pointer_get(reply.json, "/data/attributes/webhook_url", &url), 0);
    assert_null(url);
    assert_string_equal(reply_text(&reply, "/data/attributes/name"), "N");
    reply_free(&reply);
}

static void test_ids_as_numbers(void **state)
{
    struct reply reply = ask("PATCH", "/api/users/me", RIG_MASTER,
                             "{\"data\":{\"type\":\"users\",\"id\":5,\"attributes\":{}}}");
    assert_int_equal(reply.status, 200);
    assert_true(json_object_is_type(reply_get(&reply, "/data/id"), json_type_string));
    reply_free(&reply);
}

static void test_every_attribute(void **state)
{
    struct reply reply = ask(
        "PATCH", "/api/users/me", RIG_MASTER,
        "{\"data\":{\"type\":\"users\",\"attributes\":{\"name\":\"N\",\"email\":\"a@b\",\"success\":\"2xx\","
        "\"paused\":true,\"disable_on_410\":true,\"receives_users_events\":true}}}");
    assert_int_equal(reply.status, 200);
    reply_free(&reply);
    reply = ask("GET", "/api/users/me", RIG_MASTER, NULL);
    assert_string_equal(reply_text(&reply, "/data/attributes/email"), "a@b");
    assert_string_equal(reply_text(&reply, "/data/attributes/success"), "2xx");
    assert_string_equal(reply_text(&reply, "/data/attributes/paused"), "true");
    assert_string_equal(reply_text(&reply, "/data/attributes/disable_on_410"), "true");
    assert_string_equal(reply_text(&reply, "/data/attributes/receives_users_events"), "true");
    assert_string_equal(reply_text(&reply, "/data/attributes/role"), "master");
    reply_free(&reply);
}

static void test_etag(void **state)
{
    char tag[64];
    size_t len;
    struct reply reply = ask("GET", "/api/users/me", RIG_REGULAR, NULL);
    const char *found = reply_header(&reply, "ETag", &len);
    snprintf(tag, sizeof tag, "%.*s", (int)len, found);
    reply_free(&reply);

    struct ask patch = {"PATCH", "/api/users/me", RIG_REGULAR,
                        "{\"data\":{\"type\":\"users\",\"attributes\":{\"name\":\"A\"}}}"};
    patch.headers[0][0] = "If-Match";
    patch.headers[0][1] = tag;
    reply = rig_ask(&rig, &patch);
    assert_int_equal(reply.status, 200);
    assert_false(reply_header_is(&reply, "ETag", tag));
    char next[64];
    found = reply_header(&reply, "ETag", &len);
    snprintf(next, sizeof next, "%.*s", (int)len, found);
    reply_free(&reply);
    reply = rig_ask(&rig, &patch); /* the tag is old now */
    assert_int_equal(reply.status, 412);
    assert_string_equal(reply_text(&reply, "/errors/0/source/header"), "If-Match");
    reply_free(&reply);

    struct ask get = {"GET", "/api/users/me", RIG_REGULAR, NULL, NULL, {{"If-None-Match", next}}};
    reply = rig_ask(&rig, &get); /* what PATCH answered is what is stored */
    assert_int_equal(reply.status, 304);
    assert_int_equal(reply.body_len, 0);
    reply_free(&reply);
    get.headers[0][1] = tag;
    reply = rig_ask(&rig, &get);
    assert_int_equal(reply.status, 200);
    reply_free(&reply);
}

/* Clients that change different attributes at once lose nothing, and none is sent away because others were
 * faster. An assertion would end the process in these threads, so they count. */
enum { EDITS = 60, HURRIED = 6 };

struct editor {
    const char *name;
    int refused, lost;
};

static void edit(struct editor *editor, int i)
{
    char body[128], pointer[64], value[16];
    snprintf(body, sizeof body, "{\"data\":{\"type\":\"users\",\"attributes\":{\"%s\":\"%d@\"}}}",
             editor->name, i);
    struct ask patch = {"PATCH", "/api/users/me", RIG_OTHER, body}, get = {"GET", "/api/users/me", RIG_OTHER};
    snprintf(pointer, sizeof pointer, "/data/attributes/%s", editor->name);
    snprintf(value, sizeof value, "%d@", i);
    struct reply reply = rig_ask(&rig, &patch);
    bool taken = reply.status == 200;
    editor->refused += !taken;
    editor->lost += taken && strcmp(reply_text(&reply, pointer), value) != 0;
    reply_free(&reply);
    reply = rig_ask(&rig, &get);
    editor->lost += taken && strcmp(reply_text(&reply, pointer), value) != 0;
    reply_free(&reply);
}

static void *edit_all(void *ctx)
{
    for (int i = 1; i <= EDITS; i++)
        edit(ctx, i);
    return NULL;
}

/* Many more, whose values nobody looks at. */
static void *hurry(void *ctx)
{
    struct editor *editor = ctx;
    for (int i = 0; i < EDITS; i++) {
        struct ask patch = {"PATCH", "/api/users/me", RIG_OTHER,
                            "{\"data\":{\"type\":\"users\",\"attributes\":{\"paused\":true}}}"};
        struct reply reply = rig_ask(&rig, &patch);
        editor->refused += reply.status != 200;
        reply_free(&reply);
    }
    return NULL;
}

static void test_edits_at_once(void **state)
{
    struct editor editors[2 + HURRIED] = {{"name", 0, 0}, {"email", 0, 0}};
    pthread_t threads[2 + HURRIED];
    for (int i = 0; i < 2 + HURRIED; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i < 2 ? edit_all : hurry, &editors[i]), 0);
    for (int i = 0; i < 2 + HURRIED; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 2 + HURRIED; i++) {
        assert_int_equal(editors[i].refused, 0);
        assert_int_equal(editors[i].lost, 0);
    }
}

static void test_a_masters_users(void **state)
{
    char target[64];
    struct reply reply = ask("GET", "/api/users", RIG_MASTER, NULL);
    assert_int_equal(reply.status, 200);
    struct json_object *data = reply_get(&reply, "/data");
    assert_int_equal(json_object_array_length(data), 4); /* itself and the three it made */
    reply_free(&reply);
    reply = ask("GET", "/api/users", RIG_MASTER_2, NULL);
    assert_int_equal(json_object_array_length(reply_get(&reply, "/data")), 2);
    reply_free(&reply);
    snprintf(target, sizeof target, "/api/users/%lld", (long long)rig_id(RIG_REGULAR));
    reply = ask("PATCH", target, RIG_MASTER,
                "{\"data\":{\"type\":\"users\",\"attributes\":{\"name\":\"by master\"}}}");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply_text(&reply, "/data/relationships/master/data/id"), "5");
    reply_free(&reply);
    /* Not its own: as if there were none. */
    snprintf(target, sizeof target, "/api/users/%lld", (long long)rig_id(RIG_STRANGER));
    static const enum rig_user others[] = {RIG_MASTER, RIG_REGULAR};
    for (int i = 0; i < 2; i++) {
        reply = ask("GET", target, others[i], NULL);
        assert_int_equal(reply.status, 404);
        reply_free(&reply);
    }
}

static void test_pages(void **state)
{
    char target[256];
    int seen = 0;
    snprintf(target, sizeof target, "/api/users?page[size]=3&sort=-id");
    for (int page = 0; page < 2; page++) {
        struct reply reply = ask("GET", target, RIG_MASTER, NULL);
        assert_int_equal(reply.status, 200);
        seen += (int)json_object_array_length(reply_get(&reply, "/data"));
        struct json_object *next = reply_get(&reply, "/links/next");
        assert_true(page == 0 ? next != NULL : next == NULL);
        if (next)
            snprintf(target, sizeof target, "%s", json_object_get_string(next));
        reply_free(&reply);
    }
    assert_int_equal(seen, 4);
}

static void test_keys(void **state)
{
    char target[64], token[128], authorization[160];
    struct reply reply = ask("POST", "/api/api_keys", RIG_REGULAR,
                             "{\"data\":{\"type\":\"api_keys\",\"attributes\":{\"label\":\"second\"}}}");
    assert_int_equal(reply.status, 201);
    snprintf(token, sizeof token, "%s", reply_text(&reply, "/data/attributes/token"));
    snprintf(target, sizeof target, "/api/api_keys/%s", reply_text(&reply, "/data/id"));
    assert_true(reply_header_is(&reply, "Location", target));
    assert_true(reply_header_is(&reply, "Cache-Control", "no-store"));
    assert_int_equal(strlen(token), 48);
    reply_free(&reply);

    /* It works at once, its text is in no other answer, and it goes through a restart. */
    snprintf(authorization, sizeof authorization, "Bearer %s", token);
    struct ask list = {"GET", "/api/api_keys", RIG_NOBODY, NULL, NULL, {{"Authorization", authorization}}};
    for (int i = 0; i < 2; i++) {
        reply = rig_ask(&rig, &list);
        assert_int_equal(reply.status, 200);
        assert_int_equal(json_object_array_length(reply_get(&reply, "/data")), 2);
        assert_null(strstr(reply.body, token));
        assert_null(strstr(reply.body, "digest"));
        reply_free(&reply);
        rig_restart(&rig);
    }
    reply = ask("GET", target, RIG_REGULAR, NULL);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply_text(&reply, "/data/attributes/label"), "second");
    reply_free(&reply);
    reply = ask("GET", target, RIG_OTHER, NULL);
    assert_int_equal(reply.status, 404);
    reply_free(&reply);
    reply = ask("DELETE", target, RIG_OTHER, NULL);
    assert_int_equal(reply.status, 404);
    reply_free(&reply);

    reply = ask("DELETE", target, RIG_REGULAR, NULL);
    assert_int_equal(reply.status, 204);
    reply_free(&reply);
    reply = rig_ask(&rig, &list); /* revoked */
    assert_int_equal(reply.status, 401);
    reply_free(&reply);
    reply = ask("DELETE", target, RIG_REGULAR, NULL);
    assert_int_equal(reply.status, 404);
    reply_free(&reply);
}

static void test_last_key_stays(void **state)
{
    char target[64];
    struct reply reply = ask("GET", "/api/api_keys", RIG_OTHER, NULL);
    assert_int_equal(json_object_array_length(reply_get(&reply, "/data")), 1);
    snprintf(target, sizeof target, "/api/api_keys/%s", reply_text(&reply, "/data/0/id"));
    reply_free(&reply);
    reply = ask("DELETE", target, RIG_OTHER, NULL);
    assert_int_equal(reply.status, 409);
    assert_string_equal(reply_text(&reply, "/errors/0/code"), "last_key");
    reply_free(&reply);
    reply = ask("GET", "/api/users/me", RIG_OTHER, NULL);
    assert_int_equal(reply.status, 200);
    reply_free(&reply);
}

static void test_a_master_makes_its_users_keys(void **state)
{
    char body[256], target[64];
    snprintf(body, sizeof body,
             "{\"data\":{\"type\":\"api_keys\",\"relationships\":{\"user\":{\"data\":{\"type\":\"users\","
             "\"id\":%lld}}}}}",
             (long long)rig_id(RIG_OTHER));
    struct reply reply = ask("POST", "/api/api_keys", RIG_MASTER, body);
    assert_int_equal(reply.status, 201);
    struct ask me = {"GET", "/api/users/me", RIG_NOBODY, NULL};
    me.headers[0][0] = "Authorization";
    me.headers[0][1] = reply_text(&reply, "/data/attributes/token");
    struct reply mine = rig_ask(&rig, &me);
    assert_int_equal(atoll(reply_text(&mine, "/data/id")), rig_id(RIG_OTHER));
    reply_free(&mine);
    snprintf(target, sizeof target, "/api/api_keys?filter[user]=%lld", (long long)rig_id(RIG_OTHER));
    mine = ask("GET", target, RIG_MASTER, NULL);
    assert_int_equal(json_object_array_length(reply_get(&mine, "/data")), 2);
    reply_free(&mine);
    reply_free(&reply);
    reply = ask("POST", "/api/api_keys", RIG_REGULAR, body);
    assert_int_equal(reply.status, 403);
    reply_free(&reply);
    reply = ask("POST", "/api/api_keys", RIG_MASTER_2, body);
    assert_int_equal(reply.status, 404);
    reply_free(&reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guides_curl),     cmocka_unit_test(test_strict_reading),
        cmocka_unit_test(test_url_is_removed),  cmocka_unit_test(test_ids_as_numbers),
        cmocka_unit_test(test_every_attribute), cmocka_unit_test(test_etag),
        cmocka_unit_test(test_edits_at_once),   cmocka_unit_test(test_a_masters_users),
        cmocka_unit_test(test_pages),           cmocka_unit_test(test_keys),
        cmocka_unit_test(test_last_key_stays),  cmocka_unit_test(test_a_master_makes_its_users_keys),
    };
    return cmocka_run_group_tests(tests, open_rig, close_rig);
}
