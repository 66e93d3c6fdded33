/* What a token server may answer, and what is asked of it. */
#include "oauth.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define BAD_TOKEN   "its access_token is not 1 to 4096 visible ASCII characters"
#define BAD_TYPE    "its token_type is not Bearer"
#define BAD_EXPIRES "its expires_in is not a positive integer"
#define BAD_JSON    "its body is not a JSON object"
#define BAD_STATUS  "its status is not 200"

/* expires: 0: no token, and `said` is the flaw or the code; otherwise the seconds, and `said` is the token.
 */
static const struct answer_case {
    int status;
    bool json, whole;
    const char *body;
    int64_t expires;
    const char *said;
} answer_cases[] = {
    {200, true, true, "{\"access_token\":\"abc\",\"token_type\":\"Bearer\",\"expires_in\":60}", 60, "abc"},
    {200, true, true, "{\"access_token\":\"~!\",\"token_type\":\"bEARER\"}", OAUTH_UNSAID_S, "~!"},
    {200, true, true, "{\"access_token\":\"\\u0061b\",\"token_type\":\"bearer\",\"scope\":\"x\"}",
     OAUTH_UNSAID_S, "ab"},
    {200, true, true, "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":1}", 1, "a"},
    {200, true, true, "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":86400}", 86400, "a"},
    {200, true, true, "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":9223372036854775807}",
     OAUTH_EXPIRES_S_MAX, "a"},
    {200, true, true, "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":9223372036854775808}",
     0, BAD_EXPIRES},
    {200, true, true, "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":0}", 0, BAD_EXPIRES},
    {200, true, true, "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":-1}", 0, BAD_EXPIRES},
    {200, true, true, "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":0.5}", 0,
     BAD_EXPIRES},
    {200, true, true, "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":1e999}", 0,
     BAD_EXPIRES},
    {200, true, true, "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":\"60\"}", 0,
     BAD_EXPIRES},
    {200, true, true, "{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"expires_in\":null}", 0,
     BAD_EXPIRES},
    {200, true, true, "{\"access_token\":\"a\",\"token_type\":\"mac\"}", 0, BAD_TYPE},
    {200, true, true, "{\"access_token\":\"a\",\"token_type\":\"Bearer \"}", 0, BAD_TYPE},
    {200, true, true, "{\"access_token\":\"a\",\"token_type\":[\"Bearer\"]}", 0, BAD_TYPE},
    {200, true, true, "{\"access_token\":\"a\"}", 0, BAD_TYPE},
    {200, true, true, "{\"token_type\":\"Bearer\"}", 0, BAD_TOKEN},
    {200, true, true, "{\"access_token\":\"\",\"token_type\":\"Bearer\"}", 0, BAD_TOKEN},
    {200, true, true, "{\"access_token\":7,\"token_type\":\"Bearer\"}", 0, BAD_TOKEN},
    {200, true, true, "{\"access_token\":\"a b\",\"token_type\":\"Bearer\"}", 0, BAD_TOKEN},
    {200, true, true, "{\"access_token\":\"a\\r\\nX-Evil: 1\",\"token_type\":\"Bearer\"}", 0, BAD_TOKEN},
    {200, true, true, "{\"access_token\":\"a\\u0000\",\"token_type\":\"Bearer\"}", 0, BAD_TOKEN},
    {200, true, true, "{\"access_token\":\"a\\u007f\",\"token_type\":\"Bearer\"}", 0, BAD_TOKEN},
    {200, true, true, "{\"access_token\":\"\xc3\xa4\",\"token_type\":\"Bearer\"}", 0, BAD_TOKEN},
    {200, true, true, "{\"access_token\":\"a\",\"access_token\":\"b\",\"token_type\":\"Bearer\"}", 0,
     BAD_JSON},
    {200, true, true, "{\"access_token\":\"a\",\"token_type\":\"Bearer\"", 0, BAD_JSON},
    {200, true, true, "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}x", 0, BAD_JSON},
    {200, true, true, "{\"access_token\":\"a\",\"token_type\":\"Bearer\",}", 0, BAD_JSON},
    {200, true, true, "[{\"access_token\":\"a\",\"token_type\":\"Bearer\"}]", 0, BAD_JSON},
    {200, true, true, "null", 0, BAD_JSON},
    {200, true, true, "", 0, BAD_JSON},
    {200, true, true, "access_token=a&token_type=Bearer", 0, BAD_JSON},
    {200, false, true, "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}", 0,
     "its Content-Type is not application/json"},
    {200, true, false, "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}", 0,
     "its body is cut or longer than 16 KiB"},
    {201, true, true, "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}", 0, BAD_STATUS},
    {302, true, true, "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}", 0, BAD_STATUS},
    {400, true, true, "{\"error\":\"invalid_request\"}", 0, "invalid_request"},
    {401, true, true, "{\"error\":\"invalid_client\",\"error_description\":\"secret\"}", 0, "invalid_client"},
    {400, true, true, "{\"error\":\"invalid_grant\"}", 0, "invalid_grant"},
    {400, true, true, "{\"error\":\"unauthorized_client\"}", 0, "unauthorized_client"},
    {400, true, true, "{\"error\":\"unsupported_grant_type\"}", 0, "unsupported_grant_type"},
    {400, true, true, "{\"error\":\"invalid_scope\"}", 0, "invalid_scope"},
    {400, true, true, "{\"error\":\"invalid_clients\"}", 0, BAD_STATUS},
    {400, true, true, "{\"error\":\"Invalid_client\"}", 0, BAD_STATUS},
    {400, true, true, "{\"error\":[\"invalid_client\"]}", 0, BAD_STATUS},
    {400, false, true, "{\"error\":\"invalid_client\"}", 0, BAD_STATUS},
    {500, true, true, "", 0, BAD_STATUS},
};

static void answers(void **state)
{
    struct arena arena;
    struct oauth_answer answer;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof answer_cases / sizeof *answer_cases; i++) {
        const struct answer_case *c = &answer_cases[i];
        print_message("%d %s\n", c->status, c->body);
        oauth_answer_read(&answer, c->status, c->json, c->whole, bytes_of(c->body), &arena);
        assert_int_equal(answer.expires_in_s, c->expires);
        assert_true((c->expires > 0) == (answer.flaw == NULL));
        if (c->expires > 0)
            assert_true(bytes_equal_text(answer.token, c->said));
        else
            assert_string_equal(answer.code ? answer.code : answer.flaw, c->said);
        assert_true(c->expires > 0 || answer.token.len == 0);
    }
    arena_fini(&arena);
}

static void a_token_has_at_most_4096_characters(void **state)
{
    struct arena arena;
    struct oauth_answer answer;
    arena_init(&arena, 1 << 20);
    for (int len = OAUTH_TOKEN_LEN_MAX; len <= OAUTH_TOKEN_LEN_MAX + 1; len++) {
        char *body = arena_printf(&arena, "{\"access_token\":\"%0*d\",\"token_type\":\"Bearer\"}", len, 0);
        oauth_answer_read(&answer, 200, true, true, bytes_of(body), &arena);
        assert_int_equal(answer.token.len, len == OAUTH_TOKEN_LEN_MAX ? len : 0);
    }
    arena_fini(&arena);
}

static void expect_authorization(const char *id, const char *secret, const char *expected)
{
    char out[OAUTH_AUTHORIZATION_LEN_MAX];
    size_t len = oauth_put_authorization(out, bytes_of(id), bytes_of(secret));
    assert_true(bytes_equal_text(bytes_make(out, len), expected));
}

static void the_clients_id_and_secret_are_encoded(void **state)
{
    expect_authorization("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw",
                         "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"); /* section 4.4.2's example */
    expect_authorization("a:b c", "p%q/+~",
                         "Basic YSUzQWIrYzpwJTI1cSUyRiUyQiU3RQ=="); /* a%3Ab+c:p%25q%2F%2B%7E */
    char id[OAUTH_ID_LEN_MAX + 2], secret[OAUTH_SECRET_LEN_MAX + 2], out[OAUTH_AUTHORIZATION_LEN_MAX];
    memset(id, '%', sizeof id);
    memset(secret, '%', sizeof secret);
    struct bytes longest_id = bytes_make(id, OAUTH_ID_LEN_MAX);
    struct bytes longest_secret = bytes_make(secret, OAUTH_SECRET_LEN_MAX);
    assert_int_equal(oauth_put_authorization(out, longest_id, longest_secret), 6 + 5124);
    assert_true(6 + 5124 <= OAUTH_AUTHORIZATION_LEN_MAX);
    assert_int_equal(oauth_put_authorization(out, bytes_make(id, sizeof id), longest_secret), 0);
    assert_int_equal(oauth_put_authorization(out, longest_id, bytes_make(secret, sizeof secret)), 0);
}

static void the_body(void **state)
{
    char out[OAUTH_BODY_LEN_MAX];
    assert_true(bytes_equal_text(bytes_make(out, oauth_put_body(out, bytes_of(""))),
                                 "grant_type=client_credentials"));
    assert_true(bytes_equal_text(bytes_make(out, oauth_put_body(out, bytes_of("api:push a/b"))),
                                 "grant_type=client_credentials&scope=api%3Apush+a%2Fb"));
}

static void scopes(void **state)
{
    static const char *const good[] = {"a", "a b", "api:push !#[]~"}, *const bad[] = {
                                                                          "",     " ",    " a",      "a ",
                                                                          "a  b", "a\"",  "a\\",     "a\tb",
                                                                          "a\n",  "\x7f", "\xc3\xa4"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(oauth_scope_valid(bytes_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(oauth_scope_valid(bytes_of(bad[i])));
}

static void settings(void **state)
{
    struct oauth_client client;
    assert_true(oauth_client_read(bytes_of("oauth2\nhttps://a/t\nid\na b"), &client));
    assert_true(bytes_equal_text(client.token_url, "https://a/t"));
    assert_true(bytes_equal_text(client.client_id, "id"));
    assert_true(bytes_equal_text(client.scope, "a b"));
    assert_true(oauth_client_read(bytes_of("oauth2\nhttps://a/t\nid\n"), &client));
    assert_int_equal(client.scope.len, 0);
    static const char *const bad[] = {"",         "bearer",        "basic\nx",           "oauth2",
                                      "oauth2\n", "oauth2\nurl\n", "oauth2\nurl\nid\n ", "oauth2\n\nid\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(oauth_client_read(bytes_of(bad[i]), &client));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(a_token_has_at_most_4096_characters),
        cmocka_unit_test(the_clients_id_and_secret_are_encoded),
        cmocka_unit_test(the_body),
        cmocka_unit_test(scopes),
        cmocka_unit_test(settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
