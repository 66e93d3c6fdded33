#include "edit.h"

/* ---- ETags ---- */

/* `weak`: W/ makes no difference, RFC 9110 section 8.8.3.2. */
static bool is_listed(struct bytes list, const char *etag, bool weak)
{
    list = bytes_trim(list);
    if (bytes_equal_text(list, "*"))
        return true;
    while (list.len) {
        struct bytes one = bytes_trim(bytes_cut(&list, ','));
        if (weak && bytes_starts(one, "W/"))
            one = bytes_make(one.data + 2, one.len - 2);
        if (bytes_equal_text(one, etag))
            return true;
    }
    return false;
}

bool edit_answered_304(struct call *call, const char *etag)
{
    struct bytes known = listener_header(call->request, "If-None-Match", NULL);
    call_header(call, "ETag", bytes_of(etag));
    return known.data && is_listed(known, etag, true) && call_answer(call, 304, (struct bytes){0});
}

bool edit_matches(struct call *call, const char *etag)
{
    const struct edit *edit = call->edit;
    if (!edit->if_match.data || (etag && is_listed(edit->if_match, etag, false)))
        return true;
    return call_fail(call, API_VERSION_CONFLICT, SOURCE_HEADER, "If-Match",
                     "The %s has changed since that ETag was given. Read it again.", edit->what);
}

/* ---- read, change, write ---- */

static bool run(struct call *call)
{
    struct edit *edit = call->edit;
    if (edit->tries++ == CALL_EDIT_TRIES_MAX)
        return call_fail(call, API_EDIT_CONFLICT, SOURCE_NONE, NULL,
                         "Others changed this %s again and again meanwhile.", edit->what);
    return call_query(call, &edit->query, true, edit->change);
}

bool edit_start(struct call *call, const struct edit *edit)
{
    call->edit = arena_alloc(&call->request->arena, sizeof *edit);
    if (!call->edit)
        return call_too_large(call);
    *call->edit = *edit;
    call->edit->if_match = listener_header(call->request, "If-Match", NULL);
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
    call->write.op =
        (struct store_op){.kind = STORE_USER_UPDATE, .user = {.user = user, .if_version = user.version}};
    return edit_write(call);
}

static bool user_changed(struct call *call)
{
    if (call->write.op.result != STORE_DONE)
        return call_not_found(call, "user");
    call->write.op.user.user.version++;
    return call->edit->user_done(call);
}

bool edit_user(struct call *call, int64_t user_id, bool (*change)(struct call *call, struct user *user),
               call_step *done)
{
    return edit_start(call, &(struct edit){.what = "user",
                                           .query = {.kind = STORE_GET_USER, .id = user_id, .limit = 1},
                                           .change = change_user,
                                           .done = user_changed,
                                           .change_user = change,
                                           .user_done = done});
}
