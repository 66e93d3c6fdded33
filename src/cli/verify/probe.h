/*
 * probe: a look at a receiver in the steps that the sender takes, one by one: resolve, connect, TLS. With the
 * sender's own resolver, connections and TLS (src/net), so that it sees what the server would see; but it
 * writes no request: whoever listens there is not disturbed. Each call waits until its step is done.
 */
#pragma once
#include "answer_detail.h"
#include "failure.h"
#include "resolver.h"
#include "url.h"

enum { PROBE_NAME_LEN = 256, PROBE_NAMES_LEN = 512 };

struct probe;

/* NULL: stderr says why. `ca_file` and `dns_servers` as sender_config has them. */
struct probe *probe_open(const char *ca_file, const char *dns_servers);
void probe_close(struct probe *probe);
/* Closes the connection that stands, if there is one. */
void probe_release(struct probe *probe);

enum failure probe_resolve(struct probe *probe, const struct url *url, struct addresses *addresses);
/* The address gets the URL's port. A connection that stands is kept for probe_secure; another call, or
 * probe_close, drops it. */
enum failure probe_connect(struct probe *probe, const struct url *url, union address *address,
                           int64_t *duration_ms);

struct probe_certificate {
    bool seen;                                           /* there was one */
    char names[PROBE_NAMES_LEN], issuer[PROBE_NAME_LEN]; /* a stranger's text */
    int64_t not_after_ms;
    char version[16];                /* "TLSv1.3"; "": the handshake did not come so far */
    bool client_asked;               /* it wants to know who we are */
    char why[ANSWER_DETAIL_LEN_MAX]; /* why it failed, more than the failure says; "": nothing */
    int alert; /* what the receiver ended the handshake with (RFC 8446 section 6); 0: none */
};
/* The handshake over the connection that stands; the certificate also when it is not accepted. */
enum failure probe_secure(struct probe *probe, struct probe_certificate *certificate);
int64_t probe_now_ms(const struct probe *probe);
