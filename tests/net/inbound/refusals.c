/*
 * The listener, spoken to with raw bytes: badly framed requests are refused in the application's shape,
 * and the connection is closed.
 */
#include "listener_rig.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST "Host: h\r\n"
struct refusal {
    const char *name, *request;
    size_t len;
    int status, or_status;
};
#define RAW(text) text, sizeof text - 1

static const struct refusal refusals[] = {
    {"no Host", RAW("GET /a HTTP/1.1\r\n\r\n"), 400, 0},
    {"two Hosts", RAW("GET /a HTTP/1.1\r\n" HOST HOST "\r\n"), 400, 0},
    {"two unequal lengths",
     RAW("POST /a HTTP/1.1\r\n" HOST "Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc"), 400, 0},
    {"length and coding",
     RAW("POST /a HTTP/1.1\r\n" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400,
     0},
    {"coding and length",
     RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"), 400,
     0},
    {"odd coding", RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 501,
     0},
    {"identity", RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\nabc"), 501, 0},
    {"chunked twice",
     RAW("POST /a HTTP/1.1\r\n" HOST
         "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
     501, 0},
    {"coding in 1.0", RAW("POST /a HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400, 0},
    {"length +5", RAW("POST /a HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\nhello"), 400, 0},
    {"length -1", RAW("POST /a HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\nhello"), 400, 0},
    {"length 0x5", RAW("POST /a HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\nhello"), 400, 0},
    {"length 5,5", RAW("POST /a HTTP/1.1\r\n" HOST "Content-Length: 5,5\r\n\r\nhello"), 400, 0},
    {"no length's digits", RAW("POST /a HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n"), 400, 0},
    {"length over the limit", RAW("POST /a HTTP/1.1\r\n" HOST "Content-Length: 65537\r\n\r\n"), 413, 0},
    {"length of 30 digits",
     RAW("POST /a HTTP/1.1\r\n" HOST "Content-Length: 100000000000000000000000000000\r\n\r\n"), 413, 0},
    {"bad chunk size",
     RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n"), 400, 0},
    {"chunk of 17 digits",
     RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n"), 413, 400},
    {"%00", RAW("GET /a%00b HTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"bad escape", RAW("GET /a%zz HTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"cut escape", RAW("GET /a%2 HTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"no host in the target", RAW("GET http:///a HTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"space in the target's host", RAW("GET http://h HTTP/1.1/ HTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"CR in the target's host", RAW("GET http://h\rX: y/ HTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"NUL in the target's host", RAW("GET http://h\0/ HTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"user in the target", RAW("GET http://u@h/ HTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"query before the path", RAW("GET http://h?q HTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"slash in Host", RAW("GET /a HTTP/1.1\r\nHost: h/b\r\n\r\n"), 400, 0},
    {"user in Host", RAW("GET /a HTTP/1.1\r\nHost: u@h\r\n\r\n"), 400, 0},
    {"tab in Host", RAW("GET /a HTTP/1.1\r\nHost: h\th\r\n\r\n"), 400, 0},
    {"8-bit Host", RAW("GET /a HTTP/1.1\r\nHost: h\xc3\xa4\r\n\r\n"), 400, 0},
    {"a body on an unknown method", RAW("BREW /a HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\n"), 405, 0},
    {"asterisk with a query", RAW("OPTIONS *?q HTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"asterisk to GET", RAW("GET * HTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"three empty lines first", RAW("\r\n\r\n\r\nGET /a HTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"a space first", RAW(" GET /a HTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"tabs for spaces", RAW("GET\t/a\tHTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"a space behind the version", RAW("GET /a HTTP/1.1 \r\n" HOST "\r\n"), 400, 0},
    {"small http", RAW("GET /a http/1.1\r\n" HOST "\r\n"), 400, 0},
    {"HTTP/1.10", RAW("GET /a HTTP/1.10\r\n" HOST "\r\n"), 400, 0},
    {"HTTP/2's preface", RAW("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505, 0},
    {"CR CR LF", RAW("GET /a HTTP/1.1\r\n" HOST "X: y\r\r\n\r\n"), 400, 0},
    {"LF CR", RAW("GET /a HTTP/1.1\r\n" HOST "X: y\n\r\r\n"), 400, 0},
    {"a coding with a vertical tab",
     RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n"), 400, 0},
    {"a coding in quotes", RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
     501, 0},
    {"a coding with a parameter",
     RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"), 501, 0},
    {"no coding's name", RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n0\r\n\r\n"), 501, 0},
    {"chunked, chunked",
     RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"), 501, 0},
    {"a coding, then a space and a colon",
     RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"), 400, 0},
    {"length 5 and 05",
     RAW("POST /a HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 05\r\n\r\nhello"), 400, 0},
    {"length 5 5", RAW("POST /a HTTP/1.1\r\n" HOST "Content-Length: 5 5\r\n\r\nhello"), 400, 0},
    {"a chunk ended by LF",
     RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n"), 400, 0},
    {"LF in an extension",
     RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5;\nx\r\nhello\r\n0\r\n\r\n"), 400,
     0},
    {"a chunk longer than it says",
     RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n"), 400, 0},
    {"a chunk of 0x5",
     RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n"), 400, 0},
    {"a chunk of -1",
     RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n-1\r\nhello\r\n0\r\n\r\n"), 400, 0},
    {"a space before a chunk",
     RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n"), 400, 0},
    {"a folded trailer",
     RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n z\r\n\r\n"), 400, 0},
    {"LF ends a trailer",
     RAW("POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n"), 400, 0},
    {"no slash", RAW("GET a HTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"space in the target", RAW("GET /a b HTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"two spaces", RAW("GET  /a HTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"8-bit target", RAW("GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"NUL in the target", RAW("GET /a\0b HTTP/1.1\r\n" HOST "\r\n"), 400, 0},
    {"NUL in a value", RAW("GET /a HTTP/1.1\r\n" HOST "X: a\0b\r\n\r\n"), 400, 0},
    {"NUL ends a value", RAW("GET /a HTTP/1.1\r\n" HOST "X: a\0\r\n\r\n"), 400, 0},
    {"NUL hides a length", RAW("POST /a HTTP/1.1\r\n" HOST "Content-Length: 0\0 5\r\n\r\nhello"), 400, 0},
    {"folded line", RAW("GET /a HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n"), 400, 0},
    {"a length folded together", RAW("POST /a HTTP/1.1\r\n" HOST "Content-Len: 5\r\n gth\r\n\r\nhello"), 400,
     0},
    {"bare LF", RAW("GET /a HTTP/1.1\nHost: h\n\n"), 400, 0},
    {"one bare LF", RAW("GET /a HTTP/1.1\r\nHost: h\nX: y\r\n\r\n"), 400, 0},
    {"bare CR", RAW("GET /a HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n"), 400, 0},
    {"space before the colon", RAW("GET /a HTTP/1.1\r\nHost : h\r\n\r\n"), 400, 0},
    {"no name", RAW("GET /a HTTP/1.1\r\n" HOST ": v\r\n\r\n"), 400, 0},
    {"no colon", RAW("GET /a HTTP/1.1\r\n" HOST "what\r\n\r\n"), 400, 0},
    {"a control byte in a value", RAW("GET /a HTTP/1.1\r\n" HOST "X: \x1b[2J\r\n\r\n"), 400, 0},
    {"TRACE", RAW("TRACE /a HTTP/1.1\r\n" HOST "\r\n"), 405, 0},
    {"CONNECT", RAW("CONNECT h:80 HTTP/1.1\r\n" HOST "\r\n"), 405, 0},
    {"unknown method", RAW("BREW /a HTTP/1.1\r\n" HOST "\r\n"), 405, 0},
    {"small letters", RAW("get /a HTTP/1.1\r\n" HOST "\r\n"), 405, 0},
    {"HTTP/2.0", RAW("GET /a HTTP/2.0\r\n" HOST "\r\n"), 505, 400},
    {"HTTP/0.9", RAW("GET /a HTTP/0.9\r\n" HOST "\r\n"), 505, 400},
    {"no version", RAW("GET /a\r\n" HOST "\r\n"), 400, 0},
    {"no protocol at all", RAW("\x16\x03\x01\x02 \x01\r\n\r\n"), 400, 0},
};

static void test_refusals(void **state)
{
    struct application *application = *state;
    static struct answer answer;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *refusal = &refusals[i];
        int fd = dial(application);
        put(fd, refusal->request, refusal->len);
        get(fd, &answer, true);
        close(fd);
        if (answer.status != refusal->status && (!refusal->or_status || answer.status != refusal->or_status))
            fail_msg("%s: %d instead of %d\n%s", refusal->name, answer.status, refusal->status, answer.text);
        assert_non_null(find_header(&answer, "\r\nConnection: close"));
        if (!answer.closed)
            fail_msg("%s: not closed in an orderly way", refusal->name);
    }
    assert_int_equal(application->handled, 0);
}

static void test_refusals_have_our_shape(void **state)
{
    static struct answer answer;
    int fd = dial(*state);
    ask(fd, "GET /a HTTP/1.1\r\n\r\n", &answer);
    assert_string_equal(answer.body, "refused 400");
    assert_non_null(find_header(&answer, "\r\nX-Shape: ours"));
    close(fd);
    fd = dial(*state);
    put_text(fd, "POST /closed HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello");
    get(fd, &answer, true);
    assert_string_equal(answer.body, "refused 401");
    assert_int_equal(((struct application *)*state)->handled, 0);
    close(fd);
}

/* A client that has not read its answer yet, and sends on: closing on what it sends would answer it with a
 * reset, which may take the answer off the wire. */
static void test_refused_while_it_sends(void **state)
{
    static const char *const heads[] = {"POST /closed HTTP/1.1\r\n" HOST "Content-Length: 60000\r\n\r\n",
                                        "BREW /a HTTP/1.1\r\n" HOST "Content-Length: 60000\r\n\r\n",
                                        "POST /a HTTP/1.1\r\n" HOST "Content-Length: 2000000\r\n\r\n",
                                        "POST /a HTTP/1.0\r\nContent-Length: 2000000\r\n\r\n",
                                        "POST /a\r\n\r\n",
                                        "GET /bye HTTP/1.1\r\n" HOST "\r\n"};
    static const int statuses[] = {401, 405, 413, 413, 400, 200};
    static char more[60000];
    static struct answer answer;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        int fd = dial(*state);
        put_text(fd, heads[i]);
        for (int k = 0; k < 20; k++) /* more than one read takes, and than a socket holds */
            put(fd, more, sizeof more);
        get(fd, &answer, true);
        assert_int_equal(answer.status, statuses[i]);
        assert_true(answer.closed);
        put(fd, more, sizeof more); /* still taken */
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refusals, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_refusals_have_our_shape, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_refused_while_it_sends, rig_start, rig_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
