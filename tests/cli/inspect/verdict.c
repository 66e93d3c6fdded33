#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "remedy.h"
#include "verdict.h"
#include <cmocka.h>

static void expect(const struct verdict *verdict, const char *sentences)
{
    struct arena arena;
    struct text out;

    arena_init(&arena, 64 << 10);
    text_init(&out, &arena, 16 << 10);
    verdict_put(&out, verdict);
    assert_string_equal(out.data, sentences);
    arena_fini(&arena);
}

static struct verdict pending(int64_t attempt_count, const char *reason, int64_t status, int64_t next_ms)
{
    return (struct verdict){.delivery_id = bytes_of("9"),
                            .state = bytes_of("pending"),
                            .attempt_count = attempt_count,
                            .next_ms = next_ms,
                            .last = {.reason = bytes_of(reason), .status = status},
                            .took_ms = -1};
}

static void test_the_issues_own_sentence(void **state)
{
    struct verdict verdict = pending(3, "unexpected_status", 204, 160000);
    expect(&verdict,
           "Tried 3 times. Last: your server said 204; we need 200. Next try in 2 min 40 s. Let your "
           "handler answer with exactly 200, also for event types that it ignores.");
}

static void test_not_sent_yet(void **state)
{
    struct verdict verdict = pending(0, "", 0, 0);
    expect(&verdict, "Not sent yet. Next try as soon as its turn comes.");
    verdict.in_flight = true;
    expect(&verdict, "Not sent yet. A try is under way.");
}

static void test_held(void **state)
{
    struct verdict verdict = pending(0, "", 0, 0);
    verdict.hold = VERDICT_NO_URL;
    verdict.endpoint_id = bytes_of("7");
    expect(&verdict, "Not sent yet. Held: endpoint 7 has no url. It is sent as soon as one is set.");
    verdict.is_default = true;
    expect(&verdict, "Not sent yet. Held: there is no webhook_url. It is sent as soon as one is set.");
    verdict.hold = VERDICT_PAUSED;
    expect(&verdict, "Not sent yet. Held: endpoint 7 is paused. `posthorn endpoints resume 7` sends it.");
    verdict.hold = VERDICT_DISABLED;
    verdict.paused_at = bytes_of("2026-01-31T12:00:00.000Z");
    verdict.disabled_reason = bytes_of("gone");
    expect(&verdict,
           "Not sent yet. Held: endpoint 7 is disabled since 2026-01-31T12:00:00.000Z, as it answered "
           "410 (gone). `posthorn endpoints enable 7` sends it.");
    verdict.disabled_reason = bytes_of("failing");
    expect(&verdict,
           "Not sent yet. Held: endpoint 7 is disabled since 2026-01-31T12:00:00.000Z, as it had only "
           "failed for the days of its disable_after. "
           "`posthorn endpoints enable 7` sends it.");
    verdict.hold = VERDICT_NO_KEY;
    expect(&verdict, "Not sent yet. Held: the user has no active API key, and WEBHOOK-AUTH is made from one. "
                     "It is sent as soon as there is a key.");
}

static void test_our_own_fault_and_the_guards_are_told_apart(void **state)
{
    struct verdict verdict = pending(0, "local_outage", 0, 5000);
    expect(&verdict,
           "Not sent yet. Last: posthorn itself had no network or no resolver that answers. That is our own "
           "fault, and uses up none of your tries. Next try in 5 s. The server's operator should check its "
           "network and its DNS resolvers.");
    verdict = pending(1, "blocked_url", 0, 10000);
    expect(&verdict,
           "Tried once. Last: blocked before anything was sent: the URL is not allowed by this "
           "server's settings. Next try in 10 s. Set a webhook_url that this server allows: https, a "
           "public name, an ordinary port.");
}

static void test_the_ends(void **state)
{
    struct verdict verdict = pending(1, "", 200, -1);
    verdict.state = bytes_of("delivered");
    expect(&verdict, "Delivered at the first try. Last: your server said 200.");
    verdict.attempt_count = 2;
    verdict.took_ms = 12000;
    verdict.finished_at = bytes_of("2000-01-01T00:00:12.000Z");
    expect(&verdict,
           "Delivered after 2 tries, 12 s after the first one, at 2000-01-01T00:00:12.000Z. Last: your "
           "server said 200.");
    verdict = pending(14, "connect_refused", 0, -1);
    verdict.state = bytes_of("given_up");
    verdict.took_ms = INT64_C(73) * 3600 * 1000;
    expect(&verdict,
           "Given up after 14 tries, 3 d 1 h after the first one. Last: your server refused the "
           "connection. Check that your server runs, and that it listens at that address and port, not "
           "only at 127.0.0.1. It is kept: POST /api/deliveries/9/resend starts again.");
    verdict = pending(0, "", 0, -1);
    verdict.state = bytes_of("cancelled");
    expect(&verdict, "Cancelled before it was sent. POST /api/deliveries/9/resend sends it after all.");
    verdict.state = bytes_of("skipped"); /* 8.10 */
    expect(&verdict, "Sent to nobody: no webhook_url was set when it came. With one set, POST "
                     "/api/deliveries/9/resend sends it.");
    verdict.hold = VERDICT_NO_URL;
    expect(&verdict, "Sent to nobody: no webhook_url was set when it came. Set one, and then POST "
                     "/api/deliveries/9/resend sends it.");
}

static void test_what_we_need_follows_the_endpoint(void **state)
{
    struct verdict verdict = pending(1, "unexpected_status", 301, 0);
    struct arena arena;
    struct text out;

    verdict.last.success = bytes_of("200 to 299");
    arena_init(&arena, 4096);
    text_init(&out, &arena, 1024);
    words_put_outcome(&out, &verdict.last);
    assert_string_equal(out.data, "your server said 301; we need 200 to 299");
    arena_fini(&arena);
}

static void test_durations(void **state)
{
    static const struct {
        int64_t ms;
        const char *words;
    } rows[] = {{-5, "0.0 s"},          {0, "0.0 s"},      {450, "0.4 s"},         {1000, "1 s"},
                {59999, "59 s"},        {60000, "1 min"},  {160000, "2 min 40 s"}, {3600000, "1 h"},
                {3661000, "1 h 1 min"}, {86400000, "1 d"}, {262800000, "3 d 1 h"}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena arena;
        struct text out;
        arena_init(&arena, 1024);
        text_init(&out, &arena, 128);
        words_put_duration(&out, rows[i].ms);
        assert_string_equal(out.data, rows[i].words);
        arena_fini(&arena);
    }
}

/* What a stranger can do nothing about needs no advice; everything else does. */
static void test_every_failure_has_its_remedy(void **state)
{
    for (int i = 0; i < FAILURE_COUNT; i++) {
        enum failure failure = (enum failure)i;
        enum failure_class class = failure_class_of(failure);
        if ((class == FAILURE_CLASS_RECEIVER || class == FAILURE_CLASS_POLICY) && !*remedy_for(failure))
            fail_msg("no remedy for %s", failure_name(failure));
        assert_int_equal(words_failure(bytes_of(failure_name(failure))), failure);
    }
    assert_int_equal(words_failure(bytes_of("of a later version")), FAILURE_NONE);
}

/* Issue 8.31: the usual cause of each status, and no two alike. */
static void test_8_31_the_usual_cause_of_each_status(void **state)
{
    static const struct {
        int status;
        const char *cause;
    } rows[] = {{400, "host check"},
                {401, "WEBHOOK-AUTH"},
                {403, "CSRF"},
                {404, "the path"},
                {405, "accepts no POST"},
                {413, "smaller bodies"},
                {429, "the pace"},
                {500, "the handler failed"},
                {501, "not know POST"},
                {502, "its upstream"},
                {503, "no handler that is free"},
                {504, "did not answer it in time"},
                {407, "proxy in between"},
                {451, "refuses the request"},
                {508, "to itself"},
                {598, "the proxy in front failed"},
                {522, "Cloudflare"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct verdict verdict = pending(1, "unexpected_status", rows[i].status, 10000);
        struct arena arena;
        struct text out;
        arena_init(&arena, 64 << 10);
        text_init(&out, &arena, 16 << 10);
        verdict_put(&out, &verdict);
        if (!strstr(out.data, rows[i].cause) || !strstr(out.data, "Usual cause: "))
            fail_msg("%d: %s", rows[i].status, out.data);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(remedy_for_status(rows[i].status), remedy_for_status(rows[k].status));
        arena_fini(&arena);
    }
    for (int status = 201; status < 300; status++)
        assert_non_null(strstr(remedy_for_status(status), "exactly 200"));
}

/* Issue 8.31: it was "(410) (410)". */
static void test_8_31_a_status_is_said_once(void **state)
{
    struct verdict verdict = pending(1, "gone", 410, -1);
    expect(&verdict,
           "Tried once. Last: your server says that this URL is gone for good (410). If the URL moved, set "
           "the new one. If it shall get no more events, set it to null.");
    verdict = pending(1, "redirect", 302, -1);
    expect(&verdict,
           "Tried once. Last: your server answered with a redirect, and redirects are never followed (302). "
           "Set webhook_url to the address that the redirect leads to.");
}

/* Issue 8.31: a 200 while most of the request was never taken is delivered, and said. */
static void test_8_31_an_answer_before_the_request_was_taken(void **state)
{
    struct verdict verdict = pending(1, "none", 200, -1);
    verdict.state = bytes_of("delivered");
    verdict.request_unread = true;
    expect(
        &verdict,
        "Delivered at the first try. Last: your server said 200. It answered before it had taken most of the "
        "request: does your handler read the body?");
}

/* Issue 8.31: no advice beside what is known. */
static void test_8_31_the_advice_fits_what_was_found_out(void **state)
{
    static const struct {
        enum failure failure;
        const char *detail, *remedy;
    } rows[] = {
        {FAILURE_BAD_RESPONSE, "this port speaks TLS: the URL must begin with https://; it begins with \"x\"",
         ""},
        {FAILURE_TLS_PROTOCOL, "this port speaks HTTP without TLS: the URL must begin with http://, or name",
         "Check that the port speaks https"},
        {FAILURE_CLOSED_EARLY,
         "your server closed the connection without an answer; if this port speaks TLS, the URL must begin "
         "with https://",
         "may have crashed"},
        {FAILURE_CLOSED_EARLY,
         "your server closed the connection in the TLS handshake; if this port speaks HTTP without TLS, the "
         "URL must begin with http://",
         "Check that the port speaks https"},
        {FAILURE_BAD_RESPONSE, "the answer says HTTP/2, and webhooks are sent in HTTP/1.1; it begins with",
         "Make it answer in HTTP/1.1"},
        {FAILURE_TLS_PROTOCOL, "a mail or FTP server answers at this port; it begins with",
         "Check the port in the URL"},
        {FAILURE_BAD_RESPONSE, "the answer is not valid HTTP/1.x: x; it begins with \"HTTP/1.1 2000\"",
         "head of that answer is malformed"},
        {FAILURE_BAD_RESPONSE, "the answer is not valid HTTP/1.x: x; it begins with \"hello\"",
         "Check that an HTTP server listens"},
        {FAILURE_TLS_UNTRUSTED, "the certificate is not for servers: its key usage", "serverAuth"},
        {FAILURE_TLS_UNTRUSTED, "the certificate is signed by itself, not by an authority: x",
         "trust this one"},
        {FAILURE_TLS_UNTRUSTED, "no authority is known", "serve the whole chain"},
        {FAILURE_REDIRECT, "your server answered with a redirect; it leads to \"/x\"", "Set webhook_url"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct words_outcome outcome = {.reason = bytes_of(failure_name(rows[i].failure)),
                                        .detail = bytes_of(rows[i].detail)};
        const char *remedy = remedy_of(&outcome);
        if (*rows[i].remedy ? !strstr(remedy, rows[i].remedy) : *remedy != '\0')
            fail_msg("%s: %s", rows[i].detail, remedy);
    }
}

/* Issue 8.15: what the server found out stands in place of the failure's own sentence, once and escaped. */
static void test_8_15_details(void **state)
{
    struct verdict verdict = pending(1, "bad_response", 0, -1);
    verdict.last.detail = bytes_of("an SSH server answers at this port; it begins with \"SSH-2.0\"\x1b");
    expect(&verdict, "Tried once. Last: an SSH server answers at this port; it begins with \"SSH-2.0\"\\x1b. "
                     "Check the port in the URL. Another program than your handler listens there.");
    verdict.last.detail = bytes_of(failure_sentence(FAILURE_BAD_RESPONSE));
    expect(&verdict, "Tried once. Last: the answer is not valid HTTP/1.x. Check that an HTTP server "
                     "listens at that port, and that the port speaks https.");
    verdict = pending(1, "unexpected_status", 400, -1);
    verdict.last.detail = bytes_of("this port speaks TLS");
    struct arena arena;
    struct text out;
    arena_init(&arena, 64 << 10);
    text_init(&out, &arena, 16 << 10);
    verdict_put(&out, &verdict);
    assert_non_null(strstr(out.data, "your server said 400; we need 200; this port speaks TLS."));
    assert_null(strstr(out.data, "Usual cause")); /* the cause is known: it is no host check */
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_8_31_the_usual_cause_of_each_status),
        cmocka_unit_test(test_8_31_a_status_is_said_once),
        cmocka_unit_test(test_8_31_the_advice_fits_what_was_found_out),
        cmocka_unit_test(test_8_31_an_answer_before_the_request_was_taken),
        cmocka_unit_test(test_8_15_details),
        cmocka_unit_test(test_the_issues_own_sentence),
        cmocka_unit_test(test_not_sent_yet),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_our_own_fault_and_the_guards_are_told_apart),
        cmocka_unit_test(test_the_ends),
        cmocka_unit_test(test_what_we_need_follows_the_endpoint),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_every_failure_has_its_remedy),
    };
    return cmocka_run_group_tests_name("cli/inspect/verdict", tests, NULL, NULL);
}
