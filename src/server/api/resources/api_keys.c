/* /api/api_keys: a user's keys. A key's text is in its 201 and nowhere else; its digest is in no answer. */
#include "admission.h"
#include "jsonapi.h"
#include "page.h"
#include "resources.h"
#include <stdio.h>

enum { LABEL_LEN_MAX = 128, KEY_RANDOM_LEN = 24, KEY_TEXT_LEN = 2 * KEY_RANDOM_LEN };

struct key_list {
    struct page page;
    int64_t user_id, key_id;
};

/* What a request says of a key. */
struct key_edit {
    struct key_list at; /* first: show_one looks at it */
    unsigned changes;   /* bits of enum store_key_change */
    struct bytes label;
    struct text allow_from;
    int64_t rate_per_s;
    const char *token;
};

static void put_allow_from(struct text *out, struct bytes list)
{
    text_puts(out, "\"allow_from\":[");
    for (const char *comma = ""; list.len; comma = ",") {
        const char *space = memchr(list.data, ' ', list.len);
        size_t len = space ? (size_t)(space - list.data) : list.len;
        size_t skip = space ? len + 1 : len;
        text_puts(out, comma);
        text_put_json(out, bytes_make(list.data, len));
        list = bytes_make(list.data + skip, list.len - skip);
    }
    text_puts(out, "],\"rate_per_s\":");
}

static void put_rate(struct text *out, int64_t rate_per_s)
{
    if (rate_per_s > 0)
        text_printf(out, "%lld,", (long long)rate_per_s);
    else
        text_puts(out, rate_per_s < 0 ? "\"unlimited\"," : "null,");
}

static void put_key(struct text *out, const struct api_key *key, const char *token)
{
    text_printf(out, "{\"type\":\"api_keys\",\"id\":\"%lld\",\"attributes\":{", (long long)key->id);
    jsonapi_put_text(out, "label", key->label);
    text_putc(out, ',');
    put_allow_from(out, key->allow_from);
    put_rate(out, key->rate_per_s);
    jsonapi_put_instant(out, "created_at", key->created_at_ms);
    text_putc(out, ',');
    jsonapi_put_instant(out, "revoked_at", key->revoked_at_ms);
    if (token)
        text_printf(out, ",\"token\":\"%s\"", token);
    text_printf(out,
                "},\"relationships\":{\"user\":{\"data\":{\"type\":\"users\",\"id\":\"%lld\"}}},"
                "\"links\":{\"self\":\"/api/api_keys/%lld\"}}",
                (long long)key->user_id, (long long)key->id);
}

static bool answer_key(struct call *call, int status, const struct api_key *key, const char *token)
{
    struct text out;
    jsonapi_begin(&out, &call->scratch);
    jsonapi_put_self(&out, "/api/api_keys/", key->id);
    text_puts(&out, ",\"data\":");
    size_t begin = out.len;
    put_key(&out, key, token);
    jsonapi_trim(call, &out, begin, false);
    int64_t pace = admission_pace(call, key->rate_per_s);
    const char *meta =
        pace ? call_printf(call, "\"rate_per_s\":%lld", (long long)pace) : "\"rate_per_s\":\"unlimited\"";
    jsonapi_end(&out, call, bytes_of(meta));
    return jsonapi_answer(call, status, &out);
}

static struct key_list *new_list(struct call *call)
{
    struct key_list *list = arena_zero(&call->request->arena, sizeof *list);
    call->state = list;
    if (!list)
        call_too_large(call);
    return list;
}

/* ---- reading ---- */

static bool show_list(struct call *call)
{
    struct key_list *list = call->state;
    const struct store_answer *answer = &call->read.answer;
    struct page_rows rows = {.more = answer->more};
    struct text out;
    jsonapi_begin(&out, &call->scratch);
    text_puts(&out, ",\"data\":[");
    for (int i = 0; i < answer->count; i++) {
        const struct api_key *key = &answer->keys[page_row(&list->page, answer, i)];
        text_puts(&out, i ? "," : "");
        size_t begin = out.len;
        put_key(&out, key, NULL);
        jsonapi_trim(call, &out, begin, false);
        page_saw(call, &rows, key->id);
    }
    text_putc(&out, ']');
    page_put_end(&out, call, "/api/api_keys", &list->page, &rows);
    return jsonapi_answer(call, 200, &out);
}

bool api_keys_list(struct call *call)
{
    struct key_list *list = new_list(call);
    if (!list || !page_read(call, "api_keys", &list->page) || !jsonapi_read_owner(call, &list->user_id))
        return false;
    struct store_query query = {.kind = STORE_LIST_KEYS, .id = list->user_id};
    page_query(&list->page, &query);
    return call_query(call, &query, false, show_list);
}

/* The path's key and whose it is; 404 unless the caller may see that user. */
static bool path_key(struct call *call, struct key_list *list)
{
    if (!jsonapi_path_id(call, "API key", &list->key_id))
        return false;
    list->user_id = keyring_key_user(call->api->keyring, list->key_id);
    return keyring_may_see(call->api->keyring, &call->caller, list->user_id) ||
           call_not_found(call, "API key");
}

static bool show_one(struct call *call)
{
    const struct key_list *list = call->state;
    const struct store_answer *answer = &call->read.answer;
    for (int i = 0; i < answer->count; i++)
        if (answer->keys[i].id == list->key_id)
            return answer_key(call, 200, &answer->keys[i], NULL);
    return call_not_found(call, "API key");
}

/* call->state begins with the key's struct key_list. */
static bool query_key(struct call *call, call_step *then)
{
    const struct key_list *list = call->state;
    return call_query(
        call,
        &(struct store_query){
            .kind = STORE_LIST_KEYS, .id = list->user_id, .after_id = list->key_id - 1, .limit = 1},
        false, then);
}

bool api_keys_show(struct call *call)
{
    struct key_list *list = new_list(call);
    return list && path_key(call, list) && query_key(call, show_one);
}

/* ---- a new key ---- */

/* A key that is bound to networks makes no key for elsewhere. */
const char *api_key_prepare(struct call *call, int64_t user_id, struct bytes label)
{
    char *token = arena_alloc(&call->request->arena, KEY_TEXT_LEN + 1);
    if (!token)
        return NULL;
    digest_random_hex(token, KEY_RANDOM_LEN);
    call->write.op = (struct store_op){.kind = STORE_KEY_CREATE,
                                       .key = {.user_id = user_id,
                                               .label = label,
                                               .created_at_ms = clock_wall_ms(&call->api->config.clock)}};
    digest_sha256_hex(bytes_of(token), call->write.op.key.digest);
    if (call->caller.restricted)
        call->write.op.key.allow_from =
            keyring_allow_from(call->api->keyring, &call->caller, &call->request->arena);
    return !call->caller.restricted || call->write.op.key.allow_from.data ? token : NULL;
}

static bool read_label(struct call *call, void *target, struct json_value *value, const char *pointer)
{
    struct key_edit *edit = target;
    edit->changes |= STORE_KEY_LABEL;
    return jsonapi_read_text(call, value, pointer, LABEL_LEN_MAX, &edit->label);
}

static bool read_network(struct call *call, struct key_edit *edit, const struct json_value *value)
{
    struct network network;
    if (!json_is(value, JSON_STRING) || !network_parse(value->text, &network) || network.port ||
        !network_is_exact(&network))
        return call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, "",
                         "A network is a text as \"192.0.2.7\", \"192.0.2.0/24\" or \"2001:db8::/32\", with "
                         "nothing behind its prefix.");
    if (edit->allow_from.len)
        text_putc(&edit->allow_from, ' ');
    text_put(&edit->allow_from, value->text);
    return true;
}

static bool read_allow_from(struct call *call, void *target, struct json_value *value, const char *pointer)
{
    struct key_edit *edit = target;
    edit->changes |= STORE_KEY_ALLOW_FROM;
    text_init(&edit->allow_from, &call->request->arena, MODEL_ALLOW_FROM_LEN_MAX);
    if (json_is(value, JSON_NULL))
        return true;
    if (!json_is(value, JSON_ARRAY) || value->count > KEYRING_NETWORKS_MAX)
        return call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, pointer,
                         "allow_from is a list of at most %d networks; empty or null allows every address.",
                         KEYRING_NETWORKS_MAX);
    int i = 0;
    for (const struct json_value *one = value->first; one; one = one->next, i++)
        if (!read_network(call, edit, one))
            return call_within(call, pointer, bytes_of(call_printf(call, "%d", i)));
    return !edit->allow_from.overflow || call_too_large(call);
}

static bool read_rate(struct call *call, void *target, struct json_value *value, const char *pointer)
{
    struct key_edit *edit = target;
    edit->changes |= STORE_KEY_RATE;
    if (!call_is_masters(call))
        return call_fail(call, API_FORBIDDEN, SOURCE_POINTER, pointer,
                         "Only a Master sets how many requests a second a key may make.");
    if (json_is(value, JSON_NULL))
        return true;
    bool number = json_integer(value, &edit->rate_per_s);
    if (json_is(value, JSON_STRING) && bytes_equal_text(value->text, "unlimited"))
        edit->rate_per_s = -1;
    return (number ? edit->rate_per_s >= 1 && edit->rate_per_s <= RATE_PER_S_MAX : edit->rate_per_s < 0) ||
           call_fail(
               call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, pointer,
               "rate_per_s is a number from 1 to %d, \"unlimited\", or null for the server's own limit.",
               RATE_PER_S_MAX);
}

static const struct jsonapi_attribute key_attributes[] = {
    JSONAPI_ATTRIBUTE("label", read_label),     JSONAPI_ATTRIBUTE("allow_from", read_allow_from),
    JSONAPI_ATTRIBUTE("rate_per_s", read_rate), JSONAPI_ATTRIBUTE("token", NULL),
    JSONAPI_ATTRIBUTE("created_at", NULL),      JSONAPI_ATTRIBUTE("revoked_at", NULL)};
enum { KEY_ATTRIBUTE_COUNT = sizeof key_attributes / sizeof *key_attributes };

static struct key_edit *new_edit(struct call *call)
{
    struct key_edit *edit = arena_zero(&call->request->arena, sizeof *edit);
    call->state = edit;
    if (!edit)
        call_too_large(call);
    return edit;
}

static void apply(struct api_key *key, const struct key_edit *edit)
{
    if (edit->changes & STORE_KEY_LABEL)
        key->label = edit->label;
    if (edit->changes & STORE_KEY_ALLOW_FROM)
        key->allow_from = text_bytes(&edit->allow_from);
    if (edit->changes & STORE_KEY_RATE)
        key->rate_per_s = edit->rate_per_s;
}

static const char allow_from_pointer[] = "/data/attributes/allow_from";

static bool is_within(const struct network *network, const struct network *outer, int outer_count)
{
    for (int i = 0; i < outer_count; i++)
        if (network_is_within(network, &outer[i]))
            return true;
    return false;
}

/* What a key may give away: no reach beyond its own. */
static bool check_reach(struct call *call, const struct key_edit *edit)
{
    struct network own[KEYRING_NETWORKS_MAX], wanted[KEYRING_NETWORKS_MAX];
    if (!(edit->changes & STORE_KEY_ALLOW_FROM) || !call->caller.restricted)
        return true;
    struct bytes text = keyring_allow_from(call->api->keyring, &call->caller, &call->request->arena);
    if (!text.data)
        return call_too_large(call);
    int own_count = keyring_read_networks(text, own);
    int count = keyring_read_networks(text_bytes(&edit->allow_from), wanted);
    bool within = count > 0 || own_count == 0;
    for (int i = 0; i < count; i++)
        within = within && (own_count == 0 || is_within(&wanted[i], own, own_count));
    return within || call_fail(call, API_FORBIDDEN, SOURCE_POINTER, allow_from_pointer,
                               "Your key may be used from %.*s only. It cannot make or change a key so that "
                               "it may be used from elsewhere.",
                               BYTES_ARG(text));
}

/* Whoever replaces a producer's key with it learns of it now, and not from a 429. */
static void warn_if_slower(struct call *call, const struct api_key *key)
{
    int64_t pace = admission_pace(call, key->rate_per_s), own = admission_pace(call, call->caller.rate_per_s);
    if (pace == 0 || (own > 0 && pace >= own))
        return;
    char yours[BYTES_INT64_LEN_MAX + 32] = "has no limit";
    if (own > 0)
        snprintf(yours, sizeof yours, "may make %lld", (long long)own);
    call_warn(call, "slower_key", 0, 0,
              "The new key may make %lld requests a second%s, and the key that made it %s. %s",
              (long long)pace, key->rate_per_s ? "" : " together with the other keys of its user", yours,
              call_is_masters(call) ? "A Master gives it another pace with \"rate_per_s\", a number or "
                                      "\"unlimited\", in this call or a PATCH."
                                    : "Its Master can give it another one.");
}

static bool created(struct call *call)
{
    struct key_edit *edit = call->state;
    struct api_key key = call->write.op.key;
    if (call->write.op.result == STORE_QUOTA)
        return call_fail(
            call, API_TOO_MANY_KEYS, SOURCE_NONE, NULL,
            "The user has %lld active API keys, and may have %lld (setting keys-max). Revoke one first.",
            (long long)call->write.op.keys_max, (long long)call->write.op.keys_max);
    if (call->write.op.result != STORE_DONE)
        return call_not_found(call, "user");
    key.id = call->write.op.id;
    keyring_put_key(call->api->keyring, &key);
    call_header(call, "Location", bytes_of(call_printf(call, "/api/api_keys/%lld", (long long)key.id)));
    call_header(call, "Cache-Control", bytes_of("no-store"));
    warn_if_slower(call, &key);
    return answer_key(call, 201, &key, edit->token);
}

bool api_keys_create(struct call *call)
{
    struct request_document document;
    struct key_edit *edit = new_edit(call);
    int64_t user_id = call->caller.user_id;
    if (!edit || !jsonapi_read(call, "api_keys", &document) || !jsonapi_refuse_id(call, &document))
        return false;
    if (!jsonapi_read_attributes(call, &document, key_attributes, KEY_ATTRIBUTE_COUNT, edit) ||
        !jsonapi_read_user(call, &document, &user_id) || !check_reach(call, edit))
        return false;
    edit->token = api_key_prepare(call, user_id, edit->label);
    apply(&call->write.op.key, edit);
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
    return query_key(call, show_one);
}

/* Whoever shuts the door behind the key in hand could not open it again. */
static bool locks_out(const struct call *call, const struct key_edit *edit)
{
    struct network networks[KEYRING_NETWORKS_MAX], peer;
    if (edit->at.key_id != call->caller.key_id || !(edit->changes & STORE_KEY_ALLOW_FROM))
        return false;
    int count = keyring_read_networks(text_bytes(&edit->allow_from), networks);
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
    struct key_edit *edit = new_edit(call);
    if (!edit || !path_key(call, &edit->at) || !jsonapi_read(call, "api_keys", &document) ||
        !jsonapi_check_id(call, &document, edit->at.key_id))
        return false;
    if (document.relationships && document.relationships->count)
        return call_fail(call, API_RELATIONSHIP_UNKNOWN, SOURCE_POINTER, "/data/relationships",
                         "A key stays its user's.");
    if (!jsonapi_read_attributes(call, &document, key_attributes, KEY_ATTRIBUTE_COUNT, edit) ||
        !check_reach(call, edit))
        return false;
    if (locks_out(call, edit))
        return call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, allow_from_pointer,
                         "Your own address, %s, would be shut out with the very key of this request.",
                         call->request->peer);
    call->write.op = (struct store_op){.kind = STORE_KEY_UPDATE,
                                       .key = {.id = edit->at.key_id, .user_id = edit->at.user_id},
                                       .key_changes = edit->changes};
    apply(&call->write.op.key, edit);
    return call_write(call, updated);
}

/* ---- revoking ---- */

static bool revoked(struct call *call)
{
    const struct store_op *op = &call->write.op;
    if (op->result == STORE_CONFLICT)
        return call_fail(call, API_LAST_KEY, SOURCE_NONE, NULL,
                         "This is the user's last key. Make another one first.");
    if (op->result != STORE_DONE)
        return call_not_found(call, "API key");
    keyring_drop_key(call->api->keyring, op->key.id);
    return call_answer(call, 204, (struct bytes){0});
}

bool api_keys_delete(struct call *call)
{
    struct key_list list;
    if (!path_key(call, &list))
        return false;
    call->write.op = (struct store_op){.kind = STORE_KEY_REVOKE,
                                       .key = {.id = list.key_id,
                                               .user_id = list.user_id,
                                               .revoked_at_ms = clock_wall_ms(&call->api->config.clock)}};
    return call_write(call, revoked);
}
