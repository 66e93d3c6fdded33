/*
 * rig: the API without a socket. The real keyring, queue, readers and SQLite store in a temporary folder;
 * only the listener is a stand-in, so that a test asks and gets the answer in one call.
 */
#pragma once
#include "api.h"
#include "json_c.h"

struct rig {
    char folder[64], path[128];
    struct config settings;
    struct store *store;
    struct queue *queue;
    struct readers *readers;
    struct api *api;
    struct vault *vault;
    const struct store_backend *backend; /* store_sqlite, with `fault` in front of its writes */
    _Atomic(struct store_work *) work;   /* the box that came back last */
};

enum { RIG_USERS = 5, RIG_HEADERS_MAX = 8 };

/* Who is who: the first Master (5) made all but `stranger`, who belongs to the second Master. */
enum rig_user { RIG_NOBODY, RIG_MASTER, RIG_REGULAR, RIG_OTHER, RIG_MASTER_2, RIG_STRANGER };

struct ask {
    const char *method, *target;
    enum rig_user as;
    const char *body;
    const char *content_type; /* NULL: application/json when there is a body; "": none */
    const char *headers[RIG_HEADERS_MAX][2];
    size_t body_len; /* 0: strlen(body) */
    const char *peer;
};

struct reply {
    int status;
    char *body;
    size_t body_len;
    char *headers;            /* "Name: value\n" each */
    struct json_object *json; /* NULL: no JSON */
};

void rig_open(struct rig *rig);
void rig_close(struct rig *rig);
/* Closes all and opens it again on the same file. */
void rig_restart(struct rig *rig);
/* The next writes answer so instead of reaching the store. STORE_OK: as usual. */
void rig_fault(enum store_status status);
void rig_no_space(bool on);
/* Holds the writer before its next transaction, or lets it go on. */
void rig_hold_writer(bool on);
/* Waits until it is held. */
void rig_await_held(void);
/* The next transaction with an op of this kind has `op` in front of it: another's, between a request's read
 * and its write. */
void rig_meanwhile(enum store_op_kind kind, struct store_op op);
/* How many transactions have had an event in them. */
int rig_event_writes(void);

/* The API's clocks show this time from now on; 0: the system's again. */
void rig_set_clock(int64_t now_ms);

/* Claims what is due into the box, and waits until it is filled. */
void rig_claim(struct rig *rig, struct store_work *box);
/* Writes past the API, and waits. */
void rig_write(struct rig *rig, struct store_op op);

const char *rig_key(enum rig_user user);
int64_t rig_id(enum rig_user user);

struct reply rig_ask(struct rig *rig, const struct ask *ask);
void reply_free(struct reply *reply);
/* NULL: none. The text is the reply's, up to the end of the line; *len its length. */
const char *reply_header(const struct reply *reply, const char *name, size_t *len);
bool reply_header_is(const struct reply *reply, const char *name, const char *value);
/* A JSON pointer's value as text; "" when there is none. */
const char *reply_text(const struct reply *reply, const char *pointer);
struct json_object *reply_get(const struct reply *reply, const char *pointer);
/* Every answer's form: jsonapi.version, or a complete errors document whose pointer exists in the request. */
void reply_check(const struct reply *reply, const struct ask *ask);

struct refusal {
    struct ask ask;
    int status;
    const char *code;
    const char *source; /* "pointer /data/id", "header Accept", "parameter sort"; NULL: not looked at */
};
/* Each is refused like that, and no event is written. */
void rig_refuses(struct rig *rig, const struct refusal *rows, size_t count);

/* Bodies of events. */
#define RIG_EVENT "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"x\"}}}"
#define EVENT_RELATED(relationships)                                                                         \
    "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"x\"},\"relationships\":" relationships  \
    "}}"
