/* /api/users: who there is, and where their events go. `me` is the caller. */
#include "jsonapi.h"
#include "page.h"
#include "resources.h"
#include "signing.h"

enum { NAME_LEN_MAX = 256, EMAIL_LEN_MAX = 254 };

/* ---- attributes ---- */

enum change {
    CHANGE_NAME = 1,
    CHANGE_EMAIL = 2,
    CHANGE_URL = 4,
    CHANGE_RECEIVES = 8,
    CHANGE_SUCCESS = 16,
    CHANGE_DISABLE = 32,
    CHANGE_PAUSED = 64
};

struct user_edit {
    unsigned changes;
    struct user user; /* the fields that change; all of them once it is applied */
    int64_t id;
    struct bytes if_match; /* data NULL: none */
    int tries;
    bool was_paused;
    const char *token; /* a new user's first key */
    char *location;
};

static bool read_name(struct call *call, void *target, struct json_value *value, const char *pointer)
{
    struct user_edit *edit = target;
    edit->changes |= CHANGE_NAME;
    return jsonapi_read_text(call, value, pointer, NAME_LEN_MAX, &edit->user.name);
}

static bool read_email(struct call *call, void *target, struct json_value *value, const char *pointer)
{
    struct user_edit *edit = target;
    edit->changes |= CHANGE_EMAIL;
    if (!jsonapi_read_text(call, value, pointer, EMAIL_LEN_MAX, &edit->user.email))
        return false;
    struct bytes email = edit->user.email;
    return !email.len || memchr(email.data, '@', email.len) ||
           call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, pointer, "This is no e-mail address.");
}

/* The parser's and the guard's codes; what the name resolves to is judged when it is dialled. */
static bool read_webhook_url(struct call *call, void *target, struct json_value *value, const char *pointer)
{
    struct user_edit *edit = target;
    struct bytes *text = &edit->user.webhook_url;
    struct url url;
    edit->changes |= CHANGE_URL;
    *text = (struct bytes){0};
    if (json_is(value, JSON_NULL))
        return true;
    if (!json_is(value, JSON_STRING))
        return call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, pointer,
                         "This must be a URL, or null.");
    *text = value->text;
    enum url_error error = url_parse(*text, &url);
    if (error != URL_OK)
        return call_fail_code(call, API_URL, url_error_code(error), pointer, url_error_sentence(error));
    enum guard_verdict verdict = guard_url(&call->api->config.guard, &url);
    char out[GUARD_SENTENCE_LEN];
    return verdict == GUARD_ALLOWED || call_fail_code(call, API_URL, guard_verdict_code(verdict), pointer,
                                                      guard_sentence(verdict, &url, out));
}

static bool read_success(struct call *call, void *target, struct json_value *value, const char *pointer)
{
    struct user_edit *edit = target;
    struct bytes text;
    edit->changes |= CHANGE_SUCCESS;
    if (!jsonapi_read_text(call, value, pointer, 8, &text))
        return false;
    edit->user.success_2xx = bytes_equal_text(text, "2xx");
    return edit->user.success_2xx || bytes_equal_text(text, "200") ||
           call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, pointer,
                     "success is \"200\", or \"2xx\" when every such status acknowledges.");
}

static bool read_receives(struct call *call, void *target, struct json_value *value, const char *pointer)
{
    struct user_edit *edit = target;
    edit->changes |= CHANGE_RECEIVES;
    return jsonapi_read_bool(call, value, pointer, &edit->user.receives_users_events);
}

static bool read_disable(struct call *call, void *target, struct json_value *value, const char *pointer)
{
    struct user_edit *edit = target;
    edit->changes |= CHANGE_DISABLE;
    return jsonapi_read_bool(call, value, pointer, &edit->user.disable_on_410);
}

static bool read_paused(struct call *call, void *target, struct json_value *value, const char *pointer)
{
    struct user_edit *edit = target;
    edit->changes |= CHANGE_PAUSED;
    return jsonapi_read_bool(call, value, pointer, &edit->user.paused);
}

static bool read_role(struct call *call, void *target, struct json_value *value, const char *pointer)
{
    struct user_edit *edit = target;
    struct bytes text;
    if (!jsonapi_read_text(call, value, pointer, 16, &text))
        return false;
    bool master = bytes_equal_text(text, "master");
    edit->user.role = master ? USER_MASTER : USER_REGULAR;
    return master || bytes_equal_text(text, "regular") ||
           call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, pointer,
                     "role is \"regular\" or \"master\".");
}

/* The role is given once: its row comes last, and is left out of what a new user may say. */
static const struct jsonapi_attribute user_attributes[] = {
    JSONAPI_ATTRIBUTE("name", read_name),
    JSONAPI_ATTRIBUTE("email", read_email),
    JSONAPI_ATTRIBUTE("webhook_url", read_webhook_url),
    JSONAPI_ATTRIBUTE("success", read_success),
    JSONAPI_ATTRIBUTE("receives_users_events", read_receives),
    JSONAPI_ATTRIBUTE("disable_on_410", read_disable),
    JSONAPI_ATTRIBUTE("paused", read_paused),
    JSONAPI_ATTRIBUTE("created_at", NULL),
    JSONAPI_ATTRIBUTE("updated_at", NULL),
    JSONAPI_ATTRIBUTE("role", NULL)};
static const struct jsonapi_attribute new_user_attributes[] = {
    JSONAPI_ATTRIBUTE("name", read_name),
    JSONAPI_ATTRIBUTE("email", read_email),
    JSONAPI_ATTRIBUTE("webhook_url", read_webhook_url),
    JSONAPI_ATTRIBUTE("success", read_success),
    JSONAPI_ATTRIBUTE("receives_users_events", read_receives),
    JSONAPI_ATTRIBUTE("disable_on_410", read_disable),
    JSONAPI_ATTRIBUTE("paused", read_paused),
    JSONAPI_ATTRIBUTE("created_at", NULL),
    JSONAPI_ATTRIBUTE("updated_at", NULL),
    JSONAPI_ATTRIBUTE("role", read_role)};
enum { USER_ATTRIBUTE_COUNT = sizeof user_attributes / sizeof *user_attributes };

static void apply(struct user *user, const struct user_edit *edit)
{
    const struct user *from = &edit->user;
    if (edit->changes & CHANGE_NAME)
        user->name = from->name;
    if (edit->changes & CHANGE_EMAIL)
        user->email = from->email;
    if (edit->changes & CHANGE_URL)
        user->webhook_url = from->webhook_url;
    if (edit->changes & CHANGE_RECEIVES)
        user->receives_users_events = from->receives_users_events;
    if (edit->changes & CHANGE_SUCCESS)
        user->success_2xx = from->success_2xx;
    if (edit->changes & CHANGE_DISABLE)
        user->disable_on_410 = from->disable_on_410;
    if (edit->changes & CHANGE_PAUSED)
        user->paused = from->paused;
}

/* ---- showing ---- */

static void put_user(struct text *out, const struct user *user)
{
    text_printf(out, "{\"type\":\"users\",\"id\":\"%lld\",\"attributes\":{", (long long)user->id);
    jsonapi_put_text(out, "name", user->name);
    text_putc(out, ',');
    jsonapi_put_text(out, "email", user->email);
    text_printf(out, ",\"role\":\"%s\",", user->role == USER_MASTER ? "master" : "regular");
    jsonapi_put_text(out, "webhook_url", user->webhook_url);
    text_printf(out, ",\"success\":\"%s\",\"receives_users_events\":%s,\"disable_on_410\":%s,\"paused\":%s,",
                user->success_2xx ? "2xx" : "200", jsonapi_flag(user->receives_users_events),
                jsonapi_flag(user->disable_on_410), jsonapi_flag(user->paused));
    jsonapi_put_instant(out, "created_at", user->created_at_ms);
    text_putc(out, ',');
    jsonapi_put_instant(out, "updated_at", user->updated_at_ms);
    text_puts(out, "},\"relationships\":{\"master\":{\"data\":");
    if (user->master_id)
        text_printf(out, "{\"type\":\"users\",\"id\":\"%lld\"}", (long long)user->master_id);
    else
        text_puts(out, "null");
    text_printf(out, "}},\"links\":{\"self\":\"/api/users/%lld\"}}", (long long)user->id);
}

/* The version alone would do, but an ETag that names its user cannot be mistaken for another's. */
const char *users_etag(struct call *call, const struct user *user)
{
    return call_printf(call, "\"%lld-%lld\"", (long long)user->id, (long long)user->version);
}

static bool answer_user(struct call *call, int status, const struct user *user, struct bytes meta)
{
    struct text out;
    jsonapi_begin(&out, &call->scratch);
    jsonapi_put_self(&out, "/api/users/", user->id);
    text_puts(&out, ",\"data\":");
    size_t begin = out.len;
    put_user(&out, user);
    jsonapi_trim(call, &out, begin, false);
    jsonapi_end(&out, call, meta);
    call_header(call, "ETag", bytes_of(users_etag(call, user)));
    return jsonapi_answer(call, status, &out);
}

bool users_path_id(struct call *call, int64_t *id)
{
    if (bytes_equal_text(call->id_text, "me")) {
        *id = call->caller.user_id;
        return true;
    }
    if (!jsonapi_path_id(call, "user", id))
        return false;
    return keyring_may_see(call->api->keyring, &call->caller, *id) || call_not_found(call, "user");
}

/* `weak`: W/ makes no difference, RFC 9110 section 8.8.3.2. */
static bool etag_listed(struct bytes list, const char *tag, bool weak)
{
    list = bytes_trim(list);
    if (bytes_equal_text(list, "*"))
        return true;
    while (list.len) {
        const char *comma = memchr(list.data, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.data) : list.len;
        struct bytes one = bytes_trim(bytes_make(list.data, len));
        if (weak && bytes_starts(one, "W/"))
            one = bytes_make(one.data + 2, one.len - 2);
        if (bytes_equal_text(one, tag))
            return true;
        size_t skip = comma ? len + 1 : len;
        list = bytes_make(list.data + skip, list.len - skip);
    }
    return false;
}

bool users_etag_listed(struct bytes list, const char *tag)
{
    return etag_listed(list, tag, false);
}

bool users_etag_known(struct bytes list, const char *tag)
{
    return etag_listed(list, tag, true);
}

static bool show_read_user(struct call *call)
{
    if (call->read.answer.count == 0)
        return call_not_found(call, "user");
    const struct user *user = &call->read.answer.users[0];
    struct bytes known = listener_header(call->request, "If-None-Match", NULL);
    if (known.data && users_etag_known(known, users_etag(call, user))) {
        call_header(call, "ETag", bytes_of(users_etag(call, user)));
        return call_answer(call, 304, (struct bytes){0});
    }
    return answer_user(call, 200, user, (struct bytes){0});
}

bool users_show(struct call *call)
{
    int64_t id;
    return users_path_id(call, &id) &&
           call_query(call, &(struct store_query){.kind = STORE_GET_USER, .id = id, .limit = 1}, false,
                      show_read_user);
}

static bool show_list(struct call *call)
{
    const struct store_answer *answer = &call->read.answer;
    struct page_rows rows = {.more = answer->more};
    struct text out;
    jsonapi_begin(&out, &call->scratch);
    text_puts(&out, ",\"data\":[");
    for (int i = 0; i < answer->count; i++) {
        const struct user *user = &answer->users[page_row(call->state, answer, i)];
        text_puts(&out, i ? "," : "");
        size_t begin = out.len;
        put_user(&out, user);
        jsonapi_trim(call, &out, begin, false);
        page_saw(call, &rows, user->id);
    }
    text_putc(&out, ']');
    page_put_end(&out, call, "/api/users", call->state, &rows);
    return jsonapi_answer(call, 200, &out);
}

bool users_list(struct call *call)
{
    struct page *page = arena_zero(&call->request->arena, sizeof *page);
    if (!page)
        return call_too_large(call);
    call->state = page;
    struct store_query query = {.kind = STORE_LIST_USERS, .master_id = call->caller.user_id};
    if (!page_read(call, "users", page))
        return false;
    page_query(page, &query);
    return call_query(call, &query, false, show_list);
}

/* ---- changing ---- */

static bool start_update(struct call *call);

static bool updated(struct call *call)
{
    struct user_edit *edit = call->state;
    if (call->write.op.result == STORE_NOT_FOUND)
        return call_not_found(call, "user");
    if (call->write.op.result == STORE_CONFLICT) /* somebody was faster: look again */
        return start_update(call);
    edit->user.version++;
    if (edit->user.paused != edit->was_paused)
        log_write(call->api->config.log, LOG_LEVEL_INFO, "delivery", "endpoint is %s: user=%lld by_user=%lld",
                  edit->user.paused ? "paused" : "no longer paused", (long long)edit->user.id,
                  (long long)call->caller.key_user_id);
    return answer_user(call, 200, &edit->user, (struct bytes){0});
}

static bool update_read_user(struct call *call)
{
    struct user_edit *edit = call->state;
    if (call->read.answer.count == 0)
        return call_not_found(call, "user");
    struct user user = call->read.answer.users[0];
    if (edit->if_match.data && !users_etag_listed(edit->if_match, users_etag(call, &user)))
        return call_fail(call, API_VERSION_CONFLICT, SOURCE_HEADER, "If-Match",
                         "The user has changed since that ETag was given. Read it again.");
    edit->was_paused = user.paused;
    apply(&user, edit);
    user.updated_at_ms = clock_wall_ms(&call->api->config.clock);
    edit->user = user;
    call->write.op =
        (struct store_op){.kind = STORE_USER_UPDATE, .user = {.user = user, .if_version = user.version}};
    return call_write(call, updated);
}

static bool start_update(struct call *call)
{
    struct user_edit *edit = call->state;
    if (edit->tries++ == CALL_EDIT_TRIES_MAX)
        return call_fail(call, API_EDIT_CONFLICT, SOURCE_NONE, NULL,
                         "Others changed this user again and again meanwhile.");
    return call_query(call, &(struct store_query){.kind = STORE_GET_USER, .id = edit->id, .limit = 1}, true,
                      update_read_user);
}

static struct user_edit *new_edit(struct call *call)
{
    struct user_edit *edit = arena_zero(&call->request->arena, sizeof *edit);
    call->state = edit;
    if (!edit)
        call_too_large(call);
    return edit;
}

bool users_update(struct call *call)
{
    struct request_document document;
    struct user_edit *edit = new_edit(call);
    if (!edit || !users_path_id(call, &edit->id) || !jsonapi_read(call, "users", &document))
        return false;
    if (!jsonapi_check_id(call, &document, edit->id))
        return false;
    if (document.relationships && document.relationships->count)
        return call_fail(call, API_RELATIONSHIP_UNKNOWN, SOURCE_POINTER, "/data/relationships",
                         "A user's relationships cannot be changed.");
    edit->if_match = listener_header(call->request, "If-Match", NULL);
    return jsonapi_read_attributes(call, &document, user_attributes, USER_ATTRIBUTE_COUNT, edit) &&
           start_update(call);
}

/* ---- a new user, and its first key ---- */

static bool answer_created(struct call *call, const char *token)
{
    struct user_edit *edit = call->state;
    call_header(call, "Location", bytes_of(call_printf(call, "/api/users/%lld", (long long)edit->user.id)));
    call_header(call, "Cache-Control", bytes_of("no-store"));
    char secret[POSTHORN_SECRET_LEN_MAX];
    signing_default(call->api->config.vault, edit->user.id, edit->user.created_at_ms, secret);
    const char *meta = call_printf(call, "%s%s%s\"signing_secret\":\"%s\"", token ? "\"api_key\":\"" : "",
                                   token ? token : "", token ? "\"," : "", secret);
    return answer_user(call, 201, &edit->user, bytes_of(meta));
}

static bool key_created(struct call *call)
{
    struct user_edit *edit = call->state;
    const struct api_key *key = &call->write.op.key;
    if (call->write.op.result != STORE_DONE)
        return answer_created(call, NULL);
    struct api_key made = *key;
    made.id = call->write.op.id;
    keyring_put_key(call->api->keyring, &made);
    return answer_created(call, edit->token);
}

static bool user_created(struct call *call)
{
    struct user_edit *edit = call->state;
    edit->user.id = call->write.op.id;
    edit->user.version = 1;
    keyring_put_user(call->api->keyring, edit->user.id, edit->user.role, edit->user.master_id);
    edit->token = api_key_prepare(call, edit->user.id, bytes_of("first"));
    if (call->caller.restricted)
        call_warn(call, "allow_from_inherited", 0, 0,
                  "the new user's API key may be used from the networks of your own key only: a key without "
                  "allow_from can change that");
    if (edit->token && call_write(call, key_created))
        return true;
    call_warn(call, "api_key_missing", 0, 0,
              "the server was too busy to make an API key: make one with "
              "POST /api/api_keys");
    return answer_created(call, NULL);
}

bool users_create(struct call *call)
{
    struct request_document document;
    struct user_edit *edit = new_edit(call);
    int64_t users_max = call->api->config.config->users_max;
    if (users_max > 0 && keyring_user_count(call->api->keyring, call->caller.user_id) >= users_max)
        return call_fail(call, API_TOO_MANY_USERS, SOURCE_NONE, NULL,
                         "This Master has %lld users, and may have no more (setting users-max).",
                         (long long)users_max);
    if (!edit || !jsonapi_read(call, "users", &document) || !jsonapi_refuse_id(call, &document))
        return false;
    if (document.relationships && document.relationships->count)
        return call_fail(call, API_RELATIONSHIP_UNKNOWN, SOURCE_POINTER, "/data/relationships",
                         "A new user's Master is who creates it.");
    if (!jsonapi_read_attributes(call, &document, new_user_attributes, USER_ATTRIBUTE_COUNT, edit))
        return false;
    edit->user.master_id = call->caller.user_id;
    edit->user.created_at_ms = edit->user.updated_at_ms = clock_wall_ms(&call->api->config.clock);
    call->write.op =
        (struct store_op){.kind = STORE_USER_CREATE, .user = {.user = edit->user, .if_version = -1}};
    return call_write(call, user_created);
}
