/* /api/api_keys: a user's keys. A key's text is in its 201 and nowhere else; its digest is in no answer. */
#include "admission.h"
#include "edit.h"
#include "idempotency_key.h"
#include "page.h"
#include "precondition.h"
#include "resources.h"
#include <stdio.h>

enum { LABEL_LEN_MAX = 128, KEY_RANDOM_LEN = 24, KEY_TEXT_LEN = 2 * KEY_RANDOM_LEN };

/* ---- what a key looks like ---- */

static bool read_network(struct call *call, struct text *allow_from, const struct json_value *value)
{
    struct network network;
    if (!json_is(value, JSON_STRING) || !network_parse(value->text, &network) || network.port ||
        !network_is_exact(&network))
        return call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, "",
                         "A network must be a text such as \"192.0.2.7\", \"192.0.2.0/24\" or "
                         "\"2001:db8::/32\", with no bits set after its prefix.");
    if (allow_from->len)
        text_putc(allow_from, ' ');
    text_put(allow_from, value->text);
    return true;
}

static bool read_allow_from(struct call *call, const struct field *field, struct json_value *value,
                            void *place)
{
    struct text allow_from;
    text_init(&allow_from, &call->request->arena, MODEL_ALLOW_FROM_LEN_MAX);
    if (!json_is(value, JSON_NULL) && (!json_is(value, JSON_ARRAY) || value->count > KEYRING_NETWORKS_MAX))
        return field_fail(
            call, field,
            "allow_from must be a list of at most %d networks; empty or null allows every address.",
            KEYRING_NETWORKS_MAX);
    int i = 0;
    for (const struct json_value *one = value->first; one; one = one->next, i++)
        if (!read_network(call, &allow_from, one))
            return call_within(call, field->pointer, bytes_of(call_printf(call, "%d", i)));
    *(struct bytes *)place = text_bytes(&allow_from);
    return !allow_from.overflow || call_too_large(call);
}

static void put_allow_from(struct text *out, const struct call *call, const void *row)
{
    struct bytes list = ((const struct api_key *)row)->allow_from;
    text_putc(out, '[');
    for (const char *comma = ""; list.len; comma = ",") {
        text_puts(out, comma);
        text_put_json(out, bytes_cut(&list, ' '));
    }
    text_putc(out, ']');
}

static bool read_rate(struct call *call, const struct field *field, struct json_value *value, void *place)
{
    int64_t *rate_per_s = place;
    if (!call_is_masters(call))
        return call_fail(call, API_FORBIDDEN, SOURCE_POINTER, field->pointer,
                         "Only a Master may set how many requests a second a key may make.");
    *rate_per_s = 0;
    if (json_is(value, JSON_NULL))
        return true;
    bool number = json_integer(value, rate_per_s);
    if (json_is(value, JSON_STRING) && bytes_equal_text(value->text, "unlimited"))
        *rate_per_s = -1;
    return (number ? *rate_per_s >= 1 && *rate_per_s <= RATE_PER_S_MAX : *rate_per_s < 0) ||
           field_fail(
               call, field,
               "rate_per_s must be a number from 1 to %d, \"unlimited\", or null for the server's default.",
               RATE_PER_S_MAX);
}

static void put_rate(struct text *out, const struct call *call, const void *row)
{
    int64_t rate_per_s = ((const struct api_key *)row)->rate_per_s;
    if (rate_per_s > 0)
        text_put_int64(out, rate_per_s);
    else
        text_puts(out, rate_per_s < 0 ? "\"unlimited\"" : "null");
}

static const char *const rates[] = {"unlimited", NULL};

/* The rows that may be written come first, in the order of enum store_key_change. */
static const struct field fields[] = {
    {FIELD("label", FIELD_TEXT, FIELD_ALWAYS | FIELD_NULLABLE, struct api_key, label),
     .len_max = LABEL_LEN_MAX},
    {FIELD("allow_from", FIELD_LIST, FIELD_ALWAYS | FIELD_NULL_CLEARS, struct api_key, allow_from),
     .maximum = KEYRING_NETWORKS_MAX, .read = read_allow_from, .put = put_allow_from},
    {FIELD("rate_per_s", FIELD_INTEGER, FIELD_ALWAYS | FIELD_NULLABLE, struct api_key, rate_per_s),
     .minimum = 1, .maximum = RATE_PER_S_MAX, .choices = rates, .read = read_rate, .put = put_rate},
    {FIELD("created_at", FIELD_INSTANT, 0, struct api_key, created_at_ms)},
    {FIELD("revoked_at", FIELD_INSTANT, FIELD_NULLABLE, struct api_key, revoked_at_ms)},
    {FIELD_NO_MEMBER("token", FIELD_SHOWN_ONCE, 0)},
    {FIELD("user", FIELD_TO_ONE, FIELD_ON_CREATE, struct api_key, user_id), .related = "users"}};
const struct shape api_keys_shape = {SHAPE("api_keys", struct api_key, fields), .self = "/api/api_keys/:id"};
_Static_assert(STORE_KEY_LABEL == 1 && STORE_KEY_ALLOW_FROM == 2 && STORE_KEY_RATE == 4,
               "a bit for each row");

/* The path's key, and the request's changes to it. */
struct key_edit {
    int64_t user_id, key_id;
    struct api_key key;
    unsigned given;
    const char *token;
};

static const char *etag_of(struct call *call, const struct api_key *key)
{
    return call_printf(call, "\"%lld-%lld\"", (long long)key->id, (long long)key->version);
}

static bool answer_key(struct call *call, int status, const struct api_key *key)
{
    call->etag = etag_of(call, key);
    int64_t pace = admission_pace(call, key->rate_per_s);
    return shape_answer(call, status, &api_keys_shape, key,
                        bytes_of(pace ? call_printf(call, "\"rate_per_s\":%lld", (long long)pace)
                                      : "\"rate_per_s\":\"unlimited\""));
}

/* ---- reading ---- */

static bool show_list(struct call *call)
{
    return page_answer(call, "/api/api_keys", call->state, &api_keys_shape, call->read.answer.keys);
}

bool api_keys_list(struct call *call)
{
    struct page *page = call_state(call, sizeof *page);
    struct store_query query = {.kind = STORE_LIST_KEYS};
    return page && page_read(call, "api_keys", page) && jsonapi_read_owner(call, &query.id) &&
           page_query(call, page, &query, false, show_list);
}

/* The path's key and whose it is; 404 unless the caller may see that user. */
static struct key_edit *path_key(struct call *call)
{
    struct key_edit *edit = call_state(call, sizeof *edit);
    if (!edit || !jsonapi_path_id(call, "API key", &edit->key_id))
        return NULL;
    edit->user_id = keyring_key_user(call->api->keyring, edit->key_id);
    if (call_may_see(call, edit->user_id))
        return edit;
    call_not_found(call, "API key");
    return NULL;
}

static struct store_query query_of(const struct key_edit *edit)
{
    return (struct store_query){
        .kind = STORE_LIST_KEYS, .id = edit->user_id, .after_id = edit->key_id - 1, .limit = 1};
}

/* The path's key as it was read; NULL: there is none. */
static const struct api_key *read_key(const struct call *call)
{
    const struct key_edit *edit = call->state;
    const struct store_answer *answer = &call->read.answer;
    return answer->count && answer->keys[0].id == edit->key_id ? &answer->keys[0] : NULL;
}

static const char *read_etag(struct call *call)
{
    const struct api_key *key = read_key(call);
    return key ? etag_of(call, key) : NULL;
}

static bool show_one(struct call *call)
{
    const struct api_key *key = read_key(call);
    return key ? answer_key(call, 200, key) : call_not_found(call, "API key");
}

static bool show_key(struct call *call)
{
    struct store_query query = query_of(call->state);
    return call_query(call, &query, false, show_one);
}

static bool write_change(struct call *call)
{
    const struct api_key *key = read_key(call);
    if (!key)
        return call_not_found(call, "API key");
    call->write.op.key_if_version = key->version;
    return call->write.op.kind == STORE_KEY_UPDATE ? edit_write(call) : call_write(call, call->edit->done);
}

/* Writes the op that is ready. With preconditions only if they still hold as it is written. */
static bool submit_change(struct call *call, call_step *then)
{
    if (!precondition_is_given(call->request))
        return call_write(call, then);
    return edit_start(call, &(struct edit){.what = "API key",
                                           .query = query_of(call->state),
                                           .etag = read_etag,
                                           .change = write_change,
                                           .done = then});
}

bool api_keys_show(struct call *call)
{
    return path_key(call) && show_key(call);
}

/* ---- a new key ---- */

/* A key that is bound to networks makes no key for elsewhere. */
const char *api_key_prepare(struct call *call, struct bytes label, struct api_key *key)
{
    char *token = arena_alloc(&call->request->arena, KEY_TEXT_LEN + 1);
    if (!token)
        return NULL;
    digest_random_hex(token, KEY_RANDOM_LEN);
    *key = (struct api_key){.label = label, .created_at_ms = clock_wall_ms(&call->api->config.clock)};
    digest_sha256_hex(bytes_of(token), key->digest);
    if (call->caller.restricted)
        key->allow_from = keyring_allow_from(call->api->keyring, &call->caller, &call->request->arena);
    return !call->caller.restricted || key->allow_from.data ? token : NULL;
}

static const char allow_from_pointer[] = "/data/attributes/allow_from";

static bool is_within(const struct network *network, const struct network *outer, int outer_count)
{
    for (int i = 0; i < outer_count; i++)
        if (network_is_within(network, &outer[i]))
            return true;
    return false;
}

/* A key cannot give another key more reach than its own. */
static bool check_reach(struct call *call, const struct key_edit *edit)
{
    struct network own[KEYRING_NETWORKS_MAX], wanted[KEYRING_NETWORKS_MAX];
    if (!(edit->given & STORE_KEY_ALLOW_FROM) || !call->caller.restricted)
        return true;
    struct bytes text = keyring_allow_from(call->api->keyring, &call->caller, &call->request->arena);
    if (!text.data)
        return call_too_large(call);
    int own_count = keyring_read_networks(text, own);
    int count = keyring_read_networks(edit->key.allow_from, wanted);
    bool within = count > 0 || own_count == 0;
    for (int i = 0; i < count; i++)
        within = within && (own_count == 0 || is_within(&wanted[i], own, own_count));
    return within ||
           call_fail(
               call, API_FORBIDDEN, SOURCE_POINTER, allow_from_pointer,
               "Your key may be used from %.*s only. It cannot give another key more networks than that.",
               BYTES_ARG(text));
}

/* A producer that changes to a slower key learns it here, and not from a 429. */
static void warn_if_slower(struct call *call, const struct api_key *key)
{
    int64_t pace = admission_pace(call, key->rate_per_s), own = admission_pace(call, call->caller.rate_per_s);
    if (pace == 0 || (own > 0 && pace >= own))
        return;
    char yours[BYTES_INT64_LEN_MAX + 32] = "has no limit";
    if (own > 0)
        snprintf(yours, sizeof yours, "may make %lld", (long long)own);
    call_warn(call, "slower_key", 0, 0,
              "The new key may make %lld requests a second%s; the key that made it %s. %s", (long long)pace,
              key->rate_per_s ? "" : " together with the other keys of its user", yours,
              call_is_masters(call) ? "A Master can change this with \"rate_per_s\", a number or "
                                      "\"unlimited\", in this call or in a PATCH."
                                    : "Its Master can change this.");
}

/* The key as it is by now. */
static bool replay(struct call *call)
{
    const struct api_key *key = read_key(call);
    if (!key)
        return call_not_found(call, "API key any more");
    idempotency_key_replayed(call, "the key's text");
    call_header(call, "Location", bytes_of(call_printf(call, "/api/api_keys/%lld", (long long)key->id)));
    return answer_key(call, 201, key);
}

static bool query_made(struct call *call)
{
    struct key_edit *edit = call->state;
    edit->key_id = call->write.op.id;
    edit->user_id = call->write.op.key.user_id;
    struct store_query query = query_of(edit);
    return call_query(call, &query, false, replay);
}

static bool created(struct call *call)
{
    struct key_edit *edit = call->state;
    struct api_key key = call->write.op.key;
    if (!idempotency_key_fits(call))
        return false;
    if (call->write.op.result == STORE_REPLAYED)
        return query_made(call);
    if (call->write.op.result == STORE_QUOTA)
        return call_fail(
            call, API_TOO_MANY_KEYS, SOURCE_NONE, NULL,
            "The user has %lld active API keys, and may have %lld (setting keys-max). Revoke one first.",
            (long long)call->write.op.keys_max, (long long)call->write.op.keys_max);
    if (call->write.op.result != STORE_DONE)
        return call_not_found(call, "user");
    key.id = call->write.op.id;
    key.version = 1;
    keyring_put_key(call->api->keyring, &key);
    call_header(call, "Location", bytes_of(call_printf(call, "/api/api_keys/%lld", (long long)key.id)));
    call_header(call, "Cache-Control", bytes_of("no-store"));
    warn_if_slower(call, &key);
    call->shown_once = edit->token;
    return answer_key(call, 201, &key);
}

bool api_keys_create(struct call *call)
{
    struct request_document document;
    struct key_edit *edit = call_state(call, sizeof *edit);
    int64_t user_id = call->caller.user_id;
    if (!edit || !jsonapi_read(call, "api_keys", &document) || !jsonapi_refuse_id(call, &document) ||
        !shape_read(call, &api_keys_shape, &document, FIELD_ON_CREATE, &edit->key, &edit->given) ||
        !jsonapi_read_user(call, &document, &user_id) || !check_reach(call, edit))
        return false;
    if (!idempotency_key_take(call, "/api/api_keys"))
        return false;
    call->write.op = (struct store_op){.kind = STORE_KEY_CREATE, .request = call->repeat};
    edit->token = api_key_prepare(call, edit->key.label, &call->write.op.key);
    call->write.op.key.user_id = user_id;
    shape_apply(&api_keys_shape, edit->given, &edit->key, &call->write.op.key);
    call->write.op.keys_max = call->api->config.config->keys_max;
    return edit->token ? call_write(call, created) : call_too_large(call);
}

/* ---- new terms for a key ---- */

static bool updated(struct call *call)
{
    const struct store_op *op = &call->write.op;
    if (op->result != STORE_DONE)
        return call_not_found(call, "API key");
    keyring_change_key(call->api->keyring, &op->key, op->key_changes);
    return show_key(call);
}

/* True: the change would lock out the key that makes it. */
static bool locks_out(const struct call *call, const struct key_edit *edit)
{
    struct network networks[KEYRING_NETWORKS_MAX], peer;
    if (edit->key_id != call->caller.key_id || !(edit->given & STORE_KEY_ALLOW_FROM))
        return false;
    int count = keyring_read_networks(edit->key.allow_from, networks);
    bool known = network_parse_address(bytes_of(call->request->peer), &peer);
    for (int i = 0; i < count; i++)
        if (known && network_holds(&networks[i], peer.ipv6, peer.address))
            return false;
    return count > 0;
}

/* Only what the request names is written, and the writer puts it together with what is there by then: so two
 * changes at the same time are both kept. */
bool api_keys_update(struct call *call)
{
    struct request_document document;
    struct key_edit *edit = path_key(call);
    if (!edit || !jsonapi_read(call, "api_keys", &document) ||
        !jsonapi_check_id(call, &document, edit->key_id) ||
        !jsonapi_refuse_relationships(call, &document, "A key cannot move to another user.") ||
        !shape_read(call, &api_keys_shape, &document, FIELD_ON_UPDATE, &edit->key, &edit->given) ||
        !check_reach(call, edit))
        return false;
    if (locks_out(call, edit))
        return call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, allow_from_pointer,
                         "Your own address, %s, is not in this list, and you are using this key. The change "
                         "would lock you out.",
                         call->request->peer);
    edit->key.id = edit->key_id;
    edit->key.user_id = edit->user_id;
    call->write.op =
        (struct store_op){.kind = STORE_KEY_UPDATE, .key = edit->key, .key_changes = edit->given};
    return submit_change(call, updated);
}

/* ---- revoking ---- */

/* Another request was first, or it is the last key: the key as it is now says which. */
static bool refuse_revoking(struct call *call)
{
    const struct api_key *key = read_key(call);
    int64_t version = call->write.op.key_if_version;
    if (key && !call_allows(call, "API key", etag_of(call, key)))
        return false;
    if (key && version && key->version != version)
        return call_fail(call, API_EDIT_CONFLICT, SOURCE_NONE, NULL,
                         "Another request changed this key meanwhile.");
    return call_fail(call, API_LAST_KEY, SOURCE_NONE, NULL,
                     "This is the user's last key. Create another one first.");
}

static bool revoked(struct call *call)
{
    const struct store_op *op = &call->write.op;
    if (op->result == STORE_CONFLICT) {
        struct store_query query = query_of(call->state);
        return call_query(call, &query, false, refuse_revoking);
    }
    if (op->result != STORE_DONE)
        return call_not_found(call, "API key");
    keyring_drop_key(call->api->keyring, op->key.id);
    return call_answer(call, 204, (struct bytes){0});
}

bool api_keys_delete(struct call *call)
{
    const struct key_edit *edit = path_key(call);
    if (!edit)
        return false;
    call->write.op = (struct store_op){.kind = STORE_KEY_REVOKE,
                                       .key = {.id = edit->key_id,
                                               .user_id = edit->user_id,
                                               .revoked_at_ms = clock_wall_ms(&call->api->config.clock)}};
    return submit_change(call, revoked);
}
