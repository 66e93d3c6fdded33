/*
 * /api/endpoints/ID/signing_secrets: the secrets that sign the pushes to an endpoint. /api/signing_secrets
 * has those of the user's default endpoint. A secret's text is in its 201 and nowhere else; of an Ed25519 one
 * the public half is shown always. The first one, `default`, is in no 201 of its owner's: it is derived, so
 * it can be revealed, to a key of the user that it belongs to and to nobody else.
 */
#include "edit.h"
#include "idempotency_key.h"
#include "precondition.h"
#include "push_headers.h"
#include "resources.h"
#include "signing.h"
#include <stdio.h>

enum { OVERLAP_S_DEFAULT = 24 * 3600, OVERLAP_S_MAX = 30 * 24 * 3600, LOCATION_LEN_MAX = 128 };

/* ---- what a secret looks like ---- */

struct secret_row {
    struct bytes id;
    bool ed25519, active;
    struct bytes public_key;
    int64_t created_at_ms, expires_at_ms, user_id, endpoint_id;
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
    {FIELD("user", FIELD_TO_ONE, FIELD_ON_CREATE, struct secret_row, user_id), .related = "users"},
    {FIELD("endpoint", FIELD_TO_ONE, 0, struct secret_row, endpoint_id), .related = "endpoints"}};

static void put_self(struct text *out, const void *of)
{
    const struct secret_row *row = of;
    if (row->endpoint_id == row->user_id)
        text_puts(out, "/api/signing_secrets/");
    else
        text_printf(out, "/api/endpoints/%lld/signing_secrets/", (long long)row->endpoint_id);
    text_put(out, row->id);
}

const struct shape signing_secrets_shape = {SHAPE("signing_secrets", struct secret_row, fields),
                                            .self = "/api/signing_secrets/:id", .put_id = shape_put_text_id,
                                            .put_self = put_self};

struct secret_edit {
    int64_t endpoint_id;
    int64_t user_id;       /* of the request; 0: the endpoint's owner */
    bool by_endpoint;      /* the path names it */
    struct bytes id;       /* of the one to show or remove */
    struct secret_row new; /* what is asked for */
    unsigned given;
    struct signing signing; /* wiped when its last use is done */
    const struct signing_secret *added;
};

static struct secret_row row_of(const struct call *call, const struct signing_secret *secret)
{
    return (struct secret_row){.id = bytes_of(secret->id),
                               .ed25519 = secret->ed25519,
                               .active = signing_active(secret, clock_wall_ms(&call->api->config.clock)),
                               .public_key = bytes_of(secret->public_key),
                               .created_at_ms = secret->created_at_ms,
                               .expires_at_ms = secret->expires_at_ms,
                               .user_id = call->read.answer.endpoints[0].owner_id,
                               .endpoint_id = call->read.answer.endpoints[0].id};
}

static struct secret_edit *new_edit(struct call *call)
{
    struct secret_edit *edit = call_state(call, sizeof *edit);
    if (!edit)
        return NULL;
    edit->endpoint_id = call->caller.user_id;
    edit->by_endpoint = call->endpoint_text.len > 0;
    edit->id = call->id_text;
    edit->new.overlap_s = OVERLAP_S_DEFAULT;
    if (edit->by_endpoint && !bytes_to_int64(call->endpoint_text, &edit->endpoint_id))
        edit->endpoint_id = 0; /* which there is not */
    return edit;
}

/* The list that the request's path is in. */
static const char *list_path(struct call *call)
{
    const struct secret_edit *edit = call->state;
    return edit->by_endpoint
               ? call_printf(call, "/api/endpoints/%lld/signing_secrets", (long long)edit->endpoint_id)
               : "/api/signing_secrets";
}

static const char *what(const struct call *call)
{
    const struct secret_edit *edit = call->state;
    return edit->by_endpoint ? "endpoint" : "user";
}

/* ---- showing ---- */

/* Of how it looks to everybody, whatever is shown of it now. */
static const char *etag_of(struct call *call, const struct secret_row *row)
{
    struct text looks;
    text_init(&looks, &call->request->arena, CALL_ANSWER_LEN_MAX);
    text_printf(&looks, "%lld", (long long)row->endpoint_id);
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

/* The secrets of the endpoint that was read; false after call_fail. */
static bool open_read(struct call *call)
{
    struct secret_edit *edit = call->state;
    const struct endpoint *endpoint = edit_seen_endpoint(call);
    if (!endpoint)
        return call_not_found(call, what(call));
    const struct vault *vault = call->api->config.vault;
    enum vault_error error =
        signing_open(vault, endpoint->id, endpoint->created_at_ms, endpoint->signing, &edit->signing);
    if (error != VAULT_OK)
        return call_fail(
            call, API_SECRETS_SEALED, SOURCE_NONE, NULL,
            "The server now has another key file than the one that encrypted the %s's signing secrets.",
            what(call));
    if (endpoint->push.signatures & PUSH_ED25519)
        signing_need_ed25519(vault, endpoint->id, endpoint->created_at_ms, &edit->signing);
    return true;
}

static bool show_list(struct call *call)
{
    struct secret_edit *edit = call->state;
    struct text out;
    if (!open_read(call))
        return false;
    jsonapi_begin(&out, &call->scratch);
    text_printf(&out, ",\"links\":{\"self\":\"%s", list_path(call));
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
    return edit && (edit->by_endpoint || jsonapi_read_owner(call, &edit->endpoint_id)) &&
           call_get(call, STORE_GET_ENDPOINT, edit->endpoint_id, false, show_list);
}

/* The path's secret, of the endpoint that was read; NULL after call_fail. */
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
    return edit && call_get(call, STORE_GET_ENDPOINT, edit->endpoint_id, false, show_one);
}

static bool reveal_one(struct call *call)
{
    struct secret_edit *edit = call->state;
    const struct endpoint *endpoint = edit_seen_endpoint(call);
    if (endpoint && call->caller.key_user_id != endpoint->owner_id)
        return call_fail(call, API_FORBIDDEN, SOURCE_NONE, NULL,
                         "A signing secret is revealed only to its own user's API key.");
    const struct signing_secret *secret = find_read(call);
    if (!secret)
        return false;
    if (!bytes_equal_text(edit->id, SIGNING_DEFAULT_ID)) {
        signing_wipe(&edit->signing);
        return call_fail(call, API_SECRET_SHOWN_ONCE, SOURCE_NONE, NULL,
                         "Only the first secret of %s, `default`, can be revealed. Create another one with "
                         "POST %s; the answer shows it.",
                         edit->by_endpoint ? "an endpoint" : "a user", list_path(call));
    }
    log_write(call->api->config.log, LOG_LEVEL_INFO, "api",
              "user %lld: API key %lld was shown the first signing secret of endpoint %lld",
              (long long)endpoint->owner_id, (long long)call->caller.key_id, (long long)endpoint->id);
    call_header(call, "Cache-Control", bytes_of("no-store"));
    return answer_one(call, 200, secret, true);
}

/* A Master is told the first secret when it makes the user or the endpoint, and not again. */
bool signing_secrets_reveal(struct call *call)
{
    const struct secret_edit *edit = new_edit(call);
    return edit && call_get(call, STORE_GET_ENDPOINT, edit->endpoint_id, false, reveal_one);
}

/* ---- changing ---- */

static bool seal(struct call *call, struct endpoint *endpoint)
{
    const struct secret_edit *edit = call->state;
    endpoint->signing =
        signing_seal(call->api->config.vault, endpoint->id, &edit->signing, &call->request->arena);
    return endpoint->signing.data || call_too_large(call);
}

static bool fail_too_many(struct call *call)
{
    return call_fail(call, API_TOO_MANY_SECRETS, SOURCE_NONE, NULL,
                     "The %s has %d signing secrets that have not expired. Remove one first.", what(call),
                     SIGNING_SECRETS_MAX);
}

static bool add(struct call *call, struct endpoint *endpoint)
{
    struct secret_edit *edit = call->state;
    if (edit->user_id && edit->user_id != endpoint->owner_id)
        return call_fail(call, API_ID_CONFLICT, SOURCE_POINTER, "/data/relationships/user/data/id",
                         "The endpoint in the path is another user's. Leave out the user.");
    if (!open_read(call))
        return false;
    edit->added = signing_add(&edit->signing, edit->new.ed25519, clock_wall_ms(&call->api->config.clock),
                              edit->new.overlap_s * 1000);
    if (call->repeat) { /* the one that it made may be among those */
        call->repeat->only_known = !edit->added;
        snprintf(call->repeat->made, sizeof call->repeat->made, "%s", edit->added ? edit->added->id : "");
    }
    if (edit->added)
        return seal(call, endpoint);
    return call->repeat || fail_too_many(call);
}

static void put_location(struct call *call, const struct signing_secret *secret)
{
    const struct secret_row row = row_of(call, secret);
    struct text location;
    text_init(&location, &call->request->arena, LOCATION_LEN_MAX);
    put_self(&location, &row);
    call_header(call, "Location", text_bytes(&location));
}

static bool replay(struct call *call)
{
    struct secret_edit *edit = call->state;
    edit->id = bytes_of(call->repeat->made);
    const struct signing_secret *secret = find_read(call);
    if (!secret)
        return false;
    idempotency_key_replayed(call, "the secret");
    put_location(call, secret);
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
        return call_get(call, STORE_GET_ENDPOINT, edit->endpoint_id, false, replay);
    if (result == STORE_QUOTA)
        return fail_too_many(call);
    put_location(call, edit->added);
    call_header(call, "Cache-Control", bytes_of("no-store"));
    return answer_one(call, 201, edit->added, true);
}

bool signing_secrets_create(struct call *call)
{
    struct request_document document;
    struct secret_edit *edit = new_edit(call);
    if (!edit || !jsonapi_read(call, "signing_secrets", &document) || !jsonapi_refuse_id(call, &document) ||
        !shape_read(call, &signing_secrets_shape, &document, FIELD_ON_CREATE, &edit->new, &edit->given) ||
        !jsonapi_read_user(call, &document, &edit->user_id))
        return false;
    if (edit->user_id && !edit->by_endpoint)
        edit->endpoint_id = edit->user_id;
    return idempotency_key_take(call, list_path(call)) &&
           edit_endpoint(call, what(call), edit->endpoint_id, NULL, add, added);
}

static bool remove_one(struct call *call, struct endpoint *endpoint)
{
    struct secret_edit *edit = call->state;
    const struct signing_secret *secret = find_read(call);
    int64_t now_ms = clock_wall_ms(&call->api->config.clock);
    if (!secret)
        return false;
    if (signing_active(secret, now_ms) && signing_active_count(&edit->signing, now_ms) == 1)
        return call_fail(call, API_LAST_SECRET, SOURCE_NONE, NULL,
                         "This is the %s's last signing secret. Create another one first.", what(call));
    if (endpoint->push.signatures & PUSH_ED25519 && secret->expires_at_ms == 0 &&
        bytes_equal_text(edit->id, SIGNING_DEFAULT_ED25519_ID))
        return call_fail(call, API_LAST_SECRET, SOURCE_NONE, NULL,
                         "The signatures of this endpoint need an Ed25519 secret. Create another one first.");
    signing_remove(&edit->signing, (int)(secret - edit->signing.secrets));
    return seal(call, endpoint);
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
    return edit && edit_endpoint(call, what(call), edit->endpoint_id, read_etag, remove_one, removed);
}
