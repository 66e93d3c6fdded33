/*
 * diagnose: finds the wrong part of a push and the likely mistake, in plain words.
 *
 * A signature is only right or wrong, so we find the reason by trying: we undo the usual mistakes with keys
 * and bodies, one at a time, until the signature is right.
 */
#pragma once
#include "saved_push.h"

enum { FINDING_DETAIL_LEN = 400 };

struct finding {
    const char *part;   /* "WEBHOOK-AUTH" */
    const char *reason; /* for programs: "ok", "key_newline", ... */
    char detail[FINDING_DETAIL_LEN];
    bool right;
};

void diagnose_auth(const struct saved_push *push, const struct option_list *keys, struct finding *finding);
struct arrival {
    int64_t at_s, tolerance_s; /* when the push arrived, and how far its own time may be from that */
};

/* `secrets` can be read (posthorn_verify_signature). */
void diagnose_signature(const struct saved_push *push, const struct option_list *secrets,
                        const struct arrival *arrival, struct finding *finding);
/* The signatures that the headers of a push speak of: bits of enum push_signature. */
int diagnose_which(const struct saved_push *push);
/* A finding for each of these that is as another service's, or RFC 9421; how many. `url`: where the push was
 * sent, for RFC 9421; NULL: not known. */
enum { DIAGNOSE_DIALECTS_MAX = 5 };
int diagnose_dialects(const struct saved_push *push, int signatures, const struct option_list *secrets,
                      const char *url, const struct arrival *arrival, struct finding *findings);
void diagnose_body(const struct saved_push *push, struct finding *finding);

/* Fills the finding; the reason of a right part is "ok". */
void finding_set(struct finding *finding, const char *reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The header, which has to be there once; false after finding_set. */
bool finding_take_header(const struct saved_push *push, const char *name, struct bytes *value,
                         struct finding *finding);
/* The signature is right; is its time? `what` has it, in seconds: "webhook-timestamp". */
void finding_set_time(struct finding *finding, const char *what, struct bytes seconds,
                      const struct arrival *arrival);
