/*
 * tls: TLS with OpenSSL. A sender has one context: its trust is loaded once; TLS 1.2 or later; the
 * certificate must lead to a trusted authority and have the host's name or address; sessions are resumed
 * within one peer. A listener has one context: it may ask clients for certificates, and the application
 * refuses a wrong one, so that it can answer with the reason. Bytes go through `in` and `write`, never
 * through a socket.
 *
 * An identity is set on its connection (SSL, never SSL_CTX), so identities share only the settings.
 */
#pragma once
#include "bytes.h"
#include "failure.h"
#include "log.h"
#include "peer.h"
#include <openssl/ssl.h>

enum { TLS_RECORD_LEN_MAX = 16 * 1024 };

struct tls; /* the context and the sessions */

/* ca_file NULL: the authorities of the system, each read when first needed. NULL: unreadable; the log has the
 * file and the reason. */
struct tls *tls_open(const char *ca_file, struct log *log);
/* A listener's context. It owns the identity, which must have a certificate. client_ca_file NULL: clients are
 * not asked for certificates. NULL: that file has no certificate. Streams of several threads may share it. */
struct tls *tls_open_server(struct identity *identity, const char *client_ca_file);
/* A context is held by its users and by its streams, so a replaced one lives as long as its last connection.
 * Each holder calls tls_free once (NULL: does nothing). Any thread. */
struct tls *tls_hold(struct tls *tls);
void tls_free(struct tls *tls);
/* A listener's context: it asks clients for certificates. */
bool tls_asks_clients(const struct tls *tls);

struct tls_stream {
    SSL *ssl;        /* NULL: no stream */
    struct tls *tls; /* held */
    const struct peer *peer;
    const struct identity *identity; /* until the handshake is done; may be NULL */
    struct bytes in;                 /* received and not yet decrypted */
    bool (*write)(void *ctx, struct bytes piece);
    void *ctx;
    bool certificate_asked; /* the receiver has asked for ours */
    bool certificate_shown;
    bool key_refused;       /* the peer's, because of its size or kind */
    bool established;       /* the handshake is done */
    int handshake_messages; /* received after that, since the last request */
    enum failure failure;
    char *why; /* more detail than the failure, ASCII; NULL: none */
};

enum tls_status { TLS_DONE, TLS_WANTS_INPUT, TLS_ENDED, TLS_BROKEN /* stream->failure says why */ };

/* `write` takes all bytes, or returns false and the connection is lost. `peer` must outlive the stream, and
 * `identity` (NULL: none) the handshake. */
void tls_begin(struct tls_stream *stream, struct tls *tls, const struct peer *peer,
               const struct identity *identity, bool (*write)(void *ctx, struct bytes piece), void *ctx);
/* The listener's side of a stream; `tls` is from tls_open_server. */
void tls_accept(struct tls_stream *stream, struct tls *tls, bool (*write)(void *ctx, struct bytes piece),
                void *ctx);
enum tls_status tls_handshake(struct tls_stream *stream);
/* True: the client has shown a certificate that leads to one of the authorities and may be used by clients.
 */
bool tls_client_trusted(const struct tls_stream *stream);
bool tls_resumed(const struct tls_stream *stream);
/* DONE: *piece is a view of `buffer`. */
enum tls_status tls_read(struct tls_stream *stream, char *buffer, size_t buffer_len, struct bytes *piece);
/* One record, at most TLS_RECORD_LEN_MAX bytes. */
enum tls_status tls_write(struct tls_stream *stream, struct bytes piece);
/* Frees the stream; sends close_notify if `politely`. Does nothing on a zeroed stream. */
void tls_end(struct tls_stream *stream, bool politely);
