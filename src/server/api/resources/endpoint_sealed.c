#include "endpoint_sealed.h"
#include "endpoint_fields.h"
#include "grammar.h"
#include "oauth.h"
#include "push_secrets.h"

#define HEADERS_POINTER "/data/attributes/headers"
#define AUTH_POINTER    "/data/attributes/auth"

/* The field reads and copies both halves as one. */
_Static_assert(offsetof(struct push_settings, headers) ==
                   offsetof(struct push_settings, header_names) + sizeof(struct bytes),
               "the values stand behind the names");
_Static_assert(offsetof(struct push_settings, auth_secret) ==
                   offsetof(struct push_settings, auth) + sizeof(struct bytes),
               "the secret stands behind the rest");

/* ---- reading ---- */

static bool is_listed(struct bytes names, struct bytes name)
{
    while (names.len > 0) {
        struct bytes other = bytes_cut(&names, ' ');
        bool equal = other.len == name.len;
        for (size_t i = 0; equal && i < name.len; i++)
            equal = bytes_lower(other.data[i]) == bytes_lower(name.data[i]);
        if (equal)
            return true;
    }
    return false;
}

/* Visible ASCII, and spaces and tabs between. */
static bool value_valid(struct bytes value, size_t len_max)
{
    for (size_t i = 0; i < value.len; i++) {
        bool inner = i > 0 && i + 1 < value.len;
        char c = value.data[i];
        if ((c < '!' || c > '~') && !(inner && (c == ' ' || c == '\t')))
            return false;
    }
    return value.len >= 1 && value.len <= len_max;
}

/* The fault of the header; NULL: none. */
static const char *header_flaw(const struct json_value *header, struct bytes names)
{
    if (header->name.len > PUSH_OWN_NAME_LEN_MAX || !grammar_is_token_text(header->name))
        return "The name of a header has 1 to 64 letters, digits or characters out of !#$%&'*+-.^_`|~.";
    if (push_header_reserved(header->name))
        return "posthorn or HTTP itself sets headers of this name. Use another name.";
    if (is_listed(names, header->name))
        return "This header is there already. Upper and lower case are the same in names of headers.";
    if (!json_is(header, JSON_STRING) || !value_valid(header->text, PUSH_OWN_VALUE_LEN_MAX))
        return "The value of a header has 1 to 2048 visible ASCII characters, and spaces and tabs between "
               "them. "
               "Encode any others.";
    return NULL;
}

static bool fail_header(struct call *call, struct bytes name, const char *detail)
{
    (void)call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, "", "%s", detail);
    return call_within(call, HEADERS_POINTER, name);
}

static void add_word(struct text *list, const char *separator, struct bytes word)
{
    text_puts(list, list->len ? separator : "");
    text_put(list, word);
}

bool endpoint_read_headers(struct call *call, const struct field *field, struct json_value *value,
                           void *place)
{
    struct bytes *names = place, *values = names + 1;
    struct text name_list, value_list;
    if (!json_is(value, JSON_NULL) && (!json_is(value, JSON_OBJECT) || value->count > PUSH_OWN_HEADERS_MAX))
        return field_fail(call, field, "headers must be an object with at most %d texts by name, or null.",
                          PUSH_OWN_HEADERS_MAX);
    text_init(&name_list, &call->request->arena, PUSH_OWN_NAMES_LEN_MAX);
    text_init(&value_list, &call->request->arena, PUSH_OWN_HEADERS_MAX * (PUSH_OWN_VALUE_LEN_MAX + 1));
    for (const struct json_value *header = value->first; header; header = header->next) {
        const char *flaw = header_flaw(header, text_bytes(&name_list));
        if (flaw)
            return fail_header(call, header->name, flaw);
        add_word(&name_list, " ", header->name);
        add_word(&value_list, "\n", header->text);
    }
    *names = text_bytes(&name_list);
    *values = text_bytes(&value_list);
    return (!name_list.overflow && !value_list.overflow) || call_too_large(call);
}

/* ---- showing ---- */

void endpoint_put_headers(struct text *out, const struct call *call, const void *row)
{
    struct bytes names = ((const struct endpoint *)row)->push.header_names;
    (void)call;
    text_putc(out, '{');
    for (const char *comma = ""; names.len > 0; comma = ",") {
        text_puts(out, comma);
        text_put_json(out, bytes_cut(&names, ' '));
        text_puts(out, ":\"" SECRET_SHOWN "\"");
    }
    text_putc(out, '}');
}

/* ---- sealing ---- */

/* The value of this name, which is in the lists. */
static struct bytes value_of(struct bytes names, struct bytes values, struct bytes name)
{
    struct bytes value = {0};
    while (names.len > 0) {
        struct bytes other = bytes_cut(&names, ' ');
        value = bytes_cut(&values, '\n');
        if (is_listed(other, name))
            return value;
    }
    return (struct bytes){0};
}

/* The values that were read, and in the place of each *** the one that it was. */
static bool merge_values(struct call *call, const struct endpoint *endpoint, struct bytes names_before,
                         struct bytes before, struct text *merged)
{
    struct bytes names = endpoint->push.header_names, values = endpoint->push.headers;
    while (names.len > 0) {
        struct bytes name = bytes_cut(&names, ' '), value = bytes_cut(&values, '\n');
        if (bytes_equal_text(value, SECRET_SHOWN))
            value = value_of(names_before, before, name);
        if (!value.len)
            return fail_header(call, name,
                               SECRET_SHOWN " keeps the value of a header that the endpoint has. It has none "
                                            "of this name: give its value.");
        add_word(merged, "\n", value);
    }
    return true;
}

static bool seal_values(struct call *call, struct endpoint *endpoint, struct bytes plain)
{
    struct push_settings *push = &endpoint->push;
    size_t between = 0; /* separators: as many of the values as of the names */
    for (size_t i = 0; i < push->header_names.len; i++)
        between += 2 * (push->header_names.data[i] == ' ');
    if (plain.len + push->header_names.len - between > PUSH_OWN_LEN_MAX)
        return call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, HEADERS_POINTER,
                         "All names and values together have at most %d bytes.", PUSH_OWN_LEN_MAX);
    struct push_secret secret = push_secret_headers(endpoint->owner_id, endpoint->created_at_ms, push);
    push->headers = push_secret_seal(call->api->config.vault, &secret, plain, &call->request->arena);
    return push->headers.data || call_too_large(call);
}

static bool seal_headers(struct call *call, const struct endpoint *was, struct endpoint *endpoint)
{
    struct bytes names_before = was ? was->push.header_names : (struct bytes){0}, before = {0};
    struct text merged;
    if (!endpoint->push.header_names.len) {
        endpoint->push.headers = (struct bytes){0};
        return true;
    }
    if (names_before.len) {
        struct push_secret secret = push_secret_headers(was->owner_id, was->created_at_ms, &was->push);
        if (push_secret_unseal(call->api->config.vault, &secret, &call->request->arena, &before) != VAULT_OK)
            names_before = (struct bytes){0}; /* what is lost cannot be kept */
    }
    text_init(&merged, &call->request->arena, PUSH_OWN_HEADERS_MAX * (PUSH_OWN_VALUE_LEN_MAX + 1));
    bool sealed = merge_values(call, endpoint, names_before, before, &merged) &&
                  (!merged.overflow || call_too_large(call)) &&
                  seal_values(call, endpoint, text_bytes(&merged));
    push_secret_wipe(before);
    push_secret_wipe(text_bytes(&merged));
    return sealed;
}

/* ---- auth ---- */

static bool has_byte(struct bytes text, const char *bytes)
{
    for (size_t i = 0; i < text.len; i++)
        if (strchr(bytes, text.data[i]))
            return true;
    return false;
}

static bool token_valid(struct bytes text)
{
    return value_valid(text, PUSH_TOKEN_LEN_MAX) && !has_byte(text, " \t");
}

static bool password_valid(struct bytes text)
{
    return value_valid(text, PUSH_PASSWORD_LEN_MAX) && !has_byte(text, "\t");
}

static bool client_id_valid(struct bytes text)
{
    return value_valid(text, OAUTH_ID_LEN_MAX) && !has_byte(text, "\t");
}

static bool username_valid(struct bytes text)
{
    return value_valid(text, PUSH_USERNAME_LEN_MAX) && !has_byte(text, ":\t");
}

static bool any_valid(struct bytes text)
{
    return text.len > 0; /* judged as a URL later */
}

/* A member that is shown is a line of what is stored. */
struct auth_member {
    const char *name;
    bool (*valid)(struct bytes text);
    const char *rule;
    bool optional;
};
enum { AUTH_MEMBERS_MAX = 3 };
static const struct auth_type {
    const char *name, *members;
    struct auth_member secret, shown[AUTH_MEMBERS_MAX]; /* name NULL: no more */
} auth_types[] = {
    {"bearer",
     "An auth of the type bearer has the members type and token.",
     {"token", token_valid, "A token has 1 to 4096 visible ASCII characters, without spaces.", false},
     {{NULL}}},
    {"basic",
     "An auth of the type basic has the members type, username and password.",
     {"password", password_valid,
      "A password has 1 to 1024 visible ASCII characters, and spaces between them.", false},
     {{"username", username_valid,
       "A username has 1 to 256 visible ASCII characters without colons, and spaces between them.", false}}},
    {"oauth2",
     "An auth of the type oauth2 has the members type, token_url, client_id and client_secret, and may have "
     "scope.",
     {"client_secret", password_valid,
      "A client_secret has 1 to 1024 visible ASCII characters, and spaces between them.", false},
     {{"token_url", any_valid, "A token_url is a URL.", false},
      {"client_id", client_id_valid,
       "A client_id has 1 to 256 visible ASCII characters, and spaces between them.", false},
      {"scope", oauth_scope_valid,
       "A scope has 1 to 512 characters: words of visible ASCII without quotes and backslashes, one space "
       "between two.",
       true}}}};

static const struct auth_type *auth_type_of(struct bytes name)
{
    for (size_t i = 0; i < sizeof auth_types / sizeof *auth_types; i++)
        if (bytes_equal_text(name, auth_types[i].name))
            return &auth_types[i];
    return NULL;
}

static const struct auth_member *auth_member_of(const struct auth_type *type, struct bytes name)
{
    for (int i = 0; i < AUTH_MEMBERS_MAX && type->shown[i].name; i++)
        if (bytes_equal_text(name, type->shown[i].name))
            return &type->shown[i];
    return bytes_equal_text(name, type->secret.name) ? &type->secret : NULL;
}

static bool fail_auth(struct call *call, struct bytes member, const char *detail)
{
    (void)call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, "", "%s", detail);
    return call_within(call, AUTH_POINTER, member);
}

static bool read_member(struct call *call, const struct auth_type *type, const struct json_value *given)
{
    const struct auth_member *member = auth_member_of(type, given->name);
    if (bytes_equal_text(given->name, "type"))
        return true;
    if (!member)
        return fail_auth(call, given->name, type->members);
    if (!json_is(given, JSON_STRING) || !member->valid(given->text))
        return fail_auth(call, given->name, member->rule);
    return member->valid != any_valid || endpoint_judge_url(call, given->text, AUTH_POINTER "/token_url");
}

bool endpoint_read_auth(struct call *call, const struct field *field, struct json_value *value, void *place)
{
    struct bytes *shown = place, *secret = shown + 1, name = {0};
    struct text lines;
    *shown = *secret = (struct bytes){0};
    if (json_is(value, JSON_NULL))
        return true;
    if (!json_is(value, JSON_OBJECT) || !json_member(value, "type"))
        return field_fail(call, field, "auth must be an object with a type, or null.");
    const struct auth_type *type = json_member_text(value, "type", &name) ? auth_type_of(name) : NULL;
    if (!type)
        return fail_auth(call, bytes_of("type"),
                         "The type of an auth is \"bearer\", \"basic\" or \"oauth2\".");
    for (const struct json_value *member = value->first; member; member = member->next)
        if (!read_member(call, type, member))
            return false;
    bool whole = json_member_text(value, type->secret.name, secret);
    text_init(&lines, &call->request->arena, OAUTH_SETTING_LEN_MAX);
    text_puts(&lines, type->name);
    for (int i = 0; i < AUTH_MEMBERS_MAX && type->shown[i].name; i++) {
        struct bytes text = {0};
        whole = whole && (json_member_text(value, type->shown[i].name, &text) || type->shown[i].optional);
        text_putc(&lines, '\n');
        text_put(&lines, text);
    }
    *shown = text_bytes(&lines);
    if (!whole)
        return field_fail(call, field, "%s", type->members);
    return !lines.overflow || call_too_large(call);
}

void endpoint_put_auth(struct text *out, const struct call *call, const void *row)
{
    struct bytes rest = ((const struct endpoint *)row)->push.auth;
    const struct auth_type *type = auth_type_of(bytes_cut(&rest, '\n'));
    (void)call;
    if (!type) {
        text_puts(out, "null");
        return;
    }
    text_printf(out, "{\"type\":\"%s\"", type->name);
    for (int i = 0; i < AUTH_MEMBERS_MAX && type->shown[i].name; i++) {
        struct bytes line = bytes_cut(&rest, '\n');
        if (!line.len && type->shown[i].optional)
            continue;
        text_printf(out, ",\"%s\":", type->shown[i].name);
        text_put_json(out, line);
    }
    text_printf(out, ",\"%s\":\"" SECRET_SHOWN "\"}", type->secret.name);
}

/* Whose secret it is, and who gets to see it: the lines but the scope. */
static bool is_same_account(struct bytes a, struct bytes b)
{
    for (int line = 0; line < AUTH_MEMBERS_MAX; line++)
        if (!bytes_equal(bytes_cut(&a, '\n'), bytes_cut(&b, '\n')))
            return false;
    return true;
}

/* *** keeps the secret of the same account: it must not go out as somebody else's, nor to somebody else. */
static bool seal_auth(struct call *call, const struct endpoint *was, struct endpoint *endpoint)
{
    struct push_settings *push = &endpoint->push;
    struct arena *arena = &call->request->arena;
    const struct vault *vault = call->api->config.vault;
    struct bytes plain = push->auth_secret, rest = push->auth, before = {0};
    if (!push->auth.len) {
        push->auth_secret = (struct bytes){0};
        return true;
    }
    const struct auth_type *type = auth_type_of(bytes_cut(&rest, '\n'));
    if (bytes_equal_text(plain, SECRET_SHOWN)) {
        struct push_secret kept;
        if (was)
            kept = push_secret_auth(was->owner_id, was->created_at_ms, &was->push);
        if (!was || !is_same_account(was->push.auth, push->auth) ||
            push_secret_unseal(vault, &kept, arena, &before) != VAULT_OK)
            return fail_auth(call, bytes_of(type ? type->secret.name : ""),
                             SECRET_SHOWN " keeps the secret of an auth of the same type and username, or of "
                                          "the same token_url and client_id. The endpoint has none: give the "
                                          "secret.");
        plain = before;
    }
    struct push_secret secret = push_secret_auth(endpoint->owner_id, endpoint->created_at_ms, push);
    push->auth_secret = push_secret_seal(vault, &secret, plain, arena);
    push_secret_wipe(before);
    return push->auth_secret.data || call_too_large(call);
}

bool endpoint_seal(struct call *call, bool headers, bool auth, const struct endpoint *was,
                   struct endpoint *endpoint)
{
    bool both =
        endpoint->push.auth.len > 0 && is_listed(endpoint->push.header_names, bytes_of("authorization"));
    if ((headers || auth) && both) {
        const char *detail = "An endpoint has auth or a header Authorization, not both.";
        return headers ? fail_header(call, bytes_of("Authorization"), detail)
                       : call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, AUTH_POINTER, "%s", detail);
    }
    return (!headers || seal_headers(call, was, endpoint)) && (!auth || seal_auth(call, was, endpoint));
}
