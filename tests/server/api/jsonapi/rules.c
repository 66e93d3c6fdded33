/* The rules of JSON:API 1.1 for a document that will be pushed: refusals and acceptances. */
#include "api_fixture.h"

/* An event about a/1 that includes a/1 with these members. */
#define ABOUT(members)                                                                                       \
    {                                                                                                        \
        "POST", "/api/events", RIG_REGULAR,                                                                  \
            "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"x\"},\"relationships\":{"       \
            "\"resource\":"                                                                                  \
            "{\"data\":{\"type\":\"a\",\"id\":\"1\"}}}},\"included\":[{\"type\":\"a\",\"id\":\"1\"," members \
            "}]}"                                                                                            \
    }
#define WITH_ROOT(members)                                                                                   \
    {                                                                                                        \
        "POST", "/api/events", RIG_REGULAR,                                                                  \
            "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"x\"}}," members "}"             \
    }
#define PUT_WITH(members)                                                                                    \
    {                                                                                                        \
        "PUT", "/api/a/1", RIG_MASTER, "{\"data\":{\"type\":\"a\"," members "}}"                             \
    }
#define RELATED(relationship) "\"relationships\":{\"b\":" relationship "}"

static const struct refusal jsonapi_rules[] = {
    {ABOUT(RELATED("{}")), 422, "relationship_invalid", "pointer /included/0/relationships/b"},
    {ABOUT(RELATED("{\"@x\":1}")), 422, "relationship_invalid", "pointer /included/0/relationships/b"},
    {ABOUT(RELATED("{\"links\":{}}")), 422, "member_invalid", "pointer /included/0/relationships/b/links"},
    {ABOUT(RELATED("{\"links\":{\"self\":1}}")), 422, "member_invalid",
     "pointer /included/0/relationships/b/links/self"},
    {ABOUT(RELATED("{\"meta\":[]}")), 422, "member_invalid", "pointer /included/0/relationships/b/meta"},
    {ABOUT(RELATED("{\"data\":[{\"type\":\"c\",\"id\":\"1\"},{\"type\":\"c\",\"id\":\"\"}]}")), 422,
     "relationship_invalid", "pointer /included/0/relationships/b/data/1"},
    {ABOUT(RELATED("{\"data\":{\"type\":\"c\",\"id\":\"1\",\"meta\":1}}")), 422, "member_invalid",
     "pointer /included/0/relationships/b/data/meta"},
    {ABOUT("\"attributes\":{\"id\":1}"), 422, "member_invalid", "pointer /included/0/attributes/id"},
    {ABOUT("\"attributes\":{\"type\":1}"), 422, "member_invalid", "pointer /included/0/attributes/type"},
    {ABOUT("\"relationships\":{\"type\":{\"data\":null}}"), 422, "member_invalid",
     "pointer /included/0/relationships/type"},
    {ABOUT("\"attributes\":{\"b\":1}," RELATED("{\"data\":null}")), 422, "member_invalid",
     "pointer /included/0/relationships/b"},
    {ABOUT("\"attributes\":{\"amount.usd\":1}"), 422, "member_invalid",
     "pointer /included/0/attributes/amount.usd"},
    {ABOUT("\"attributes\":{\"a\":[{\"_b\":1}]}"), 422, "member_invalid",
     "pointer /included/0/attributes/a/0/_b"},
    {ABOUT("\"attributes\":{\"a-\":1}"), 422, "member_invalid", "pointer /included/0/attributes/a-"},
    {ABOUT("\"attributes\":{\"\":1}"), 422, "member_invalid", NULL},
    {ABOUT("\"relationships\":{\"a+b\":{\"data\":null}}"), 422, "member_invalid",
     "pointer /included/0/relationships/a+b"},
    {ABOUT("\"links\":[]"), 422, "member_invalid", "pointer /included/0/links"},
    {ABOUT("\"links\":{\"self\":{\"rel\":\"x\"}}"), 422, "member_invalid", "pointer /included/0/links/self"},
    {ABOUT("\"meta\":1"), 422, "member_invalid", "pointer /included/0/meta"},
    {ABOUT("\"attributes\":{}},{\"type\":\"a\",\"id\":1"), 422, "included_invalid", "pointer /included/1"},
    {ABOUT("\"attributes\":{}},{\"type\":\"c\",\"id\":\"1\""), 422, "included_invalid",
     "pointer /included/1"},
    /* two that lead to each other, and nothing to them */
    {ABOUT("\"attributes\":{}},{\"type\":\"c\",\"id\":\"1\",\"relationships\":{\"d\":{\"data\":{\"type\":"
           "\"d\",\"id\":"
           "\"1\"}}}},{\"type\":\"d\",\"id\":\"1\",\"relationships\":{\"c\":{\"data\":{\"type\":\"c\",\"id\":"
           "\"1\"}}}"),
     422, "included_invalid", "pointer /included/1"},
    /* `user` is an account, and a snapshot of a `users` resource is none */
    {{"POST", "/api/events", RIG_MASTER,
      "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"x\"},\"relationships\":{\"user\":{"
      "\"data\":"
      "{\"type\":\"users\",\"id\":\"6\"}}}},\"included\":[{\"type\":\"users\",\"id\":\"6\"}]}"},
     422,
     "included_invalid",
     "pointer /included/0"},
    {{"POST", "/api/events", RIG_REGULAR, EVENT_RELATED("{\"created_at\":{\"data\":null}}")},
     422,
     "member_invalid",
     "pointer /data/relationships/created_at"},
    {{"POST", "/api/events", RIG_REGULAR, EVENT_RELATED("{\"id\":{\"data\":null}}")},
     422,
     "member_invalid",
     "pointer /data/relationships/id"},
    {{"POST", "/api/events", RIG_REGULAR, EVENT_RELATED("{\"a.b\":{\"data\":null}}")},
     422,
     "member_invalid",
     "pointer /data/relationships/a.b"},
    {{"POST", "/api/events", RIG_REGULAR, EVENT_RELATED("{\"a\":{}}")},
     422,
     "relationship_invalid",
     "pointer /data/relationships/a"},
    {WITH_ROOT("\"jsonapi\":\"1.1\""), 422, "member_invalid", "pointer /jsonapi"},
    {WITH_ROOT("\"jsonapi\":{\"version\":1.1}"), 422, "member_invalid", "pointer /jsonapi/version"},
    {WITH_ROOT("\"links\":{\"self\":[]}"), 422, "member_invalid", "pointer /links/self"},
    {WITH_ROOT("\"meta\":null"), 422, "member_invalid", "pointer /meta"},
    {PUT_WITH("\"attributes\":{\"id\":1}"), 422, "member_invalid", "pointer /data/attributes/id"},
    {PUT_WITH(RELATED("{}")), 422, "relationship_invalid", "pointer /data/relationships/b"},
    {PUT_WITH("\"links\":{\"self\":1}"), 422, "member_invalid", "pointer /data/links/self"},
    {PUT_WITH("\"attributes\":{\"b\":1}," RELATED("{\"data\":null}")), 422, "member_invalid",
     "pointer /data/relationships/b"},
};

static void test_jsonapi_rules(void **state)
{
    CHECK_ALL(jsonapi_rules);
}

/* A field that would be an attribute and a relationship once it is merged. */
static void test_a_change_keeps_the_rules(void **state)
{
    const struct ask put = PUT_WITH("\"attributes\":{\"b\":1}");
    const struct refusal patch = {
        {"PATCH", "/api/a/1", RIG_MASTER, "{\"data\":{\"type\":\"a\"," RELATED("{\"data\":null}") "}}"},
        422,
        "member_invalid",
        "pointer /data"};
    struct reply reply = rig_ask(&rig, &put);
    assert_int_equal(reply.status, 201);
    reply_free(&reply);
    rig_refuses(&rig, &patch, 1);
}

/* What is in order, or nobody's business, is taken as it is; the pushed document is what JSON:API allows. */
static void test_what_is_accepted(void **state)
{
    static const struct {
        struct ask ask;
        const char *warning;
    } rows[] = {
        {ABOUT("\"attributes\":{\"@id\":{\"_\":1},\"a "
               "b\":1,\"\u00e9\":{\"x_y\":[]}},\"relationships\":{\"@c\":1,\"d\":"
               "{\"links\":{\"related\":null}},\"e\":{\"meta\":{}}},\"@x\":1"),
         NULL},
        {ABOUT("\"links\":{\"self\":{\"href\":\"x\",\"meta\":{}}},\"meta\":{\".\":1}"), NULL},
        {ABOUT("\"relationships\":{\"c\":{\"data\":[{\"type\":\"c\",\"id\":2}]}}},{\"type\":\"c\",\"id\":2"),
         NULL},
        {ABOUT("\"extra\":1"), "member_unknown"},
        {ABOUT(RELATED("{\"data\":{\"type\":\"c\",\"id\":\"1\",\"extra\":1},\"more\":2}")), "member_unknown"},
        {{"POST", "/api/events", RIG_REGULAR,
          "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"x\",\"@a\":1},\"relationships\":{"
          "\"@b\":1}},\"jsonapi\":{\"version\":\"1.1\"}}"},
         NULL},
#define DRAFT(of_data, of_document)                                                                          \
    {"POST", "/api/events", RIG_REGULAR,                                                                     \
     "{\"data\":{\"type\":\"events\"," of_data "\"attributes\":{\"event_type\":\"x\"}}" of_document "}"}
        {DRAFT("\"lid\":\"a\",", ""), "member_ignored"},
        {DRAFT("\"meta\":{\"a\":1},", ""), "member_ignored"},
        {DRAFT("\"links\":{\"self\":\"/x\"},", ""), "member_ignored"},
        {DRAFT("", ",\"meta\":{\"idempotency_key\":\"a\"}"), "member_ignored"}, /* it is no batch */
        {DRAFT("", ",\"links\":{\"self\":\"/x\"}"), "member_ignored"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct reply reply = rig_ask(&rig, &rows[i].ask);
        if (reply.status != 201)
            fail_msg("%s: %s", rows[i].ask.body, reply.body);
        const char *warning = reply_text(&reply, "/meta/warnings/0/code");
        assert_string_equal(warning, rows[i].warning ? rows[i].warning : "");
        if (rows[i].warning && strcmp(rows[i].warning, "member_ignored") == 0)
            assert_null(reply_get(&reply, "/meta/warnings/1"));
        char target[128];
        snprintf(target, sizeof target, "%s?include=resource", reply_text(&reply, "/data/links/self"));
        reply_free(&reply);
        const struct ask get = {"GET", target, RIG_REGULAR};
        reply = rig_ask(&rig, &get);
        assert_null(strstr(reply.body, "extra"));
        assert_null(strstr(reply.body, "more"));
        reply_free(&reply);
    }
    rig.settings.any_member_names = true;
    const struct ask names = ABOUT("\"attributes\":{\"amount.usd\":1}");
    struct reply reply = rig_ask(&rig, &names);
    assert_int_equal(reply.status, 201);
    assert_string_equal(reply_text(&reply, "/meta/warnings/0/code"), "member_name");
    reply_free(&reply);
    rig.settings.any_member_names = false;
}

/* The account and a snapshot of a `users` resource of the same id: the account is then named without linkage.
 */
static void test_a_namesake_of_the_account(void **state)
{
    for (int id = 6; id <= 7; id++) {
        char body[512];
        snprintf(body, sizeof body,
                 "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"user_enabled\"},"
                 "\"relationships\":{"
                 "\"user\":{\"data\":{\"type\":\"users\",\"id\":\"6\"}},\"resource\":{\"data\":{\"type\":"
                 "\"users\",\"id\":"
                 "\"%d\"}}}},\"included\":[{\"type\":\"users\",\"id\":\"%d\"}]}",
                 id, id);
        const struct ask post = {"POST", "/api/events", RIG_MASTER, body};
        struct reply reply = rig_ask(&rig, &post);
        assert_int_equal(reply.status, 201);
        assert_string_equal(reply_text(&reply, "/data/relationships/user/data/id"), id == 6 ? "" : "6");
        assert_string_equal(reply_text(&reply, "/data/relationships/user/meta/account"), id == 6 ? "6" : "");
        assert_string_equal(reply_text(&reply, "/data/meta/user"), "6");
        reply_free(&reply);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jsonapi_rules),
        cmocka_unit_test(test_a_change_keeps_the_rules),
        cmocka_unit_test(test_what_is_accepted),
        cmocka_unit_test(test_a_namesake_of_the_account),
    };
    return cmocka_run_group_tests(tests, open_rig, close_rig);
}
