/* Bad input and its answers: one row an input. Every row's answer is a complete errors document whose
 * pointer exists in the request (reply_check), and nothing is written. */
#include "api_fixture.h"

/* ---- paths, methods, parameters ---- */

static void test_paths(void **state)
{
    static const struct refusal rows[] = {
        {{"GET", "/api/events/%00", RIG_REGULAR}, 400, "path_invalid"},
        {{"GET", "/api/events/%zz", RIG_REGULAR}, 400, "path_invalid"},
        {{"GET", "/api/events/%4", RIG_REGULAR}, 400, "path_invalid"},
        {{"GET", "/api/events/%ff", RIG_REGULAR}, 400, "path_invalid"},
        {{"GET", "/api/../api/users/me", RIG_REGULAR}, 404, "not_found"},
        {{"GET", "/api/users/../users/me", RIG_REGULAR}, 404, "not_found"},
        {{"GET", "/api/users/%2e%2e", RIG_REGULAR}, 404, "not_found"},
        {{"GET", "/api/users/%2e%2e/users/me", RIG_REGULAR}, 404, "not_found"},
        {{"GET", "/api/users/me%2f", RIG_REGULAR}, 404, "not_found"},
        {{"GET", "/api//users/me", RIG_REGULAR}, 404, "not_found"},
        {{"GET", "//api/users/me", RIG_REGULAR}, 404, "not_found"},
        {{"GET", "/api/users/me//", RIG_REGULAR}, 404, "not_found"},
        {{"GET", "/", RIG_REGULAR}, 404, "not_found"},
        {{"GET", "/API/users/me", RIG_REGULAR}, 404, "not_found"},
        {{"GET", "/api/users/05", RIG_MASTER}, 404, "not_found"},
        {{"GET", "/api/users/-5", RIG_MASTER}, 404, "not_found"},
        {{"GET", "/api/users/5x", RIG_MASTER}, 404, "not_found"},
        {{"GET", "/api/users/99999999999999999999", RIG_MASTER}, 404, "not_found"},
        {{"GET", "/api/events/1", RIG_MASTER}, 404, "not_found"},
        {{"GET", "/api/deliveries/1", RIG_MASTER}, 404, "not_found"},
        {{"POST", "/api/deliveries/1/resend", RIG_MASTER}, 404, "not_found"},
        {{"GET", "/api/api_keys/999", RIG_MASTER}, 404, "not_found"},
        {{"GET", "/api/a/b/c/d/e/f/g/h", RIG_MASTER}, 404, "not_found"},
    };
    CHECK_ALL(rows);
}

static void test_methods(void **state)
{
    static const struct {
        const char *method, *target, *allow;
    } rows[] = {{"PUT", "/api/users/me", "GET, HEAD, PATCH, OPTIONS"},
                {"DELETE", "/api/events", "GET, HEAD, POST, OPTIONS"},
                {"POST", "/health", "GET, HEAD, OPTIONS"},
                {"GET", "/api/deliveries/1/resend", "POST, OPTIONS"},
                {"TRACE", "/api/events", "GET, HEAD, POST, OPTIONS"},
                {"get", "/api/events", "GET, HEAD, POST, OPTIONS"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ask ask = {rows[i].method, rows[i].target, RIG_MASTER};
        struct reply reply = rig_ask(&rig, &ask);
        assert_int_equal(reply.status, 405);
        assert_true(reply_header_is(&reply, "Allow", rows[i].allow));
        reply_check(&reply, &ask);
        reply_free(&reply);
    }
}

static void test_parameters(void **state)
{
    static const struct refusal rows[] = {
        {{"GET", "/api/events?page[size]=0", RIG_REGULAR}, 400, "parameter_invalid", "parameter page[size]"},
        {{"GET", "/api/events?page[size]=-1", RIG_REGULAR}, 400, "parameter_invalid", "parameter page[size]"},
        {{"GET", "/api/events?page[size]=1e9", RIG_REGULAR},
         400,
         "parameter_invalid",
         "parameter page[size]"},
        {{"GET", "/api/events?page[size]=1000000000", RIG_REGULAR},
         400,
         "parameter_invalid",
         "parameter page[size]"},
        {{"GET", "/api/events?page[size]=abc", RIG_REGULAR},
         400,
         "parameter_invalid",
         "parameter page[size]"},
        {{"GET", "/api/events?page[size]=", RIG_REGULAR}, 400, "parameter_invalid", "parameter page[size]"},
        {{"GET", "/api/events?page[after]=abc", RIG_REGULAR}, 400, "cursor_invalid", "parameter page[after]"},
        {{"GET", "/api/events?sort=created_at", RIG_REGULAR}, 400, "parameter_invalid", "parameter sort"},
        {{"GET", "/api/events?sort=", RIG_REGULAR}, 400, "parameter_invalid", "parameter sort"},
        {{"GET", "/api/events?include=owner", RIG_REGULAR}, 400, "parameter_invalid", "parameter include"},
        {{"GET", "/api/events/1?include=user", RIG_REGULAR}, 400, "parameter_invalid", "parameter include"},
        {{"GET", "/api/events?filter[nope]=1", RIG_REGULAR},
         400,
         "parameter_unknown",
         "parameter filter[nope]"},
        {{"GET", "/api/events?filter[event_type]=", RIG_REGULAR}, 400, "parameter_invalid", NULL},
        {{"GET", "/api/events?filter[user]=me", RIG_REGULAR},
         400,
         "parameter_invalid",
         "parameter filter[user]"},
        {{"GET", "/api/events?filter[undelivered]=1", RIG_REGULAR}, 400, "parameter_invalid", NULL},
        {{"GET", "/api/events?a=1", RIG_REGULAR}, 400, "parameter_unknown", "parameter a"},
        {{"GET", "/api/events?sort=id&sort=id", RIG_REGULAR}, 400, "parameter_repeated", "parameter sort"},
        {{"GET", "/api/events?sort=%zz", RIG_REGULAR}, 400, "query_invalid", NULL},
        {{"GET", "/api/events?filter[resource_id]=%00", RIG_REGULAR}, 400, "query_invalid", NULL},
        {{"GET", "/api/users/me?fields[users][x]=name", RIG_REGULAR},
         400,
         "parameter_unknown",
         "parameter fields[users][x]"},
        {{"GET", "/api/users/me?fields[[users]=name", RIG_REGULAR}, 400, "parameter_unknown", NULL},
        {{"GET", "/api/users/me?x", RIG_REGULAR}, 400, "parameter_unknown", "parameter x"},
        {{"POST", "/api/events?sort=id", RIG_REGULAR, RIG_EVENT}, 400, "parameter_unknown", "parameter sort"},
        {{"GET", "/health?x=1", RIG_NOBODY}, 400, "parameter_unknown", "parameter x"},
    };
    CHECK_ALL(rows);
}

/* ---- negotiation ---- */

/* Issue 8.20: the text of a 415 is never what was sent: it says what in it is to be changed. */
static void test_8_20_media_types_in_words(void **state)
{
    static const struct {
        const char *sent, *said;
    } rows[] = {
        {"application/vnd.api+json; charset=utf-8",
         "'application/vnd.api+json; charset=utf-8'. Leave 'charset=utf-8' out"},
        {"application/vnd.api+json;ext=\"https://x.example/e\"", "is supported"},
        {"application/json; charset=latin1", "Leave 'charset=latin1' out"},
        {"application/json; charset=utf-8; CHARSET=utf-16", "Leave 'CHARSET=utf-16' out"},
        {"application/x-ndjson; charset=utf-16", "Leave 'charset=utf-16' out"},
        {"application/x-www-form-urlencoded", "add -H 'Content-Type: application/json'"},
        {"text/plain", "The Content-Type is 'text/plain'. Send application/json"},
        {"text/plain", "or application/x-ndjson for one event a line"},
        {"application/json, application/json",
         "'application/json, application/json'. Send application/json or"},
        {"", "There is no Content-Type"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct ask ask = {"POST", "/api/events", RIG_MASTER, RIG_EVENT, rows[i].sent};
        struct reply reply = rig_ask(&rig, &ask);
        const char *detail = reply_text(&reply, "/errors/0/detail");
        if (reply.status != 415 || !strstr(detail, rows[i].said))
            fail_msg("%s: %d %s", rows[i].sent, reply.status, detail);
        reply_free(&reply);
    }
    struct ask ask = {"GET",      "/api/users/me",
                      RIG_MASTER, NULL,
                      NULL,       {{"Accept", "application/vnd.api+json; charset=utf-8"}}};
    struct reply reply = rig_ask(&rig, &ask);
    assert_int_equal(reply.status, 406);
    assert_non_null(
        strstr(reply_text(&reply, "/errors/0/detail"), "application/vnd.api+json without parameters"));
    reply_free(&reply);
}

static void test_negotiation(void **state)
{
    static const struct refusal rows[] = {
        {{"POST", "/api/events", RIG_REGULAR, RIG_EVENT, ""}, 415, "media_type", "header Content-Type"},
        {{"POST", "/api/events", RIG_REGULAR, RIG_EVENT, "text/plain"}, 415, "media_type", NULL},
        {{"POST", "/api/events", RIG_REGULAR, RIG_EVENT, "application/x-www-form-urlencoded"},
         415,
         "media_type",
         NULL},
        {{"POST", "/api/events", RIG_REGULAR, RIG_EVENT, "multipart/form-data; boundary=x"},
         415,
         "media_type",
         NULL},
        {{"POST", "/api/events", RIG_REGULAR, RIG_EVENT, "application/vnd.api+json; charset=utf-8"},
         415,
         "media_type",
         NULL},
        {{"POST", "/api/events", RIG_REGULAR, RIG_EVENT,
          "application/vnd.api+json; ext=\"https://x.example/e\""},
         415,
         "media_type",
         NULL},
        {{"POST", "/api/events", RIG_REGULAR, RIG_EVENT, "application/json; charset=utf-16"},
         415,
         "media_type",
         NULL},
        {{"POST", "/api/events", RIG_REGULAR, RIG_EVENT, NULL, {{"Content-Encoding", "gzip"}}},
         415,
         "media_type",
         "header Content-Encoding"},
        {{"POST", "/api/events", RIG_REGULAR, RIG_EVENT, NULL, {{"Content-Type", "application/json"}}},
         415,
         "media_type",
         NULL},
        {{"GET", "/api/users/me", RIG_REGULAR, NULL, NULL, {{"Accept", "text/html"}}},
         406,
         "not_acceptable",
         "header Accept"},
        {{"GET",
          "/api/users/me",
          RIG_REGULAR,
          NULL,
          NULL,
          {{"Accept", "application/vnd.api+json; charset=utf-8"}}},
         406,
         "not_acceptable",
         NULL},
        {{"GET", "/api/users/me", RIG_REGULAR, NULL, NULL, {{"Accept", "application/json;q=0"}}},
         406,
         "not_acceptable",
         NULL},
    };
    CHECK_ALL(rows);
}

/* ---- JSON ---- */

static void test_json(void **state)
{
    static const struct refusal rows[] = {
        {{"POST", "/api/events", RIG_REGULAR, ""}, 400, "json_empty", "pointer "},
        {{"POST", "/api/events", RIG_REGULAR, "  \n"}, 400, "json_empty", "pointer "},
        {{"POST", "/api/events", RIG_REGULAR, "{\"data\":"}, 400, "json_syntax", "pointer "},
        {{"POST", "/api/events", RIG_REGULAR, "{} {}"}, 400, "json_trailing", NULL},
        {{"POST", "/api/events", RIG_REGULAR, RIG_EVENT "x"}, 400, "json_trailing", NULL},
        {{"POST", "/api/events", RIG_REGULAR, "\xef\xbb\xbf{}"}, 400, "json_encoding", NULL},
        {{"POST", "/api/events", RIG_REGULAR, "{\"a\":\"\xff\"}"}, 400, "json_encoding", NULL},
        {{"POST", "/api/events", RIG_REGULAR, "{\"a\":\"\\ud800\"}"}, 400, "json_encoding", NULL},
        {{"POST", "/api/events", RIG_REGULAR, "{\0}", NULL, {{NULL}}, 3}, 400, "json_encoding", NULL},
        {{"POST", "/api/events", RIG_REGULAR, "{\"data\":1,\"data\":2}"}, 400, "json_duplicate", NULL},
        {{"POST", "/api/events", RIG_REGULAR, "{\"data\":NaN}"}, 400, "json_syntax", NULL},
        {{"POST", "/api/events", RIG_REGULAR, "{\"data\":01}"}, 400, "json_syntax", NULL},
        {{"POST", "/api/events", RIG_REGULAR, "{\"data\":+1}"}, 400, "json_syntax", NULL},
        {{"POST", "/api/events", RIG_REGULAR, "{\"data\":.5}"}, 400, "json_syntax", NULL},
        {{"POST", "/api/events", RIG_REGULAR, "{\"data\":0x10}"}, 400, "json_syntax", NULL},
        {{"POST", "/api/events", RIG_REGULAR, "{'data':1}"}, 400, "json_syntax", NULL},
        {{"POST", "/api/events", RIG_REGULAR, "{\"data\":18446744073709551616}"}, 422, "json_range", NULL},
        {{"POST", "/api/events", RIG_REGULAR, "[]"}, 400, "document_invalid", "pointer "},
        {{"POST", "/api/events", RIG_REGULAR, "1"}, 400, "document_invalid", "pointer "},
    };
    CHECK_ALL(rows);
}

static void test_deep_json(void **state)
{
    enum { DEEP = 1000000 };
    char *deep = malloc(DEEP + 1);
    assert_non_null(deep);
    memset(deep, '[', DEEP);
    deep[DEEP] = '\0';
    struct refusal row = {{"POST", "/api/events", RIG_REGULAR, deep}, 400, "json_depth", NULL};
    rig_refuses(&rig, &row, 1);
    deep[65] = '\0';
    rig_refuses(&rig, &row, 1);
    free(deep);
}

/* ---- JSON:API ---- */

#define USER(members)         "{\"data\":{\"type\":\"users\"" members "}}"
#define USER_WITH(attributes) USER(",\"attributes\":{" attributes "}")

static const struct refusal documents[] = {
    {{"PATCH", "/api/users/me", RIG_REGULAR, "{}"}, 400, "document_invalid", "pointer "},
    {{"PATCH", "/api/users/me", RIG_REGULAR, "{\"data\":null}"}, 400, "document_invalid", "pointer /data"},
    {{"PATCH", "/api/users/me", RIG_REGULAR, "{\"data\":[]}"}, 400, "document_invalid", "pointer /data"},
    {{"PATCH", "/api/users/me", RIG_REGULAR, "{\"data\":{\"type\":\"users\"},\"errors\":[]}"},
     400,
     "document_invalid",
     "pointer /errors"},
    {{"PATCH", "/api/users/me", RIG_REGULAR, "{\"errors\":[]}"}, 400, "document_invalid", "pointer "},
    {{"PATCH", "/api/users/me", RIG_REGULAR, "{\"data\":{}}"}, 400, "document_invalid", "pointer /data"},
    {{"PATCH", "/api/users/me", RIG_REGULAR, "{\"data\":{\"type\":\"user\"}}"},
     409,
     "type_conflict",
     "pointer /data/type"},
    {{"PATCH", "/api/users/me", RIG_REGULAR, "{\"data\":{\"type\":5}}"}, 409, "type_conflict", NULL},
    {{"PATCH", "/api/users/me", RIG_MASTER, USER(",\"id\":\"6\"")}, 409, "id_conflict", "pointer /data/id"},
    {{"PATCH", "/api/users/me", RIG_MASTER, USER(",\"id\":6")}, 409, "id_conflict", "pointer /data/id"},
    {{"PATCH", "/api/users/me", RIG_MASTER, USER(",\"id\":\"me\"")}, 409, "id_conflict", "pointer /data/id"},
    {{"PATCH", "/api/users/me", RIG_MASTER, USER(",\"id\":null")}, 409, "id_conflict", "pointer /data/id"},
    {{"PATCH", "/api/users/me", RIG_MASTER, USER(",\"id\":5.0")}, 409, "id_conflict", "pointer /data/id"},
    {{"PATCH", "/api/users/me", RIG_MASTER, USER(",\"attributes\":[]")},
     400,
     "document_invalid",
     "pointer /data/attributes"},
    {{"PATCH", "/api/users/me", RIG_REGULAR, USER_WITH("\"nope\":1")},
     422,
     "attribute_unknown",
     "pointer /data/attributes/nope"},
    {{"PATCH", "/api/users/me", RIG_REGULAR, USER_WITH("\"__proto__\":1")},
     422,
     "attribute_unknown",
     "pointer /data/attributes/__proto__"},
    {{"PATCH", "/api/users/me", RIG_REGULAR, USER_WITH("\"a/b~c\":1")},
     422,
     "attribute_unknown",
     "pointer /data/attributes/a~1b~0c"},
    {{"PATCH", "/api/users/me", RIG_REGULAR, USER_WITH("\"role\":\"master\"")},
     403,
     "attribute_read_only",
     "pointer /data/attributes/role"},
    {{"PATCH", "/api/users/me", RIG_REGULAR, USER_WITH("\"created_at\":null")},
     403,
     "attribute_read_only",
     NULL},
    {{"PATCH", "/api/users/me", RIG_REGULAR, USER_WITH("\"paused\":1")},
     422,
     "attribute_invalid",
     "pointer /data/attributes/paused"},
    {{"PATCH", "/api/users/me", RIG_REGULAR, USER_WITH("\"name\":\"a\\nb\"")},
     422,
     "attribute_invalid",
     NULL},
    {{"PATCH", "/api/users/me", RIG_REGULAR, USER_WITH("\"email\":\"a\"")}, 422, "attribute_invalid", NULL},
    {{"PATCH", "/api/users/me", RIG_REGULAR, USER_WITH("\"success\":\"204\"")},
     422,
     "attribute_invalid",
     NULL},
    {{"PATCH", "/api/users/me", RIG_REGULAR, USER(",\"relationships\":{\"master\":{\"data\":null}}")},
     422,
     "relationship_unknown",
     NULL},
    {{"POST", "/api/users", RIG_MASTER, USER(",\"id\":\"9\"")}, 403, "id_not_accepted", "pointer /data/id"},
    {{"POST", "/api/users", RIG_MASTER, USER_WITH("\"role\":\"god\"")}, 422, "attribute_invalid", NULL},
    {{"POST", "/api/api_keys", RIG_REGULAR,
      "{\"data\":{\"type\":\"api_keys\",\"attributes\":{\"token\":\"mine\"}}}"},
     403,
     "attribute_read_only",
     NULL},
};

static void test_documents(void **state)
{
    CHECK_ALL(documents);
}

static void test_urls(void **state)
{
    static const struct {
        const char *url, *code;
    } rows[] = {{"https://127.0.0.1/", "url_address"},
                {"https://[::ffff:127.0.0.1]/", "url_address"},
                {"https://169.254.169.254/latest/meta-data/", "url_address"},
                {"https://0x7f000001/", "url_host"},
                {"https://localhost/", "url_host"},
                {"https://foo.localhost/", "url_host"},
                {"https://user:pw@example.com/", "url_userinfo"},
                {"https://example.com/#f", "url_syntax"},
                {"https://example.com/a b", "url_syntax"},
                {"", "url_syntax"},
                {"https://example.com:22/", "url_port"},
                {"https://example.com:08443/", "url_port"},
                {"ftp://example.com/", "url_scheme"},
                {"//example.com/", "url_scheme"},
                {"http://example.com/", "url_scheme"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char body[256];
        snprintf(body, sizeof body, USER_WITH("\"webhook_url\":\"%s\""), rows[i].url);
        struct refusal row = {{"PATCH", "/api/users/me", RIG_REGULAR, body},
                              422,
                              rows[i].code,
                              "pointer /data/attributes/webhook_url"};
        rig_refuses(&rig, &row, 1);
    }
    struct refusal number = {{"PATCH", "/api/users/me", RIG_REGULAR, USER_WITH("\"webhook_url\":1")},
                             422,
                             "attribute_invalid",
                             NULL};
    rig_refuses(&rig, &number, 1);
}

/* ---- events ---- */

#define EVENT_WITH(attributes) "{\"data\":{\"type\":\"events\",\"attributes\":{" attributes "}}}"
#define EVENT_INCLUDING(included)                                                                            \
    "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"x\"}},\"included\":" included "}"

static void test_event_attributes(void **state)
{
    static const char *const bad_types[] = {"",         "a/b",         "../x", "..",    ".",   "a\\r\\nb",
                                            "a\\u0000", "caf\xc3\xa9", "a b",  "a\\tb", "a:b", "a\\\"b"};
    char body[512], long_type[256];
    for (size_t i = 0; i < sizeof bad_types / sizeof *bad_types; i++) {
        snprintf(body, sizeof body, EVENT_WITH("\"event_type\":\"%s\""), bad_types[i]);
        struct refusal row = {{"POST", "/api/events", RIG_REGULAR, body}, 422, "attribute_invalid", NULL};
        rig_refuses(&rig, &row, 1);
    }
    memset(long_type, 'a', 129);
    long_type[129] = '\0';
    snprintf(body, sizeof body, EVENT_WITH("\"event_type\":\"%s\""), long_type);
    static const struct refusal rows[] = {
        {{"POST", "/api/events", RIG_REGULAR, EVENT_WITH("")},
         422,
         "attribute_missing",
         "pointer /data/attributes"},
        {{"POST", "/api/events", RIG_REGULAR, "{\"data\":{\"type\":\"events\"}}"},
         422,
         "attribute_missing",
         "pointer /data"},
        {{"POST", "/api/events", RIG_REGULAR, EVENT_WITH("\"event_type\":1")},
         422,
         "attribute_invalid",
         "pointer /data/attributes/event_type"},
        {{"POST", "/api/events", RIG_REGULAR, EVENT_WITH("\"event_type\":null")},
         422,
         "attribute_invalid",
         NULL},
        {{"POST", "/api/events", RIG_REGULAR, EVENT_WITH("\"event_type\":\"x\",\"more\":1")},
         422,
         "attribute_unknown",
         NULL},
        {{"POST", "/api/events", RIG_REGULAR,
          EVENT_WITH("\"event_type\":\"x\",\"created_at\":\"2000-02-30T00:00:00Z\"")},
         422,
         "attribute_invalid",
         "pointer /data/attributes/created_at"},
        {{"POST", "/api/events", RIG_REGULAR,
          EVENT_WITH("\"event_type\":\"x\",\"created_at\":\"2000-01-01T00:00:00\"")},
         422,
         "attribute_invalid",
         NULL},
        {{"POST", "/api/events", RIG_REGULAR, EVENT_WITH("\"event_type\":\"x\",\"created_at\":946684800")},
         422,
         "attribute_invalid",
         NULL},
    };
    CHECK_ALL(rows);
    struct refusal too_long = {{"POST", "/api/events", RIG_REGULAR, body}, 422, "attribute_invalid", NULL};
    rig_refuses(&rig, &too_long, 1);
    memmove(long_type, long_type + 1, 129);
    snprintf(body, sizeof body, EVENT_WITH("\"event_type\":\"%s\""), long_type);
    struct reply reply = rig_ask(&rig, &too_long.ask);
    assert_int_equal(reply.status, 201); /* 128 are not over 128 */
    reply_free(&reply);
}

static const struct refusal event_relationships[] = {
    {{"POST", "/api/events", RIG_REGULAR, EVENT_RELATED("[]")}, 400, "document_invalid", NULL},
    {{"POST", "/api/events", RIG_REGULAR, EVENT_RELATED("{\"resource\":{\"data\":{\"id\":\"1\"}}}")},
     422,
     "relationship_invalid",
     "pointer /data/relationships/resource/data"},
    {{"POST", "/api/events", RIG_REGULAR,
      EVENT_RELATED("{\"resource\":{\"data\":{\"type\":\"a/b\",\"id\":\"1\"}}}")},
     422,
     "relationship_invalid",
     NULL},
    {{"POST", "/api/events", RIG_REGULAR, EVENT_RELATED("{\"resource\":{\"data\":{\"type\":\"a\"}}}")},
     422,
     "relationship_invalid",
     NULL},
    {{"POST", "/api/events", RIG_REGULAR,
      EVENT_RELATED("{\"resource\":{\"data\":{\"type\":\"a\",\"id\":1.5}}}")},
     422,
     "relationship_invalid",
     NULL},
    {{"POST", "/api/events", RIG_REGULAR,
      EVENT_RELATED("{\"resource\":{\"data\":{\"type\":\"a\",\"id\":\"\"}}}")},
     422,
     "relationship_invalid",
     NULL},
    {{"POST", "/api/events", RIG_REGULAR, EVENT_RELATED("{\"resource\":{\"data\":[]}}")},
     422,
     "relationship_invalid",
     NULL},
    {{"POST", "/api/events", RIG_REGULAR, EVENT_RELATED("{\"resource\":{}}")},
     422,
     "relationship_invalid",
     "pointer /data/relationships/resource"},
    {{"POST", "/api/events", RIG_REGULAR, EVENT_RELATED("{\"failures\":{\"data\":[{\"id\":\"1\"}]}}")},
     422,
     "relationship_invalid",
     "pointer /data/relationships/failures/data/0"},
    {{"POST", "/api/events", RIG_REGULAR, EVENT_RELATED("{\"failures\":1}")},
     422,
     "relationship_invalid",
     "pointer /data/relationships/failures"},
    {{"POST", "/api/events", RIG_MASTER,
      EVENT_RELATED("{\"user\":{\"data\":{\"type\":\"people\",\"id\":6}}}")},
     422,
     "relationship_invalid",
     "pointer /data/relationships/user/data/type"},
    {{"POST", "/api/events", RIG_MASTER,
      EVENT_RELATED("{\"user\":{\"data\":{\"type\":\"users\",\"id\":99}}}")},
     404,
     "not_found",
     "pointer /data/relationships/user/data/id"},
    {{"POST", "/api/events", RIG_MASTER, EVENT_RELATED("{\"user\":{\"data\":null}}")},
     422,
     "relationship_invalid",
     NULL},
    {{"POST", "/api/events", RIG_REGULAR, EVENT_INCLUDING("{}")},
     400,
     "document_invalid",
     "pointer /included"},
    {{"POST", "/api/events", RIG_REGULAR, EVENT_INCLUDING("[1]")},
     422,
     "included_invalid",
     "pointer /included/0"},
    {{"POST", "/api/events", RIG_REGULAR, EVENT_INCLUDING("[{\"type\":\"a\"}]")},
     422,
     "included_invalid",
     NULL},
    {{"POST", "/api/events", RIG_REGULAR,
      EVENT_INCLUDING("[{\"type\":\"a\",\"id\":\"1\"},{\"type\":\"a\",\"id\":\"2\",\"attributes\":[]}]")},
     422,
     "member_invalid",
     "pointer /included/1/attributes"},
    {{"POST", "/api/events", RIG_REGULAR,
      EVENT_INCLUDING("[{\"type\":\"a\",\"id\":\"1\",\"relationships\":{\"b\":{\"data\":{\"id\":\"1\"}}}}]")},
     422,
     "relationship_invalid",
     "pointer /included/0/relationships/b/data"},
};

static void test_event_relationships(void **state)
{
    CHECK_ALL(event_relationships);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_8_20_media_types_in_words),
        cmocka_unit_test(test_negotiation),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_deep_json),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_event_attributes),
        cmocka_unit_test(test_event_relationships),
    };
    return cmocka_run_group_tests(tests, open_rig, close_rig);
}
