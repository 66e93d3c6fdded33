/*
 * edit: a stored row is read, changed, and written if nobody else has changed it meanwhile; else all of that
 * again. And the ETags that say which state of a row a client has in mind (RFC 9110 section 13).
 */
#pragma once
#include "call.h"

struct edit {
    const char *what;         /* "user": for messages */
    struct store_query query; /* the row */
    call_step *change; /* call->read.answer has it: fill call->write.op, with if_version, and edit_write */
    call_step *done;   /* written, or the store said something else than STORE_CONFLICT */
    bool (*change_user)(struct call *call, struct user *user); /* of edit_user */
    call_step *user_done;
    struct bytes if_match; /* the header; data NULL: none */
    int tries;
};

/* Starts it. The request's If-Match counts. */
bool edit_start(struct call *call, const struct edit *edit);
bool edit_write(struct call *call);
/* For call_write, where edit_write does not do. */
bool edit_written(struct call *call);
/* Is the row with this ETag the one that If-Match wants? NULL: there is no row. False after call_fail: 412.
 */
bool edit_matches(struct call *call, const char *etag);

/* The same of a user: `change` gets a copy to change, and `done` finds the new one in the op. */
bool edit_user(struct call *call, int64_t user_id, bool (*change)(struct call *call, struct user *user),
               call_step *done);

/* Sets ETag. True: If-None-Match says that the client has this state, and 304 is answered. */
bool edit_answered_304(struct call *call, const char *etag);
