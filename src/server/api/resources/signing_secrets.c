/*
 * /api/signing_secrets: the secrets of the second signature. A secret's text is in its 201 and nowhere else;
 * of an Ed25519 one the public half is shown always. The first one, `default`, is in no 201 of its owner's:
 * it is derived, so it can be revealed, to a key of the user that it belongs to and to nobody else.
 */
#include "edit.h"
#include "idempotency_key.h"
#include "precondition.h"
#include "resources.h"
#include "signing.h"
#include <stdio.h>

enum { OVERLAP_S_DEFAULT = 24 * 3600, OVERLAP_S_MAX = 30 * 24 * 3600 };

/* ---- what a secret looks like ---- */

struct secret_row {
    struct bytes id;
    bool ed25519, active;
    struct bytes public_key;
    int64_t created_at_ms, expires_at_ms, user_id;
    int64_t overlap_s; /* of a new one */
};

static const char *const algorithms[] = {"v1", "v1a", NULL};

static const struct field fields[] = {
    {FIELD("algorithm", FIELD_CHOICE, FIELD_ON_CREATE, struct secret_row, ed25519), .len_max = 8,
     .choices = algorithms, .rule = "algorithm must be \"v1\" (HMAC-SHA256) or \"v1a\" (Ed25519)."},
    {FIELD("overlap_s", FIELD_INTEGER, FIELD_ON_CREATE | FIELD_WRITE_ONLY, struct secret_row, overlap_s),
     .maximum = OVERLAP_S_MAX, .rule = ": the seconds for which older secrets keep signing."},
    {FIELD("active", FIELD_FLAG, 0, struct secret_row, active)},
    {FIELD("public_key", FIELD_TEXT, FIELD_NULLABLE, struct secret_row, public_key)},
    {FIELD("created_at", FIELD_INSTANT, FIELD_NULLABLE, struct secret_row, created_at_ms)},
    {FIELD("expires_at", FIELD_INSTANT, FIELD_NULLABLE, struct secret_row, expires_at_ms)},
    {FIELD_NO_MEMBER("secret", FIELD_SHOWN_ONCE, 0)},
    {FIELD("user", FIELD_TO_ONE, FIELD_ON_CREATE, struct secret_row, user_id), .related = "users"}};
const struct shape signing_secrets_shape = {SHAPE("signing_secrets", struct secret_row, fields),
                                            .self = "/api/signing_secrets/:id", .put_id = shape_put_text_id};

struct secret_edit {
    int64_t user_id;
    struct bytes id;       /* of the one to show or remove */
    struct secret_row new; /* what is asked for */
    unsigned given;
    struct signing signing; /* wiped when its last use is done */
    const struct signing_secret *added;
};

static struct secret_row row_of(const struct call *call, const struct signing_secret *secret)
{
    const struct secret_edit *edit = call->state;
    return (struct secret_row){.id = bytes_of(secret->id),
                               .ed25519 = secret->ed25519,
                               .active = signing_active(secret, clock_wall_ms(&call->api->config.clock)),
                               .public_key = bytes_of(secret->public_key),
                               .created_at_ms = secret->created_at_ms,
                               .expires_at_ms = secret->expires_at_ms,
                               .user_id = edit->user_id};
}

static struct secret_edit *new_edit(struct call *call)
{
    struct secret_edit *edit = call_state(call, sizeof *edit);
    if (!edit)
        return NULL;
    edit->user_id = call->caller.user_id;
    edit->id = call->id_text;
    edit->new.overlap_s = OVERLAP_S_DEFAULT;
    return edit;
}

/* ---- showing ---- */

/* Of how it looks to everybody, whatever is shown of it now. */
static const char *etag_of(struct call *call, const struct secret_row *row)
{
    struct text looks;
    text_init(&looks, &call->request->arena, CALL_ANSWER_LEN_MAX);
    text_printf(&looks, "%lld", (long long)row->user_id);
    text_put(&looks, row->id);
    shape_put_attributes(&looks, call, &signing_secrets_shape, row);
    return call_etag_of(call, text_bytes(&looks));
}

static bool answer_one(struct call *call, int status, const struct signing_secret *secret, bool with_text)
{
    struct secret_edit *edit = call->state;
    struct secret_row row = row_of(call, secret);
    struct text out;
    call->etag = etag_of(call, &row);
    call->shown_once = with_text ? secret->secret : NULL;
    shape_begin_document(&out, call, &signing_secrets_shape, &row);
    jsonapi_end(&out, call, (struct bytes){0});
    signing_wipe(&edit->signing);
    return jsonapi_answer(call, status, &out);
}

/* The secrets of the user that was read; false after call_fail. */
static bool open_read(struct call *call)
{
    struct secret_edit *edit = call->state;
    if (call->read.answer.count == 0)
        return call_not_found(call, "user");
    const struct user *user = &call->read.answer.users[0];
    return signing_open(call->api->config.vault, edit->user_id, user->created_at_ms, user->endpoint.signing,
                        &edit->signing) == VAULT_OK ||
           call_fail(
               call, API_SECRETS_SEALED, SOURCE_NONE, NULL,
               "The server now has another key file than the one that encrypted the user's signing secrets.");
}

static bool show_list(struct call *call)
{
    struct secret_edit *edit = call->state;
    struct text out;
    if (!open_read(call))
        return false;
    jsonapi_begin(&out, &call->scratch);
    text_puts(&out, ",\"links\":{\"self\":\"/api/signing_secrets");
    jsonapi_put_query(&out, call);
    text_puts(&out, "\"},\"data\":[");
    for (int i = 0; i < edit->signing.count; i++) {
        struct secret_row row = row_of(call, &edit->signing.secrets[i]);
        text_puts(&out, i ? "," : "");
        shape_put(&out, call, &signing_secrets_shape, &row);
    }
    text_putc(&out, ']');
    jsonapi_end(&out, call, (struct bytes){0});
    signing_wipe(&edit->signing);
    return jsonapi_answer(call, 200, &out);
}

bool signing_secrets_list(struct call *call)
{
    struct secret_edit *edit = new_edit(call);
    return edit && jsonapi_read_owner(call, &edit->user_id) &&
           call_get(call, STORE_GET_USER, edit->user_id, false, show_list);
}

/* The path's secret, of the user that was read; NULL after call_fail. */
static const struct signing_secret *find_read(struct call *call)
{
    struct secret_edit *edit = call->state;
    if (!open_read(call))
        return NULL;
    int index = signing_find(&edit->signing, edit->id);
    if (index >= 0)
        return &edit->signing.secrets[index];
    call_not_found(call, "signing secret");
    return NULL;
}

static bool show_one(struct call *call)
{
    const struct signing_secret *secret = find_read(call);
    return secret && answer_one(call, 200, secret, false);
}

bool signing_secrets_show(struct call *call)
{
    const struct secret_edit *edit = new_edit(call);
    return edit && call_get(call, STORE_GET_USER, edit->user_id, false, show_one);
}

static bool reveal_one(struct call *call)
{
    struct secret_edit *edit = call->state;
    const struct signing_secret *secret = find_read(call);
    if (!secret)
        return false;
    if (!bytes_equal_text(edit->id, SIGNING_DEFAULT_ID)) {
        signing_wipe(&edit->signing);
        return call_fail(call, API_SECRET_SHOWN_ONCE, SOURCE_NONE, NULL,
                         "Only a user's first secret, `default`, can be revealed. Create another one with "
                         "POST /api/signing_secrets; the answer shows it.");
    }
    log_write(call->api->config.log, LOG_LEVEL_INFO, "api",
              "user %lld: API key %lld was shown the first "
              "signing secret",
              (long long)edit->user_id, (long long)call->caller.key_id);
    call_header(call, "Cache-Control", bytes_of("no-store"));
    return answer_one(call, 200, secret, true);
}

/* A Master is told a user's first secret when it makes the user, and not again. */
bool signing_secrets_reveal(struct call *call)
{
    const struct secret_edit *edit = new_edit(call);
    if (edit && call->caller.key_user_id != call->caller.user_id)
        return call_fail(call, API_FORBIDDEN, SOURCE_NONE, NULL,
                         "A signing secret is revealed only to its own user's API key.");
    return edit && call_get(call, STORE_GET_USER, edit->user_id, false, reveal_one);
}

/* ---- changing ---- */

static bool seal(struct call *call, struct user *user)
{
    const struct secret_edit *edit = call->state;
    user->endpoint.signing =
        signing_seal(call->api->config.vault, edit->user_id, &edit->signing, &call->request->arena);
    return user->endpoint.signing.data || call_too_large(call);
}

static bool fail_too_many(struct call *call)
{
    return call_fail(call, API_TOO_MANY_SECRETS, SOURCE_NONE, NULL,
                     "The user has %d signing secrets that have not expired. Remove one first.",
                     SIGNING_SECRETS_MAX);
}

static bool add(struct call *call, struct user *user)
{
    struct secret_edit *edit = call->state;
    if (!open_read(call))
        return false;
    edit->added = signing_add(&edit->signing, edit->new.ed25519, clock_wall_ms(&call->api->config.clock),
                              edit->new.overlap_s * 1000);
    if (call->repeat) { /* the one that it made may be among those */
        call->repeat->only_known = !edit->added;
        snprintf(call->repeat->made, sizeof call->repeat->made, "%s", edit->added ? edit->added->id : "");
    }
    if (edit->added)
        return seal(call, user);
    return call->repeat || fail_too_many(call);
}

static bool replay(struct call *call)
{
    struct secret_edit *edit = call->state;
    edit->id = bytes_of(call->repeat->made);
    const struct signing_secret *secret = find_read(call);
    if (!secret)
        return false;
    idempotency_key_replayed(call, "the secret");
    call_header(call, "Location", bytes_of(call_printf(call, "/api/signing_secrets/%s", secret->id)));
    return answer_one(call, 201, secret, false);
}

static bool added(struct call *call)
{
    struct secret_edit *edit = call->state;
    enum store_result result = call->write.op.result;
    if (result != STORE_DONE)
        signing_wipe(&edit->signing);
    if (!idempotency_key_fits(call))
        return false;
    if (result == STORE_REPLAYED)
        return call_get(call, STORE_GET_USER, edit->user_id, false, replay);
    if (result == STORE_QUOTA)
        return fail_too_many(call);
    call_header(call, "Location", bytes_of(call_printf(call, "/api/signing_secrets/%s", edit->added->id)));
    call_header(call, "Cache-Control", bytes_of("no-store"));
    return answer_one(call, 201, edit->added, true);
}

bool signing_secrets_create(struct call *call)
{
    struct request_document document;
    struct secret_edit *edit = new_edit(call);
    return edit && jsonapi_read(call, "signing_secrets", &document) && jsonapi_refuse_id(call, &document) &&
           shape_read(call, &signing_secrets_shape, &document, FIELD_ON_CREATE, &edit->new, &edit->given) &&
           jsonapi_read_user(call, &document, &edit->user_id) &&
           idempotency_key_take(call, "/api/signing_secrets") &&
           edit_user(call, edit->user_id, NULL, add, added);
}

static bool remove_one(struct call *call, struct user *user)
{
    struct secret_edit *edit = call->state;
    const struct signing_secret *secret = find_read(call);
    int64_t now_ms = clock_wall_ms(&call->api->config.clock);
    if (!secret)
        return false;
    if (signing_active(secret, now_ms) && signing_active_count(&edit->signing, now_ms) == 1)
        return call_fail(call, API_LAST_SECRET, SOURCE_NONE, NULL,
                         "This is the user's last signing secret. Create another one first.");
    signing_remove(&edit->signing, (int)(secret - edit->signing.secrets));
    return seal(call, user);
}

static const char *read_etag(struct call *call)
{
    struct secret_edit *edit = call->state;
    const struct signing_secret *secret = precondition_is_given(call->request) ? find_read(call) : NULL;
    struct secret_row row = {0};
    if (!secret)
        return NULL; /* and the change says so */
    row = row_of(call, secret);
    const char *etag = etag_of(call, &row);
    signing_wipe(&edit->signing);
    return etag;
}

static bool removed(struct call *call)
{
    struct secret_edit *edit = call->state;
    signing_wipe(&edit->signing);
    return call_answer(call, 204, (struct bytes){0});
}

bool signing_secrets_delete(struct call *call)
{
    const struct secret_edit *edit = new_edit(call);
    return edit && edit_user(call, edit->user_id, read_etag, remove_one, removed);
}
