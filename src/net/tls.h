/*
 * tls: our side of TLS, from OpenSSL. One context per sender, trust loaded once; TLS 1.2 or better; the
 * certificate must lead to a trusted authority and bear the host's name or address; sessions are resumed
 * within one peer. And one context per listener: there a client may be asked for its certificate, and it is
 * for the application to refuse one (so that it can say why). Bytes in and out go through `in` and `write`:
 * nothing here touches a socket.
 *
 * An identity is put on the one connection that it is for (SSL, never SSL_CTX): there is nothing that two
 * identities could share but the settings.
 */
#pragma once
#include "bytes.h"
#include "failure.h"
#include "log.h"
#include "peer.h"
#include <openssl/ssl.h>

enum { TLS_RECORD_LEN_MAX = 16 * 1024 };

struct tls; /* the context and the sessions */

/* ca_file NULL: the system's authorities, each read when first needed and kept. NULL: it cannot be read, and
 * the log says which file, and why. */
struct tls *tls_open(const char *ca_file, struct log *log);
/* A server's. It holds the identity from here on (which must have a certificate). client_ca_file NULL: no
 * client is asked for a certificate. NULL: there is no certificate in that file. Streams of several threads
 * may share it. */
struct tls *tls_open_server(struct identity *identity, const char *client_ca_file);
/* A context is shared by those who make streams of it and by the streams, so that one which has been replaced
 * lasts as long as its last connection. Each holds it once, and gives it back with tls_free (NULL: nothing).
 * Any thread. */
struct tls *tls_hold(struct tls *tls);
void tls_free(struct tls *tls);
/* A server's: clients are asked for a certificate. */
bool tls_asks_clients(const struct tls *tls);

struct tls_stream {
    SSL *ssl;        /* NULL: no stream */
    struct tls *tls; /* held */
    const struct peer *peer;
    const struct identity *identity; /* until the handshake is done; may be NULL */
    struct bytes in;                 /* received and not yet decrypted */
    bool (*write)(void *ctx, struct bytes piece);
    void *ctx;
    bool certificate_asked; /* the receiver wants to know who we are */
    bool certificate_shown;
    bool key_refused;       /* the other side's, for its size or kind */
    bool established;       /* the handshake is done */
    int handshake_messages; /* that came since then, and since the last request */
    enum failure failure;
    char *why; /* more than the failure says, in ASCII; NULL: nothing */
};

enum tls_status { TLS_DONE, TLS_WANTS_INPUT, TLS_ENDED, TLS_BROKEN /* stream->failure says why */ };

/* `write` takes everything or answers false, then the connection is lost. `peer` must outlive the stream,
 * `identity` (NULL: none) the handshake. */
void tls_begin(struct tls_stream *stream, struct tls *tls, const struct peer *peer,
               const struct identity *identity, bool (*write)(void *ctx, struct bytes piece), void *ctx);
/* The server's side of a stream; `tls` is of tls_open_server. */
void tls_accept(struct tls_stream *stream, struct tls *tls, bool (*write)(void *ctx, struct bytes piece),
                void *ctx);
enum tls_status tls_handshake(struct tls_stream *stream);
/* A client's certificate came, leads to one of the authorities, and is for clients if it says what it is for.
 */
bool tls_client_trusted(const struct tls_stream *stream);
bool tls_resumed(const struct tls_stream *stream);
/* DONE: *piece is a view of `buffer`. */
enum tls_status tls_read(struct tls_stream *stream, char *buffer, size_t buffer_len, struct bytes *piece);
/* One record, at most TLS_RECORD_LEN_MAX bytes. */
enum tls_status tls_write(struct tls_stream *stream, struct bytes piece);
/* Says goodbye if `politely`; frees. Harmless on a zeroed stream. */
void tls_end(struct tls_stream *stream, bool politely);
