/*
 * verdict: describes the state of a delivery in sentences. Pure: why.c passes the facts from the API's
 * documents.
 */
#pragma once
#include "words.h"

/* Why a pending delivery is not tried, or a skipped one cannot be sent. */
enum verdict_hold { VERDICT_NOT_HELD, VERDICT_NO_URL, VERDICT_PAUSED, VERDICT_DISABLED, VERDICT_NO_KEY };

struct verdict {
    struct bytes delivery_id, endpoint_id;
    bool is_default;                         /* the endpoint is its user's webhook_url */
    struct bytes paused_at, disabled_reason; /* of one that is paused or disabled; len 0: not known */
    struct bytes state;                      /* "pending", "delivered", "given_up", "cancelled", "skipped" */
    bool in_flight;
    bool resending;        /* delivered, and being sent again */
    int64_t again_count;   /* counted attempts after it was delivered */
    int64_t attempt_count; /* counted attempts */
    int64_t next_ms;       /* until the next try; -1: none is due */
    struct words_outcome last;
    bool overtaken; /* a send was under way when it was cancelled; its result: */
    struct words_outcome after_all;
    bool request_unread; /* the 200 came before the receiver had taken most of the request */
    enum verdict_hold hold;
    struct bytes finished_at; /* len 0: not yet, or not known */
    int64_t took_ms;          /* from the first attempt to the end; -1: not known */
};

/* "no_url", "paused", "disabled", "no_key"; NULL when not held. */
const char *verdict_hold_name(enum verdict_hold hold);
/* One or more sentences with full stops, and advice if there is any. */
void verdict_put(struct text *out, const struct verdict *verdict);
/* "Not sent to endpoint 7: it was created later." `reason`: as meta.not_sent has it. */
void verdict_put_not_sent(struct text *out, struct bytes endpoint_id, struct bytes reason,
                          struct bytes event_type);
