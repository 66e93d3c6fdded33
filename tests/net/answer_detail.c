/* The sentence about an answer that is not HTTP: the wrong part, and its first bytes. */
#include "answer_detail.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after the three above */
#include "sender.h"
#include <cmocka.h>
#include <stdio.h>

/* Issue 8.31: a time limit that passed is said. */
static void test_8_31_sentences_name_the_limits(void **state)
{
    struct sender_limits limits = sender_limits_default();
    const struct {
        enum failure failure;
        int64_t ms;
    } rows[] = {{FAILURE_DNS_TIMEOUT, limits.dns_ms},       {FAILURE_CONNECT_TIMEOUT, limits.connect_ms},
                {FAILURE_TLS_TIMEOUT, limits.tls_ms},       {FAILURE_SEND_TIMEOUT, limits.send_ms},
                {FAILURE_HEADER_TIMEOUT, limits.header_ms}, {FAILURE_TIMEOUT, limits.attempt_ms}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char said[32];
        snprintf(said, sizeof said, "limit of %lld s", (long long)rows[i].ms / 1000);
        assert_int_equal(rows[i].ms % 1000, 0);
        if (!strstr(failure_sentence(rows[i].failure), said))
            fail_msg("%s: not '%s'", failure_sentence(rows[i].failure), said);
    }
}

static void expect(enum failure failure, const char *flaw, struct bytes seen, const char *sentence)
{
    char out[ANSWER_DETAIL_LEN_MAX];
    answer_detail_of_answer(out, failure, flaw, seen);
    assert_string_equal(out, sentence);
}

static void says_which_part_is_wrong(void **state)
{
    expect(FAILURE_BAD_RESPONSE, "a line of its head ends with a bare LF instead of CR LF",
           bytes_of("HTTP/1.1 200 OK\nX: \"y\"\n\n"),
           "the answer is not valid HTTP/1.x: a line of its head ends with a bare LF instead of CR LF; "
           "it begins with \"HTTP/1.1 200 OK\\nX: \\x22y\\x22\\n\\n\"");
    expect(FAILURE_BAD_RESPONSE, "whatever", bytes_of("SSH-2.0-OpenSSH_9.2\r\n"),
           "an SSH server answers at this port; it begins with \"SSH-2.0-OpenSSH_9.2\\r\\n\"");
    expect(FAILURE_BAD_RESPONSE, "whatever", bytes_of("HTTP/2 200\r\n\r\n"),
           "the answer says HTTP/2, and webhooks are sent in HTTP/1.1; it begins with \"HTTP/2 "
           "200\\r\\n\\r\\n\"");
    expect(FAILURE_BAD_RESPONSE, "whatever", bytes_make("\x15\x03\x01\0\x02\x02\x46", 7),
           "this port speaks TLS: the URL must begin with https://; it begins with "
           "\"\\x15\\x03\\x01\\x00\\x02\\x02F\"");
    expect(FAILURE_BAD_RESPONSE, "whatever", bytes_make("\0\0\x12\4\0\0\0\0\0\0\3", 11),
           "the server speaks HTTP/2 only, and webhooks are sent in HTTP/1.1; it begins with "
           "\"\\x00\\x00\\x12\\x04\\x00\\x00\\x00\\x00\\x00\\x00\\x03\"");
    expect(FAILURE_TLS_PROTOCOL, NULL, bytes_of("HTTP/1.1 400 Bad Request\r\n"),
           "this port speaks HTTP without TLS: the URL must begin with http://, or name the port of TLS; it "
           "begins "
           "with \"HTTP/1.1 400 Bad Request\\r\\n\"");
    expect(FAILURE_TRUNCATED_HEADERS, NULL, bytes_of("HTTP/1.1 200 OK\r\n"),
           "the connection ended inside the answer's headers; they begin with \"HTTP/1.1 200 OK\\r\\n\"");
}

static void says_nothing_where_the_failure_says_it_all(void **state)
{
    expect(FAILURE_RESET, NULL, bytes_of(""), "");
    expect(FAILURE_HEADER_TIMEOUT, NULL, bytes_of(""), "");
    expect(FAILURE_TLS_PROTOCOL, NULL, bytes_of(""), "");
}

static void long_bytes_are_cut(void **state)
{
    char out[ANSWER_DETAIL_LEN_MAX], bytes[1024];
    memset(bytes, '\1', sizeof bytes);
    answer_detail_of_answer(out, FAILURE_BAD_RESPONSE, "short", bytes_make(bytes, sizeof bytes));
    assert_true(strlen(out) < ANSWER_DETAIL_LEN_MAX);
    assert_string_equal(out + strlen(out) - 4, "\"...");
}

static void knows_who_wants_tls(void **state)
{
    char out[ANSWER_DETAIL_LEN_MAX];
    answer_detail_of_status(out, 400,
                            bytes_of("<center>The plain HTTP request was sent to HTTPS port</center>"));
    assert_non_null(strstr(out, "https://"));
    answer_detail_of_status(out, 400, bytes_of("Client sent an HTTP request to an HTTPS server.\n"));
    assert_non_null(strstr(out, "https://"));
    answer_detail_of_status(
        out, 400,
        bytes_of("The client sent a plain HTTP request, but this server only speaks HTTPS on this "
                 "port."));
    assert_non_null(strstr(out, "https://"));
    answer_detail_of_status(out, 400, bytes_of("bad signature, see https://docs.example/"));
    assert_string_equal(out, "");
    answer_detail_of_status(out, 200, bytes_of("Client sent an HTTP request to an HTTPS server.\n"));
    assert_string_equal(out, "");
}

/* Issue 8.31 */
static void test_8_31_a_redirect_says_where_it_leads(void **state)
{
    char out[ANSWER_DETAIL_LEN_MAX], path[1024];
    answer_detail_of_redirect(out, bytes_of("https://a.example/h\x1b\"k"));
    assert_string_equal(out,
                        "your server answered with a redirect, and redirects are never followed; it leads to "
                        "\"https://a.example/h\\x1b\\x22k\"");
    memset(path, '/', sizeof path);
    answer_detail_of_redirect(out, bytes_make(path, sizeof path));
    assert_string_equal(out + strlen(out) - 5, "/\"...");
    answer_detail_of_redirect(out, bytes_of(""));
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_8_31_a_redirect_says_where_it_leads),
        cmocka_unit_test(test_8_31_sentences_name_the_limits),
        cmocka_unit_test(says_which_part_is_wrong),
        cmocka_unit_test(says_nothing_where_the_failure_says_it_all),
        cmocka_unit_test(long_bytes_are_cut),
        cmocka_unit_test(knows_who_wants_tls),
    };
    return cmocka_run_group_tests_name("detail", tests, NULL, NULL);
}
