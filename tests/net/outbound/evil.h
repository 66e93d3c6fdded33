/* clang-format off */
/*
 * evil: a receiver that misbehaves as a script tells it. It listens on a port of 127.0.0.1 and plays one
 * connection after the other on a thread of its own.
 *
 *   accept; request; send "HTTP/1.1 200 OK\r\n" every 10 ms; rst
 *
 *   accept            take the next connection (over TLS: with the handshake); closes the one before
 *   request           read one whole request, head and body
 *   read N            read N bytes
 *   send "TEXT"       with the escapes \r \n \t \" \\ \0 \xNN; adding `N times`, `forever` or `every N ms`
 *                     (one byte at a time) after it. A peer that goes away ends it
 *   early "TEXT"      TLS 1.3: send inside the handshake, before the other side's Finished (no accept)
 *   tickets N         TLS 1.3: send so many session tickets; a peer that goes away ends it
 *   piece             the same with one ticket, longer than a record; after its first record: mark; until 1
 *   wishes N          the same with key updates (TLS 1.3) or wishes to renegotiate (TLS 1.2)
 *   goodbye           TLS: close_notify
 *   fin               close our side; still reads
 *   deaf              our kernel takes no packet of this connection any more, and acknowledges none
 *   close, rst        close the connection, in order or by reset
 *   await             read and throw away until the other side closes
 *   silence           do nothing more until evil_close
 *   mark              count up what evil_marks gives: "this has happened"
 *   until N           wait until evil_go has been called N times
 */
/* clang-format on */
#pragma once
#include "evil_certificates.h"

struct evil;

struct evil_config {
    const char *script;
    bool tls;
    enum evil_certificate certificate;
    X509 *own, *also_sent; /* instead of that one, and behind it; NULL: neither */
    EVP_PKEY *own_key;
    const char *ciphers;     /* of TLS 1.2; NULL: all */
    bool client_certificate; /* demanded, from the trusted authority */
    int tls_version_max;     /* 0: the newest */
    size_t ticket_len;       /* of what each session ticket carries; 0: as usual */
    bool small_window;       /* a receive buffer of a few KiB */
    const struct evil_certificates *certificates;
};

struct evil *evil_open(const struct evil_config *config);
int evil_port(const struct evil *evil);
int evil_marks(struct evil *evil);
/* Waits until there are `count` marks; false: not within `wait_ms`. */
bool evil_wait(struct evil *evil, int count, int wait_ms);
void evil_go(struct evil *evil);

struct evil_record {
    int connections, requests;
    char last[8192];   /* the head and the beginning of the body of the last request, NUL-terminated */
    size_t body_len;   /* of the last request */
    char clients[256]; /* whom each TLS connection was with: the common names, separated by spaces, - for
                          nobody */
};
/* Ends it, wherever in the script it is. */
void evil_close(struct evil *evil, struct evil_record *record);

/* A port on which nobody listens, and a listener that takes no connection any more: SYNs to it are dropped.
 */
int evil_closed_port(void);
struct black_hole {
    int listener, fillers[8], filler_count;
};
/* A loopback address; port 0: any. False: the address family is not available. */
bool black_hole_open(struct black_hole *hole, const char *address, int *port);
void black_hole_close(struct black_hole *hole);
