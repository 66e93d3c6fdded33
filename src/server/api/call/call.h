/*
 * call: one request on its way through the API, and how a handler speaks of it.
 *
 * A handler never blocks. It reads what it needs of the request, then either answers (call_answer), or starts
 * one write (call_write) or one query (call_query) whose continuation goes on with the call, on the writer's
 * or a reader's thread. A handler or continuation returns true when the answer is given or on its way, and
 * must not touch the call again; it returns false after call_fail, and the failure is then answered for it.
 *
 * The call and all it points to live on the request's arena and on its own scratch arena (what queries
 * return), until the answer is handed to the listener.
 */
#pragma once
#include "api.h"
#include "cors.h"
#include "errors.h"
#include "in_flight.h"
#include "json_tree.h"
#include "keyring.h"
#include "negotiation.h"
#include "query.h"
#include "request_id.h"
#include "throttle.h"
#include <stdatomic.h>

#define API_VERSION "1.0.0" /* the only one so far, so the oldest, too */

enum {
    CALL_COMMON_HEADERS_MAX = 6 + CORS_HEADERS_MAX, /* see below, at "answering" */
    CALL_HEADERS_MAX = 8 + CALL_COMMON_HEADERS_MAX,
    CALL_WARNINGS_MAX = 20,
    CALL_ANSWER_LEN_MAX = 4 << 20,   /* a page is cut short rather than longer */
    CALL_ROWS_LEN_MAX = 8 << 20,     /* a query's rows: it stops early when they do not fit */
    CALL_SCRATCH_LEN_MAX = 24 << 20, /* rows, and the answer made from them */
    /* Of an edit of a row that others edit meanwhile. Each that is lost is one of theirs made, so this is far
     * more than as many clients at one row ever need. */
    CALL_EDIT_TRIES_MAX = 256
};

/* Warnings about answers, by status. */
struct complaint {
    atomic_llong told_ms, left_out;
};

enum { COMPLAINTS_MAX = 100, COMPLAINT_QUIET_MS = 60 * 1000 };

struct api {
    struct api_config config;
    struct keyring *keyring;
    struct reference *reference;
    struct throttle *throttle;
    struct in_flight in_flight;
    struct request_ids request_ids;
    atomic_int in_hand;    /* requests not answered yet */
    atomic_int store_told; /* the last write's store_status, for /health */
    atomic_llong events_accepted, events_replayed, guesses;
    atomic_llong answers[6]; /* by the status's first digit */
    struct complaint complaints[COMPLAINTS_MAX];
};

struct call;
typedef bool call_step(struct call *call);

enum source_kind { SOURCE_NONE, SOURCE_POINTER, SOURCE_PARAMETER, SOURCE_HEADER };

struct failure_report {
    enum api_error error;
    const char *code; /* of url.h, guard.h, json.h; NULL: the error's own */
    enum source_kind source_kind;
    const char *source;
    const char *detail;
    int line, column; /* 0: no position */
    int retry_after_s;
    bool close; /* nothing here is asked for like this: the connection is not worth keeping */
};

struct warning {
    const char *code, *detail;
    int line, column; /* 0: no position */
};

struct call {
    struct api *api;
    struct listener_request *request;
    struct bytes request_id;
    bool at_metrics; /* it came to the address of metrics-listen */
    struct caller caller;
    int64_t rate_limit; /* of its key, or of its address, requests/s; 0: none */
    struct rate_verdict rate;
    enum media media;
    struct bytes id_text, endpoint_text, type_text; /* the path's variable segments */
    struct query query;
    struct warning warnings[CALL_WARNINGS_MAX];
    int warning_count;
    int line; /* of a batch, from 1; 0: the body is one document */
    struct failure_report failure;
    struct header headers[CALL_HEADERS_MAX];
    int header_count;
    struct arena scratch;
    struct payload *document;        /* of a large event, which the store may send on; NULL: none */
    struct queue_job write;          /* fill write.op, then call_write */
    struct store_request *repeat;    /* of a write that makes something (idempotency_key.h); NULL: no key */
    struct in_flight_key *keys_held; /* until it is answered */
    struct readers_job read;
    call_step *then;
    void *state;            /* the handler's own, on the request's arena */
    struct edit *edit;      /* of a row that is being changed */
    const char *etag;       /* of the resource that the answer shows: of a 2xx its ETag, and what a GET's
                               preconditions are about (precondition.h). NULL: it has none */
    const char *shown_once; /* the text of a key or secret that this answer alone shows; NULL: none */
};

/* ---- failing; all return false ---- */

/* `source` must live as long as the call: a literal, or on the request's arena. */
bool call_fail(struct call *call, enum api_error error, enum source_kind kind, const char *source,
               const char *format, ...) __attribute__((format(printf, 5, 6)));
bool call_fail_code(struct call *call, enum api_error error, const char *code, const char *pointer,
                    const char *detail);
/* The failure's pointer is below `base`/`name`. */
bool call_within(struct call *call, const char *base, struct bytes name);
bool call_not_found(struct call *call, const char *what);
/* The queue is full; the store could not. */
bool call_fail_busy(struct call *call);
/* STORE_QUOTA of an event or a snapshot: which quota of this user, its limit, and how much is used. */
bool call_fail_quota(struct call *call, int64_t user_id, const struct quota_reached *reached);
bool call_fail_store(struct call *call, enum store_status status);
/* The memory of a request is used up. */
bool call_too_large(struct call *call);

/* Adds a warning for meta.warnings. Beyond CALL_WARNINGS_MAX they are dropped. */
void call_warn(struct call *call, const char *code, int line, int column, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Is it a Master's request? A Master that acts as one of its users is a Master still. */
static inline bool call_is_masters(const struct call *call)
{
    return call->caller.role == USER_MASTER || call->caller.key_user_id != call->caller.user_id;
}
/* The caller is that user, or its Master. */
static inline bool call_may_see(const struct call *call, int64_t user_id)
{
    return keyring_may_see(call->api->keyring, &call->caller, user_id);
}

/* ---- memory ---- */

/* NUL-terminated, on the request's arena; "" when that is used up. */
const char *call_printf(struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON pointer's next member: `base`/`name` with ~ and / escaped and a long name cut. */
const char *call_pointer(struct call *call, const char *base, struct bytes name);

/* The handler's own state, all zero. NULL after call_fail. */
void *call_state(struct call *call, size_t size);

/* ---- the store ---- */

bool call_write(struct call *call, call_step *then);
/* Notes the result of a write for /health. A handler that does not use call_write calls it. */
void call_note_store(struct call *call, enum store_status status);
/* The row with this id, of a GET_USER, GET_EVENT with its document, or GET_DELIVERY. */
bool call_get(struct call *call, enum store_query_kind kind, int64_t id, bool keep, call_step *then);
/* call->read.answer holds the rows; rows of earlier queries are gone unless `keep`. */
bool call_query(struct call *call, const struct store_query *query, bool keep, call_step *then);

/*
 * ---- answering: once, and the call is gone ----
 * Every answer has X-Request-Id; Version, the one that was served; Posthorn-Mode, sandbox or production; and
 * where there is a pace, of the key or else of the address, RateLimit-Limit, -Remaining and -Reset (seconds
 * until the bucket is full); and what a browser asks for (cors.h).
 */

/* An ETag for what has no version of its own: the digest of how it looks. */
const char *call_etag_of(struct call *call, struct bytes looks);
/* May the request change what has this ETag? NULL: there is nothing yet. False after call_fail: 412. */
bool call_allows(struct call *call, const char *what, const char *etag);

/* `value` must live on the request's arena, or be a literal. */
void call_header(struct call *call, const char *name, struct bytes value);
/* An empty body is sent without Content-Type. False after call_fail, of a GET whose If-Match does not hold;
 * all else is answered. */
bool call_answer(struct call *call, int status, struct bytes body);
bool call_answer_text(struct call *call, int status, const char *content_type, struct bytes body);
/* The body is sent from where it lies, and outlives the listener. */
bool call_answer_page(struct call *call, const char *content_type, struct bytes body);
bool call_answer_failure(struct call *call);
/* Fills in the answer of a request that the listener refuses, whose failure this is. It stays on the
 * request's arena. */
void call_refuse(struct call *call, int status, struct listener_reply *reply);

/* The error object of a failure, and the whole document of one. */
void failure_put_error(struct text *out, const struct failure_report *failure, struct bytes request_id);
void failure_put(struct text *out, const struct failure_report *failure, struct bytes request_id);
