/*
 * /api/users/ID/tls: as whom a user's receiver is spoken to over TLS, and whom it is taken for. One for each
 * user, put as a whole. A private key goes in and never comes out again.
 */
#include "edit.h"
#include "identities.h"
#include "resources.h"

#define EXPIRES_SOON_MS ((int64_t)30 * 24 * 3600 * 1000)

/* ---- what an identity looks like ---- */

struct identity_row {
    int64_t user_id;
    struct identity_source source;
    struct identity_description description; /* of the certificate, if there is one */
};

static bool read_pem(struct call *call, const struct field *field, struct json_value *value, void *place)
{
    struct bytes *text = place;
    *text = (struct bytes){0};
    if (json_is(value, JSON_NULL))
        return true;
    if (!json_is(value, JSON_STRING))
        return field_fail(call, field, "This must be PEM in a string, or null.");
    *text = value->text;
    return text->len <= field->len_max ||
           field_fail(call, field, "This may have at most %zu bytes.", field->len_max);
}

#define ROW(name, kind, flags, member) FIELD(name, kind, flags, struct identity_row, member)
enum { GIVEN = FIELD_ALWAYS | FIELD_NULLABLE };

static const struct field fields[] = {
    {ROW("certificate", FIELD_TEXT, GIVEN, source.certificate), .len_max = IDENTITY_CERTIFICATE_LEN_MAX,
     .read = read_pem},
    {ROW("private_key", FIELD_TEXT, GIVEN | FIELD_WRITE_ONLY, source.private_key),
     .len_max = IDENTITY_KEY_LEN_MAX, .read = read_pem},
    {ROW("ca", FIELD_TEXT, GIVEN, source.ca), .len_max = IDENTITY_CA_LEN_MAX, .read = read_pem},
    {ROW("server_name", FIELD_TEXT, GIVEN, source.server_name), .len_max = URL_HOST_LEN_MAX},
    {ROW("subject", FIELD_CHARS, FIELD_NULLABLE, description.subject)},
    {ROW("issuer", FIELD_CHARS, FIELD_NULLABLE, description.issuer)},
    {ROW("fingerprint", FIELD_CHARS, FIELD_NULLABLE, description.fingerprint)},
    {ROW("not_before", FIELD_INSTANT, FIELD_NULLABLE, description.not_before_ms)},
    {ROW("not_after", FIELD_INSTANT, FIELD_NULLABLE, description.not_after_ms)},
    {ROW("user", FIELD_TO_ONE, 0, user_id), .related = "users"}};
const struct shape tls_identities_shape = {SHAPE("tls_identities", struct identity_row, fields),
                                           .self = "/api/users/:id/tls"};

struct identity_edit {
    struct identity_row row;
    unsigned given;
    struct bytes sealed;
    bool created;
};

static struct identity_edit *new_edit(struct call *call)
{
    struct identity_edit *edit = call_state(call, sizeof *edit);
    return edit && users_path_id(call, &edit->row.user_id) ? edit : NULL;
}

/* ---- showing ---- */

/* What is shown of what is stored. */
static bool open_stored(struct call *call, struct identity_row *row, struct bytes sealed)
{
    enum identity_error why;
    if (identities_unseal(call->api->config.vault, row->user_id, sealed, &call->request->arena,
                          &row->source) != VAULT_OK)
        return call_fail(call, API_SECRETS_SEALED, SOURCE_NONE, NULL,
                         "The server now has another key file than the one that encrypted the user's TLS "
                         "identity. Put it again, or delete it.");
    struct identity *identity = identity_open(&row->source, &why);
    identities_wipe(&row->source);
    if (!identity)
        return call_fail(call, API_SECRETS_SEALED, SOURCE_NONE, NULL,
                         "The user's TLS identity cannot be decrypted any more. Put it again, or delete it.");
    identity_describe(identity, &row->description);
    identity_close(identity);
    return true;
}

/* Of the user: what it has, it has with that. */
static const char *etag_of(struct call *call)
{
    const struct store_answer *answer = &call->read.answer;
    return answer->count && answer->users[0].endpoint.identity.len ? users_read_etag(call) : NULL;
}

static bool show(struct call *call)
{
    struct identity_edit *edit = call->state;
    if (call->read.answer.count == 0)
        return call_not_found(call, "user");
    const struct user *user = &call->read.answer.users[0];
    if (!user->endpoint.identity.len)
        return call_not_found(call, "TLS identity");
    call->etag = etag_of(call);
    return open_stored(call, &edit->row, user->endpoint.identity) &&
           shape_answer(call, 200, &tls_identities_shape, &edit->row, (struct bytes){0});
}

bool tls_identities_show(struct call *call)
{
    const struct identity_edit *edit = new_edit(call);
    return edit && call_get(call, STORE_GET_USER, edit->row.user_id, false, show);
}

/* ---- reading what is put ---- */

/* Where in the request it is wrong: at what is there, or where something should be. */
static bool fail_identity(struct call *call, const struct request_document *document,
                          enum identity_error error)
{
    static const char *const names[] = {[IDENTITY_CERTIFICATE] = "certificate",
                                        [IDENTITY_KEY] = "private_key",
                                        [IDENTITY_CA] = "ca",
                                        [IDENTITY_SERVER_NAME] = "server_name"};
    const char *name = names[identity_error_part(error)], *pointer = document->attributes_at;
    if (name && json_member(document->attributes, name))
        pointer = call_pointer(call, pointer, bytes_of(name));
    return call_fail_code(call, API_ATTRIBUTE_INVALID, identity_error_code(error), pointer,
                          identity_error_sentence(error));
}

static void warn(struct call *call, const struct identity_edit *edit, int64_t now_ms)
{
    const struct identity_description *about = &edit->row.description;
    if (about->for_servers_only)
        call_warn(call, "certificate_purpose", 0, 0,
                  "The certificate's extended key usage has no clientAuth: most receivers will refuse it.");
    if (about->fingerprint[0] && about->not_after_ms - now_ms < EXPIRES_SOON_MS)
        call_warn(call, "certificate_expires_soon", 0, 0, "The certificate expires within 30 days.");
}

/* Seals what was understood, in its canonical form, and forgets the key. */
static bool seal(struct call *call, struct identity_edit *edit, const struct identity *identity)
{
    struct arena *arena = &call->request->arena;
    bool fits = identity_print(identity, arena, &edit->row.source);
    if (fits)
        edit->sealed = identities_seal(call->api->config.vault, edit->row.user_id, &edit->row.source, arena);
    identities_wipe(&edit->row.source);
    return (fits && edit->sealed.data && edit->sealed.len <= MODEL_IDENTITY_LEN_MAX) || call_too_large(call);
}

static bool understand(struct call *call, const struct request_document *document, struct identity_edit *edit)
{
    int64_t now_ms = clock_wall_ms(&call->api->config.clock);
    enum identity_error error;
    struct identity *identity = identity_open(&edit->row.source, &error);
    if (identity)
        error = identity_check_key(identity);
    if (error == IDENTITY_ERROR_OK)
        error = identity_check_dates(identity, now_ms);
    identities_wipe(&edit->row.source); /* as it was read; the identity has it */
    bool sealed = false;
    if (error == IDENTITY_ERROR_OK) {
        identity_describe(identity, &edit->row.description);
        warn(call, edit, now_ms);
        sealed = seal(call, edit, identity);
    } else {
        fail_identity(call, document, error);
    }
    identity_close(identity);
    explicit_bzero(call->request->body, call->request->body_len); /* and as it came */
    return sealed;
}

/* ---- changing ---- */

static bool put(struct call *call, struct user *user)
{
    struct identity_edit *edit = call->state;
    edit->created = !user->endpoint.identity.len;
    user->endpoint.identity = edit->sealed;
    return true;
}

static bool was_put(struct call *call)
{
    const struct identity_edit *edit = call->state;
    const struct user *user = &call->write.op.user.user;
    if (bytes_starts(user->endpoint.url, "http:") || bytes_starts(user->endpoint.url, "HTTP:"))
        call_warn(call, "webhook_url_plain", 0, 0,
                  "The user's webhook_url is plain http: a TLS identity has no effect there.");
    if (edit->created)
        call_header(call, "Location",
                    bytes_of(call_printf(call, "/api/users/%lld/tls", (long long)user->id)));
    call->etag = users_etag(call, user);
    return shape_answer(call, edit->created ? 201 : 200, &tls_identities_shape, &edit->row,
                        (struct bytes){0});
}

bool tls_identities_put(struct call *call)
{
    struct request_document document;
    struct identity_edit *edit = new_edit(call);
    return edit && jsonapi_read(call, "tls_identities", &document) &&
           jsonapi_check_id(call, &document, edit->row.user_id) &&
           jsonapi_refuse_relationships(call, &document,
                                        "The user of a TLS identity is the one in the path.") &&
           shape_read(call, &tls_identities_shape, &document, FIELD_ON_UPDATE, &edit->row, &edit->given) &&
           understand(call, &document, edit) && edit_user(call, edit->row.user_id, etag_of, put, was_put);
}

static bool remove_it(struct call *call, struct user *user)
{
    return user->endpoint.identity.len ? put(call, user) : call_not_found(call, "TLS identity");
}

static bool removed(struct call *call)
{
    return call_answer(call, 204, (struct bytes){0});
}

bool tls_identities_delete(struct call *call)
{
    const struct identity_edit *edit = new_edit(call);
    return edit && edit_user(call, edit->row.user_id, etag_of, remove_it, removed);
}
