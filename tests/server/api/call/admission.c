/* The common part of all requests and answers: ids, versions, rates and networks. */
#include "api_fixture.h"

static int teardown(void **state)
{
    rig_set_clock(0);
    rig_close(&rig);
    return 0;
}

static struct reply asked(const struct ask *ask)
{
    struct reply reply = rig_ask(&rig, ask);
    reply_check(&reply, ask);
    return reply;
}

static int status_of(const struct ask *ask)
{
    struct reply reply = asked(ask);
    int status = reply.status;
    reply_free(&reply);
    return status;
}

static const char *header_text(const struct reply *reply, const char *name, char out[256])
{
    size_t len = 0;
    const char *found = reply_header(reply, name, &len);
    snprintf(out, 256, "%.*s", found ? (int)len : 0, found ? found : "");
    return out;
}

/* ---- X-Request-Id ---- */

static void test_request_ids_come_back(void **state)
{
    char longest[129], longer[130];
    memset(longest, 'a', 128);
    longest[128] = '\0';
    memset(longer, 'a', 129);
    longer[129] = '\0';
    const struct {
        const char *given;
        bool taken;
    } rows[] = {{"abc", true},       {"A-z_0.9~:/+=@", true}, {longest, true}, {longer, false},
                {"", false},         {"a b", false},          {"a\"b", false}, {"<script>", false},
                {"\xc3\xa9", false}, {"a\x1b[31m", false},    {"a,b", false},  {"a;b", false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char got[256];
        const struct ask ask = {"GET", "/api/nothing", RIG_REGULAR,
                                NULL,  NULL,           {{"X-Request-Id", rows[i].given}}};
        struct reply reply = asked(&ask);
        assert_int_equal(reply.status, 404);
        header_text(&reply, "X-Request-Id", got);
        if ((strcmp(got, rows[i].given) == 0) != rows[i].taken)
            fail_msg("\"%s\" gives \"%s\"", rows[i].given, got);
        assert_true(strlen(got) >= 1 && strlen(got) <= 128);
        assert_string_equal(reply_text(&reply, "/errors/0/id"), got);
        reply_free(&reply);
    }
}

static void test_own_request_ids_differ(void **state)
{
    char first[256], second[256];
    const struct ask ask = {"GET", "/api/users/me", RIG_REGULAR},
                     twice = {"GET", "/health", RIG_NOBODY,
                              NULL,  NULL,      {{"X-Request-Id", "a"}, {"X-Request-Id", "a"}}};
    struct reply one = asked(&ask), other = asked(&twice);
    assert_string_not_equal(header_text(&one, "X-Request-Id", first),
                            header_text(&other, "X-Request-Id", second));
    assert_string_not_equal(second, "a");
    reply_free(&one);
    reply_free(&other);
    rig_restart(&rig); /* another process's are others, too */
    one = asked(&ask);
    assert_string_not_equal(header_text(&one, "X-Request-Id", second), first);
    reply_free(&one);
}

/* ---- Version ---- */

static void test_versions(void **state)
{
    const struct {
        const char *given;
        int status;
        const char *code;
    } rows[] = {{NULL, 200, ""},
                {"1.0.0", 200, ""},
                {"2.0.0", 400, "version_unknown"},
                {"0.9.0", 400, "version_unknown"},
                {"1.0.1", 400, "version_unknown"},
                {"1.0", 400, "header_invalid"},
                {"1", 400, "header_invalid"},
                {"", 400, "header_invalid"},
                {"01.0.0", 400, "header_invalid"},
                {"1.0.0.0", 400, "header_invalid"},
                {"1.0.x", 400, "header_invalid"},
                {"v1.0.0", 400, "header_invalid"},
                {"1.0.-1", 400, "header_invalid"},
                {"1.0.99999999999999999999", 400, "header_invalid"}};
    static const char *const targets[] = {"/api/users/me", "/api/meta"};
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        const char *given = rows[i / 2].given;
        struct ask ask = {"GET", targets[i % 2], RIG_REGULAR,
                          NULL,  NULL,           {{given ? "Version" : NULL, given}}};
        struct reply reply = asked(&ask);
        if (reply.status != rows[i / 2].status)
            fail_msg("Version %s: %d", given ? given : "none", reply.status);
        assert_string_equal(reply_text(&reply, "/errors/0/code"), rows[i / 2].code);
        if (reply.status == 400)
            assert_string_equal(reply_text(&reply, "/errors/0/source/header"), "Version");
        assert_true(reply_header_is(&reply, "Version", "1.0.0"));
        reply_free(&reply);
    }
    const struct ask twice = {
        "GET", "/api/users/me", RIG_REGULAR, NULL, NULL, {{"Version", "1.0.0"}, {"Version", "1.0.0"}}};
    assert_int_equal(status_of(&twice), 400);
}

/* ---- the pace of a key ---- */

static const struct ask look = {"GET", "/api/users/me", RIG_REGULAR};
static const struct ask look_other = {"GET", "/api/users/me", RIG_OTHER};
static const struct ask look_master = {"GET", "/api/users/me", RIG_MASTER};

static void test_without_a_limit(void **state)
{
    rig.settings.rate_limit = 0;
    for (int i = 0; i < 50; i++) {
        struct reply reply = asked(&look);
        assert_int_equal(reply.status, 200);
        assert_true(reply_header_is(&reply, "RateLimit-Limit", NULL));
        reply_free(&reply);
    }
}

static void test_five_a_second(void **state)
{
    rig.settings.rate_limit = rig.settings.rate_burst = 5;
    rig_set_clock(1000000);
    for (int i = 0; i < 5; i++) {
        char remaining[8];
        struct reply reply = asked(&look);
        assert_int_equal(reply.status, 200);
        snprintf(remaining, sizeof remaining, "%d", 4 - i);
        assert_true(reply_header_is(&reply, "RateLimit-Limit", "5"));
        assert_true(reply_header_is(&reply, "RateLimit-Remaining", remaining));
        assert_true(reply_header_is(&reply, "RateLimit-Reset", "1"));
        assert_true(reply_header_is(&reply, "Retry-After", NULL));
        reply_free(&reply);
    }
    for (int i = 0; i < 3; i++) {
        struct reply reply = asked(&look);
        assert_int_equal(reply.status, 429);
        assert_string_equal(reply_text(&reply, "/errors/0/code"), "rate_limited");
        assert_true(reply_header_is(&reply, "Retry-After", "1"));
        assert_true(reply_header_is(&reply, "RateLimit-Remaining", "0"));
        reply_free(&reply);
    }
    assert_int_equal(status_of(&look_other), 200); /* each key has its own */
    /* Whatever the request is, and as whomever: also one that would have failed. */
    const struct ask post = {"POST", "/api/events", RIG_REGULAR, "{"};
    assert_int_equal(status_of(&post), 429);
    /* What needs no key is not counted. */
    const struct ask meta = {"GET", "/api/meta", RIG_REGULAR};
    assert_int_equal(status_of(&meta), 200);
    rig_set_clock(1000199);
    assert_int_equal(status_of(&look), 429);
    rig_set_clock(1000200);
    assert_int_equal(status_of(&look), 200);
    assert_int_equal(status_of(&look), 429);
    rig_set_clock(1001200);
    for (int i = 0; i < 6; i++)
        assert_int_equal(status_of(&look), i < 5 ? 200 : 429);
}

/* A guess is told 401 all the same, and a key that guesses found is not slowed by them. */
static void test_strangers_take_nothing(void **state)
{
    rig.settings.rate_limit = rig.settings.rate_burst = 1;
    rig_set_clock(2000000);
    const struct ask guess = {"GET", "/api/users/me", RIG_NOBODY, NULL, NULL, {{"Authorization", "guess"}}};
    for (int i = 0; i < 3; i++)
        assert_int_equal(status_of(&guess), 401);
    assert_int_equal(status_of(&look), 200);
    assert_int_equal(status_of(&look), 429);
}

/* ---- a key's own terms ---- */

static int64_t key_of(enum rig_user user)
{
    const struct ask ask = {"GET", "/api/api_keys", user};
    struct reply reply = asked(&ask);
    int64_t id = atoll(reply_text(&reply, "/data/0/id"));
    assert_true(id > 0);
    reply_free(&reply);
    return id;
}

static struct reply patch(enum rig_user as, int64_t key_id, const char *attributes)
{
    static char target[64], body[1024];
    snprintf(target, sizeof target, "/api/api_keys/%lld", (long long)key_id);
    snprintf(body, sizeof body, "{\"data\":{\"type\":\"api_keys\",\"id\":\"%lld\",\"attributes\":{%s}}}",
             (long long)key_id, attributes);
    const struct ask ask = {"PATCH", target, as, body};
    return asked(&ask);
}

static int patched(enum rig_user as, int64_t key_id, const char *attributes)
{
    struct reply reply = patch(as, key_id, attributes);
    int status = reply.status;
    reply_free(&reply);
    return status;
}

static void test_keys_with_their_own_pace(void **state)
{
    int64_t key = key_of(RIG_REGULAR);
    rig.settings.rate_limit = rig.settings.rate_burst = 1;
    rig_set_clock(3000000);
    assert_int_equal(patched(RIG_MASTER, key, "\"rate_per_s\":20"), 200);
    for (int i = 0; i < 21; i++)
        assert_int_equal(status_of(&look), i < 20 ? 200 : 429);
    rig_set_clock(3010000);
    assert_int_equal(patched(RIG_MASTER, key, "\"rate_per_s\":\"unlimited\""), 200);
    for (int i = 0; i < 50; i++)
        assert_int_equal(status_of(&look), 200);
    rig_restart(&rig); /* it is kept */
    for (int i = 0; i < 5; i++)
        assert_int_equal(status_of(&look), 200);
    rig_set_clock(3020000);
    struct reply reply = patch(RIG_MASTER, key, "\"rate_per_s\":null");
    assert_int_equal(reply.status, 200);
    assert_null(reply_get(&reply, "/data/attributes/rate_per_s"));
    reply_free(&reply);
    assert_int_equal(status_of(&look), 200);
    assert_int_equal(status_of(&look), 429);
}

static void test_paces_are_a_masters_to_set(void **state)
{
    static const char *const wrong[] = {"0", "-1", "1.5", "true", "\"fast\"", "\"\"", "1000001", "[]", "{}"};
    int64_t key = key_of(RIG_OTHER);
    rig.settings.rate_limit = 0;
    struct reply reply = patch(RIG_OTHER, key, "\"rate_per_s\":100");
    assert_int_equal(reply.status, 403);
    assert_string_equal(reply_text(&reply, "/errors/0/source/pointer"), "/data/attributes/rate_per_s");
    reply_free(&reply);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char attributes[64];
        snprintf(attributes, sizeof attributes, "\"rate_per_s\":%s", wrong[i]);
        reply = patch(RIG_MASTER, key, attributes);
        if (reply.status != 422)
            fail_msg("%s: %d", wrong[i], reply.status);
        assert_string_equal(reply_text(&reply, "/errors/0/source/pointer"), "/data/attributes/rate_per_s");
        reply_free(&reply);
    }
    /* A Master acting as the user is a Master still; and so at the key's birth. */
    char authorization[128];
    snprintf(authorization, sizeof authorization, "%s; user=%lld", rig_key(RIG_MASTER),
             (long long)rig_id(RIG_OTHER));
    struct ask ask = {
        "POST",     "/api/api_keys",
        RIG_NOBODY, "{\"data\":{\"type\":\"api_keys\",\"attributes\":{\"rate_per_s\":\"unlimited\"}}}",
        NULL,       {{"Authorization", authorization}}};
    reply = asked(&ask);
    assert_int_equal(reply.status, 201);
    assert_string_equal(reply_text(&reply, "/data/attributes/rate_per_s"), "unlimited");
    reply_free(&reply);
    const struct ask regular = {"POST", "/api/api_keys", RIG_OTHER, ask.body};
    assert_int_equal(status_of(&regular), 403);
}

static void test_lists_of_networks(void **state)
{
    int64_t key = key_of(RIG_OTHER);
    rig.settings.rate_limit = 0;
    struct reply reply =
        patch(RIG_MASTER, key, "\"allow_from\":[\"198.51.100.0/24\",\"2001:db8::/32\"],\"label\":\"office\"");
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply_text(&reply, "/data/attributes/allow_from/1"), "2001:db8::/32");
    assert_string_equal(reply_text(&reply, "/data/attributes/label"), "office");
    reply_free(&reply);
    const struct {
        const char *peer;
        int status;
    } rows[] = {{"198.51.100.7", 200}, {"198.51.101.7", 403}, {"2001:db8:1::1", 200},
                {"2001:db9::1", 403},  {"127.0.0.1", 403},    {"::1", 403}};
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            struct ask ask = {"GET", "/api/users/me", RIG_OTHER, .peer = rows[i].peer};
            reply = asked(&ask);
            if (reply.status != rows[i].status)
                fail_msg("%s: %d", rows[i].peer, reply.status);
            if (reply.status == 403)
                assert_string_equal(reply_text(&reply, "/errors/0/code"), "address_not_allowed");
            reply_free(&reply);
        }
        rig_restart(&rig);
    }
    assert_int_equal(patched(RIG_MASTER, key, "\"allow_from\":null"), 200);
    struct ask anywhere = {"GET", "/api/users/me", RIG_OTHER, .peer = "203.0.113.9"};
    assert_int_equal(status_of(&anywhere), 200);
}

static void test_lists_that_are_none(void **state)
{
    int64_t key = key_of(RIG_REGULAR);
    const struct {
        const char *list, *pointer;
    } rows[] = {{"\"10.0.0.0/8\"", "/data/attributes/allow_from"},
                {"{}", "/data/attributes/allow_from"},
                {"[\"10.0.0.0/8\",\"everything\"]", "/data/attributes/allow_from/1"},
                {"[\"10.0.0.1/8\"]", "/data/attributes/allow_from/0"},
                {"[\"10.0.0.0/8:80\"]", "/data/attributes/allow_from/0"},
                {"[\"10.0.0.0/8 ::1\"]", "/data/attributes/allow_from/0"},
                {"[5]", "/data/attributes/allow_from/0"},
                {"[false]", "/data/attributes/allow_from/0"},
                {"[\"\"]", "/data/attributes/allow_from/0"}};
    rig.settings.rate_limit = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char attributes[128];
        snprintf(attributes, sizeof attributes, "\"allow_from\":%s", rows[i].list);
        struct reply reply = patch(RIG_MASTER, key, attributes);
        if (reply.status != 422)
            fail_msg("%s: %d", rows[i].list, reply.status);
        assert_string_equal(reply_text(&reply, "/errors/0/source/pointer"), rows[i].pointer);
        reply_free(&reply);
    }
    char many[1024] = "\"allow_from\":[\"::1\"";
    for (int i = 0; i < 64; i++)
        strcat(many, ",\"::1\"");
    strcat(many, "]");
    assert_int_equal(patched(RIG_MASTER, key, many), 422);
}

/* With the key in hand one cannot shut oneself out; with another one can. */
static void test_nobody_locks_himself_out(void **state)
{
    int64_t key = key_of(RIG_REGULAR);
    rig.settings.rate_limit = 0;
    struct reply reply = patch(RIG_REGULAR, key, "\"allow_from\":[\"198.51.100.0/24\"]");
    assert_int_equal(reply.status, 422);
    assert_string_equal(reply_text(&reply, "/errors/0/source/pointer"), "/data/attributes/allow_from");
    reply_free(&reply);
    assert_int_equal(patched(RIG_REGULAR, key, "\"allow_from\":[\"198.51.100.0/24\",\"192.0.2.0/24\"]"), 200);
    assert_int_equal(patched(RIG_REGULAR, key, "\"label\":\"mine\""), 200);
    assert_int_equal(patched(RIG_MASTER, key, "\"allow_from\":[\"198.51.100.0/24\"]"), 200);
    assert_int_equal(status_of(&look), 403);
    assert_int_equal(patched(RIG_MASTER, key, "\"allow_from\":[]"), 200);
    assert_int_equal(status_of(&look), 200);
}

static void test_whose_keys(void **state)
{
    int64_t key = key_of(RIG_STRANGER);
    rig.settings.rate_limit = 0;
    assert_int_equal(patched(RIG_REGULAR, key, "\"label\":\"x\""), 404);
    assert_int_equal(patched(RIG_MASTER, key, "\"label\":\"x\""), 404);
    assert_int_equal(patched(RIG_MASTER_2, key, "\"label\":\"x\""), 200);
    assert_int_equal(patched(RIG_STRANGER, key, "\"token\":\"x\""), 403);
    assert_int_equal(patched(RIG_STRANGER, key, "\"digest\":\"x\""), 422);
    assert_int_equal(patched(RIG_MASTER, 4711, "\"label\":\"x\""), 404);
    const struct ask other_id = {"PATCH", "/api/api_keys/1", RIG_MASTER,
                                 "{\"data\":{\"type\":\"api_keys\",\"id\":\"2\",\"attributes\":{}}}"};
    assert_int_equal(status_of(&other_id), 409);
    assert_int_equal(status_of(&look_master), 200);
}

/* ---- ETags of users ---- */

static void etag_of_me(char out[256])
{
    struct reply reply = asked(&look);
    header_text(&reply, "ETag", out);
    assert_true(out[0] == '"');
    reply_free(&reply);
}

static void test_etags(void **state)
{
    char now[256], weak[300], list[600];
    rig.settings.rate_limit = 0;
    etag_of_me(now);
    snprintf(weak, sizeof weak, "W/%s", now);
    snprintf(list, sizeof list, "\"x\", %s", now);
    const struct {
        const char *method, *header, *value;
        int status;
    } rows[] = {{"GET", "If-None-Match", now, 304},     {"GET", "If-None-Match", weak, 304},
                {"GET", "If-None-Match", list, 304},    {"GET", "If-None-Match", "*", 304},
                {"GET", "If-None-Match", "\"x\"", 200}, {"HEAD", "If-None-Match", now, 304},
                {"PATCH", "If-Match", "\"x\"", 412},    {"PATCH", "If-Match", weak, 412},
                {"PATCH", "If-Match", "", 412},         {"PATCH", "If-Match", "*", 200}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool change = rows[i].method[0] == 'P';
        struct ask ask = {
            rows[i].method, "/api/users/me",
            RIG_REGULAR,    change ? "{\"data\":{\"type\":\"users\",\"attributes\":{\"name\":\"n\"}}}" : NULL,
            NULL,           {{rows[i].header, rows[i].value}}};
        struct reply reply = asked(&ask);
        if (reply.status != rows[i].status)
            fail_msg("%s %s: %s gives %d", rows[i].method, rows[i].header, rows[i].value, reply.status);
        if (reply.status == 304) {
            assert_int_equal(reply.body_len, 0);
            assert_true(reply_header_is(&reply, "ETag", now));
        }
        if (reply.status == 412)
            assert_string_equal(reply_text(&reply, "/errors/0/source/header"), "If-Match");
        reply_free(&reply);
    }
    /* The last change made it another one; each of two that start from the same loses to the first. */
    struct ask change = {"PATCH",     "/api/users/me",
                         RIG_REGULAR, "{\"data\":{\"type\":\"users\",\"attributes\":{\"name\":\"m\"}}}",
                         NULL,        {{"If-Match", now}}};
    assert_int_equal(status_of(&change), 412);
    etag_of_me(now);
    assert_int_equal(status_of(&change), 200);
    assert_int_equal(status_of(&change), 412);
}

int main(void)
{
#define WITH(f) cmocka_unit_test_setup_teardown(f, open_rig, teardown)
    const struct CMUnitTest tests[] = {WITH(test_request_ids_come_back),
                                       WITH(test_own_request_ids_differ),
                                       WITH(test_versions),
                                       WITH(test_without_a_limit),
                                       WITH(test_five_a_second),
                                       WITH(test_strangers_take_nothing),
                                       WITH(test_keys_with_their_own_pace),
                                       WITH(test_paces_are_a_masters_to_set),
                                       WITH(test_lists_of_networks),
                                       WITH(test_lists_that_are_none),
                                       WITH(test_nobody_locks_himself_out),
                                       WITH(test_whose_keys),
                                       WITH(test_etags)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
