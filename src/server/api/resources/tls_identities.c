/*
 * /api/endpoints/ID/tls: as whom an endpoint's receiver is spoken to over TLS, and whom it is taken for. One
 * for each endpoint, put as a whole. /api/users/ID/tls has that of the user's default endpoint. A private key
 * goes in and never comes out again.
 */
#include "edit.h"
#include "identities.h"
#include "resources.h"

enum { LOCATION_LEN_MAX = 64 };
#define EXPIRES_SOON_MS ((int64_t)30 * 24 * 3600 * 1000)

/* ---- what an identity looks like ---- */

struct identity_row {
    int64_t endpoint_id;
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
    {ROW("user", FIELD_TO_ONE, 0, user_id), .related = "users"},
    {ROW("endpoint", FIELD_TO_ONE, 0, endpoint_id), .related = "endpoints"}};

/* Also where it is. */
static void put_self(struct text *out, const void *of)
{
    const struct identity_row *row = of;
    text_printf(out, "/api/%s/%lld/tls", row->endpoint_id == row->user_id ? "users" : "endpoints",
                (long long)row->endpoint_id);
}

const struct shape tls_identities_shape = {SHAPE("tls_identities", struct identity_row, fields),
                                           .self = "/api/users/:id/tls", .put_self = put_self};

struct identity_edit {
    const char *what; /* the path names this: a user, or an endpoint */
    struct identity_row row;
    unsigned given;
    struct bytes sealed;
    bool created;
};

static struct identity_edit *of_user(struct call *call)
{
    struct identity_edit *edit = call_state(call, sizeof *edit);
    if (!edit || !users_path_id(call, &edit->row.endpoint_id))
        return NULL;
    edit->what = "user";
    return edit;
}

static struct identity_edit *of_endpoint(struct call *call)
{
    struct identity_edit *edit = call_state(call, sizeof *edit);
    if (!edit || !jsonapi_path_id(call, "endpoint", &edit->row.endpoint_id))
        return NULL;
    edit->what = "endpoint";
    return edit;
}

/* ---- showing ---- */

/* The part of a stored identity that is shown. */
static bool open_stored(struct call *call, const struct endpoint *endpoint)
{
    struct identity_edit *edit = call->state;
    struct identity_row *row = &edit->row;
    enum identity_error why;
    if (identities_unseal(call->api->config.vault, endpoint->id, endpoint->identity, &call->request->arena,
                          &row->source) != VAULT_OK)
        return call_fail(call, API_SECRETS_SEALED, SOURCE_NONE, NULL,
                         "The server now has another key file than the one that encrypted the %s's TLS "
                         "identity. Put it again, or delete it.",
                         edit->what);
    struct identity *identity = identity_open(&row->source, &why);
    identities_wipe(&row->source);
    if (!identity)
        return call_fail(call, API_SECRETS_SEALED, SOURCE_NONE, NULL,
                         "The %s's TLS identity cannot be decrypted any more. Put it again, or delete it.",
                         edit->what);
    identity_describe(identity, &row->description);
    identity_close(identity);
    return true;
}

/* Of the endpoint: what it has, it has with that. */
static const char *etag_of(struct call *call)
{
    const struct endpoint *endpoint = edit_seen_endpoint(call);
    return endpoint && endpoint->identity.len ? edit_endpoint_etag(call, endpoint) : NULL;
}

static bool show(struct call *call)
{
    struct identity_edit *edit = call->state;
    const struct endpoint *endpoint = edit_seen_endpoint(call);
    if (!endpoint)
        return call_not_found(call, edit->what);
    if (!endpoint->identity.len)
        return call_not_found(call, "TLS identity");
    edit->row.user_id = endpoint->owner_id;
    call->etag = etag_of(call);
    return open_stored(call, endpoint) &&
           shape_answer(call, 200, &tls_identities_shape, &edit->row, (struct bytes){0});
}

static bool show_of(struct call *call, const struct identity_edit *edit)
{
    return edit && call_get(call, STORE_GET_ENDPOINT, edit->row.endpoint_id, false, show);
}

bool tls_identities_show(struct call *call)
{
    return show_of(call, of_user(call));
}

bool endpoint_tls_show(struct call *call)
{
    return show_of(call, of_endpoint(call));
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
        edit->sealed =
            identities_seal(call->api->config.vault, edit->row.endpoint_id, &edit->row.source, arena);
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

static bool put(struct call *call, struct endpoint *endpoint)
{
    struct identity_edit *edit = call->state;
    edit->created = !endpoint->identity.len;
    edit->row.user_id = endpoint->owner_id;
    endpoint->identity = edit->sealed;
    return true;
}

static bool was_put(struct call *call)
{
    const struct identity_edit *edit = call->state;
    const struct endpoint *endpoint = &call->write.op.endpoint.endpoint;
    struct text location;
    if (bytes_starts(endpoint->url, "http:") || bytes_starts(endpoint->url, "HTTP:"))
        call_warn(call, "webhook_url_plain", 0, 0,
                  "The %s is plain http: a TLS identity has no effect there.",
                  endpoint->id == endpoint->owner_id ? "user's webhook_url" : "endpoint's url");
    if (edit->created) {
        text_init(&location, &call->request->arena, LOCATION_LEN_MAX);
        put_self(&location, &edit->row);
        call_header(call, "Location", text_bytes(&location));
    }
    call->etag = edit_endpoint_etag(call, endpoint);
    return shape_answer(call, edit->created ? 201 : 200, &tls_identities_shape, &edit->row,
                        (struct bytes){0});
}

static bool put_of(struct call *call, struct identity_edit *edit)
{
    struct request_document document;
    return edit && jsonapi_read(call, "tls_identities", &document) &&
           jsonapi_check_id(call, &document, edit->row.endpoint_id) &&
           jsonapi_refuse_relationships(call, &document,
                                        "A TLS identity belongs to the user or endpoint in the path.") &&
           shape_read(call, &tls_identities_shape, &document, FIELD_ON_UPDATE, &edit->row, &edit->given) &&
           understand(call, &document, edit) &&
           edit_endpoint(call, edit->what, edit->row.endpoint_id, etag_of, put, was_put);
}

bool tls_identities_put(struct call *call)
{
    return put_of(call, of_user(call));
}

bool endpoint_tls_put(struct call *call)
{
    return put_of(call, of_endpoint(call));
}

static bool remove_it(struct call *call, struct endpoint *endpoint)
{
    return endpoint->identity.len ? put(call, endpoint) : call_not_found(call, "TLS identity");
}

static bool removed(struct call *call)
{
    return call_answer(call, 204, (struct bytes){0});
}

static bool delete_of(struct call *call, const struct identity_edit *edit)
{
    return edit && edit_endpoint(call, edit->what, edit->row.endpoint_id, etag_of, remove_it, removed);
}

bool tls_identities_delete(struct call *call)
{
    return delete_of(call, of_user(call));
}

bool endpoint_tls_delete(struct call *call)
{
    return delete_of(call, of_endpoint(call));
}
