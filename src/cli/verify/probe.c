#include "probe.h"
#include "clock.h"
#include "connection.h"
#include "memory.h"
#include "owner.h"
#include "sender.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_BUFFER_LEN = 64 * 1024 };

struct probe {
    struct clock clock;
    struct log *log;
    uv_loop_t loop;
    struct deadlines deadlines;
    struct deadline_queue *tls_limit;
    struct deadline tls_deadline;
    struct resolver *resolver;
    struct connection_world world;
    struct peer peer;
    struct resolver_question question;
    struct addresses *addresses;           /* the result of the question */
    struct connection *connection;         /* NULL: none */
    struct probe_certificate *certificate; /* the result of the handshake */
    bool done;                             /* the step has ended */
    enum failure failure;
};

static void finish(struct probe *probe, enum failure failure)
{
    probe->done = true;
    probe->failure = failure;
}

static enum failure wait_for(struct probe *probe)
{
    while (!probe->done)
        uv_run(&probe->loop, UV_RUN_ONCE);
    return probe->failure;
}

/* The caller has asked the guard about each address. */
static bool allow_every(void *ctx, const struct sockaddr *address)
{
    return true;
}

static void on_tls_passed(struct deadline *deadline)
{
    finish(OWNER_OF(deadline, struct probe, tls_deadline), FAILURE_TLS_TIMEOUT);
}

struct probe *probe_open(const char *ca_file, const char *dns_servers)
{
    struct sender_limits limits = sender_limits_default();
    struct probe *probe = memory_zero(1, sizeof *probe);

    probe->clock = clock_system();
    probe->log = log_open(STDERR_FILENO, LOG_LEVEL_ERROR, false, probe->clock);
    uv_loop_init(&probe->loop);
    deadlines_init(&probe->deadlines, &probe->loop);
    probe->resolver = resolver_open(&probe->loop, dns_servers, limits.dns_ms, &probe->deadlines);
    probe->tls_limit = deadlines_queue(&probe->deadlines, limits.tls_ms, on_tls_passed);
    probe->world = (struct connection_world){.loop = &probe->loop, .allow = allow_every};
    probe->world.tls = tls_open(ca_file, probe->log);
    probe->world.connect_limit =
        deadlines_queue(&probe->deadlines, limits.connect_ms, connection_connect_passed);
    probe->world.buffer_len = READ_BUFFER_LEN;
    probe->world.read_buffer = memory_alloc(READ_BUFFER_LEN);
    probe->world.plain_buffer = memory_alloc(TLS_RECORD_LEN_MAX);
    if (probe->resolver && probe->world.tls)
        return probe;
    if (!probe->resolver)
        fprintf(stderr, "posthorn: the resolver cannot be set up\n");
    probe_close(probe);
    return NULL;
}

void probe_release(struct probe *probe)
{
    deadline_lift(&probe->tls_deadline);
    if (probe->connection)
        connection_close(probe->connection);
    probe->connection = NULL;
}

void probe_close(struct probe *probe)
{
    probe_release(probe);
    if (probe->resolver)
        resolver_close(probe->resolver);
    deadlines_close(&probe->deadlines);
    uv_run(&probe->loop, UV_RUN_DEFAULT);
    if (probe->resolver)
        resolver_free(probe->resolver);
    if (probe->world.tls)
        tls_free(probe->world.tls);
    uv_loop_close(&probe->loop);
    log_close(probe->log);
    free(probe->world.read_buffer);
    free(probe->world.plain_buffer);
    free(probe);
}

int64_t probe_now_ms(const struct probe *probe)
{
    return clock_wall_ms(&probe->clock);
}

/* ---- resolve ---- */

static void on_answered(struct resolver_question *question, enum failure failure,
                        const struct addresses *addresses)
{
    struct probe *probe = OWNER_OF(question, struct probe, question);

    if (failure == FAILURE_NONE)
        *probe->addresses = *addresses;
    finish(probe, failure);
}

static union address literal(const struct url *url)
{
    union address address = {0};

    if (url->host_kind == URL_HOST_IPV4)
        address.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = url->address.ipv4};
    else
        address.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = url->address.ipv6};
    return address;
}

enum failure probe_resolve(struct probe *probe, const struct url *url, struct addresses *addresses)
{
    *addresses = (struct addresses){0};
    if (url->host_kind != URL_HOST_NAME) {
        addresses->list[addresses->count++] = literal(url);
        return FAILURE_NONE;
    }
    probe->done = false;
    probe->addresses = addresses;
    probe->question = (struct resolver_question){.answered = on_answered};
    uv_update_time(&probe->loop);
    resolver_ask(probe->resolver, url->host, &probe->question);
    return wait_for(probe);
}

/* ---- connect ---- */

static void on_failed(struct connection *connection, enum failure failure)
{
    finish(connection->owner, failure);
}

static void on_received(struct connection *connection, struct bytes piece)
{
    finish(connection->owner, FAILURE_EARLY_RESPONSE);
}

static void on_secured(struct connection *connection, enum failure failure)
{
    struct probe *probe = connection->owner;
    answer_detail_of_handshake(probe->certificate->why, failure, connection->tls.why, connection->heard,
                               connection->heard_len == 0);
    finish(probe, failure);
}

static void on_nothing(struct connection *connection)
{
}

static const struct connection_handler handler = {.connected = on_failed,
                                                  .secured = on_secured,
                                                  .received = on_received,
                                                  .written = on_nothing,
                                                  .write_failed = on_nothing,
                                                  .ended = on_failed};

enum failure probe_connect(struct probe *probe, const struct url *url, union address *address,
                           int64_t *duration_ms)
{
    int64_t begun_ms = clock_mono_ms(&probe->clock);
    enum failure failure = FAILURE_NONE;

    probe_release(probe);
    if (address->any.sa_family == AF_INET)
        address->v4.sin_port = htons(url->port);
    else
        address->v6.sin6_port = htons(url->port);
    peer_init(&probe->peer, 1, url, NULL);
    probe->done = false;
    uv_update_time(&probe->loop);
    probe->connection =
        connection_dial(&probe->world, &address->any, &probe->peer, &handler, probe, &failure);
    if (probe->connection)
        failure = wait_for(probe);
    *duration_ms = clock_mono_ms(&probe->clock) - begun_ms;
    if (failure != FAILURE_NONE)
        probe_release(probe);
    return failure;
}

/* ---- TLS ---- */

static void add_name(struct probe_certificate *certificate, const unsigned char *name, int len)
{
    size_t used = strlen(certificate->names);
    snprintf(certificate->names + used, sizeof certificate->names - used, "%s%.*s", used ? ", " : "", len,
             (const char *)name);
}

static void read_names(struct probe_certificate *certificate, X509 *x509)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        char text[INET6_ADDRSTRLEN];
        if (name->type == GEN_DNS) {
            add_name(certificate, ASN1_STRING_get0_data(name->d.dNSName),
                     ASN1_STRING_length(name->d.dNSName));
        } else if (name->type == GEN_IPADD) {
            int family = ASN1_STRING_length(name->d.iPAddress) == 4 ? AF_INET : AF_INET6;
            if (inet_ntop(family, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof text))
                add_name(certificate, (const unsigned char *)text, (int)strlen(text));
        }
    }
    GENERAL_NAMES_free(names);
}

static void read_certificate(struct probe_certificate *certificate, X509 *x509)
{
    struct tm end;

    certificate->seen = true;
    certificate->names[0] = '\0';
    read_names(certificate, x509);
    X509_NAME_oneline(X509_get_issuer_name(x509), certificate->issuer, sizeof certificate->issuer);
    if (ASN1_TIME_to_tm(X509_get0_notAfter(x509), &end) == 1)
        certificate->not_after_ms = (int64_t)timegm(&end) * 1000;
}

/* OpenSSL calls it for each certificate of the chain. It changes nothing, but also sees refused certificates.
 */
static int on_verify(int accepted, X509_STORE_CTX *context)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
    const struct tls_stream *stream = SSL_get_app_data(ssl);
    struct probe *probe = ((struct connection *)stream->ctx)->owner;
    X509 *leaf = X509_STORE_CTX_get0_cert(context);

    if (leaf)
        read_certificate(probe->certificate, leaf);
    return accepted;
}

static void on_info(const SSL *ssl, int where, int value)
{
    const struct tls_stream *stream = SSL_get_app_data(ssl);
    struct probe *probe = ((struct connection *)stream->ctx)->owner;

    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && value >> 8 == SSL3_AL_FATAL)
        probe->certificate->alert = value & 0xff;
}

enum failure probe_secure(struct probe *probe, struct probe_certificate *certificate)
{
    *certificate = (struct probe_certificate){0};
    probe->certificate = certificate;
    probe->done = false;
    uv_update_time(&probe->loop);
    deadline_set(&probe->tls_deadline, probe->tls_limit);
    connection_secure(probe->connection, NULL);
    if (!probe->done) { /* the hello is sent, and no byte has come yet */
        SSL_set_verify(probe->connection->tls.ssl, SSL_VERIFY_PEER, on_verify);
        SSL_set_info_callback(probe->connection->tls.ssl, on_info);
    }
    enum failure failure = wait_for(probe);
    deadline_lift(&probe->tls_deadline);
    if (failure == FAILURE_NONE)
        snprintf(certificate->version, sizeof certificate->version, "%s",
                 SSL_get_version(probe->connection->tls.ssl));
    certificate->client_asked = probe->connection->tls.certificate_asked;
    probe_release(probe);
    return failure;
}
