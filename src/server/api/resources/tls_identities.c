/*
 * /api/users/ID/tls: as whom a user's receiver is spoken to over TLS, and whom it is taken for. One for each
 * user, put as a whole. A private key goes in and never comes out again.
 */
#include "identities.h"
#include "jsonapi.h"
#include "resources.h"

#define EXPIRES_SOON_MS ((int64_t)30 * 24 * 3600 * 1000)

struct identity_edit {
    int64_t user_id;
    bool removing;
    struct identity_source source;
    struct identity_description description; /* of the certificate, if there is one */
    struct bytes sealed;
    struct bytes if_match; /* data NULL: none */
    struct user user;
    bool created;
    int tries;
};

static struct identity_edit *new_edit(struct call *call)
{
    struct identity_edit *edit = arena_zero(&call->request->arena, sizeof *edit);
    call->state = edit;
    if (!edit) {
        call_too_large(call);
        return NULL;
    }
    edit->if_match = listener_header(call->request, "If-Match", NULL);
    return users_path_id(call, &edit->user_id) ? edit : NULL;
}

static bool read_user(struct call *call, call_step *then)
{
    const struct identity_edit *edit = call->state;
    return call_query(call, &(struct store_query){.kind = STORE_GET_USER, .id = edit->user_id, .limit = 1},
                      true, then);
}

/* ---- showing ---- */

static void put_identity(struct text *out, const struct identity_edit *edit)
{
    const struct identity_description *about = &edit->description;
    text_printf(out, "{\"type\":\"tls_identities\",\"id\":\"%lld\",\"attributes\":{",
                (long long)edit->user_id);
    jsonapi_put_text(out, "certificate", edit->source.certificate);
    text_putc(out, ',');
    jsonapi_put_text(out, "ca", edit->source.ca);
    text_putc(out, ',');
    jsonapi_put_text(out, "server_name", edit->source.server_name);
    text_putc(out, ',');
    jsonapi_put_text(out, "subject", bytes_of(about->subject));
    text_putc(out, ',');
    jsonapi_put_text(out, "issuer", bytes_of(about->issuer));
    text_putc(out, ',');
    jsonapi_put_text(out, "fingerprint", bytes_of(about->fingerprint));
    text_putc(out, ',');
    jsonapi_put_instant(out, "not_before", about->not_before_ms);
    text_putc(out, ',');
    jsonapi_put_instant(out, "not_after", about->not_after_ms);
    text_printf(out,
                "},\"relationships\":{\"user\":{\"data\":{\"type\":\"users\",\"id\":\"%lld\"}}},"
                "\"links\":{\"self\":\"/api/users/%lld/tls\"}}",
                (long long)edit->user_id, (long long)edit->user_id);
}

static bool answer_identity(struct call *call, int status)
{
    const struct identity_edit *edit = call->state;
    struct text out;
    jsonapi_begin(&out, &call->scratch);
    text_printf(&out, ",\"links\":{\"self\":\"/api/users/%lld/tls\"},\"data\":", (long long)edit->user_id);
    put_identity(&out, edit);
    jsonapi_end(&out, call, (struct bytes){0});
    call_header(call, "ETag", bytes_of(users_etag(call, &edit->user)));
    return jsonapi_answer(call, status, &out);
}

/* What is shown of what is stored. */
static bool open_stored(struct call *call, struct identity_edit *edit)
{
    enum identity_error why;
    struct arena *arena = &call->request->arena;
    if (identities_unseal(call->api->config.vault, edit->user_id, edit->user.identity, arena,
                          &edit->source) != VAULT_OK)
        return call_fail(call, API_SECRETS_SEALED, SOURCE_NONE, NULL,
                         "The user's TLS identity was sealed with another key file than the server has now. "
                         "Put it again, or delete it.");
    struct identity *identity = identity_open(&edit->source, &why);
    identities_wipe(&edit->source);
    if (!identity)
        return call_fail(call, API_SECRETS_SEALED, SOURCE_NONE, NULL,
                         "The user's TLS identity does not open any more. Put it again, or delete it.");
    identity_describe(identity, &edit->description);
    identity_close(identity);
    return true;
}

static bool show_read_user(struct call *call)
{
    struct identity_edit *edit = call->state;
    if (call->read.answer.count == 0)
        return call_not_found(call, "user");
    edit->user = call->read.answer.users[0];
    if (!edit->user.identity.len)
        return call_not_found(call, "TLS identity");
    struct bytes known = listener_header(call->request, "If-None-Match", NULL);
    if (known.data && users_etag_known(known, users_etag(call, &edit->user))) {
        call_header(call, "ETag", bytes_of(users_etag(call, &edit->user)));
        return call_answer(call, 304, (struct bytes){0});
    }
    return open_stored(call, edit) && answer_identity(call, 200);
}

bool tls_identities_show(struct call *call)
{
    return new_edit(call) && read_user(call, show_read_user);
}

/* ---- reading what is put ---- */

static bool read_pem(struct call *call, struct json_value *value, const char *pointer, size_t len_max,
                     struct bytes *text)
{
    *text = (struct bytes){0};
    if (json_is(value, JSON_NULL))
        return true;
    if (!json_is(value, JSON_STRING))
        return call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, pointer,
                         "This must be PEM in a string, or null.");
    *text = value->text;
    return text->len <= len_max || call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, pointer,
                                             "This has at most %zu bytes.", len_max);
}

static bool read_certificate(struct call *call, void *target, struct json_value *value, const char *pointer)
{
    struct identity_edit *edit = target;
    return read_pem(call, value, pointer, IDENTITY_CERTIFICATE_LEN_MAX, &edit->source.certificate);
}

static bool read_key(struct call *call, void *target, struct json_value *value, const char *pointer)
{
    struct identity_edit *edit = target;
    return read_pem(call, value, pointer, IDENTITY_KEY_LEN_MAX, &edit->source.private_key);
}

static bool read_ca(struct call *call, void *target, struct json_value *value, const char *pointer)
{
    struct identity_edit *edit = target;
    return read_pem(call, value, pointer, IDENTITY_CA_LEN_MAX, &edit->source.ca);
}

static bool read_server_name(struct call *call, void *target, struct json_value *value, const char *pointer)
{
    struct identity_edit *edit = target;
    return jsonapi_read_text(call, value, pointer, URL_HOST_LEN_MAX, &edit->source.server_name);
}

static const struct jsonapi_attribute identity_attributes[] = {
    JSONAPI_ATTRIBUTE("certificate", read_certificate),
    JSONAPI_ATTRIBUTE("private_key", read_key),
    JSONAPI_ATTRIBUTE("ca", read_ca),
    JSONAPI_ATTRIBUTE("server_name", read_server_name),
    JSONAPI_ATTRIBUTE("subject", NULL),
    JSONAPI_ATTRIBUTE("issuer", NULL),
    JSONAPI_ATTRIBUTE("fingerprint", NULL),
    JSONAPI_ATTRIBUTE("not_before", NULL),
    JSONAPI_ATTRIBUTE("not_after", NULL)};

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
    const struct identity_description *about = &edit->description;
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
    bool fits = identity_print(identity, arena, &edit->source);
    if (fits)
        edit->sealed = identities_seal(call->api->config.vault, edit->user_id, &edit->source, arena);
    identities_wipe(&edit->source);
    return (fits && edit->sealed.data && edit->sealed.len <= MODEL_IDENTITY_LEN_MAX) || call_too_large(call);
}

static bool understand(struct call *call, const struct request_document *document, struct identity_edit *edit)
{
    int64_t now_ms = clock_wall_ms(&call->api->config.clock);
    enum identity_error error;
    struct identity *identity = identity_open(&edit->source, &error);
    if (identity)
        error = identity_check_key(identity);
    if (error == IDENTITY_ERROR_OK)
        error = identity_check_dates(identity, now_ms);
    identities_wipe(&edit->source); /* as it was read; the identity has it */
    bool sealed = false;
    if (error == IDENTITY_ERROR_OK) {
        identity_describe(identity, &edit->description);
        warn(call, edit, now_ms);
        sealed = seal(call, edit, identity);
    } else {
        fail_identity(call, document, error);
    }
    identity_close(identity);
    explicit_bzero(call->request->body, call->request->body_len); /* and as it came */
    return sealed;
}

/* ---- changing: read, change, write if nobody else did ---- */

static bool start_change(struct call *call);

static bool changed(struct call *call)
{
    struct identity_edit *edit = call->state;
    if (call->write.op.result == STORE_CONFLICT)
        return start_change(call);
    if (call->write.op.result != STORE_DONE)
        return call_not_found(call, "user");
    if (edit->removing)
        return call_answer(call, 204, (struct bytes){0});
    edit->user.version++;
    if (bytes_starts(edit->user.webhook_url, "http:") || bytes_starts(edit->user.webhook_url, "HTTP:"))
        call_warn(call, "webhook_url_plain", 0, 0,
                  "The user's webhook_url is plain http: a TLS identity does nothing there.");
    if (edit->created)
        call_header(call, "Location",
                    bytes_of(call_printf(call, "/api/users/%lld/tls", (long long)edit->user_id)));
    return answer_identity(call, edit->created ? 201 : 200);
}

static bool change_read_user(struct call *call)
{
    struct identity_edit *edit = call->state;
    if (call->read.answer.count == 0)
        return call_not_found(call, "user");
    edit->user = call->read.answer.users[0];
    if (edit->removing && !edit->user.identity.len)
        return call_not_found(call, "TLS identity");
    if (edit->if_match.data && !users_etag_listed(edit->if_match, users_etag(call, &edit->user)))
        return call_fail(call, API_VERSION_CONFLICT, SOURCE_HEADER, "If-Match",
                         "The user has changed since that ETag was given. Read it again.");
    edit->created = !edit->user.identity.len;
    edit->user.identity = edit->sealed;
    edit->user.updated_at_ms = clock_wall_ms(&call->api->config.clock);
    call->write.op = (struct store_op){.kind = STORE_USER_UPDATE,
                                       .user = {.user = edit->user, .if_version = edit->user.version}};
    return call_write(call, changed);
}

static bool start_change(struct call *call)
{
    struct identity_edit *edit = call->state;
    if (edit->tries++ == CALL_EDIT_TRIES_MAX)
        return call_fail(call, API_EDIT_CONFLICT, SOURCE_NONE, NULL,
                         "Others changed this user again and again meanwhile.");
    return read_user(call, change_read_user);
}

bool tls_identities_put(struct call *call)
{
    struct request_document document;
    struct identity_edit *edit = new_edit(call);
    if (!edit || !jsonapi_read(call, "tls_identities", &document) ||
        !jsonapi_check_id(call, &document, edit->user_id))
        return false;
    if (document.relationships && document.relationships->count)
        return call_fail(call, API_RELATIONSHIP_UNKNOWN, SOURCE_POINTER, "/data/relationships",
                         "Whose TLS identity it is, is in the path.");
    return jsonapi_read_attributes(call, &document, identity_attributes,
                                   sizeof identity_attributes / sizeof *identity_attributes, edit) &&
           understand(call, &document, edit) && start_change(call);
}

bool tls_identities_delete(struct call *call)
{
    struct identity_edit *edit = new_edit(call);
    if (!edit)
        return false;
    edit->removing = true;
    return start_change(call);
}
