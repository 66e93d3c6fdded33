/*
 * A second opinion: well-formed answers, made from a seed, must mean the same to our parser and to libcurl.
 * Status, body, and where the body ends are compared.
 */
#include "memory.h"
#include "response.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
/* after the above */
#include <cmocka.h>

enum { ANSWERS = 400, ANSWER_LEN_MAX = 48 * 1024, BODY_LEN_MAX = 14000 };

struct answer {
    char data[ANSWER_LEN_MAX];
    size_t len;
    unsigned seed;
};

static unsigned roll(struct answer *answer, unsigned sides)
{
    return (unsigned)rand_r(&answer->seed) / 7 % sides;
}

static void put(struct answer *answer, const char *data, size_t len)
{
    assert_true(answer->len + len <= ANSWER_LEN_MAX);
    memcpy(answer->data + answer->len, data, len);
    answer->len += len;
}

static void puts_to(struct answer *answer, const char *text)
{
    put(answer, text, strlen(text));
}

static void put_field(struct answer *answer, const char *name, const char *value)
{
    static const char *const spaces[] = {"", " ", "  ", "\t"};
    for (const char *c = name; *c; c++) {
        char swapped = roll(answer, 3) == 0 && *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
        put(answer, &swapped, 1);
    }
    puts_to(answer, ":");
    puts_to(answer, spaces[roll(answer, 4)]);
    puts_to(answer, value);
    puts_to(answer, roll(answer, 4) ? "" : " ");
    puts_to(answer, "\r\n");
}

static void put_noise(struct answer *answer)
{
    static const char *const names[] = {"x-request-id", "date", "server", "content-type", "etag", "vary"};
    static const char *const values[] = {
        "", "a", "a, b;c=\"d\"", "Sat, 01 Jan 2000 00:00:00 GMT", "\x80\xff", "nginx/1.2 (Debian)"};
    for (unsigned i = roll(answer, 6); i > 0; i--)
        put_field(answer, names[roll(answer, 6)], values[roll(answer, 6)]);
}

static void put_body(struct answer *answer, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char byte = (char)roll(answer, 256);
        put(answer, &byte, 1);
    }
}

static void put_chunks(struct answer *answer, size_t len)
{
    char line[64];
    while (len > 0) {
        size_t part = 1 + roll(answer, (unsigned)len);
        snprintf(line, sizeof line, roll(answer, 2) ? "%zx%s\r\n" : "%04zX%s\r\n", part,
                 roll(answer, 3) ? "" : ";name=\"value\"");
        puts_to(answer, line);
        put_body(answer, part);
        puts_to(answer, "\r\n");
        len -= part;
    }
    puts_to(answer, roll(answer, 2) ? "0\r\n" : "000;last\r\n");
    if (roll(answer, 4) == 0)
        put_field(answer, "x-checksum", "abc");
    puts_to(answer, "\r\n");
}

static void make_answer(struct answer *answer, unsigned seed)
{
    static const int statuses[] = {200, 200, 200, 201, 202, 204, 301, 304, 400, 404, 429, 500, 503, 599};
    char line[128];

    answer->len = 0;
    answer->seed = seed;
    size_t len = roll(answer, 3) ? roll(answer, 200) : roll(answer, BODY_LEN_MAX);
    for (unsigned i = roll(answer, 10) < 2 ? roll(answer, 4) : 0; i > 0; i--) {
        puts_to(answer, roll(answer, 2) ? "HTTP/1.1 100 Continue\r\n" : "HTTP/1.1 103 Early Hints\r\n");
        put_noise(answer);
        puts_to(answer, "\r\n");
    }
    int status = statuses[roll(answer, sizeof statuses / sizeof *statuses)];
    unsigned framing = roll(answer, 4); /* 0: until close, 1: chunked, else a length */
    bool http10 = framing != 1 && roll(answer, 6) == 0, bare = status == 204 || status == 304;
    snprintf(line, sizeof line, "HTTP/1.%d %d %s\r\n", !http10, status, roll(answer, 4) ? "Some Reason" : "");
    puts_to(answer, line);
    put_noise(answer);
    snprintf(line, sizeof line, "%zu", len);
    if (framing == 1 && !bare)
        put_field(answer, "transfer-encoding", roll(answer, 2) ? "chunked" : "Chunked");
    else if (framing > 1 && !bare)
        put_field(answer, "content-length", line);
    put_noise(answer);
    puts_to(answer, "\r\n");
    if (!bare && framing == 1)
        put_chunks(answer, len);
    else if (!bare)
        put_body(answer, len);
}

/* ---- libcurl's opinion ---- */

struct server {
    int listener;
    struct answer answer;
};

/* One connection: reads the request, sends the answer, closes. */
static void *serve_one(void *arg)
{
    struct server *server = arg;
    char request[4096];
    size_t have = 0, sent = 0;
    int fd = accept(server->listener, NULL, NULL);

    for (;;) {
        ssize_t got = recv(fd, request + have, sizeof request - 1 - have, 0);
        if (got <= 0)
            break;
        have += (size_t)got;
        request[have] = '\0';
        const char *end = strstr(request, "\r\n\r\n");
        if (end && strlen(end + 4) >= 2)
            break;
    }
    while (sent < server->answer.len) {
        ssize_t put_len = send(fd, server->answer.data + sent, server->answer.len - sent, MSG_NOSIGNAL);
        if (put_len <= 0)
            break;
        sent += (size_t)put_len;
    }
    close(fd);
    return NULL;
}

struct body {
    size_t len;
    char data[ANSWER_LEN_MAX];
};

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct body *body = arg;
    memcpy(body->data + body->len, data, size * count);
    body->len += size * count;
    return size * count;
}

static long ask_curl(struct server *server, int port, struct body *body)
{
    char url[64], why[CURL_ERROR_SIZE] = "";
    pthread_t thread;
    long status = 0;
    CURL *curl = curl_easy_init();

    body->len = 0;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", port);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "{}");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    assert_int_equal(pthread_create(&thread, NULL, serve_one, server), 0);
    CURLcode code = curl_easy_perform(curl);
    pthread_join(thread, NULL);
    if (code != CURLE_OK)
        fail_msg("curl: %s\n%.*s", why, 400, server->answer.data);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    return status;
}

static void compare(struct server *server, int port, struct body *body)
{
    struct response *response = response_init(memory_alloc(response_size()));
    const struct answer *answer = &server->answer;

    size_t used = response_feed(response, bytes_make(answer->data, answer->len));
    response_end(response);
    long status = ask_curl(server, port, body);
    if (response_stage(response) != RESPONSE_DONE || used != answer->len ||
        response_status(response) != status || response_body(response).len != body->len ||
        memcmp(response_body(response).data, body->data, body->len) != 0)
        fail_msg("ours: stage %d, status %d, %zu bytes; curl: %ld, %zu bytes\n%.*s", response_stage(response),
                 response_status(response), response_body(response).len, status, body->len, 400,
                 answer->data);
    free(response);
}

static void test_same_as_curl(void **state)
{
    struct server *server = memory_zero(1, sizeof *server);
    struct body *body = memory_zero(1, sizeof *body);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (void *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(getsockname(server->listener, (void *)&address, &len), 0);
    for (unsigned seed = 1; seed <= ANSWERS; seed++) {
        make_answer(&server->answer, seed);
        compare(server, ntohs(address.sin_port), body);
    }
    close(server->listener);
    free(server);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_as_curl)};
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
