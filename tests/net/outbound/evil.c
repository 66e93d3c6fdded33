#include "evil.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_LEN_MAX = 4096, WAIT_MS_MAX = 60000 };

struct evil {
    struct evil_config config;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int marks, goes;
    bool stopping;
    int stop_pipe[2]; /* readable: give up whatever is being waited for */
    int listener, fd, port;
    SSL_CTX *tls;
    SSL *ssl;
    int records;    /* since a piece began */
    const char *at; /* in the script */
    struct evil_record record;
};

static void must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "evil: %s: %s\n", what, strerror(errno));
        abort();
    }
}

/* ---- waiting; false always means: give up ---- */

static bool wait_fd(struct evil *e, int fd, short events)
{
    struct pollfd list[2] = {{.fd = e->stop_pipe[0], .events = POLLIN}, {.fd = fd, .events = events}};
    return poll(list, 2, WAIT_MS_MAX) > 0 && list[0].revents == 0;
}

static bool rest(struct evil *e, int ms)
{
    struct pollfd stop = {.fd = e->stop_pipe[0], .events = POLLIN};
    return poll(&stop, 1, ms) == 0;
}

/* ---- the connection ---- */

static void drop(struct evil *e)
{
    SSL_free(e->ssl);
    e->ssl = NULL;
    if (e->fd >= 0)
        close(e->fd);
    e->fd = -1;
}

static void drop_by_reset(struct evil *e)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(e->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    drop(e);
}

static void do_deaf(struct evil *e)
{
    struct sock_filter nothing = {.code = BPF_RET | BPF_K};
    struct sock_fprog filter = {.len = 1, .filter = &nothing};
    must(setsockopt(e->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0, "SO_ATTACH_FILTER");
}

/* After a TLS call: true to call again, once the socket allows. */
static bool tls_again(struct evil *e, int result)
{
    switch (SSL_get_error(e->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return wait_fd(e, e->fd, POLLIN);
    case SSL_ERROR_WANT_WRITE:
        return wait_fd(e, e->fd, POLLOUT);
    default:
        ERR_clear_error();
        return false;
    }
}

static bool take_connection(struct evil *e)
{
    int one = 1;
    drop(e);
    while (wait_fd(e, e->listener, POLLIN)) {
        e->fd = accept4(e->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (e->fd < 0)
            continue;
        e->record.connections++;
        setsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* or rst loses what was sent */
        if (e->tls) {
            e->ssl = SSL_new(e->tls);
            must(e->ssl && SSL_set_fd(e->ssl, e->fd), "SSL_new");
        }
        return true;
    }
    return false;
}

static void note_client(struct evil *e)
{
    char *clients = e->record.clients, name[64] = "-";
    X509 *certificate = SSL_get1_peer_certificate(e->ssl);
    size_t len = strlen(clients);
    if (certificate)
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
    X509_free(certificate);
    snprintf(clients + len, sizeof e->record.clients - len, "%s%s", len ? " " : "", name);
}

/* A handshake that fails is the other side's decision; the script goes on. */
static bool do_accept(struct evil *e)
{
    int result = 0;
    if (!take_connection(e))
        return false;
    while (e->ssl && (result = SSL_accept(e->ssl)) != 1)
        if (!tls_again(e, result))
            break;
    if (result == 1)
        note_client(e);
    return true;
}

static bool do_early(struct evil *e, const char *text, size_t len)
{
    size_t done;
    int result;
    char byte;

    if (!take_connection(e))
        return false;
    while ((result = SSL_read_early_data(e->ssl, &byte, 1, &done)) == SSL_READ_EARLY_DATA_ERROR)
        if (!tls_again(e, result == SSL_READ_EARLY_DATA_ERROR ? 0 : result))
            return true;
    return SSL_write_early_data(e->ssl, text, len, &done) == 1;
}

/* 0: the end. -1: an error, or giving up. */
static ssize_t get(struct evil *e, char *buffer, size_t len)
{
    for (;;) {
        if (!e->ssl) {
            ssize_t got = recv(e->fd, buffer, len, 0);
            if (got >= 0 || errno != EAGAIN)
                return got;
            if (!wait_fd(e, e->fd, POLLIN))
                return -1;
            continue;
        }
        int got = SSL_read(e->ssl, buffer, (int)len);
        if (got > 0)
            return got;
        if (!tls_again(e, got))
            return SSL_get_shutdown(e->ssl) & SSL_RECEIVED_SHUTDOWN ? 0 : -1;
    }
}

static bool put(struct evil *e, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t sent;
        if (e->ssl) {
            sent = SSL_write(e->ssl, data, (int)len);
            if (sent <= 0 && !tls_again(e, (int)sent))
                return false;
        } else {
            sent = send(e->fd, data, len, MSG_NOSIGNAL);
            if (sent < 0 && (errno != EAGAIN || !wait_fd(e, e->fd, POLLOUT)))
                return false;
        }
        if (sent > 0) {
            data += sent;
            len -= (size_t)sent;
        }
    }
    return true;
}

static void do_request(struct evil *e)
{
    char *last = e->record.last;
    size_t have = 0, max = sizeof e->record.last - 1, body_len = 0, body_have;
    char *end = NULL, discard[16384];

    while (!end && have < max) {
        ssize_t got = get(e, last + have, max - have);
        if (got <= 0)
            return;
        have += (size_t)got;
        last[have] = '\0';
        end = strstr(last, "\r\n\r\n");
    }
    const char *length = strstr(last, "Content-Length: ");
    if (!end || !length)
        return;
    body_len = strtoul(length + 16, NULL, 10);
    body_have = have - (size_t)(end + 4 - last);
    while (body_have < body_len) {
        size_t left = body_len - body_have;
        ssize_t got = get(e, discard, left < sizeof discard ? left : sizeof discard);
        if (got <= 0)
            return;
        body_have += (size_t)got;
    }
    e->record.body_len = body_len;
    e->record.requests++;
}

static void do_read(struct evil *e, long count)
{
    char discard[4096];
    while (count > 0) {
        ssize_t got = get(e, discard, count < (long)sizeof discard ? (size_t)count : sizeof discard);
        if (got <= 0)
            return;
        count -= got;
    }
}

static void do_await(struct evil *e)
{
    char discard[65536];
    while (get(e, discard, sizeof discard) > 0)
        ;
}

/* ---- the script ---- */

static void skip_space(struct evil *e)
{
    while (isspace((unsigned char)*e->at))
        e->at++;
}

static bool word(struct evil *e, const char *expected)
{
    size_t len = strlen(expected);
    skip_space(e);
    if (strncmp(e->at, expected, len) != 0 || isalnum((unsigned char)e->at[len]))
        return false;
    e->at += len;
    return true;
}

static bool number(struct evil *e, long *value)
{
    char *end;
    skip_space(e);
    if (!isdigit((unsigned char)*e->at))
        return false;
    *value = strtol(e->at, &end, 10);
    e->at = end;
    return true;
}

static size_t text(struct evil *e, char *out)
{
    size_t len = 0;

    skip_space(e);
    must(*e->at++ == '"', "a text is missing");
    for (; *e->at != '"'; e->at++) {
        must(*e->at && len < TEXT_LEN_MAX, "a text does not end");
        if (*e->at != '\\') {
            out[len++] = *e->at;
            continue;
        }
        switch (*++e->at) {
        case 'r':
            out[len++] = '\r';
            break;
        case 'n':
            out[len++] = '\n';
            break;
        case 't':
            out[len++] = '\t';
            break;
        case '0':
            out[len++] = '\0';
            break;
        case 'x': {
            char hex[3] = {e->at[1], e->at[2], 0};
            out[len++] = (char)strtol(hex, NULL, 16);
            e->at += 2;
            break;
        }
        default:
            out[len++] = *e->at;
        }
    }
    e->at++;
    return len;
}

static bool do_send(struct evil *e)
{
    char data[TEXT_LEN_MAX];
    size_t len = text(e, data);
    long count = 1;

    if (word(e, "every")) {
        must(number(e, &count) && word(e, "ms"), "every N ms");
        for (size_t i = 0; i < len; i++)
            if (!put(e, data + i, 1) || !rest(e, (int)count))
                break;
        return true;
    }
    if (word(e, "forever"))
        count = LONG_MAX;
    else if (number(e, &count))
        must(word(e, "times"), "N times");
    while (count-- > 0 && put(e, data, len))
        ;
    return true;
}

static int fill_ticket(SSL *ssl, void *arg)
{
    static const char filling[64 * 1024];
    const struct evil_config *config = arg;
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), filling, config->ticket_len);
}

static SSL_TICKET_RETURN take_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t len,
                                     SSL_TICKET_STATUS status, void *arg)
{
    bool good = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
    return good ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_IGNORE;
}

/* TLS 1.2: HelloRequest; 1.3: KeyUpdate. */
static int wish(SSL *ssl)
{
    return SSL_version(ssl) == TLS1_3_VERSION ? SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED)
                                              : SSL_renegotiate(ssl);
}

static void do_messages(struct evil *e, long count, int (*begin)(SSL *ssl))
{
    int result;
    while (count-- > 0 && begin(e->ssl) == 1)
        while ((result = SSL_do_handshake(e->ssl)) != 1)
            if (!tls_again(e, result))
                return;
}

static bool wait_for_goes(struct evil *e, long count)
{
    pthread_mutex_lock(&e->mutex);
    while (e->goes < count && !e->stopping)
        pthread_cond_wait(&e->changed, &e->mutex);
    bool go = !e->stopping;
    pthread_mutex_unlock(&e->mutex);
    return go;
}

static bool do_until(struct evil *e)
{
    long count;
    must(number(e, &count), "until N");
    return wait_for_goes(e, count);
}

static void do_mark(struct evil *e)
{
    pthread_mutex_lock(&e->mutex);
    e->marks++;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->mutex);
}

/* OpenSSL's, before it writes a record. */
static void on_record(int writes, int version, int kind, const void *data, size_t len, SSL *ssl, void *arg)
{
    struct evil *e = arg;
    if (!writes || kind != SSL3_RT_HEADER || ++e->records != 2)
        return;
    do_mark(e);
    wait_for_goes(e, 1);
}

static void do_piece(struct evil *e)
{
    e->records = 0;
    SSL_set_msg_callback(e->ssl, on_record);
    SSL_set_msg_callback_arg(e->ssl, e);
    do_messages(e, 1, SSL_new_session_ticket);
    SSL_set_msg_callback(e->ssl, NULL);
}

/* False: give up. */
static bool statement(struct evil *e)
{
    char data[TEXT_LEN_MAX];
    long count;

    if (word(e, "accept"))
        return do_accept(e);
    if (word(e, "early"))
        return do_early(e, data, text(e, data));
    if (word(e, "send"))
        return do_send(e);
    if (word(e, "until"))
        return do_until(e);
    if (word(e, "silence"))
        return rest(e, WAIT_MS_MAX);
    if (word(e, "request"))
        do_request(e);
    else if (word(e, "read") && number(e, &count))
        do_read(e, count);
    else if (word(e, "piece"))
        do_piece(e);
    else if (word(e, "tickets") && number(e, &count))
        do_messages(e, count, SSL_new_session_ticket);
    else if (word(e, "wishes") && number(e, &count))
        do_messages(e, count, wish);
    else if (word(e, "goodbye"))
        SSL_shutdown(e->ssl);
    else if (word(e, "fin"))
        shutdown(e->fd, SHUT_WR);
    else if (word(e, "deaf"))
        do_deaf(e);
    else if (word(e, "close"))
        drop(e);
    else if (word(e, "rst"))
        drop_by_reset(e);
    else if (word(e, "await"))
        do_await(e);
    else if (word(e, "mark"))
        do_mark(e);
    else
        must(false, e->at);
    return true;
}

static bool stopped(struct evil *e)
{
    return !rest(e, 0);
}

static void *play(void *arg)
{
    struct evil *e = arg;

    e->at = e->config.script;
    while (!stopped(e)) {
        skip_space(e);
        if (*e->at == ';') {
            e->at++;
            continue;
        }
        if (!*e->at || !statement(e))
            break;
    }
    drop(e);
    return NULL;
}

/* ---- from outside ---- */

static SSL_CTX *tls_context(const struct evil_config *config)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

    must(tls != NULL, "SSL_CTX_new");
    SSL_CTX_set_security_level(tls, 0);
    SSL_CTX_set_cipher_list(tls, config->ciphers ? config->ciphers : "ALL:@SECLEVEL=0");
    SSL_CTX_set_dh_auto(tls, 1);
    SSL_CTX_set_min_proto_version(tls, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(tls, config->tls_version_max);
    SSL_CTX_set_session_id_context(tls, (const unsigned char *)"evil", 4);
    SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
    X509 *own = config->own ? config->own : config->certificates->list[config->certificate];
    must(SSL_CTX_use_certificate(tls, own) == 1 &&
             SSL_CTX_use_PrivateKey(tls, config->own_key ? config->own_key : config->certificates->key) == 1,
         "certificate");
    if (config->ticket_len)
        SSL_CTX_set_session_ticket_cb(tls, fill_ticket, take_ticket, (void *)config);
    if (config->also_sent)
        must(SSL_CTX_add1_chain_cert(tls, config->also_sent) == 1, "chain");
    if (config->client_certificate) {
        SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        must(SSL_CTX_load_verify_file(tls, config->certificates->ca_file) == 1, "authority");
    }
    return tls;
}

struct place {
    struct sockaddr_storage address;
    socklen_t len;
};

static struct place place_of(const char *address, int port)
{
    struct place place = {.len = sizeof(struct sockaddr_in)};
    struct sockaddr_in *v4 = (void *)&place.address;
    struct sockaddr_in6 *v6 = (void *)&place.address;

    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        return place;
    }
    must(inet_pton(AF_INET6, address, &v6->sin6_addr) == 1, address);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)port);
    place.len = sizeof *v6;
    return place;
}

static int listen_on(const char *address, int port, bool small_window, int backlog)
{
    struct place place = place_of(address, port);
    int size = 4096, one = 1;
    int fd = socket(place.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (small_window)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (bind(fd, (void *)&place.address, place.len) == 0 && listen(fd, backlog) == 0)
        return fd;
    close(fd);
    return -1;
}

static int port_of(int fd)
{
    struct sockaddr_in6 address; /* the port stands where IPv4 has it */
    socklen_t len = sizeof address;
    must(getsockname(fd, (struct sockaddr *)&address, &len) == 0, "getsockname");
    return ntohs(address.sin6_port);
}

struct evil *evil_open(const struct evil_config *config)
{
    struct evil *e = calloc(1, sizeof *e);

    must(e != NULL, "memory");
    e->config = *config;
    e->config.script = strdup(config->script);
    e->fd = -1;
    e->listener = listen_on("127.0.0.1", 0, config->small_window, 64);
    must(e->listener >= 0 && pipe2(e->stop_pipe, O_CLOEXEC) == 0, "listen");
    e->port = port_of(e->listener);
    if (config->tls)
        e->tls = tls_context(config);
    pthread_mutex_init(&e->mutex, NULL);
    pthread_cond_init(&e->changed, NULL);
    must(pthread_create(&e->thread, NULL, play, e) == 0, "thread");
    return e;
}

int evil_port(const struct evil *e)
{
    return e->port;
}

int evil_marks(struct evil *e)
{
    pthread_mutex_lock(&e->mutex);
    int marks = e->marks;
    pthread_mutex_unlock(&e->mutex);
    return marks;
}

bool evil_wait(struct evil *e, int count, int wait_ms)
{
    struct timespec until;
    int error = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (until.tv_nsec / 1000000 + wait_ms) / 1000;
    until.tv_nsec = (until.tv_nsec / 1000000 + wait_ms) % 1000 * 1000000;
    pthread_mutex_lock(&e->mutex);
    while (e->marks < count && error == 0)
        error = pthread_cond_timedwait(&e->changed, &e->mutex, &until);
    bool reached = e->marks >= count;
    pthread_mutex_unlock(&e->mutex);
    return reached;
}

void evil_go(struct evil *e)
{
    pthread_mutex_lock(&e->mutex);
    e->goes++;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->mutex);
}

void evil_close(struct evil *e, struct evil_record *record)
{
    pthread_mutex_lock(&e->mutex);
    e->stopping = true;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->mutex);
    must(write(e->stop_pipe[1], "", 1) == 1, "stop");
    pthread_join(e->thread, NULL);
    if (record)
        *record = e->record;
    close(e->listener);
    close(e->stop_pipe[0]);
    close(e->stop_pipe[1]);
    SSL_CTX_free(e->tls);
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->mutex);
    free((void *)(uintptr_t)e->config.script);
    free(e);
}

int evil_closed_port(void)
{
    int fd = listen_on("127.0.0.1", 0, false, 1);
    must(fd >= 0, "listen");
    int port = port_of(fd);
    close(fd);
    return port;
}

bool black_hole_open(struct black_hole *hole, const char *address, int *port)
{
    *hole = (struct black_hole){.listener = listen_on(address, *port, false, 0)};
    if (hole->listener < 0)
        return false;
    *port = port_of(hole->listener);
    struct place place = place_of(address, *port);
    for (int i = 0; i < 8; i++) {
        int fd = socket(place.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        must(fd >= 0, "socket");
        connect(fd, (void *)&place.address, place.len);
        hole->fillers[hole->filler_count++] = fd;
    }
    return true;
}

void black_hole_close(struct black_hole *hole)
{
    for (int i = 0; i < hole->filler_count; i++)
        close(hole->fillers[i]);
    close(hole->listener);
}
