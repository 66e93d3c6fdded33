/*
 * probe: takes the sender's steps to a receiver one by one: resolve, connect, TLS. It uses the sender's
 * resolver, connections and TLS (src/net), so it sees the same as the server. It sends no request. Each call
 * waits until its step is done.
 */
#pragma once
#include "answer_detail.h"
#include "failure.h"
#include "resolver.h"
#include "url.h"

enum { PROBE_NAME_LEN = 256, PROBE_NAMES_LEN = 512 };

struct probe;

/* NULL: stderr has the reason. `ca_file` and `dns_servers` as in sender_config. */
struct probe *probe_open(const char *ca_file, const char *dns_servers);
void probe_close(struct probe *probe);
/* Closes the open connection, if there is one. */
void probe_release(struct probe *probe);

enum failure probe_resolve(struct probe *probe, const struct url *url, struct addresses *addresses);
/* The address gets the URL's port. The open connection is kept for probe_secure, until another call or
 * probe_close. */
enum failure probe_connect(struct probe *probe, const struct url *url, union address *address,
                           int64_t *duration_ms);

struct probe_certificate {
    bool seen;                                           /* there was one */
    char names[PROBE_NAMES_LEN], issuer[PROBE_NAME_LEN]; /* not escaped */
    int64_t not_after_ms;
    char version[16];                /* "TLSv1.3"; "": the handshake ended before */
    bool client_asked;               /* it asks for our certificate */
    char why[ANSWER_DETAIL_LEN_MAX]; /* more detail than the failure; "": none */
    int alert;                       /* the receiver's alert (RFC 8446 section 6); 0: none */
};
/* Does the handshake on the open connection. Fills the certificate even if it is refused. */
enum failure probe_secure(struct probe *probe, struct probe_certificate *certificate);
int64_t probe_now_ms(const struct probe *probe);
