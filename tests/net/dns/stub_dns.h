/*
 * stub_dns: a name server on a loopback port that answers from a table. It speaks UDP, and TCP for answers
 * that are LONG, on a thread of its own.
 */
#pragma once
#include <stdbool.h>

enum stub_kind {
    STUB_ANSWER,
    STUB_NXDOMAIN,
    STUB_SERVFAIL,
    STUB_SILENT,
    STUB_GARBAGE,
    STUB_REFUSED,
    STUB_SLOW,      /* ANSWER after STUB_SLOW_MS */
    STUB_TRUNCATED, /* too long for UDP, and nobody listens on TCP */
    STUB_LONG,      /* too long for UDP; ANSWER over TCP */
    STUB_OLD,       /* FORMERR to EDNS, ANSWER to a plain question */
    STUB_WIDE       /* SLOW, and longer than 512 bytes; TRUNCATED to a plain question */
};
enum { STUB_SLOW_MS = 900 };

/* One type of one name. Names that are not in the table do not exist. */
struct stub_record {
    const char *name; /* "": the root */
    bool v6;
    enum stub_kind kind;       /* ANSWER without addresses: the name has none of this type */
    const char *addresses[10]; /* NULL ends */
    const char *alias;         /* the answer goes over this name */
    int ttl_s;
};

struct stub_dns;

/* The table ends with a record without name, and must outlive the server. */
struct stub_dns *stub_dns_open(const struct stub_record *records);
int stub_dns_port(const struct stub_dns *dns);
/* What the last question said of how long an answer may be; 0: it had no EDNS. */
int stub_dns_udp_size(struct stub_dns *dns);
/* Whether it says nothing at all, to nobody. */
void stub_dns_mute(struct stub_dns *dns, bool mute);
/* How often it was asked for the name servers of the root; a question sent again is the same one. */
int stub_dns_probes(struct stub_dns *dns);
/* Returns how many questions it was asked. */
int stub_dns_close(struct stub_dns *dns);
