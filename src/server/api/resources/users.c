/* /api/users: who there is, and where their events go. `me` is the caller. */
#include "edit.h"
#include "endpoint_fields.h"
#include "idempotency_key.h"
#include "page.h"
#include "resources.h"
#include "signing.h"

/* ---- what a user looks like ---- */

static bool read_email(struct call *call, const struct field *field, struct json_value *value, void *place)
{
    struct bytes *email = place;
    return jsonapi_read_text(call, value, field->pointer, field->len_max, email) &&
           (!email->len || memchr(email->data, '@', email->len) ||
            field_fail(call, field, "This is not an e-mail address."));
}

static const char *const roles[] = {[USER_REGULAR] = "regular", [USER_MASTER] = "master", NULL};

static void user_put_success(struct text *out, const struct call *call, const void *row)
{
    (void)call;
    success_put(out, ((const struct user *)row)->endpoint.push.success);
}

static const struct field fields[] = {
    {FIELD("name", FIELD_TEXT, FIELD_ALWAYS | FIELD_NULLABLE, struct user, name), .len_max = 256},
    {FIELD("email", FIELD_TEXT, FIELD_ALWAYS | FIELD_NULLABLE, struct user, email), .len_max = 254,
     .pattern = "^$|^[^\\\\x00-\\\\x1f\\\\x7f]*@[^\\\\x00-\\\\x1f\\\\x7f]*$", .read = read_email},
    {FIELD("role", FIELD_CHOICE, FIELD_ON_CREATE, struct user, role), .len_max = 16, .choices = roles,
     .rule = "role must be \"regular\" or \"master\"."},
    {FIELD("webhook_url", FIELD_TEXT, FIELD_ALWAYS | FIELD_NULLABLE, struct user, endpoint.url),
     .len_max = URL_LEN_MAX, .pattern = "^[Hh][Tt][Tt][Pp][Ss]?://", .read = endpoint_read_url},
    {FIELD("success", FIELD_JSON, FIELD_ALWAYS | FIELD_NULL_CLEARS, struct user, endpoint.push.success),
     .schema = "Success", .read = endpoint_read_success, .put = user_put_success},
    {FIELD("receives_users_events", FIELD_FLAG, FIELD_ALWAYS, struct user, receives_users_events)},
    {FIELD("disable_on_410", FIELD_FLAG, FIELD_ALWAYS, struct user, endpoint.disable_on_410)},
    {FIELD("paused", FIELD_FLAG, FIELD_ALWAYS, struct user, endpoint.paused)},
    {FIELD("created_at", FIELD_INSTANT, 0, struct user, created_at_ms)},
    {FIELD("updated_at", FIELD_INSTANT, 0, struct user, updated_at_ms)},
    {FIELD("master", FIELD_TO_ONE, FIELD_NULLABLE, struct user, master_id), .related = "users"}};
const struct shape users_shape = {SHAPE("users", struct user, fields), .self = "/api/users/:id"};

/* ---- showing ---- */

/* The version alone would do, but an ETag that names its user cannot be mistaken for another's. */
static const char *etag_of(struct call *call, const struct user *user)
{
    return call_printf(call, "\"%lld-%lld\"", (long long)user->id, (long long)user->version);
}

static const char *read_etag(struct call *call)
{
    return call->read.answer.count ? etag_of(call, &call->read.answer.users[0]) : NULL;
}

static bool answer_user(struct call *call, int status, const struct user *user, struct bytes meta)
{
    call->etag = etag_of(call, user);
    return shape_answer(call, status, &users_shape, user, meta);
}

bool users_path_id(struct call *call, int64_t *id)
{
    if (bytes_equal_text(call->id_text, "me")) {
        *id = call->caller.user_id;
        return true;
    }
    if (!jsonapi_path_id(call, "user", id))
        return false;
    return call_may_see(call, *id) || call_not_found(call, "user");
}

static bool show(struct call *call)
{
    if (call->read.answer.count == 0)
        return call_not_found(call, "user");
    return answer_user(call, 200, &call->read.answer.users[0], (struct bytes){0});
}

bool users_show(struct call *call)
{
    int64_t id;
    return users_path_id(call, &id) && call_get(call, STORE_GET_USER, id, false, show);
}

static bool show_list(struct call *call)
{
    return page_answer(call, "/api/users", call->state, &users_shape, call->read.answer.users);
}

bool users_list(struct call *call)
{
    struct page *page = call_state(call, sizeof *page);
    struct store_query query = {.kind = STORE_LIST_USERS, .master_id = call->caller.user_id};
    return page && page_read(call, "users", page) && page_query(call, page, &query, false, show_list);
}

/* ---- changing ---- */

struct user_edit {
    struct user user; /* the fields that are given */
    unsigned given;
    const char *was;    /* the status of its default endpoint */
    const char *token;  /* a new user's first key, */
    struct api_key key; /* as it is written */
};

static bool change(struct call *call, struct user *user)
{
    struct user_edit *edit = call->state;
    bool was_paused = user->endpoint.paused;
    edit->was = endpoint_status(&user->endpoint);
    shape_apply(&users_shape, edit->given, &edit->user, user);
    endpoint_set_paused_at(call, &user->endpoint, was_paused);
    return true;
}

static bool changed(struct call *call)
{
    const struct user_edit *edit = call->state;
    const struct user *user = &call->write.op.user.user;
    endpoint_log_status(call, &user->endpoint, edit->was);
    return answer_user(call, 200, user, (struct bytes){0});
}

bool users_update(struct call *call)
{
    struct request_document document;
    int64_t id;
    struct user_edit *edit = call_state(call, sizeof *edit);
    return edit && users_path_id(call, &id) && jsonapi_read(call, "users", &document) &&
           jsonapi_check_id(call, &document, id) &&
           jsonapi_refuse_relationships(call, &document, "A user's relationships cannot be changed.") &&
           shape_read(call, &users_shape, &document, FIELD_ON_UPDATE, &edit->user, &edit->given) &&
           edit_user(call, id, read_etag, change, changed);
}

/* ---- a new user, and its first key ---- */

static bool fail_too_many(struct call *call)
{
    return call_fail(call, API_TOO_MANY_USERS, SOURCE_NONE, NULL,
                     "This Master has %lld users, which is the limit (setting users-max).",
                     (long long)call->api->config.config->users_max);
}

/* The user as it is by now. */
static bool replay(struct call *call)
{
    if (call->read.answer.count == 0)
        return call_not_found(call, "user");
    const struct user *user = &call->read.answer.users[0];
    idempotency_key_replayed(call, "the user's first API key");
    call_header(call, "Location", bytes_of(call_printf(call, "/api/users/%lld", (long long)user->id)));
    return answer_user(call, 201, user, (struct bytes){0});
}

static bool user_created(struct call *call)
{
    struct user_edit *edit = call->state;
    const struct store_op *op = &call->write.op;
    if (!idempotency_key_fits(call))
        return false;
    if (op->result == STORE_REPLAYED)
        return call_get(call, STORE_GET_USER, op->id, false, replay);
    if (op->result == STORE_QUOTA)
        return fail_too_many(call);
    if (op->result != STORE_DONE)
        return call_not_found(call, "user");
    edit->user.id = call->write.op.id;
    edit->user.version = 1;
    keyring_put_user(call->api->keyring, edit->user.id, edit->user.role, edit->user.master_id);
    keyring_put_key(call->api->keyring, &edit->key);
    if (call->caller.restricted)
        call_warn(call, "allow_from_inherited", 0, 0,
                  "the new user's API key has the allow_from of your own key; a key without allow_from can "
                  "change that");
    call_header(call, "Location", bytes_of(call_printf(call, "/api/users/%lld", (long long)edit->user.id)));
    call_header(call, "Cache-Control", bytes_of("no-store"));
    char secret[POSTHORN_SECRET_LEN_MAX];
    signing_default(call->api->config.vault, edit->user.id, edit->user.created_at_ms, secret);
    const char *meta = call_printf(call, "\"api_key\":\"%s\",\"signing_secret\":\"%s\"", edit->token, secret);
    return answer_user(call, 201, &edit->user, bytes_of(meta));
}

bool users_create(struct call *call)
{
    struct request_document document;
    struct user_edit *edit = call_state(call, sizeof *edit);
    int64_t users_max = call->api->config.config->users_max;
    bool full = users_max > 0 && keyring_user_count(call->api->keyring, call->caller.user_id) >= users_max;
    if (!edit || !idempotency_key_take(call, "/api/users"))
        return false;
    if (full && !call->repeat)
        return fail_too_many(call);
    if (!jsonapi_read(call, "users", &document) || !jsonapi_refuse_id(call, &document) ||
        !jsonapi_refuse_relationships(call, &document,
                                      "The Master of a new user is the one that creates it.") ||
        !shape_read(call, &users_shape, &document, FIELD_ON_CREATE, &edit->user, &edit->given))
        return false;
    edit->user.master_id = call->caller.user_id;
    edit->user.created_at_ms = edit->user.updated_at_ms = clock_wall_ms(&call->api->config.clock);
    edit->token = api_key_prepare(call, bytes_of("first"), &edit->key);
    if (!edit->token)
        return call_too_large(call);
    if (call->repeat)
        call->repeat->only_known = full; /* this one may be among them */
    endpoint_set_paused_at(call, &edit->user.endpoint, false);
    call->write.op =
        (struct store_op){.kind = STORE_USER_CREATE,
                          .request = call->repeat,
                          .user = {.user = edit->user, .if_version = -1, .first_key = &edit->key}};
    return call_write(call, user_created);
}
