/*
 * /api/signing_secrets: the secrets of the second signature. A secret's text is in its 201 and nowhere else;
 * of an Ed25519 one the public half is shown always. The first one, `default`, is in no 201 of its owner's:
 * it is derived, so it can be revealed, to a key of the user that it belongs to and to nobody else.
 */
#include "jsonapi.h"
#include "resources.h"
#include "signing.h"

enum { OVERLAP_S_DEFAULT = 24 * 3600, OVERLAP_S_MAX = 30 * 24 * 3600 };

struct secret_edit {
    int64_t user_id, overlap_s;
    bool ed25519, removing;
    struct bytes id; /* of the one to show or remove */
    struct signing signing;
    const struct signing_secret *added;
    struct user user;
    int tries;
};

static struct secret_edit *new_edit(struct call *call)
{
    struct secret_edit *edit = arena_zero(&call->request->arena, sizeof *edit);
    call->state = edit;
    if (!edit) {
        call_too_large(call);
        return NULL;
    }
    edit->user_id = call->caller.user_id;
    edit->overlap_s = OVERLAP_S_DEFAULT;
    return edit;
}

/* ---- showing ---- */

static void put_secret(struct text *out, struct call *call, const struct signing_secret *secret,
                       const char *shown)
{
    const struct secret_edit *edit = call->state;
    bool active = signing_active(secret, clock_wall_ms(&call->api->config.clock));
    text_printf(
        out,
        "{\"type\":\"signing_secrets\",\"id\":\"%s\",\"attributes\":{\"algorithm\":\"%s\",\"active\":%s,",
        secret->id, secret->ed25519 ? "v1a" : "v1", jsonapi_flag(active));
    jsonapi_put_text(out, "public_key", bytes_of(secret->public_key));
    text_putc(out, ',');
    jsonapi_put_instant(out, "created_at", secret->created_at_ms);
    text_putc(out, ',');
    jsonapi_put_instant(out, "expires_at", secret->expires_at_ms);
    if (shown)
        text_printf(out, ",\"secret\":\"%s\"", shown);
    text_printf(out,
                "},\"relationships\":{\"user\":{\"data\":{\"type\":\"users\",\"id\":\"%lld\"}}},"
                "\"links\":{\"self\":\"/api/signing_secrets/%s\"}}",
                (long long)edit->user_id, secret->id);
}

/* Wipes the list when its last use is done. */
static bool answer_one(struct call *call, int status, const struct signing_secret *secret, bool with_text)
{
    struct secret_edit *edit = call->state;
    struct text out;
    jsonapi_begin(&out, &call->scratch);
    text_printf(&out, ",\"links\":{\"self\":\"/api/signing_secrets/%s\"},\"data\":", secret->id);
    put_secret(&out, call, secret, with_text ? secret->secret : NULL);
    jsonapi_end(&out, call, (struct bytes){0});
    signing_wipe(&edit->signing);
    return jsonapi_answer(call, status, &out);
}

static bool answer_list(struct call *call)
{
    struct secret_edit *edit = call->state;
    struct text out;
    jsonapi_begin(&out, &call->scratch);
    text_puts(&out, ",\"links\":{\"self\":\"/api/signing_secrets\"},\"data\":[");
    for (int i = 0; i < edit->signing.count; i++) {
        text_puts(&out, i ? "," : "");
        put_secret(&out, call, &edit->signing.secrets[i], NULL);
    }
    text_putc(&out, ']');
    jsonapi_end(&out, call, (struct bytes){0});
    signing_wipe(&edit->signing);
    return jsonapi_answer(call, 200, &out);
}

/* The list of the user that was read; false after call_fail. */
static bool open_list(struct call *call)
{
    struct secret_edit *edit = call->state;
    if (call->read.answer.count == 0)
        return call_not_found(call, "user");
    edit->user = call->read.answer.users[0];
    return signing_open(call->api->config.vault, edit->user_id, edit->user.created_at_ms, edit->user.signing,
                        &edit->signing) == VAULT_OK ||
           call_fail(call, API_SECRETS_SEALED, SOURCE_NONE, NULL,
                     "The user's signing secrets were sealed with another key file than the server has now.");
}

static bool read_user(struct call *call, call_step *then)
{
    const struct secret_edit *edit = call->state;
    return call_query(call, &(struct store_query){.kind = STORE_GET_USER, .id = edit->user_id, .limit = 1},
                      true, then);
}

static bool show_list(struct call *call)
{
    return open_list(call) && answer_list(call);
}

bool signing_secrets_list(struct call *call)
{
    struct secret_edit *edit = new_edit(call);
    return edit && jsonapi_read_owner(call, &edit->user_id) && read_user(call, show_list);
}

static bool show_one(struct call *call)
{
    struct secret_edit *edit = call->state;
    if (!open_list(call))
        return false;
    int index = signing_find(&edit->signing, edit->id);
    return index < 0 ? call_not_found(call, "signing secret")
                     : answer_one(call, 200, &edit->signing.secrets[index], false);
}

bool signing_secrets_show(struct call *call)
{
    struct secret_edit *edit = new_edit(call);
    if (!edit)
        return false;
    edit->id = call->id_text;
    return read_user(call, show_one);
}

static bool reveal_one(struct call *call)
{
    struct secret_edit *edit = call->state;
    if (!open_list(call))
        return false;
    int index = signing_find(&edit->signing, edit->id);
    if (index < 0)
        return call_not_found(call, "signing secret");
    if (!bytes_equal_text(edit->id, SIGNING_DEFAULT_ID)) {
        signing_wipe(&edit->signing);
        return call_fail(call, API_SECRET_SHOWN_ONCE, SOURCE_NONE, NULL,
                         "Only a user's first secret, `default`, can be revealed. Make another one with POST "
                         "/api/signing_secrets; it is shown in the answer.");
    }
    log_write(call->api->config.log, LOG_LEVEL_INFO, "api",
              "user %lld: API key %lld was shown the first "
              "signing secret",
              (long long)edit->user_id, (long long)call->caller.key_id);
    call_header(call, "Cache-Control", bytes_of("no-store"));
    return answer_one(call, 200, &edit->signing.secrets[index], true);
}

/* A Master is told a user's first secret when it makes the user, and not again. */
bool signing_secrets_reveal(struct call *call)
{
    struct secret_edit *edit = new_edit(call);
    if (!edit)
        return false;
    edit->id = call->id_text;
    if (call->caller.key_user_id != call->caller.user_id)
        return call_fail(call, API_FORBIDDEN, SOURCE_NONE, NULL,
                         "A signing secret is revealed to a key of the user that it belongs to.");
    return read_user(call, reveal_one);
}

/* ---- changing: read, change, write if nobody else did ---- */

static bool start_change(struct call *call);

static bool changed(struct call *call)
{
    struct secret_edit *edit = call->state;
    if (call->write.op.result == STORE_CONFLICT)
        return start_change(call);
    if (call->write.op.result != STORE_DONE)
        return call_not_found(call, "user");
    if (edit->removing) {
        signing_wipe(&edit->signing);
        return call_answer(call, 204, (struct bytes){0});
    }
    call_header(call, "Location", bytes_of(call_printf(call, "/api/signing_secrets/%s", edit->added->id)));
    call_header(call, "Cache-Control", bytes_of("no-store"));
    return answer_one(call, 201, edit->added, true);
}

static bool change_list(struct call *call, struct secret_edit *edit)
{
    int64_t now_ms = clock_wall_ms(&call->api->config.clock);
    if (!edit->removing) {
        edit->added = signing_add(&edit->signing, edit->ed25519, now_ms, edit->overlap_s * 1000);
        return edit->added ||
               call_fail(call, API_TOO_MANY_SECRETS, SOURCE_NONE, NULL,
                         "There are %d signing secrets that have not expired. Remove one first.",
                         SIGNING_SECRETS_MAX);
    }
    int index = signing_find(&edit->signing, edit->id);
    if (index < 0)
        return call_not_found(call, "signing secret");
    bool active = signing_active(&edit->signing.secrets[index], now_ms);
    if (active && signing_active_count(&edit->signing, now_ms) == 1)
        return call_fail(call, API_LAST_SECRET, SOURCE_NONE, NULL,
                         "This is the user's last signing secret. Make another one first.");
    signing_remove(&edit->signing, index);
    return true;
}

static bool change_read_user(struct call *call)
{
    struct secret_edit *edit = call->state;
    if (!open_list(call) || !change_list(call, edit))
        return false;
    edit->user.signing =
        signing_seal(call->api->config.vault, edit->user_id, &edit->signing, &call->request->arena);
    if (!edit->user.signing.data)
        return call_too_large(call);
    edit->user.updated_at_ms = clock_wall_ms(&call->api->config.clock);
    call->write.op = (struct store_op){.kind = STORE_USER_UPDATE,
                                       .user = {.user = edit->user, .if_version = edit->user.version}};
    return call_write(call, changed);
}

static bool start_change(struct call *call)
{
    struct secret_edit *edit = call->state;
    if (edit->tries++ == CALL_EDIT_TRIES_MAX)
        return call_fail(call, API_EDIT_CONFLICT, SOURCE_NONE, NULL,
                         "Others changed this user again and again meanwhile.");
    return read_user(call, change_read_user);
}

static bool read_algorithm(struct call *call, void *target, struct json_value *value, const char *pointer)
{
    struct secret_edit *edit = target;
    struct bytes text;
    if (!jsonapi_read_text(call, value, pointer, 8, &text))
        return false;
    edit->ed25519 = bytes_equal_text(text, "v1a");
    return edit->ed25519 || bytes_equal_text(text, "v1") ||
           call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, pointer,
                     "algorithm is \"v1\" (HMAC-SHA256) or \"v1a\" (Ed25519).");
}

static bool read_overlap(struct call *call, void *target, struct json_value *value, const char *pointer)
{
    struct secret_edit *edit = target;
    return (json_integer(value, &edit->overlap_s) && edit->overlap_s >= 0 &&
            edit->overlap_s <= OVERLAP_S_MAX) ||
           call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, pointer,
                     "overlap_s is how many seconds the secrets before this one go on signing, 0 to %d.",
                     OVERLAP_S_MAX);
}

static const struct jsonapi_attribute secret_attributes[] = {JSONAPI_ATTRIBUTE("algorithm", read_algorithm),
                                                             JSONAPI_ATTRIBUTE("overlap_s", read_overlap),
                                                             JSONAPI_ATTRIBUTE("secret", NULL),
                                                             JSONAPI_ATTRIBUTE("public_key", NULL),
                                                             JSONAPI_ATTRIBUTE("active", NULL),
                                                             JSONAPI_ATTRIBUTE("created_at", NULL),
                                                             JSONAPI_ATTRIBUTE("expires_at", NULL)};

bool signing_secrets_create(struct call *call)
{
    struct request_document document;
    struct secret_edit *edit = new_edit(call);
    if (!edit || !jsonapi_read(call, "signing_secrets", &document) || !jsonapi_refuse_id(call, &document))
        return false;
    return jsonapi_read_attributes(call, &document, secret_attributes,
                                   sizeof secret_attributes / sizeof *secret_attributes, edit) &&
           jsonapi_read_user(call, &document, &edit->user_id) && start_change(call);
}

bool signing_secrets_delete(struct call *call)
{
    struct secret_edit *edit = new_edit(call);
    if (!edit)
        return false;
    edit->id = call->id_text;
    edit->removing = true;
    return start_change(call);
}
