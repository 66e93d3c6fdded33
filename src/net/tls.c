#include "tls.h"
#include "memory.h"
#include "pem.h"
#include "trust.h"
#include <arpa/inet.h>
#include <assert.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum {
    SESSIONS_MAX = 1024,          /* a session replaces another in the same place */
    SESSION_LEN_MAX = 16 * 1024,  /* of a kept session with its certificate; a ticket alone may have 64 KiB */
    SESSION_AGE_S_MAX = 60 * 60,  /* afterwards the certificate is verified again */
    CERTIFICATES_LEN_MAX = 32768, /* of the chain a receiver sends */
    CHAIN_DEPTH_MAX = 10,
    LATE_MESSAGES_MAX = 32, /* handshake messages after the handshake, for one request: tickets, key updates,
                             * requests to renegotiate. Each costs us up to 20 us, the peer 30 bytes */
};

struct session {
    SSL_SESSION *session;
    struct peer peer;
};

struct tls {
    atomic_int holds;
    SSL_CTX *context;
    BIO_METHOD *wire;
    struct identity *own; /* a server's; NULL: a client's context */
    struct session *sessions[SESSIONS_MAX];
};

/* ---- sessions ---- */

static void session_forget(struct session **place)
{
    if (!*place)
        return;
    SSL_SESSION_free((*place)->session);
    free(*place);
    *place = NULL;
}

/* OpenSSL calls it with a new session or ticket. 1: we keep the reference. */
static int session_keep(SSL *ssl, SSL_SESSION *session)
{
    struct tls_stream *stream = SSL_get_app_data(ssl);
    struct tls *tls = stream->tls;
    struct session **place = &tls->sessions[stream->peer->hash % SESSIONS_MAX];

    if (SSL_get_verify_result(ssl) != X509_V_OK || !SSL_SESSION_is_resumable(session) ||
        i2d_SSL_SESSION(session, NULL) > SESSION_LEN_MAX)
        return 0;
    if (*place)
        SSL_SESSION_free((*place)->session);
    else
        *place = memory_alloc(sizeof **place);
    (*place)->session = session;
    (*place)->peer = *stream->peer;
    return 1;
}

static void session_resume(struct tls_stream *stream)
{
    struct session **kept = &stream->tls->sessions[stream->peer->hash % SESSIONS_MAX];

    if (!*kept || !peer_equal(&(*kept)->peer, stream->peer))
        return;
    if (SSL_SESSION_is_resumable((*kept)->session))
        SSL_set_session(stream->ssl, (*kept)->session);
    else
        session_forget(kept);
}

/* ---- the wire: a BIO over stream->in and stream->write ---- */

static int wire_read(BIO *bio, char *buffer, size_t len, size_t *taken)
{
    struct tls_stream *stream = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (stream->handshake_messages > LATE_MESSAGES_MAX)
        return 0;
    *taken = len < stream->in.len ? len : stream->in.len;
    if (*taken == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(buffer, stream->in.data, *taken);
    stream->in = bytes_make(stream->in.data + *taken, stream->in.len - *taken);
    return 1;
}

static int wire_write(BIO *bio, const char *data, size_t len, size_t *taken)
{
    struct tls_stream *stream = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    *taken = len;
    return stream->write(stream->ctx, bytes_make(data, len));
}

static long wire_control(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH;
}

static int wire_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *wire_method(void)
{
    BIO_METHOD *wire = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "posthorn wire");
    if (!wire)
        return NULL;
    BIO_meth_set_read_ex(wire, wire_read);
    BIO_meth_set_write_ex(wire, wire_write);
    BIO_meth_set_ctrl(wire, wire_control);
    BIO_meth_set_create(wire, wire_create);
    return wire;
}

/* ---- messages of the handshake ---- */

/* The memory for `why`: TRUST_WHY_LEN_MAX bytes; the stream owns it. */
static char *why_of(struct tls_stream *stream)
{
    if (!stream->why)
        stream->why = memory_zero(1, TRUST_WHY_LEN_MAX);
    return stream->why;
}

/* OpenSSL decodes each certificate with its key before it calls the verifier. So we make a certificate with a
 * refused kind of key unreadable first: the message is OpenSSL's own buffer, and it is complete. */
static void look_at_certificates(struct tls_stream *stream, const unsigned char *message, size_t len,
                                 bool tls13)
{
    enum { HEADER_LEN = 4 };
    struct bytes body = bytes_make((const char *)message + HEADER_LEN, len - HEADER_LEN);
    enum trust_kind kind = trust_kind_of_message(body, tls13);
    if (kind == TRUST_KIND_TAKEN || body.len == 0)
        return;
    memset((unsigned char *)message + HEADER_LEN, 0xff, body.len);
    stream->key_refused = kind == TRUST_KIND_REFUSED;
    if (stream->key_refused)
        snprintf(why_of(stream), TRUST_WHY_LEN_MAX,
                 "a key of the certificate chain is of a kind that is not taken: RSA, EC on P-256, P-384 or "
                 "P-521 (named, not spelled out), and Ed25519 are");
}

static void on_message(int sent, int version, int kind, const void *message, size_t len, SSL *ssl, void *ctx)
{
    struct tls_stream *stream = SSL_get_app_data(ssl);
    if (sent || kind != SSL3_RT_HANDSHAKE || len < 4)
        return;
    if (stream->established)
        stream->handshake_messages++;
    else if (*(const unsigned char *)message == SSL3_MT_CERTIFICATE)
        look_at_certificates(stream, message, len, version == TLS1_3_VERSION);
}

/* The name or address that the certificate must have; a client's may have any. */
static const char *expected_name(const struct tls_stream *stream)
{
    enum url_host_kind kind;
    const char *name = stream->identity ? identity_server_name(stream->identity, &kind) : "";
    return *name || !stream->peer ? name : stream->peer->host;
}

static int on_verify(X509_STORE_CTX *store, void *ctx)
{
    struct tls_stream *stream =
        SSL_get_app_data(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    char why[TRUST_WHY_LEN_MAX];
    int good = trust_verify(store, expected_name(stream), why, &stream->key_refused);
    if (good != 1)
        memcpy(why_of(stream), why, sizeof why);
    return good;
}

/* ---- the context ---- */

/* The request for a certificate explains a later alert. 1: go on with the identity, if there is one. */
static int on_certificate_asked(SSL *ssl, void *ctx)
{
    struct tls_stream *stream = SSL_get_app_data(ssl);
    stream->certificate_asked = true;
    stream->certificate_shown = stream->identity && identity_has_certificate(stream->identity);
    return !stream->certificate_shown || identity_show(stream->identity, ssl);
}

/* For contexts of clients and of servers. The peer must not choose the cost of a handshake: no key exchange
 * of a size that it names (DHE, up to 8,192 bits), no slow curve or signature, and no other kind of key. */
static bool configure(SSL_CTX *context)
{
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_msg_callback(context, on_message);
    SSL_CTX_set_cert_verify_callback(context, on_verify, NULL);
    SSL_CTX_set_verify_depth(context, CHAIN_DEPTH_MAX);
    SSL_CTX_set_max_cert_list(context, CERTIFICATES_LEN_MAX);
    return SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!eNULL:!PSK") ==
               1 &&
           SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384:P-521") == 1 &&
           SSL_CTX_set1_sigalgs_list(
               context, "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:RSA-PSS+SHA256:RSA-PSS+SHA384:"
                        "RSA-PSS+SHA512:rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:"
                        "RSA+SHA256:RSA+SHA384:RSA+SHA512") == 1;
}

static const unsigned char http11[] = "\x08http/1.1"; /* in ALPN's form */

static void configure_client(SSL_CTX *context)
{
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_cb(context, on_certificate_asked, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_timeout(context, SESSION_AGE_S_MAX);
    SSL_CTX_sess_set_new_cb(context, session_keep);
    SSL_CTX_set_alpn_protos(context, http11, sizeof http11 - 1);
}

static struct tls *new_tls(void)
{
    struct tls *tls = memory_zero(1, sizeof *tls);
    atomic_init(&tls->holds, 1);
    return tls;
}

struct tls *tls_open(const char *ca_file, struct log *log)
{
    struct tls *tls = new_tls();
    bool trusted;

    tls->context = SSL_CTX_new(TLS_client_method());
    tls->wire = wire_method();
    if (!tls->context || !tls->wire || !configure(tls->context)) {
        log_write(log, LOG_LEVEL_ERROR, "tls", "OpenSSL gives no context");
        tls_free(tls);
        return NULL;
    }
    configure_client(tls->context);
    const char *why = "the system's authorities cannot be read";
    char *text = ca_file ? pem_read(ca_file, &why) : NULL;
    if (text) {
        why = "holds no certificates in PEM";
        trusted = SSL_CTX_load_verify_file(tls->context, ca_file) == 1;
        free(text);
    } else
        trusted = !ca_file &&
                  SSL_CTX_set_default_verify_dir(tls->context) == 1; /* each authority when first needed */
    ERR_clear_error();
    if (!trusted) {
        log_write(log, LOG_LEVEL_ERROR, "tls", "ca-file %s: %s", ca_file ? ca_file : "(none)", why);
        tls_free(tls);
        return NULL;
    }
    return tls;
}

struct tls *tls_hold(struct tls *tls)
{
    if (tls)
        atomic_fetch_add_explicit(&tls->holds, 1, memory_order_relaxed);
    return tls;
}

void tls_free(struct tls *tls)
{
    if (!tls || atomic_fetch_sub(&tls->holds, 1) > 1)
        return;
    for (int i = 0; i < SESSIONS_MAX; i++)
        session_forget(&tls->sessions[i]);
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->wire);
    identity_close(tls->own);
    free(tls);
}

/* ---- the server's context ---- */

static int show_own(SSL *ssl, void *ctx)
{
    const struct tls *tls = ctx;
    return identity_show(tls->own, ssl);
}

/* A client with a wrong certificate may complete the handshake, so that it gets an answer with the reason;
 * tls_client_trusted has the verdict. */
static int let_in(int good, X509_STORE_CTX *store)
{
    return 1;
}

/* RFC 7301. A client that offers only h2 is not rejected; it sees that nothing was chosen. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_len,
                           const unsigned char *offered, unsigned offered_len, void *ctx)
{
    unsigned char *found;
    if (SSL_select_next_proto(&found, chosen_len, http11, sizeof http11 - 1, offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

bool tls_asks_clients(const struct tls *tls)
{
    return SSL_CTX_get_verify_mode(tls->context) != SSL_VERIFY_NONE;
}

static bool ask_clients(SSL_CTX *context, const char *client_ca_file)
{
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(client_ca_file);
    if (!names || SSL_CTX_load_verify_file(context, client_ca_file) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        ERR_clear_error();
        return false;
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, let_in);
    return true;
}

struct tls *tls_open_server(struct identity *identity, const char *client_ca_file)
{
    static const unsigned char sessions[] = "posthorn";
    struct tls *tls = new_tls();
    tls->context = SSL_CTX_new(TLS_server_method());
    tls->wire = wire_method();
    if (!tls->context || !tls->wire || !configure(tls->context))
        memory_exhausted();
    SSL_CTX_set_session_cache_mode(tls->context, SSL_SESS_CACHE_OFF); /* tickets do without */
    SSL_CTX_set_session_id_context(tls->context, sessions, sizeof sessions - 1);
    SSL_CTX_set_alpn_select_cb(tls->context, choose_protocol, NULL);
    if (client_ca_file && !ask_clients(tls->context, client_ca_file)) {
        tls_free(tls);
        return NULL;
    }
    tls->own = identity;
    SSL_CTX_set_cert_cb(tls->context, show_own, tls);
    return tls;
}

/* ---- reasons for failures ---- */

static enum failure failure_of_verification(long result)
{
    switch (result) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return FAILURE_TLS_NAME;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return FAILURE_TLS_EXPIRED;
    default:
        return FAILURE_TLS_UNTRUSTED;
    }
}

/* The first error in OpenSSL's queue is the cause; the others are its consequences. */
static enum failure failure_of_queue(const struct tls_stream *stream)
{
    int reason = ERR_GET_REASON(ERR_peek_error());
    bool alert = reason > SSL_AD_REASON_OFFSET;

    if (stream->key_refused)
        return FAILURE_TLS_KEY;
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return failure_of_verification(SSL_get_verify_result(stream->ssl));
    if (reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED)
        return FAILURE_TLS_CLIENT_CERT;
    if (alert && stream->certificate_asked)
        return stream->certificate_shown ? FAILURE_TLS_CLIENT_REFUSED : FAILURE_TLS_CLIENT_CERT;
    switch (reason) {
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY:
    case SSL_R_DH_KEY_TOO_SMALL:
        return FAILURE_TLS_WEAK;
    default:
        return FAILURE_TLS_PROTOCOL;
    }
}

/* Reasons that OpenSSL's own words do not explain. */
static const char *sentence_of(int reason)
{
    switch (reason) {
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
        return "your server speaks HTTP/2 only (it refused http/1.1 in ALPN), and webhooks are sent in "
               "HTTP/1.1";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        return "your server ended the TLS handshake: most often it has nothing in common with what posthorn "
               "offers (ECDHE with AES or ChaCha20; X25519, P-256, P-384, P-521; keys of RSA, EC or Ed25519)";
    case SSL_R_TLSV1_UNRECOGNIZED_NAME:
        return "your server ended the TLS handshake: it does not know the host name of the URL";
    case SSL_R_EXCESSIVE_MESSAGE_SIZE:
        return "a message of the TLS handshake is too long: certificates may have 32 KiB at most, all "
               "together";
    case SSL_R_WRONG_VERSION_NUMBER:
        return "this port does not speak TLS 1.2 or 1.3";
    default:
        return NULL;
    }
}

/* Keeps better words if there are any: the certificate's verdict, or the failure's own sentence. */
static void explain_queue(struct tls_stream *stream)
{
    int code = ERR_GET_REASON(ERR_peek_error());
    const char *reason = ERR_reason_error_string(ERR_peek_error()), *sentence = sentence_of(code);
    if (stream->why || stream->tls->own || !reason)
        return;
    if (stream->failure == FAILURE_TLS_CLIENT_REFUSED)
        snprintf(why_of(stream), TRUST_WHY_LEN_MAX, "%s (%s)", failure_sentence(stream->failure), reason);
    else if (stream->failure == FAILURE_TLS_PROTOCOL && sentence)
        snprintf(why_of(stream), TRUST_WHY_LEN_MAX, "%s", sentence);
    else if (stream->failure != FAILURE_TLS_CLIENT_CERT && stream->failure != FAILURE_TLS_WEAK)
        snprintf(why_of(stream), TRUST_WHY_LEN_MAX, "TLS failed: %s", reason);
}

static enum tls_status status_of(struct tls_stream *stream, int result)
{
    switch (SSL_get_error(stream->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANTS_INPUT;
    case SSL_ERROR_ZERO_RETURN:
        stream->failure = FAILURE_CLOSED_EARLY;
        return TLS_ENDED;
    case SSL_ERROR_SSL:
        stream->failure = failure_of_queue(stream);
        explain_queue(stream);
        return TLS_BROKEN;
    default: /* the BIO refused to write or to read on */
        stream->failure = FAILURE_RESET;
        if (stream->handshake_messages > LATE_MESSAGES_MAX) {
            stream->failure = FAILURE_TLS_PROTOCOL;
            snprintf(why_of(stream), TRUST_WHY_LEN_MAX,
                     "your server sent more than %d session tickets, key updates or wishes to renegotiate "
                     "for one request",
                     LATE_MESSAGES_MAX);
        }
        return TLS_BROKEN;
    }
}

/* ---- the stream ---- */

/* Sets the name or address that the certificate must have. Only names are sent in SNI (RFC 6066 section 3).
 */
static void expect_peer(SSL *ssl, const struct peer *peer, const struct identity *identity)
{
    enum url_host_kind kind = peer->host_kind;
    const char *name = identity ? identity_server_name(identity, &kind) : "";
    bool good;
    if (!*name) {
        name = peer->host;
        kind = peer->host_kind;
    }
    if (kind == URL_HOST_NAME) {
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        good = SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
    } else {
        good = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    }
    assert(good); /* url_parse has checked it */
    if (identity)
        identity_expect(identity, ssl);
}

static void stream_open(struct tls_stream *stream)
{
    tls_hold(stream->tls);
    BIO *wire = BIO_new(stream->tls->wire);
    stream->ssl = SSL_new(stream->tls->context);
    if (!wire || !stream->ssl)
        memory_exhausted();
    BIO_set_data(wire, stream);
    SSL_set_bio(stream->ssl, wire, wire);
    SSL_set_app_data(stream->ssl, stream);
}

void tls_accept(struct tls_stream *stream, struct tls *tls, bool (*write)(void *ctx, struct bytes piece),
                void *ctx)
{
    assert(tls->own);
    *stream = (struct tls_stream){.tls = tls, .write = write, .ctx = ctx};
    stream_open(stream);
    SSL_set_accept_state(stream->ssl);
}

bool tls_client_trusted(const struct tls_stream *stream)
{
    return SSL_get0_peer_certificate(stream->ssl) && SSL_get_verify_result(stream->ssl) == X509_V_OK;
}

void tls_begin(struct tls_stream *stream, struct tls *tls, const struct peer *peer,
               const struct identity *identity, bool (*write)(void *ctx, struct bytes piece), void *ctx)
{
    *stream = (struct tls_stream){.tls = tls, .peer = peer, .identity = identity, .write = write, .ctx = ctx};
    stream_open(stream);
    SSL_set_connect_state(stream->ssl);
    expect_peer(stream->ssl, peer, identity);
    session_resume(stream);
}

enum tls_status tls_handshake(struct tls_stream *stream)
{
    ERR_clear_error();
    int result = SSL_do_handshake(stream->ssl);
    if (result != 1)
        return status_of(stream, result);
    stream->identity = NULL; /* the connection may outlive it */
    stream->established = true;
    if (stream->tls->own || SSL_get_verify_result(stream->ssl) == X509_V_OK)
        return TLS_DONE;
    stream->failure = FAILURE_TLS_UNTRUSTED;
    return TLS_BROKEN;
}

bool tls_resumed(const struct tls_stream *stream)
{
    return SSL_session_reused(stream->ssl);
}

enum tls_status tls_read(struct tls_stream *stream, char *buffer, size_t buffer_len, struct bytes *piece)
{
    size_t len = 0;
    ERR_clear_error();
    int result = SSL_read_ex(stream->ssl, buffer, buffer_len, &len);
    *piece = bytes_make(buffer, len);
    return result == 1 ? TLS_DONE : status_of(stream, result);
}

enum tls_status tls_write(struct tls_stream *stream, struct bytes piece)
{
    size_t len = 0;
    assert(piece.len > 0 && piece.len <= TLS_RECORD_LEN_MAX);
    ERR_clear_error();
    int result = SSL_write_ex(stream->ssl, piece.data, piece.len, &len);
    return result == 1 ? TLS_DONE : status_of(stream, result);
}

void tls_end(struct tls_stream *stream, bool politely)
{
    free(stream->why);
    stream->why = NULL;
    if (!stream->ssl)
        return;
    /* OpenSSL only resumes sessions whose connection has sent, or has marked as sent, a close_notify. */
    bool sound = stream->failure == FAILURE_NONE || stream->failure == FAILURE_CLOSED_EARLY;
    if (politely && sound)
        SSL_shutdown(stream->ssl);
    SSL_set_shutdown(stream->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(stream->ssl);
    stream->ssl = NULL;
    tls_free(stream->tls);
    stream->tls = NULL;
    ERR_clear_error();
}
