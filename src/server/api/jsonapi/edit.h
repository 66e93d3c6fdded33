/*
 * edit: a stored row is read, changed, and written if nobody else has changed it meanwhile; else all of that
 * again. The request's preconditions (precondition.h) are judged each time it was read.
 */
#pragma once
#include "call.h"

struct edit {
    const char *what;         /* "user": for messages */
    struct store_query query; /* the row */
    /* The ETag of what was read (call->read.answer); NULL: it is not there. Without this function nothing is
     * judged: the request is to a list. */
    const char *(*etag)(struct call *call);
    call_step *change; /* call->read.answer has it: fill call->write.op, with if_version, and edit_write */
    call_step *done;   /* written, or the store said something else than STORE_CONFLICT */
    bool (*change_user)(struct call *call, struct user *user);             /* of edit_user */
    bool (*change_endpoint)(struct call *call, struct endpoint *endpoint); /* of edit_endpoint */
    call_step *row_done; /* of both: the result is DONE, or one of call->repeat */
    int tries;
};

/* Starts it. */
bool edit_start(struct call *call, const struct edit *edit);
bool edit_write(struct call *call);
/* For call_write, where edit_write does not do. */
bool edit_written(struct call *call);
/* The same of a user: `change` gets a copy to change, and `done` finds the new one in the op. */
bool edit_user(struct call *call, int64_t user_id, const char *(*etag)(struct call *call),
               bool (*change)(struct call *call, struct user *user), call_step *done);
/* And of an endpoint. `what` is "user" for a request that names a user and means its default endpoint. */
bool edit_endpoint(struct call *call, const char *what, int64_t id, const char *(*etag)(struct call *call),
                   bool (*change)(struct call *call, struct endpoint *endpoint), call_step *done);
/* The endpoint that was read; NULL: there is none that the caller may see. */
const struct endpoint *edit_seen_endpoint(const struct call *call);
/* The same if it has a URL. NULL after call_fail. */
const struct endpoint *edit_reachable_endpoint(struct call *call);
/* The ETag of an endpoint; a user and its default endpoint have the same. */
const char *edit_endpoint_etag(struct call *call, const struct endpoint *endpoint);
