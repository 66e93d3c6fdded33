#include "edit.h"

/* ---- read, change, write ---- */

static bool judge(struct call *call)
{
    const struct edit *edit = call->edit;
    return (!edit->etag || call_allows(call, edit->what, edit->etag(call))) && edit->change(call);
}

static bool run(struct call *call)
{
    struct edit *edit = call->edit;
    if (edit->tries++ == CALL_EDIT_TRIES_MAX)
        return call_fail(call, API_EDIT_CONFLICT, SOURCE_NONE, NULL,
                         "Others changed this %s again and again meanwhile.", edit->what);
    return call_query(call, &edit->query, true, judge);
}

bool edit_start(struct call *call, const struct edit *edit)
{
    call->edit = arena_alloc(&call->request->arena, sizeof *edit);
    if (!call->edit)
        return call_too_large(call);
    *call->edit = *edit;
    return run(call);
}

bool edit_written(struct call *call)
{
    return call->write.op.result == STORE_CONFLICT ? run(call) : call->edit->done(call);
}

bool edit_write(struct call *call)
{
    return call_write(call, edit_written);
}

/* ---- of a user ---- */

static bool change_user(struct call *call)
{
    if (call->read.answer.count == 0)
        return call_not_found(call, "user");
    struct user user = call->read.answer.users[0];
    if (!call->edit->change_user(call, &user))
        return false;
    user.updated_at_ms = clock_wall_ms(&call->api->config.clock);
    call->write.op = (struct store_op){.kind = STORE_USER_UPDATE,
                                       .request = call->repeat,
                                       .user = {.user = user, .if_version = user.version}};
    return edit_write(call);
}

static bool user_changed(struct call *call)
{
    if (call->write.op.result == STORE_NOT_FOUND)
        return call_not_found(call, "user");
    call->write.op.user.user.version += call->write.op.result == STORE_DONE;
    return call->edit->row_done(call);
}

bool edit_user(struct call *call, int64_t user_id, const char *(*etag)(struct call *call),
               bool (*change)(struct call *call, struct user *user), call_step *done)
{
    return edit_start(call, &(struct edit){.what = "user",
                                           .query = {.kind = STORE_GET_USER, .id = user_id, .limit = 1},
                                           .etag = etag,
                                           .change = change_user,
                                           .done = user_changed,
                                           .change_user = change,
                                           .row_done = done});
}

/* ---- of an endpoint ---- */

const struct endpoint *edit_seen_endpoint(const struct call *call)
{
    const struct endpoint *endpoint = call->read.answer.count ? &call->read.answer.endpoints[0] : NULL;
    return endpoint && call_may_see(call, endpoint->owner_id) ? endpoint : NULL;
}

const struct endpoint *edit_reachable_endpoint(struct call *call)
{
    const struct endpoint *endpoint = edit_seen_endpoint(call);
    if (!endpoint)
        call_not_found(call, "endpoint");
    else if (endpoint->url.len == 0)
        call_fail(call, API_ENDPOINT_NO_URL, SOURCE_NONE, NULL,
                  "The endpoint has no url, so nothing can be sent to it. Set its url first.");
    else
        return endpoint;
    return NULL;
}

const char *edit_endpoint_etag(struct call *call, const struct endpoint *endpoint)
{
    return call_printf(call, "\"%lld-%lld\"", (long long)endpoint->id, (long long)endpoint->version);
}

static bool change_endpoint(struct call *call)
{
    const struct endpoint *seen = edit_seen_endpoint(call);
    if (!seen)
        return call_not_found(call, call->edit->what);
    struct endpoint endpoint = *seen;
    if (!call->edit->change_endpoint(call, &endpoint))
        return false;
    endpoint.updated_at_ms = clock_wall_ms(&call->api->config.clock);
    call->write.op = (struct store_op){.kind = STORE_ENDPOINT_UPDATE,
                                       .request = call->repeat,
                                       .endpoint = {.endpoint = endpoint, .if_version = endpoint.version}};
    return edit_write(call);
}

static bool endpoint_changed(struct call *call)
{
    if (call->write.op.result == STORE_NOT_FOUND)
        return call_not_found(call, call->edit->what);
    call->write.op.endpoint.endpoint.version += call->write.op.result == STORE_DONE;
    return call->edit->row_done(call);
}

bool edit_endpoint(struct call *call, const char *what, int64_t id, const char *(*etag)(struct call *call),
                   bool (*change)(struct call *call, struct endpoint *endpoint), call_step *done)
{
    return edit_start(call, &(struct edit){.what = what,
                                           .query = {.kind = STORE_GET_ENDPOINT, .id = id, .limit = 1},
                                           .etag = etag,
                                           .change = change_endpoint,
                                           .done = endpoint_changed,
                                           .change_endpoint = change,
                                           .row_done = done});
}
