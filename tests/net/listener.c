/*
 * The listener, spoken to with raw bytes: what is framed badly is refused and closed, what is framed well is
 * answered, now or later, from any thread.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "listener.h"
#include "memory.h"
#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BODY_MAX = 64 * 1024, LATER_MAX = 256, ANSWER_LEN_MAX = 256 * 1024 };

/* ---- an application ---- */

struct application {
    struct listener *listener;
    pthread_mutex_t lock;
    pthread_cond_t more;
    pthread_t thread;
    struct listener_request *later[LATER_MAX];
    int later_count;
    bool stopping, holding;
    atomic_int handled, refused;
    int refused_status;
};

static void answer_text(struct listener_request *request, int status, bool close)
{
    char *text = arena_printf(&request->arena, "%.*s|%.*s|%.*s|%d|%zu|%s", BYTES_ARG(request->method),
                              BYTES_ARG(request->path), BYTES_ARG(request->query), request->header_count,
                              request->body_len, request->body_len < 64 ? request->body : "...");
    assert(request->body[request->body_len] == '\0');
    struct listener_header type = {bytes_of("Content-Type"), bytes_of("text/plain")};
    listener_answer(
        request,
        &(struct listener_reply){
            .status = status, .headers = &type, .header_count = 1, .body = bytes_of(text), .close = close});
}

static void *answer_later(void *argument)
{
    struct application *application = argument;
    pthread_mutex_lock(&application->lock);
    while (!application->stopping || application->later_count > 0) {
        if (application->later_count == 0 || (application->holding && !application->stopping)) {
            pthread_cond_wait(&application->more, &application->lock);
            continue;
        }
        struct listener_request *request = application->later[--application->later_count];
        pthread_mutex_unlock(&application->lock);
        answer_text(request, 201, false);
        pthread_mutex_lock(&application->lock);
    }
    pthread_mutex_unlock(&application->lock);
    return NULL;
}

static int accept_head(void *ctx, struct listener_request *request)
{
    return bytes_equal_text(request->path, "/closed") ? 401 : 0;
}

static void handle(void *ctx, struct listener_request *request)
{
    struct application *application = ctx;
    atomic_fetch_add(&application->handled, 1);
    if (!bytes_starts(request->path, "/later")) {
        answer_text(request, 200, bytes_equal_text(request->path, "/bye"));
        return;
    }
    pthread_mutex_lock(&application->lock);
    application->later[application->later_count++] = request;
    pthread_cond_signal(&application->more);
    pthread_mutex_unlock(&application->lock);
}

static void on_refused(void *ctx, struct listener_request *request, int status, struct listener_reply *reply)
{
    struct application *application = ctx;
    static const struct listener_header type = {{"X-Shape", 7}, {"ours", 4}};
    atomic_fetch_add(&application->refused, 1);
    application->refused_status = status;
    reply->headers = &type;
    reply->header_count = 1;
    reply->body = bytes_of(arena_printf(&request->arena, "refused %d", status));
}

static int start_with(void **state, int threads, int connections_max, int head_ms_max)
{
    struct application *application = memory_zero(1, sizeof *application);
    pthread_mutex_init(&application->lock, NULL);
    pthread_cond_init(&application->more, NULL);
    struct listener_config config = {.listen = "127.0.0.1:0",
                                     .threads = threads,
                                     .body_len_max = BODY_MAX,
                                     .arena_len_max = 1 << 20,
                                     .connections_max = connections_max,
                                     .idle_seconds = 30,
                                     .head_ms_max = head_ms_max,
                                     .body_ms_max = 3 * head_ms_max,
                                     .accept_head = accept_head,
                                     .handle = handle,
                                     .on_refused = on_refused,
                                     .ctx = application,
                                     .clock = clock_system()};
    assert_int_equal(listener_open(&config, &application->listener), LISTENER_OK);
    pthread_create(&application->thread, NULL, answer_later, application);
    *state = application;
    return 0;
}

static int start(void **state)
{
    return start_with(state, 2, 100, 0);
}

static int start_small(void **state)
{
    return start_with(state, 1, 4, 0);
}

static int start_impatient(void **state)
{
    return start_with(state, 2, 100, 200);
}

static int stop(void **state)
{
    struct application *application = *state;
    pthread_mutex_lock(&application->lock);
    application->stopping = true;
    pthread_cond_signal(&application->more);
    pthread_mutex_unlock(&application->lock);
    listener_close(application->listener);
    pthread_join(application->thread, NULL);
    pthread_cond_destroy(&application->more);
    pthread_mutex_destroy(&application->lock);
    free(application);
    return 0;
}

/* ---- a client ---- */

static int dial(struct application *application)
{
    const char *colon = strrchr(listener_address(application->listener), ':');
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(colon + 1)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* What the listener closes early cannot be written wholly; the answer is what counts. */
static void put(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        text += sent;
        len -= (size_t)sent;
    }
}

static void put_text(int fd, const char *text)
{
    put(fd, text, strlen(text));
}

struct answer {
    char text[ANSWER_LEN_MAX];
    size_t len;
    int status;
    const char *body;
    bool closed; /* and nothing more came */
};

static const char *find_header(const struct answer *answer, const char *name)
{
    const char *found = strcasestr(answer->text, name);
    return found && (!answer->body || found < answer->body) ? found + strlen(name) : NULL;
}

/* True: a whole answer is there. */
static bool answer_complete(struct answer *answer)
{
    answer->text[answer->len] = '\0';
    const char *end = strstr(answer->text, "\r\n\r\n");
    if (!end)
        return false;
    answer->body = end + 4;
    answer->status = atoi(answer->text + 9);
    const char *length = find_header(answer, "\r\nContent-Length:");
    size_t body_len = length ? (size_t)atoi(length) : 0;
    return answer->len >= (size_t)(answer->body - answer->text) + body_len;
}

static bool fetch(int fd, struct answer *answer)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    if (answer->len + 1 >= sizeof answer->text || poll(&readable, 1, 20000) <= 0)
        return false;
    ssize_t got = recv(fd, answer->text + answer->len, sizeof answer->text - answer->len - 1, 0);
    if (got > 0)
        answer->len += (size_t)got;
    return got > 0;
}

/* One answer; `closing`: then the end of the stream too. */
static void get(int fd, struct answer *answer, bool closing)
{
    memset(answer, 0, offsetof(struct answer, text) + 1);
    answer->len = 0;
    answer->status = 0;
    answer->body = NULL;
    answer->text[0] = '\0';
    while (!answer_complete(answer) && fetch(fd, answer))
        continue;
    size_t whole = answer->len;
    answer->closed = false;
    if (closing) {
        while (fetch(fd, answer))
            continue;
        answer->closed = answer->len == whole;
        answer->text[answer->len] = '\0';
    }
}

static void ask(int fd, const char *request, struct answer *answer)
{
    put_text(fd, request);
    get(fd, answer, false);
}

/* ---- the application, from a test ---- */

static void set_holding(struct application *application, bool holding)
{
    pthread_mutex_lock(&application->lock);
    application->holding = holding;
    pthread_cond_signal(&application->more);
    pthread_mutex_unlock(&application->lock);
}

static void wait_for_handled(struct application *application, int count)
{
    for (int i = 0; i < 10000 && atomic_load(&application->handled) < count; i++)
        usleep(1000);
    assert_int_equal(application->handled, count);
}

/* ---- well framed ---- */

static void test_answers_now_and_later(void **state)
{
    struct application *application = *state;
    static struct answer answer;
    int fd = dial(application);
    ask(fd, "GET /a?x=1&y=%20 HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "GET|/a|x=1&y=%20|1|0|");
    assert_non_null(find_header(&answer, "\r\nDate:"));
    assert_null(find_header(&answer, "\r\nServer:"));
    assert_null(find_header(&answer, "\r\nConnection:"));
    for (int i = 0; i < 20; i++) { /* one kept-alive connection */
        ask(fd, "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", &answer);
        assert_int_equal(answer.status, 201);
        assert_string_equal(answer.body, "POST|/later||2|5|hello");
    }
    close(fd);
}

static void test_target_stays_raw(void **state)
{
    static struct answer answer;
    int fd = dial(*state);
    ask(fd, "GET /a%2Fb/%2e%2e//c;d?x=1&y=&z=%zz+a=b HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_string_equal(answer.body, "GET|/a%2Fb/%2e%2e//c;d|x=1&y=&z=%zz+a=b|1|0|");
    ask(fd, "GET http://example.com/p?q HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_string_equal(answer.body, "GET|/p|q|1|0|");
    ask(fd, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_string_equal(answer.body, "OPTIONS|*||1|0|");
    close(fd);
}

static void test_body_in_pieces(void **state)
{
    static struct answer answer;
    const char *request = "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world";
    int fd = dial(*state);
    for (const char *c = request; *c; c++)
        put(fd, c, 1);
    get(fd, &answer, false);
    assert_string_equal(answer.body, "POST|/later||2|11|hello world");
    ask(fd,
        "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: t\r\n\r\n",
        &answer);
    assert_string_equal(answer.body, "POST|/a||2|11|hello world");
    /* Two at once. */
    ask(fd, "GET /one HTTP/1.1\r\nHost: h\r\n\r\nGET /two HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_non_null(strstr(answer.text, "GET|/one||1|0|"));
    if (!strstr(answer.text, "/two"))
        get(fd, &answer, false);
    assert_non_null(strstr(answer.text, "GET|/two||1|0|"));
    close(fd);
}

static void test_continue(void **state)
{
    static struct answer answer;
    int fd = dial(*state);
    ask(fd, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", &answer);
    assert_int_equal(answer.status, 100);
    ask(fd, "ok", &answer);
    assert_int_equal(answer.status, 200);
    /* A refusal comes instead. */
    ask(fd, "POST /closed HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", &answer);
    assert_int_equal(answer.status, 401);
    close(fd);
}

static void test_close_and_http_1_0(void **state)
{
    static struct answer answer;
    int fd = dial(*state);
    put_text(fd, "GET /bye HTTP/1.1\r\nHost: h\r\n\r\n");
    get(fd, &answer, true);
    assert_int_equal(answer.status, 200);
    assert_non_null(find_header(&answer, "\r\nConnection: close"));
    assert_true(answer.closed);
    close(fd);
    fd = dial(*state);
    put_text(fd, "GET /a HTTP/1.0\r\n\r\n");
    get(fd, &answer, true);
    assert_int_equal(answer.status, 200);
    assert_true(answer.closed);
    close(fd);
    fd = dial(*state);
    put_text(fd, "HEAD /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    get(fd, &answer, true);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.body, "");
    close(fd);
}

/* ---- badly framed ---- */

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

/* ---- limits ---- */

/* A request whose target or headers have a given size. */
static char *make_request(size_t target_len, int header_count, size_t value_len)
{
    char *text = malloc(target_len + (size_t)header_count * (value_len + 16) + 128), *at = text;
    at += sprintf(at, "GET /");
    memset(at, 'a', target_len - 1);
    at += target_len - 1;
    at += sprintf(at, " HTTP/1.1\r\nHost: h\r\n");
    for (int i = 1; i < header_count; i++) {
        at += sprintf(at, "X-%d: ", i);
        memset(at, 'v', value_len);
        at += value_len;
        at += sprintf(at, "\r\n");
    }
    sprintf(at, "\r\n");
    return text;
}

static int status_of(struct application *application, char *request)
{
    static struct answer answer;
    int fd = dial(application);
    put_text(fd, request);
    get(fd, &answer, true);
    close(fd);
    free(request);
    return answer.status;
}

static int status_kept(struct application *application, char *request)
{
    static struct answer answer;
    int fd = dial(application);
    ask(fd, request, &answer);
    int status = answer.status;
    /* And the connection still serves. */
    ask(fd, "GET /again HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    assert_int_equal(answer.status, 200);
    close(fd);
    free(request);
    return status;
}

static void test_head_limits(void **state)
{
    struct application *application = *state;
    assert_int_equal(status_kept(application, make_request(8000, 2, 10)), 200);
    assert_int_equal(status_of(application, make_request(8200, 2, 10)), 414);
    assert_int_equal(status_of(application, make_request(300000, 2, 10)), 414);
    assert_int_equal(status_kept(application, make_request(10, 100, 10)), 200);
    assert_int_equal(status_of(application, make_request(10, 101, 10)), 431);
    assert_int_equal(status_of(application, make_request(10, 5000, 10)), 431);
    assert_int_equal(status_kept(application, make_request(10, 32, 1000)), 200);
    assert_int_equal(status_of(application, make_request(10, 34, 1000)), 431);
    assert_int_equal(status_kept(application, make_request(10, 2, 32000)), 200);
    assert_int_equal(status_of(application, make_request(10, 2, 33000)), 431);
    assert_int_equal(status_of(application, make_request(10, 2, 300000)), 431);
    assert_int_equal(status_kept(application, make_request(8100, 100, 310)), 200);
}

static void test_body_limits(void **state)
{
    struct application *application = *state;
    static struct answer answer;
    static char big[BODY_MAX];
    char head[128];
    memset(big, 'b', sizeof big);

    int fd = dial(application);
    put(fd, head,
        (size_t)sprintf(head, "POST /a HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", (int)BODY_MAX));
    put(fd, big, sizeof big);
    get(fd, &answer, false);
    assert_string_equal(answer.body, "POST|/a||2|65536|...");
    /* The same in chunks of 8 KiB. */
    put(fd, head,
        (size_t)sprintf(head, "POST /later HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 8; i++) {
        put(fd, "2000\r\n", 6);
        put(fd, big, 0x2000);
        put(fd, "\r\n", 2);
    }
    put(fd, "0\r\n\r\n", 5);
    get(fd, &answer, false);
    assert_string_equal(answer.body, "POST|/later||2|65536|...");
    close(fd);

    /* At once: nothing of the body has been sent. */
    fd = dial(application);
    put(fd, head, (size_t)sprintf(head, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 9999999\r\n\r\n"));
    get(fd, &answer, true);
    assert_int_equal(answer.status, 413);
    close(fd);
    /* At once, as soon as the sum passes: the last chunk never comes. */
    fd = dial(application);
    put(fd, head, (size_t)sprintf(head, "POST /a HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 9; i++) {
        put(fd, "2000\r\n", 6);
        put(fd, big, 0x2000);
        put(fd, "\r\n", 2);
    }
    get(fd, &answer, false);
    assert_int_equal(answer.status, 413);
    assert_string_equal(answer.body, "refused 413");
    close(fd);
    assert_int_equal(application->handled, 2);
}

static void test_oldest_idle_goes(void **state)
{
    struct application *application = *state;
    static struct answer answer;
    int fds[8];
    for (int i = 0; i < 8; i++) {
        fds[i] = dial(application);
        ask(fds[i], "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
        assert_int_equal(answer.status, 200);
    }
    /* The first four have been closed, the last four serve on. */
    for (int i = 0; i < 4; i++) {
        struct pollfd readable = {.fd = fds[i], .events = POLLIN};
        char byte;
        assert_int_equal(poll(&readable, 1, 10000), 1);
        assert_int_equal(recv(fds[i], &byte, 1, 0), 0);
    }
    for (int i = 4; i < 8; i++) {
        ask(fds[i], "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
        assert_int_equal(answer.status, 200);
    }
    for (int i = 0; i < 8; i++)
        close(fds[i]);
}

/* Absolute deadlines: however little comes how often, it is over after so long of head or of body. */
static void test_slow_senders(void **state)
{
    struct application *application = *state;
    static struct answer answer;
    set_holding(application, true);
    int line = dial(application), head = dial(application), body = dial(application);
    int handled = dial(application), idle = dial(application);
    put_text(head, "GET /a HTTP/1.1\r\nHost: h\r\n");
    put_text(body, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nx");
    put_text(handled, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    put_text(line, "GET /a");
    wait_for_handled(application, 1);
    put_text(head, "X: y\r\n");
    get(head, &answer, true);
    assert_int_equal(answer.status, 408);
    assert_string_equal(answer.body, "refused 408");
    assert_true(answer.closed);
    put_text(body, "x");
    get(body, &answer, true);
    assert_int_equal(answer.status, 408);
    get(line, &answer, true);
    assert_int_equal(answer.status, 408);
    /* Ours is the delay here: no deadline of the client's. */
    set_holding(application, false);
    get(handled, &answer, false);
    assert_int_equal(answer.status, 201);
    int fds[] = {line, head, body, handled, idle};
    for (int i = 0; i < 5; i++)
        close(fds[i]);
}

/* ---- threads and ends ---- */

struct crowd {
    struct application *application;
    atomic_int good;
};

static void *crowd_member(void *argument)
{
    struct crowd *crowd = argument;
    struct answer *answer = malloc(sizeof *answer);
    int fd = dial(crowd->application);
    for (int i = 0; i < 100; i++) {
        ask(fd,
            i % 3 ? "POST /later/x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
                  : "POST /now HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
            answer);
        if (answer->status == (i % 3 ? 201 : 200) && strstr(answer->body, "|3|abc"))
            atomic_fetch_add(&crowd->good, 1);
    }
    close(fd);
    free(answer);
    return NULL;
}

static void test_many_at_once(void **state)
{
    struct crowd crowd = {.application = *state};
    pthread_t threads[16];
    for (int i = 0; i < 16; i++)
        pthread_create(&threads[i], NULL, crowd_member, &crowd);
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(crowd.good, 1600);
}

static void test_client_leaves_before_the_answer(void **state)
{
    struct application *application = *state;
    set_holding(application, true);
    for (int i = 0; i < 8; i++) {
        int fd = dial(application);
        put_text(fd, "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
        wait_for_handled(application, i + 1);
        if (i % 2) {
            struct linger reset = {.l_onoff = 1};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        }
        close(fd);
    }
    set_holding(application, false);
}

static void test_quiesced(void **state)
{
    struct application *application = *state;
    static struct answer answer;
    int kept = dial(application), waiting = dial(application);
    ask(kept, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    set_holding(application, true);
    put_text(waiting, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for_handled(application, 2);
    listener_quiesce(application->listener);
    /* What is in hand is answered, and the connection closed; new requests are not taken. */
    put_text(kept, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    get(kept, &answer, true);
    assert_int_equal(answer.status, 503);
    set_holding(application, false);
    get(waiting, &answer, true);
    assert_int_equal(answer.status, 201);
    assert_non_null(find_header(&answer, "\r\nConnection: close"));
    assert_true(answer.closed);
    close(kept);
    close(waiting);
}

static void test_addresses(void **state)
{
    struct listener_config config = {.threads = 1,
                                     .body_len_max = 10,
                                     .arena_len_max = 4096,
                                     .connections_max = 4,
                                     .idle_seconds = 5,
                                     .handle = handle,
                                     .clock = clock_system()};
    static const char *const wrong[] = {"",       "8080", "127.0.0.1",    "127.0.0.1:", "127.0.0.1:65536",
                                        "::1:80", ":x",   "203.0.113.9:0"};
    struct listener *listener, *second;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        config.listen = wrong[i];
        assert_int_equal(listener_open(&config, &listener), LISTENER_BAD_ADDRESS);
    }
    config.listen = ":0";
    assert_int_equal(listener_open(&config, &listener), LISTENER_OK);
    listener_close(listener);
    config.listen = "127.0.0.1:0";
    assert_int_equal(listener_open(&config, &listener), LISTENER_OK);
    assert_int_equal(strncmp(listener_address(listener), "127.0.0.1:", 10), 0);
    assert_string_not_equal(listener_address(listener), "127.0.0.1:0");
    config.listen = listener_address(listener);
    assert_int_equal(listener_open(&config, &second), LISTENER_IN_USE);
    listener_close(listener);
}

int main(void)
{
#define WITH(f, s) cmocka_unit_test_setup_teardown(f, s, stop)
    const struct CMUnitTest tests[] = {
        WITH(test_answers_now_and_later, start),
        WITH(test_target_stays_raw, start),
        WITH(test_body_in_pieces, start),
        WITH(test_continue, start),
        WITH(test_close_and_http_1_0, start),
        WITH(test_refusals, start),
        WITH(test_refusals_have_our_shape, start),
        WITH(test_head_limits, start),
        WITH(test_body_limits, start),
        WITH(test_oldest_idle_goes, start_small),
        WITH(test_slow_senders, start_impatient),
        WITH(test_many_at_once, start),
        WITH(test_client_leaves_before_the_answer, start),
        WITH(test_quiesced, start),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
