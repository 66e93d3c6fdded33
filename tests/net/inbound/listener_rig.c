#include "listener_rig.h"
#include "memory.h"
#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

/* ---- an application ---- */

static void answer_text(struct application *application, struct listener_request *request, int status)
{
    bool shown = request->body_len < 64 || bytes_starts(request->path, "/whole");
    char *text = arena_printf(&request->arena, "%.*s|%.*s|%.*s|%d|%zu|%s", BYTES_ARG(request->method),
                              BYTES_ARG(request->path), BYTES_ARG(request->query), request->header_count,
                              request->body_len, shown ? request->body : "...");
    struct header type = {bytes_of("Content-Type"), bytes_of("text/plain")};
    struct listener_reply reply = {.status = status,
                                   .headers = &type,
                                   .header_count = 1,
                                   .body = bytes_of(text),
                                   .close = bytes_starts(request->path, "/bye")};
    assert(request->body[request->body_len] == '\0');
    if (bytes_starts(request->path, "/large"))
        reply.body = bytes_make(application->large, LARGE_LEN);
    if (bytes_starts(request->path, "/status/"))
        reply.status = atoi(request->path.data + 8);
    listener_answer(request, &reply);
}

static void *answer_later(void *argument)
{
    struct application *application = argument;
    pthread_mutex_lock(&application->lock);
    while (!application->stopping || application->later_count > 0) {
        if (application->later_count == 0 || application->holding) {
            pthread_cond_wait(&application->more, &application->lock);
            continue;
        }
        struct listener_request *request = application->later[--application->later_count];
        pthread_mutex_unlock(&application->lock);
        answer_text(application, request, 201);
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
    bool later = bytes_starts(request->path, "/later");
    if (!later) {
        answer_text(application, request, 200);
        atomic_fetch_add(&application->handled, 1);
        return;
    }
    pthread_mutex_lock(&application->lock);
    assert(application->later_count < LATER_MAX);
    application->later[application->later_count++] = request;
    pthread_cond_signal(&application->more);
    pthread_mutex_unlock(&application->lock);
    atomic_fetch_add(&application->handled, 1);
}

static void on_refused(void *ctx, struct listener_request *request, int status, struct listener_reply *reply)
{
    struct application *application = ctx;
    static const struct header type = {{"X-Shape", 7}, {"ours", 4}};
    application->refused_status = status;
    atomic_fetch_add(&application->refused, 1);
    reply->headers = &type;
    reply->header_count = 1;
    reply->body = bytes_of(arena_printf(&request->arena, "refused %d", status));
}

struct listener_config rig_config(void)
{
    return (struct listener_config){.listen = "127.0.0.1:0",
                                    .threads = 2,
                                    .body_len_max = BODY_MAX,
                                    .arena_len_max = 1 << 20,
                                    .connections_max = 100,
                                    .idle_seconds = 30,
                                    .accept_head = accept_head,
                                    .handle = handle,
                                    .on_refused = on_refused,
                                    .clock = clock_system()};
}

struct application *rig_open(struct listener_config config)
{
    struct application *application = memory_zero(1, sizeof *application);
    pthread_mutex_init(&application->lock, NULL);
    pthread_cond_init(&application->more, NULL);
    application->large = memory_alloc(LARGE_LEN);
    memset(application->large, 'L', LARGE_LEN);
    config.ctx = application;
    application->config = config;
    assert_int_equal(listener_open(&config, &application->listener), LISTENER_OK);
    pthread_create(&application->thread, NULL, answer_later, application);
    return application;
}

void set_holding(struct application *application, bool holding)
{
    pthread_mutex_lock(&application->lock);
    application->holding = holding;
    pthread_cond_signal(&application->more);
    pthread_mutex_unlock(&application->lock);
}

void rig_close(struct application *application)
{
    set_holding(application, false);
    listener_close(application->listener); /* answers are given until then */
    pthread_mutex_lock(&application->lock);
    application->stopping = true;
    pthread_cond_signal(&application->more);
    pthread_mutex_unlock(&application->lock);
    pthread_join(application->thread, NULL);
    pthread_cond_destroy(&application->more);
    pthread_mutex_destroy(&application->lock);
    free(application->large);
    free(application);
}

int rig_start(void **state)
{
    *state = rig_open(rig_config());
    return 0;
}

int rig_stop(void **state)
{
    rig_close(*state);
    return 0;
}

static void wait_for(atomic_int *counter, int count)
{
    for (int i = 0; i < PATIENCE_MS && atomic_load(counter) < count; i++)
        usleep(1000);
    assert_int_equal(atomic_load(counter), count);
}

void wait_for_handled(struct application *application, int count)
{
    wait_for(&application->handled, count);
}

void wait_for_refused(struct application *application, int count)
{
    wait_for(&application->refused, count);
}

/* ---- a client ---- */

int dial(struct application *application)
{
    const char *colon = strrchr(listener_address(application->listener), ':');
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(colon + 1)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

int dial_from(struct application *application, const char *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    inet_pton(AF_INET, address, &from.sin_addr);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    to.sin_port = htons((uint16_t)atoi(strrchr(listener_address(application->listener), ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

void put(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        text += sent;
        len -= (size_t)sent;
    }
}

void put_text(int fd, const char *text)
{
    put(fd, text, strlen(text));
}

void reset(int fd)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

const char *find_header(const struct answer *answer, const char *name)
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

/* Bytes, 0 at the end, -1 if there is none. */
static ssize_t fetch(int fd, SSL *ssl, char *into, size_t room)
{
    for (;;) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        if (ssl) {
            size_t got;
            if (SSL_read_ex(ssl, into, room, &got))
                return (ssize_t)got;
            int error = SSL_get_error(ssl, 0);
            if (error != SSL_ERROR_WANT_READ)
                return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
        }
        if (poll(&readable, 1, PATIENCE_MS) <= 0)
            return -1;
        if (!ssl)
            return recv(fd, into, room, 0);
    }
}

static void get_from(int fd, SSL *ssl, struct answer *answer, bool closing)
{
    ssize_t got = 1;
    answer->len = 0;
    answer->status = 0;
    answer->body = NULL;
    answer->closed = false;
    answer->text[0] = '\0';
    while (got > 0 && !answer_complete(answer)) {
        got = fetch(fd, ssl, answer->text + answer->len, sizeof answer->text - answer->len - 1);
        answer->len += got > 0 ? (size_t)got : 0;
    }
    if (closing) {
        char more[1024];
        got = fetch(fd, ssl, more, sizeof more);
        answer->closed = got == 0;
    }
}

void get(int fd, struct answer *answer, bool closing)
{
    get_from(fd, NULL, answer, closing);
}

void ask(int fd, const char *request, struct answer *answer)
{
    put_text(fd, request);
    get(fd, answer, false);
}

size_t drink(int fd, SSL *ssl, size_t sip)
{
    char *glass = malloc(sip);
    size_t all = 0;
    for (ssize_t got; (got = fetch(fd, ssl, glass, sip)) > 0;) {
        all += (size_t)got;
        if (all % (256 * 1024) < sip)
            usleep(1000);
    }
    free(glass);
    return all;
}

/* ---- a client over TLS ---- */

void secure_dial(struct secure *client, struct application *application, X509 *certificate, EVP_PKEY *key)
{
    secure_on(client, dial(application), certificate, key);
}

void secure_on(struct secure *client, int fd, X509 *certificate, EVP_PKEY *key)
{
    client->fd = fd;
    fcntl(client->fd, F_SETFL, O_NONBLOCK);
    client->context = SSL_CTX_new(TLS_client_method());
    if (certificate) {
        assert_int_equal(SSL_CTX_use_certificate(client->context, certificate), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(client->context, key), 1);
    }
    client->ssl = SSL_new(client->context);
    SSL_set_bio(client->ssl, BIO_new_socket(client->fd, BIO_NOCLOSE), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(client->ssl);
}

void secure_close(struct secure *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    close(client->fd);
}

void secure_flush(struct secure *client, size_t drip)
{
    char *data;
    long len = BIO_get_mem_data(SSL_get_wbio(client->ssl), &data);
    for (size_t at = 0; at < (size_t)len;) {
        size_t part = (size_t)len - at < drip ? (size_t)len - at : drip;
        ssize_t sent = send(client->fd, data + at, part, MSG_NOSIGNAL);
        struct pollfd writable = {.fd = client->fd, .events = POLLOUT};
        if (sent <= 0 && poll(&writable, 1, PATIENCE_MS) <= 0)
            break;
        if (sent < 0 && (writable.revents & (POLLERR | POLLHUP)))
            break;
        at += sent > 0 ? (size_t)sent : 0;
        if (drip == 1)
            usleep(50); /* so that it is not one piece again on the other side */
    }
    (void)BIO_reset(SSL_get_wbio(client->ssl));
}

bool secure_shake(struct secure *client, size_t drip)
{
    for (;;) {
        int result = SSL_do_handshake(client->ssl);
        if (result == 1)
            return true;
        if (SSL_get_error(client->ssl, result) != SSL_ERROR_WANT_READ)
            return false;
        secure_flush(client, drip);
        struct pollfd readable = {.fd = client->fd, .events = POLLIN};
        if (poll(&readable, 1, PATIENCE_MS) <= 0)
            return false;
    }
}

void secure_put(struct secure *client, const char *text)
{
    size_t written;
    assert_int_equal(SSL_write_ex(client->ssl, text, strlen(text), &written), 1);
}

void secure_get(struct secure *client, struct answer *answer, bool closing)
{
    get_from(client->fd, client->ssl, answer, closing);
}

void secure_ask(struct secure *client, const char *request, struct answer *answer)
{
    secure_put(client, request);
    secure_flush(client, SIZE_MAX);
    secure_get(client, answer, false);
}
