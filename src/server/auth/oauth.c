#include "oauth.h"
#include "json_tree.h"
#include <openssl/crypto.h>

static const char *const error_codes[] = {"invalid_request",     "invalid_client",         "invalid_grant",
                                          "unauthorized_client", "unsupported_grant_type", "invalid_scope"};

bool oauth_client_read(struct bytes auth, struct oauth_client *client)
{
    if (!bytes_equal_text(bytes_cut(&auth, '\n'), "oauth2"))
        return false;
    client->token_url = bytes_cut(&auth, '\n');
    client->client_id = bytes_cut(&auth, '\n');
    client->scope = auth;
    return client->token_url.len > 0 && client->token_url.len <= OAUTH_URL_LEN_MAX &&
           client->client_id.len > 0 && client->client_id.len <= OAUTH_ID_LEN_MAX &&
           (!client->scope.len || oauth_scope_valid(client->scope));
}

bool oauth_scope_valid(struct bytes scope)
{
    if (!scope.len || scope.len > OAUTH_SCOPE_LEN_MAX)
        return false;
    for (size_t i = 0; i < scope.len; i++) {
        char c = scope.data[i];
        bool parts = i > 0 && i + 1 < scope.len && scope.data[i - 1] != ' ';
        if (c < ' ' || c > '~' || c == '"' || c == '\\' || (c == ' ' && !parts))
            return false;
    }
    return true;
}

/* application/x-www-form-urlencoded (RFC 6749 appendix B). */
static char *put_form(char *out, struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        char lower = bytes_lower((char)c);
        if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || (c && strchr("-._*", c))) {
            *out++ = (char)c;
        } else if (c == ' ') {
            *out++ = '+';
        } else {
            *out++ = '%';
            *out++ = "0123456789ABCDEF"[c >> 4];
            *out++ = "0123456789ABCDEF"[c & 15];
        }
    }
    return out;
}

size_t oauth_put_authorization(char out[OAUTH_AUTHORIZATION_LEN_MAX], struct bytes client_id,
                               struct bytes secret)
{
    char pair[3 * (OAUTH_ID_LEN_MAX + OAUTH_SECRET_LEN_MAX) + 1];
    if (client_id.len > OAUTH_ID_LEN_MAX || secret.len > OAUTH_SECRET_LEN_MAX)
        return 0;
    char *at = put_form(pair, client_id);
    *at++ = ':';
    at = put_form(at, secret);
    memcpy(out, "Basic ", 6);
    const char *end = bytes_put_base64(out + 6, (const unsigned char *)pair, (size_t)(at - pair));
    OPENSSL_cleanse(pair, sizeof pair);
    return (size_t)(end - out);
}

size_t oauth_put_body(char out[OAUTH_BODY_LEN_MAX], struct bytes scope)
{
    static const char grant[] = "grant_type=client_credentials", and_scope[] = "&scope=";
    memcpy(out, grant, sizeof grant - 1);
    char *at = out + sizeof grant - 1;
    if (scope.len > 0 && scope.len <= OAUTH_SCOPE_LEN_MAX) {
        memcpy(at, and_scope, sizeof and_scope - 1);
        at = put_form(at + sizeof and_scope - 1, scope);
    }
    return (size_t)(at - out);
}

static bool token_valid(struct bytes token)
{
    for (size_t i = 0; i < token.len; i++)
        if (token.data[i] < '!' || token.data[i] > '~')
            return false;
    return token.len >= 1 && token.len <= OAUTH_TOKEN_LEN_MAX;
}

/* What is wrong with the members of a good answer; NULL: nothing, and they are in `answer`. */
static const char *flaw_of(const struct json_value *root, struct oauth_answer *answer)
{
    const struct json_value *expires_in = json_member(root, "expires_in");
    struct bytes token, type;
    int64_t seconds = OAUTH_UNSAID_S;
    if (!json_member_text(root, "access_token", &token) || !token_valid(token))
        return "its access_token is not 1 to 4096 visible ASCII characters";
    if (!json_member_text(root, "token_type", &type) || !bytes_equal_nocase(type, "bearer"))
        return "its token_type is not Bearer";
    if (expires_in && (!json_integer(expires_in, &seconds) || seconds < 1))
        return "its expires_in is not a positive integer";
    answer->token = token;
    answer->expires_in_s = seconds < OAUTH_EXPIRES_S_MAX ? seconds : OAUTH_EXPIRES_S_MAX;
    return NULL;
}

void oauth_answer_read(struct oauth_answer *answer, int status, bool json, bool whole, struct bytes body,
                       struct arena *arena)
{
    struct json_reading reading;
    const struct json_value *root = NULL;
    struct bytes code;
    *answer = (struct oauth_answer){0};
    if (json && whole && body.len > 0) /* strict reading changes nothing */
        root = json_tree_read(arena, (char *)body.data, body.len, false, &reading);
    if (status != 200) {
        answer->flaw = "its status is not 200";
        for (size_t i = 0; i < sizeof error_codes / sizeof *error_codes; i++)
            if (json_member_text(root, "error", &code) && bytes_equal_text(code, error_codes[i]))
                answer->code = error_codes[i];
    } else if (!json) {
        answer->flaw = "its Content-Type is not application/json";
    } else if (!whole) {
        answer->flaw = "its body is cut or longer than 16 KiB";
    } else {
        answer->flaw = json_is(root, JSON_OBJECT) ? flaw_of(root, answer) : "its body is not a JSON object";
    }
}
