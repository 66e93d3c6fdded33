/* Heads of requests: in all possible cuts the same verdict, limits exactly at their edge, and a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "head.h"
#include "listener_limits.h"
#include <stdio.h>
#include <stdlib.h>

/* The status of a text that comes in pieces; 0: *len is the head's, or 0 while it is not complete. */
static int scan(struct bytes text, size_t first, size_t others, struct head_scan *found, size_t *len)
{
    int status = 0;
    *found = (struct head_scan){0};
    *len = 0;
    for (size_t end = first; status == 0 && *len == 0; end += others) {
        if (end > text.len)
            end = text.len;
        status = head_scan(found, bytes_make(text.data, end), len);
        assert_true(*len <= end && found->scanned <= end);
        if (end == text.len)
            break;
    }
    return status;
}

struct head {
    const char *text;
    size_t len;
    int status;          /* of the scan, then of reading */
    const char *summary; /* method|target|path|query|headers|framing; NULL: no matter */
};
#define RAW(text) text, sizeof text - 1

static const struct head heads[] = {
    {RAW("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), 0, "GET|/|/||1|k"},
    {RAW("GET / HTTP/1.1\r\nHost:h\r\n\r\nGET /next"), 0, "GET|/|/||1|k"},
    {RAW("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), 0, "GET|/|/||1|k"},
    {RAW("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), 0, "GET|/|/||1|k"},
    {RAW("\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), 400, NULL},
    {RAW("GET /a?b?c HTTP/1.1\r\nHost: \t h \t\r\nX:\r\n\r\n"), 0, "GET|/a?b?c|/a|b?c|2|k"},
    {RAW("GET /a HTTP/1.0\r\n\r\n"), 0, "GET|/a|/a||0|"},
    {RAW("GET /a HTTP/1.0\r\nConnection: x, keep-alive\r\n\r\n"), 0, "GET|/a|/a||1|k"},
    {RAW("GET /a HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n"), 0,
     "GET|/a|/a||3|"},
    {RAW("POST /a HTTP/1.1\r\nhOST: h\r\ncontent-LENGTH: 0012\r\nExpect: 100-Continue\r\n\r\n"), 0,
     "POST|/a|/a||3|k12e"},
    {RAW("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n"), 0,
     "POST|/a|/a||3|k3"},
    {RAW("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n"), 0, "POST|/a|/a||2|kc"},
    {RAW("GET http://u:8080/a?b HTTP/1.1\r\nHost: h\r\n\r\n"), 0, "GET|http://u:8080/a?b|/a|b|1|k"},
    {RAW("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), 0, "OPTIONS|*|*||1|k"},
    {RAW("OPTIONS http://h HTTP/1.1\r\nHost: h\r\n\r\n"), 0, "OPTIONS|http://h|/||1|k"},
    {RAW("\n"), 400, NULL},
    {RAW("GET / HTTP/1.1\n"), 400, NULL},
    {RAW("GET / HTTP/1.1\r\nHost: h\n"), 400, NULL},
    {RAW("GET / HTTP/1.1\r\nHost: h\r\n\n"), 400, NULL},
    {RAW("GET\r\n\r\n"), 400, NULL},
    {RAW("GET /\r\n\r\n"), 400, NULL},
    {RAW(" / HTTP/1.1\r\nHost: h\r\n\r\n"), 400, NULL},
    {RAW("GET  HTTP/1.1\r\nHost: h\r\n\r\n"), 400, NULL},
    {RAW("G(T / HTTP/1.1\r\nHost: h\r\n\r\n"), 400, NULL},
    {RAW("GET / HTTP/1.1\rX\r\nHost: h\r\n\r\n"), 400, NULL},
    {RAW("GET / HTTP/3.0\r\nHost: h\r\n\r\n"), 505, NULL},
    {RAW("GET / HTTP/\r\nHost: h\r\n\r\n"), 400, NULL},
    {RAW("PUSH /x HTTP/1.1\r\nHost: h\r\n\r\n"), 405, "PUSH|/x|/x||1|"},
    {RAW("GET /\x7f HTTP/1.1\r\nHost: h\r\n\r\n"), 400, NULL},
    {RAW("GET / HTTP/1.1\r\nHost: h\r\n\tX: y\r\n\r\n"), 400, NULL},
    {RAW("GET / HTTP/1.1\r\n Host: h\r\n\r\n"), 400, NULL},
    {RAW("GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: \r\n\r\n"), 501,
     NULL},
    {RAW("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775808\r\n\r\n"), 413, NULL},
    {RAW("GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775807\r\n\r\n"), 0,
     "GET|/|/||2|k9223372036854775807"},
};

static void summarise(const struct listener_request *request, const struct head_facts *facts, char out[256])
{
    int at = snprintf(out, 256, "%.*s|%.*s|%.*s|%.*s|%d|%s%s", BYTES_ARG(request->method),
                      BYTES_ARG(request->target), BYTES_ARG(request->path), BYTES_ARG(request->query),
                      request->header_count, facts->keep_alive ? "k" : "", facts->body.chunked ? "c" : "");
    if (facts->body.length >= 0)
        at += snprintf(out + at, 256 - (size_t)at, "%lld", (long long)facts->body.length);
    if (facts->expects_continue)
        snprintf(out + at, 256 - (size_t)at, "e");
}

static int read_head(struct bytes text, const struct head_scan *found, char out[256])
{
    static struct listener_request request;
    struct head_facts facts;
    request = (struct listener_request){0};
    int status = head_read(found, text, &request, &facts);
    summarise(&request, &facts, out);
    return status;
}

static void test_heads_in_all_cuts(void **state)
{
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        const struct head *head = &heads[i];
        /* In a block of its exact size, for the sanitizer. */
        char *exact = malloc(head->len), out[256];
        struct bytes text = bytes_make(memcpy(exact, head->text, head->len), head->len);
        struct head_scan whole, cut;
        size_t len, cut_len;
        int scanned = scan(text, text.len, 1, &whole, &len), status = scanned;
        if (scanned == 0) {
            assert_true(len > 0);
            status = read_head(bytes_make(text.data, len), &whole, out);
        }
        if (status != head->status || (head->summary && strcmp(out, head->summary) != 0))
            fail_msg("head %zu: %d %s", i, status, out);
        for (size_t first = 0; first <= text.len; first++)
            for (size_t others = 1; others <= text.len; others++) {
                assert_int_equal(scan(text, first, others, &cut, &cut_len), scanned);
                assert_int_equal(cut_len, len);
                assert_int_equal(cut.line_at, whole.line_at);
                assert_int_equal(cut.fields_at, whole.fields_at);
            }
        free(exact);
    }
}

static void test_not_yet(void **state)
{
    static const char text[] = "\r\nPOST / HTTP/1.1\r\nHost: h\r\n\r\n";
    struct head_scan found;
    size_t len;
    for (size_t part = 0; part + 1 < sizeof text; part++) {
        assert_int_equal(scan(bytes_make(text, part), part, 1, &found, &len), 0);
        assert_int_equal(len, 0);
    }
    assert_int_equal(scan(bytes_of(text), 1, 1, &found, &len), 0);
    assert_int_equal(len, sizeof text - 1);
}

/* ---- limits ---- */

/* "aaa...\r\n" of `line` bytes without its end, then header lines of `fields` bytes with theirs, then the
 * empty line. */
static int verdict(size_t line, size_t fields, bool complete, size_t piece)
{
    size_t room = line + fields + 8, at = 0, len;
    char *text = malloc(room);
    struct head_scan found;
    memset(text, 'a', room);
    at += line;
    if (complete || fields > 0) {
        memcpy(text + at, "\r\n", 2);
        at += 2;
    }
    if (fields > 0) {
        at += fields;
        if (complete)
            memcpy(text + at - 2, "\r\n", 2);
    }
    if (complete) {
        memcpy(text + at, "\r\n", 2);
        at += 2;
    }
    int status = scan(bytes_make(text, at), piece, piece, &found, &len);
    assert_int_equal(status == 0 && len > 0, status == 0 && complete);
    free(text);
    return status;
}

static void test_limits_at_the_edge(void **state)
{
    static const size_t pieces[] = {1, 1000, 8192, 8193, 8194, 32768, 1 << 20};
    enum { LINE = LISTENER_LINE_LEN_MAX, FIELDS = LISTENER_HEAD_LEN_MAX };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        assert_int_equal(verdict(LINE, 10, true, pieces[i]), 0);
        assert_int_equal(verdict(LINE + 1, 10, true, pieces[i]), 414);
        assert_int_equal(verdict(LINE, 0, false, pieces[i]), 0);
        assert_int_equal(verdict(LINE + 2, 0, false, pieces[i]), 414);
        assert_int_equal(verdict(LINE, FIELDS - 1, true, pieces[i]), 0);
        assert_int_equal(verdict(LINE, FIELDS, true, pieces[i]), 431);
        assert_int_equal(verdict(100, FIELDS, false, pieces[i]), 0);
        assert_int_equal(verdict(100, FIELDS + 1, false, pieces[i]), 431);
    }
}

static void test_header_count_at_the_edge(void **state)
{
    for (int count = LISTENER_HEADERS_MAX; count <= LISTENER_HEADERS_MAX + 1; count++) {
        char text[4096] = "GET / HTTP/1.1\r\nHost: h\r\n", out[256];
        struct head_scan found;
        size_t len;
        for (int i = 1; i < count; i++)
            strcat(text, "a:\r\n");
        strcat(text, "\r\n");
        assert_int_equal(scan(bytes_of(text), strlen(text), 1, &found, &len), 0);
        assert_int_equal(read_head(bytes_make(text, len), &found, out),
                         count > LISTENER_HEADERS_MAX ? 431 : 0);
    }
}

/* ---- hosts ---- */

static void test_hosts(void **state)
{
    static const char *const good[] = {
        "", "h", "h:80", "[::1]:8080", "127.0.0.1", "a.b-c", "xn--bcher-kva.example", "a_b", "%41", "h:"};
    static const char *const bad[] = {"a b",  "a\tb", "a/b",       "a?b", "a#b", "u@h", "a\\b",
                                      "a\"b", "<a>",  "a\xc3\xa4", "a|b", "a^b", "a`b", "{a}"};
    for (size_t i = 0; i < sizeof good / sizeof *good + sizeof bad / sizeof *bad; i++) {
        bool sound = i < sizeof good / sizeof *good;
        const char *host = sound ? good[i] : bad[i - sizeof good / sizeof *good];
        struct listener_request request = {.headers = {{bytes_of("Host"), bytes_of(host)}},
                                           .header_count = 1};
        struct framing_body body;
        char target[64];
        struct bytes path, query;
        if (framing_headers(&request, false, &body) != (sound ? 0 : 400))
            fail_msg("Host: %s", host);
        snprintf(target, sizeof target, "http://%s/x", host);
        /* What is a "/" or a "?" there ends the host, and begins what is no path. */
        int status = framing_target(bytes_of("GET"), bytes_of(target), &path, &query);
        if (*host && !strchr(host, '/') && status != (sound ? 0 : 400))
            fail_msg("target: %s: %d", target, status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads_in_all_cuts),
        cmocka_unit_test(test_not_yet),
        cmocka_unit_test(test_limits_at_the_edge),
        cmocka_unit_test(test_header_count_at_the_edge),
        cmocka_unit_test(test_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
