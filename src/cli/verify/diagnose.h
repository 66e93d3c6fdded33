/*
 * diagnose: which part of a push is wrong, and what it looks like somebody did: in plain words.
 *
 * A signature can only be right or wrong; why it is wrong shows by trying. What usually happens to keys and
 * bodies on their way is undone, one thing at a time, and what makes the signature right is the reason.
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
/* `secrets` can be read (posthorn_verify_signature); at_s: when the push arrived. */
void diagnose_signature(const struct saved_push *push, const struct option_list *secrets, int64_t at_s,
                        int64_t tolerance_s, struct finding *finding);
void diagnose_body(const struct saved_push *push, struct finding *finding);

/* Fills the finding; the reason of what is right is "ok". */
void finding_set(struct finding *finding, const char *reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
