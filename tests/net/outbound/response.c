/* The response parser against a table of answers, each fed whole, byte by byte and in random pieces. */
#include "response.h"
#include "memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* after the four above */
#include <cmocka.h>

struct verdict {
    enum response_stage stage;
    enum failure failure;
    int status;
    bool keep_alive;
    int64_t retry_after_ms;
    size_t used;
    size_t body_len;
    char body[RESPONSE_BODY_KEPT_MAX];
};

static const int64_t wall_ms_2000 = 946684800000;

/* Feeds pieces of at most `piece_max` bytes (random sizes when `seed`), then the end if there is one. */
static void feed(struct bytes input, bool end, size_t piece_max, unsigned seed, struct verdict *verdict)
{
    struct response *response = response_init(memory_alloc(response_size()));
    size_t used = 0;

    while (used < input.len) {
        size_t len = seed ? 1 + (size_t)rand_r(&seed) % piece_max : piece_max;
        if (len > input.len - used)
            len = input.len - used;
        size_t taken = response_feed(response, bytes_make(input.data + used, len));
        used += taken;
        if (taken < len)
            break;
    }
    assert_int_equal(response_started(response), input.len > 0);
    if (end)
        response_end(response);
    memset(verdict, 0, sizeof *verdict);
    verdict->stage = response_stage(response);
    verdict->failure = response_failure(response);
    verdict->status = response_status(response);
    verdict->keep_alive = response_keep_alive(response);
    verdict->retry_after_ms = response_retry_after_ms(response, wall_ms_2000);
    verdict->used = used;
    assert_true(verdict->stage != RESPONSE_FAILED || response_said(response).len > 0 || input.len == 0);
    assert_true((response_flaw(response) != NULL) ==
                (verdict->stage == RESPONSE_FAILED && (verdict->failure == FAILURE_BAD_RESPONSE ||
                                                       verdict->failure == FAILURE_HEADERS_TOO_LARGE)));
    if (verdict->status == 0) { /* what is kept of it depends on how the network cut it */
        free(response);
        return;
    }
    verdict->body_len = response_body(response).len;
    memcpy(verdict->body, response_body(response).data, verdict->body_len);
    free(response);
}

/* However the bytes are cut, the verdict is the same. */
static struct verdict judge(struct bytes input, bool end)
{
    struct verdict whole, other;

    feed(input, end, input.len ? input.len : 1, 0, &whole);
    feed(input, end, 1, 0, &other);
    assert_memory_equal(&whole, &other, sizeof whole);
    for (unsigned seed = 1; seed <= 20; seed++) {
        feed(input, end, seed * 7, seed, &other);
        assert_memory_equal(&whole, &other, sizeof whole);
    }
    return whole;
}

#define LITERAL(text)                                                                                        \
    {                                                                                                        \
        text, sizeof text - 1                                                                                \
    }

struct answer {
    const char *name;
    struct bytes input;
    enum failure failure; /* NONE: the head is accepted */
    int status;
    enum response_stage stage; /* when accepted, before an end */
    bool keep_alive;
};

static const struct answer answers[] = {
    {"plain 200", LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 0, 200, RESPONSE_DONE, true},
    {"empty reason", LITERAL("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"), 0, 200, RESPONSE_DONE, true},
    {"reason of bytes beyond ASCII", LITERAL("HTTP/1.1 200 \xC3\x96k\r\nContent-Length: 0\r\n\r\n"), 0, 200,
     RESPONSE_DONE, true},
    /* 8.16: Tomcat 8.5 and Passenger leave out the reason and the space before it. */
    {"8.16: a status line without a space is accepted", LITERAL("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
     0, 200, RESPONSE_DONE, true},
    {"the same in 1.0", LITERAL("HTTP/1.0 200\r\n\r\n"), 0, 200, RESPONSE_BODY, false},
    {"503 without a space", LITERAL("HTTP/1.1 503\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"), 0, 503,
     RESPONSE_DONE, true},
    {"interim without a space", LITERAL("HTTP/1.1 100\r\n\r\nHTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"), 0,
     200, RESPONSE_DONE, true},
    {"8.16: a folded header line is unfolded",
     LITERAL("HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 0\r\n\r\n"), 0, 200, RESPONSE_DONE, true},
    {"folded with a tab, twice, to nothing",
     LITERAL("HTTP/1.1 200 OK\r\nX: y\r\n\tz\r\n \r\nContent-Length: 0\r\n\r\n"), 0, 200, RESPONSE_DONE,
     true},
    {"a folded length", LITERAL("HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok"), 0, 200, RESPONSE_DONE,
     true},
    {"a length that folds into two numbers", LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n 2\r\n\r\nok"),
     0, 200, RESPONSE_STOPPED, false},
    {"a folded close", LITERAL("HTTP/1.1 200 OK\r\nConnection: foo,\r\n  close\r\nContent-Length: 0\r\n\r\n"),
     0, 200, RESPONSE_DONE, false},
    {"a folded coding", LITERAL("HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n"), 0,
     200, RESPONSE_DONE, true},
    {"no fields", LITERAL("HTTP/1.1 200 OK\r\n\r\n"), 0, 200, RESPONSE_BODY, false},
    {"HTTP/1.0 without length", LITERAL("HTTP/1.0 200 OK\r\n\r\nbody"), 0, 200, RESPONSE_BODY, false},
    {"HTTP/1.0 is not kept",
     LITERAL("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"), 0, 200, RESPONSE_DONE,
     false},
    {"close", LITERAL("HTTP/1.1 200 OK\r\ncoNNection: foo, Close\r\nContent-Length: 0\r\n\r\n"), 0, 200,
     RESPONSE_DONE, false},
    {"empty value, tabs", LITERAL("HTTP/1.1 200 OK\r\nX:\r\nY:\t a \t\r\ncontent-length:0\r\n\r\n"), 0, 200,
     RESPONSE_DONE, true},
    {"204 has no body", LITERAL("HTTP/1.1 204 No Content\r\n\r\n"), 0, 204, RESPONSE_DONE, true},
    {"304 has no body", LITERAL("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"), 0, 304,
     RESPONSE_DONE, true},
    {"204 with a body", LITERAL("HTTP/1.1 204 No\r\nContent-Length: 9\r\n\r\n"), 0, 204, RESPONSE_DONE,
     false},
    {"redirect", LITERAL("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"), 0, 302,
     RESPONSE_DONE, true},
    {"600", LITERAL("HTTP/1.1 600 What\r\nContent-Length: 0\r\n\r\n"), 0, 600, RESPONSE_DONE, true},
    {"999", LITERAL("HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n"), 0, 999, RESPONSE_DONE, true},
    {"interim, then final",
     LITERAL(
         "HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
         "0\r\n\r\n"),
     0, 200, RESPONSE_DONE, true},
    {"an interim length means nothing",
     LITERAL(
         "HTTP/1.1 103 E\r\nContent-Length: 5\r\nRetry-After: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
         "0\r\n\r\n"),
     0, 200, RESPONSE_DONE, true},

    /* framing that is void: the head stands, the connection goes */
    {"length and coding",
     LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"), 0, 200,
     RESPONSE_STOPPED, false},
    {"unequal lengths", LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n"), 0, 200,
     RESPONSE_STOPPED, false},
    {"equal lengths", LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"), 0, 200,
     RESPONSE_DONE, true},
    {"length -1", LITERAL("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), 0, 200, RESPONSE_STOPPED, false},
    {"length +5", LITERAL("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n"), 0, 200, RESPONSE_STOPPED, false},
    {"length 0x10", LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 0x10\r\n\r\n"), 0, 200, RESPONSE_STOPPED,
     false},
    {"length 5,5", LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 5,5\r\n\r\n"), 0, 200, RESPONSE_STOPPED,
     false},
    {"empty length", LITERAL("HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n"), 0, 200, RESPONSE_STOPPED, false},
    {"length of 20 digits", LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"), 0,
     200, RESPONSE_STOPPED, false},
    {"gzip, chunked", LITERAL("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), 0, 200,
     RESPONSE_STOPPED, false},
    {"chunked twice",
     LITERAL("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 0, 200,
     RESPONSE_STOPPED, false},
    {"identity", LITERAL("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n"), 0, 200, RESPONSE_STOPPED,
     false},
    {"chunked in 1.0", LITERAL("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), 0, 200,
     RESPONSE_STOPPED, false},
    {"too long a Connection means close",
     LITERAL(
         "HTTP/1.1 200 OK\r\nConnection: "
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, close\r\n"
         "Content-Length: 0\r\n\r\n"),
     0, 200, RESPONSE_DONE, false},

    /* what is not HTTP/1.x */
    {"two digits", LITERAL("HTTP/1.1 20 OK\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"four digits", LITERAL("HTTP/1.1 0200 OK\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"four digits from the front", LITERAL("HTTP/1.1 2000 OK\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"letter O", LITERAL("HTTP/1.1 2OO OK\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"099", LITERAL("HTTP/1.1 099 OK\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"four digits and no space", LITERAL("HTTP/1.1 2000\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"two digits and no space", LITERAL("HTTP/1.1 20\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"a letter behind the code", LITERAL("HTTP/1.1 200X\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"a letter in the code", LITERAL("HTTP/1.1 20X\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"a tab behind the code", LITERAL("HTTP/1.1 200\tOK\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"no space and a bare CR", LITERAL("HTTP/1.1 200\rX: y\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"no space and a bare LF", LITERAL("HTTP/1.1 200\n\r\n"), FAILURE_BAD_RESPONSE},
    {"a folded status line", LITERAL("HTTP/1.1 200\r\n OK\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"a folded name", LITERAL("HTTP/1.1 200 OK\r\nX\r\n : y\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"a NUL in a folded line", LITERAL("HTTP/1.1 200 OK\r\nX: y\r\n \0z\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"a fold after an interim answer", LITERAL("HTTP/1.1 100\r\nX: y\r\n\r\n z"), FAILURE_BAD_RESPONSE},
    {"two spaces", LITERAL("HTTP/1.1  200 OK\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"tab", LITERAL("HTTP/1.1\t200 OK\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"9.9", LITERAL("HTTP/9.9 200 OK\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"1.2", LITERAL("HTTP/1.2 200 OK\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"2", LITERAL("HTTP/2 200\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"lower case", LITERAL("http/1.1 200 OK\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"ICY", LITERAL("ICY 200 OK\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"no status line", LITERAL("<html>hello</html>"), FAILURE_BAD_RESPONSE},
    {"empty line first", LITERAL("\r\nHTTP/1.1 200 OK\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"a TLS alert", LITERAL("\x15\x03\x01"), FAILURE_BAD_RESPONSE},
    {"bare LF in the status line", LITERAL("HTTP/1.1 200 OK\nX: y\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"bare CR in the status line", LITERAL("HTTP/1.1 200 O\rK\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"NUL in the status line", LITERAL("HTTP/1.1 200 O\0K\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"bare LF", LITERAL("HTTP/1.1 200 OK\r\nX: y\nY: z\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"bare LF at the end", LITERAL("HTTP/1.1 200 OK\r\nX: y\r\n\n"), FAILURE_BAD_RESPONSE},
    {"bare CR", LITERAL("HTTP/1.1 200 OK\r\nX: y\rz\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"CR CR LF", LITERAL("HTTP/1.1 200 OK\r\nX: y\r\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"NUL in a value", LITERAL("HTTP/1.1 200 OK\r\nX: y\0z\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"NUL in a name", LITERAL("HTTP/1.1 200 OK\r\nX\0: y\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"folded first line", LITERAL("HTTP/1.1 200 OK\r\n X: y\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"space before the colon", LITERAL("HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n"),
     FAILURE_BAD_RESPONSE},
    {"empty name", LITERAL("HTTP/1.1 200 OK\r\n: y\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"no colon", LITERAL("HTTP/1.1 200 OK\r\nXy\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"name beyond ASCII", LITERAL("HTTP/1.1 200 OK\r\nX\xC3\x96: y\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"101", LITERAL("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"), FAILURE_BAD_RESPONSE},
    {"rubbish behind an interim answer", LITERAL("HTTP/1.1 100 Continue\r\n\r\nhello"), FAILURE_BAD_RESPONSE},
};

static void test_answers(void **state)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        const struct answer *answer = &answers[i];
        struct verdict verdict = judge(answer->input, false);
        bool accepted = answer->failure == FAILURE_NONE;

        if (verdict.failure != answer->failure || verdict.status != answer->status ||
            verdict.stage != (accepted ? answer->stage : RESPONSE_FAILED) ||
            verdict.keep_alive != answer->keep_alive)
            fail_msg("%s: stage %d, %s, status %d, keep alive %d", answer->name, verdict.stage,
                     failure_name(verdict.failure), verdict.status, verdict.keep_alive);
    }
}

/* Every proper prefix of an answer that then ends: nothing is credited before the header block is complete.
 */
static void test_truncation(void **state)
{
    static const char answer[] =
        "HTTP/1.1 103 E\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody";
    size_t head = sizeof answer - 1 - 4;
    struct verdict verdict;

    for (size_t len = 0; len < sizeof answer - 1; len++) {
        feed(bytes_make(answer, len), true, 1, 0, &verdict);
        if (len < head) {
            assert_int_equal(verdict.stage, RESPONSE_FAILED);
            assert_int_equal(verdict.failure, len ? FAILURE_TRUNCATED_HEADERS : FAILURE_CLOSED_EARLY);
            assert_int_equal(verdict.status, 0);
        } else {
            assert_int_equal(verdict.stage, RESPONSE_STOPPED);
            assert_int_equal(verdict.status, 200);
            assert_false(verdict.keep_alive);
        }
    }
}

static struct bytes repeat(const char *before, const char *piece, int count, const char *after)
{
    size_t len = strlen(before) + strlen(piece) * (size_t)count + strlen(after);
    char *out = memory_alloc(len + 1), *at = out;
    at = stpcpy(at, before);
    for (int i = 0; i < count; i++)
        at = stpcpy(at, piece);
    stpcpy(at, after);
    return bytes_make(out, len);
}

static void expect_repeated(const char *before, const char *piece, int count, const char *after,
                            enum failure failure, int status, size_t used_max)
{
    struct bytes input = repeat(before, piece, count, after);
    struct verdict verdict = judge(input, false);
    if (verdict.failure != failure || verdict.status != status || verdict.used > used_max)
        fail_msg("%d times %s: %s, status %d, used %zu", count, piece, failure_name(verdict.failure),
                 verdict.status, verdict.used);
    free((void *)(uintptr_t)input.data);
}

static void test_limits_of_the_head(void **state)
{
    const char *ok = "HTTP/1.1 200 OK\r\n", *end = "Content-Length: 0\r\n\r\n";

    expect_repeated(ok, "X: y\r\n", 127, end, FAILURE_NONE, 200, SIZE_MAX);
    expect_repeated(ok, "X: y\r\n", 128, end, FAILURE_HEADERS_TOO_LARGE, 0, SIZE_MAX);
    expect_repeated(ok, "X: y\r\n", 10000, end, FAILURE_HEADERS_TOO_LARGE, 0, RESPONSE_HEAD_LEN_MAX);
    /* "X: " and CR LF are 5 bytes of the line */
    expect_repeated("HTTP/1.1 200 OK\r\nX: ", "y", RESPONSE_LINE_LEN_MAX - 5, "\r\nContent-Length: 0\r\n\r\n",
                    FAILURE_NONE, 200, SIZE_MAX);
    expect_repeated("HTTP/1.1 200 OK\r\nX: ", "y", RESPONSE_LINE_LEN_MAX - 4, "\r\nContent-Length: 0\r\n\r\n",
                    FAILURE_HEADERS_TOO_LARGE, 0, SIZE_MAX);
    expect_repeated("HTTP/1.1 200 OK\r\nX: ", "y", 1 << 20, "\r\n\r\n", FAILURE_HEADERS_TOO_LARGE, 0,
                    RESPONSE_HEAD_LEN_MAX);
    expect_repeated("HTTP/1.1 200 ", "K", 1 << 20, "\r\n\r\n", FAILURE_HEADERS_TOO_LARGE, 0,
                    RESPONSE_LINE_LEN_MAX);
    expect_repeated("HTTP/1.1 200 OK\r\n", "y", 1 << 20, ": x\r\n\r\n", FAILURE_HEADERS_TOO_LARGE, 0,
                    RESPONSE_HEAD_LEN_MAX);
    /* lines below their limit that are too many bytes together */
    char line[1024];
    snprintf(line, sizeof line, "X: %01000d\r\n", 0);
    expect_repeated(ok, line, 32, end, FAILURE_NONE, 200, SIZE_MAX);
    expect_repeated(ok, line, 33, end, FAILURE_HEADERS_TOO_LARGE, 0, RESPONSE_HEAD_LEN_MAX);
}

static void test_interim_answers(void **state)
{
    const char *final = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    expect_repeated("", "HTTP/1.1 102 Processing\r\n\r\n", 8, final, FAILURE_NONE, 200, SIZE_MAX);
    expect_repeated("", "HTTP/1.1 102 Processing\r\n\r\n", 9, final, FAILURE_BAD_RESPONSE, 0, SIZE_MAX);
    expect_repeated("", "HTTP/1.1 102 Processing\r\n\r\n", 1000, "", FAILURE_BAD_RESPONSE, 0, 1000);
    /* the head's limits run over all of them */
    expect_repeated("HTTP/1.1 102 P\r\n", "X: y\r\n", 100,
                    "\r\nHTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 0\r\n\r\n", FAILURE_NONE, 200, SIZE_MAX);
}

static void expect_body(const char *fields, struct bytes body, bool end, enum response_stage stage,
                        const char *kept)
{
    char input[4096];
    int head = snprintf(input, sizeof input, "HTTP/1.1 200 OK\r\n%s\r\n", fields);
    memcpy(input + head, body.data, body.len);
    struct verdict verdict = judge(bytes_make(input, (size_t)head + body.len), end);

    assert_int_equal(verdict.status, 200);
    if (verdict.stage != stage || verdict.body_len != strlen(kept) ||
        memcmp(verdict.body, kept, verdict.body_len) != 0)
        fail_msg("%s %.*s: stage %d, body %.*s", fields, BYTES_ARG(body), verdict.stage,
                 (int)verdict.body_len, verdict.body);
    assert_int_equal(verdict.keep_alive, stage == RESPONSE_DONE && *fields);
}

static void expect_chunked(const char *body, bool end, enum response_stage stage, const char *kept)
{
    expect_body("Transfer-Encoding: Chunked\r\n", bytes_of(body), end, stage, kept);
}

static void test_bodies(void **state)
{
    expect_body("Content-Length: 5\r\n", bytes_of("hello"), false, RESPONSE_DONE, "hello");
    expect_body("Content-Length: 005\r\n", bytes_of("hello"), false, RESPONSE_DONE, "hello");
    expect_body("Content-Length: 5\r\n", bytes_of("hell"), false, RESPONSE_BODY, "hell");
    expect_body("Content-Length: 5\r\n", bytes_of("hell"), true, RESPONSE_STOPPED, "hell");
    expect_body("", bytes_of("hello"), true, RESPONSE_DONE, "hello");
    expect_body("", bytes_of("hello"), false, RESPONSE_BODY, "hello");

    expect_chunked("5\r\nhello\r\n0\r\n\r\n", false, RESPONSE_DONE, "hello");
    expect_chunked("5;a=b\r\nhello\r\n00a \t;x=\"y\"\r\n, world...\r\n0\r\nT: x\r\nU: y\r\n\r\n", false,
                   RESPONSE_DONE, "hello, world...");
    expect_chunked("5\r\nhello\r\n", true, RESPONSE_STOPPED, "hello");
    expect_chunked("5\r\nhello\r\n0\r\n", true, RESPONSE_STOPPED, "hello");
    expect_chunked("\r\nhello", false, RESPONSE_STOPPED, "");
    expect_chunked("-1\r\nhello", false, RESPONSE_STOPPED, "");
    expect_chunked("0x5\r\nhello", false, RESPONSE_STOPPED, "");
    expect_chunked("5\nhello", false, RESPONSE_STOPPED, "");
    expect_chunked("5\r\nhelloX\r\n0\r\n\r\n", false, RESPONSE_STOPPED, "hello");
    expect_chunked("5\r\nhello\rX", false, RESPONSE_STOPPED, "hello");
    expect_chunked("5;\n\r\nhello", false, RESPONSE_STOPPED, "");
    expect_chunked("fffffffffffffff\r\nhello", false, RESPONSE_BODY, "hello");
    expect_chunked("00000000000000005\r\nhello", false, RESPONSE_STOPPED, ""); /* 17 digits */
    expect_chunked("0\r\n folded: x\r\n\r\n", false, RESPONSE_STOPPED, "");
    expect_chunked("0\r\nX: y\n\r\n", false, RESPONSE_STOPPED, "");
    expect_chunked("0\r\n\rX", false, RESPONSE_STOPPED, "");
}

static void test_left_over(void **state)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n";
    struct verdict verdict = judge(bytes_of(answer), false);
    assert_int_equal(verdict.stage, RESPONSE_DONE);
    assert_int_equal(verdict.used, sizeof answer - 1 - 19);
}

static void expect_long_body(const char *fields, const char *before, int len, enum response_stage stage,
                             size_t used)
{
    char head[256];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%s\r\n", fields);
    struct bytes input = repeat(head, "b", 0, before), all;
    all = repeat(input.data, "b", len, "");
    struct verdict verdict = judge(all, false);
    assert_int_equal(verdict.status, 200);
    assert_int_equal(verdict.stage, stage);
    assert_int_equal(verdict.used, strlen(head) + used);
    assert_true(verdict.body_len <= RESPONSE_BODY_KEPT_MAX);
    free((void *)(uintptr_t)input.data);
    free((void *)(uintptr_t)all.data);
}

static void test_limits_of_the_body(void **state)
{
    enum { MAX = RESPONSE_BODY_READ_MAX };
    expect_long_body("", "", MAX - 1, RESPONSE_BODY, MAX - 1);
    expect_long_body("", "", MAX + 9, RESPONSE_STOPPED, MAX);
    expect_long_body("Content-Length: 65536\r\n", "", MAX, RESPONSE_DONE, MAX);
    expect_long_body("Content-Length: 65537\r\n", "", MAX + 1, RESPONSE_STOPPED, MAX);
    expect_long_body("Transfer-Encoding: chunked\r\n", "100000\r\n", MAX, RESPONSE_STOPPED, MAX);
    /* a chunk extension and a trailer without end: 8 KiB of a line */
    expect_long_body("Transfer-Encoding: chunked\r\n", "5;", MAX, RESPONSE_STOPPED,
                     RESPONSE_LINE_LEN_MAX + 2);
    struct bytes trailers =
        repeat("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n", 10000, "\r\n");
    struct verdict verdict = judge(trailers, false);
    assert_int_equal(verdict.stage, RESPONSE_STOPPED);
    assert_true(verdict.used < 2000);
    free((void *)(uintptr_t)trailers.data);
}

static int64_t retry_after(const char *fields)
{
    char input[1024];
    snprintf(input, sizeof input, "HTTP/1.1 503 Busy\r\n%sContent-Length: 0\r\n\r\n", fields);
    return judge(bytes_of(input), false).retry_after_ms;
}

static void test_retry_after(void **state)
{
    assert_int_equal(retry_after(""), -1);
    assert_int_equal(retry_after("Retry-After: 120\r\n"), 120000);
    assert_int_equal(retry_after("retry-after:0\r\n"), 0);
    assert_int_equal(retry_after("Retry-After: 1000000000\r\n"), 1000000000000);
    assert_int_equal(retry_after("Retry-After: -1\r\n"), -1);
    assert_int_equal(retry_after("Retry-After: 1e9\r\n"), -1);
    assert_int_equal(retry_after("Retry-After: 1.5\r\n"), -1);
    assert_int_equal(retry_after("Retry-After:\r\n"), -1);
    /* 8.5: beyond what can be counted is still a number: it is cut, not ignored. */
    assert_int_equal(retry_after("Retry-After: 99999999999999999999\r\n"), INT64_MAX);
    assert_int_equal(retry_after("Retry-After: 999999999999999999\r\n"), INT64_MAX);
    assert_int_equal(retry_after("Retry-After: 9999999999999999999x\r\n"), -1);
    assert_int_equal(retry_after("Retry-After: 1\r\nRetry-After: 1\r\n"), -1);
    assert_int_equal(retry_after("Retry-After: Sat, 01 Jan 2000 00:01:00 GMT\r\n"), 60000);
    assert_int_equal(retry_after("Retry-After: Fri, 31 Dec 1999 00:00:00 GMT\r\n"), 0);
    assert_int_equal(retry_after("Retry-After: tomorrow\r\n"), -1);
    assert_int_equal(retry_after("Retry-After:\r\n 120\r\n"), 120000);
    assert_int_equal(retry_after("Retry-After: Sat, 01 Jan 2000 \t\r\n \r\n\t 00:01:00 GMT \r\n"), 60000);
}

/* 8.31: what is said of a status line is true of it. */
static void test_flaws_of_the_status_line(void **state)
{
    static const struct {
        const char *line, *says;
    } rows[] = {
        {"http/1.1 200 OK\r\n", "it does not begin with HTTP/1.1 or HTTP/1.0"},
        {"HTTP/1.2 200 OK\r\n", "it does not begin with HTTP/1.1 or HTTP/1.0"},
        {"\r\nHTTP/1.1 200 OK\r\n", "it does not begin with HTTP/1.1 or HTTP/1.0"},
        {"HTTP/1.1\r\n", "its version is not followed by one space and a status from 100 to 999"},
        {"HTTP/1.1  200 OK\r\n", "its version is not followed by one space and a status from 100 to 999"},
        {"HTTP/1.1 20\r\n", "its version is not followed by one space and a status from 100 to 999"},
        {"HTTP/1.1 099 No\r\n", "its version is not followed by one space and a status from 100 to 999"},
        {"HTTP/1.1 2000\r\n", "its status is followed by neither a space nor the end of the line"},
        {"HTTP/1.1 200X\r\n", "its status is followed by neither a space nor the end of the line"},
        {"HTTP/1.1 200\tOK\r\n", "its status is followed by neither a space nor the end of the line"},
        {"HTTP/1.1 200\n", "a line of its head ends with a bare LF instead of CR LF"},
    };
    void *memory = memory_alloc(response_size());
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct response *response = response_init(memory);
        response_feed(response, bytes_of(rows[i].line));
        assert_int_equal(response_failure(response), FAILURE_BAD_RESPONSE);
        assert_string_equal(response_flaw(response), rows[i].says);
    }
    free(memory);
}

/* 8.15: of a failure something is shown, whatever its framing says. */
static void test_8_15_what_is_said_by_an_answer_without_a_body(void **state)
{
    static const struct {
        const char *head, *body;
        bool raw;
    } rows[] = {
        {"HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer error=\"x\"\r\nContent-Length: 0\r\n\r\n", "", true},
        {"HTTP/1.1 302 F\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n", "", true},
        {"HTTP/1.1 304 N\r\nETag: x\r\n\r\n", "", true},
        {"HTTP/1.1 500 E\r\nContent-Length: x\r\n\r\n", "why", true},
        {"HTTP/1.1 500 E\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", "why", true},
        {"HTTP/1.1 500 E\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nwhy\r\n0\r\n\r\n",
         true},
        {"HTTP/1.0 500 E\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nwhy\r\n0\r\n\r\n", true},
        {"HTTP/1.1 500 E\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "3\r\nwhy\r\n0\r\n\r\n", true},
        {"HTTP/1.1 500 E\r\nTransfer-Encoding: chunked\r\n\r\n", "why", true},
        {"HTTP/1.1 500 E\r\nContent-Length: 3\r\n\r\n", "why", false},
        {"HTTP/1.1 200 O\r\nContent-Length: 3\r\n\r\n", "yes", false},
        {"HTTP/1.1 200 O\r\nContent-Length: 0\r\n\r\n", "", false},
        {"HTTP/1.1 200 O\r\nContent-Length: x\r\n\r\n", "", false},
    };
    void *memory = memory_alloc(response_size());
    char all[256];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int pieces = 1; pieces <= 2; pieces++) {
            struct response *response = response_init(memory);
            snprintf(all, sizeof all, "%s%s", rows[i].head, rows[i].body);
            if (pieces == 1) {
                response_feed(response, bytes_of(all));
            } else {
                response_feed(response, bytes_of(rows[i].head));
                response_feed(response, bytes_of(rows[i].body));
            }
            response_end(response);
            if (!bytes_equal_text(response_said(response), rows[i].raw ? all : rows[i].body))
                fail_msg("%s: %.*s", all, BYTES_ARG(response_said(response)));
            assert_true(!rows[i].raw || response_body(response).len == 0);
            bool leads = strstr(all, "Location: /there") != NULL;
            assert_true(bytes_equal_text(response_location(response), leads ? "/there" : ""));
        }
    free(memory);
}

static void test_the_type_json(void **state)
{
    static const struct {
        const char *fields;
        bool json;
    } rows[] = {
        {"Content-Type: application/json\r\n", true},
        {"content-type:  Application/JSON ; charset=utf-8\r\n", true},
        {"Content-Type: application/json\r\nContent-Type: application/json\r\n", false},
        {"Content-Type: text/html\r\nContent-Type: application/json\r\n", false},
        {"Content-Type: application/json+x\r\n", false},
        {"Content-Type: text/html; x=application/json\r\n", false},
        {"Content-Type:\r\n", false},
        {"X-Content-Type: application/json\r\n", false},
        {"", false},
    };
    void *memory = memory_alloc(response_size());
    char all[256];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct response *response = response_init(memory);
        snprintf(all, sizeof all,
                 "HTTP/1.1 103 Early\r\nContent-Type: application/json\r\n\r\nHTTP/1.1 200 O\r\n%s\r\n",
                 rows[i].fields);
        response_feed(response, bytes_of(all));
        if (response_json(response) != rows[i].json)
            fail_msg("%s", rows[i].fields);
    }
    free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_the_type_json),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_limits_of_the_head),
        cmocka_unit_test(test_interim_answers),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_left_over),
        cmocka_unit_test(test_limits_of_the_body),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_flaws_of_the_status_line),
        cmocka_unit_test(test_8_15_what_is_said_by_an_answer_without_a_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
