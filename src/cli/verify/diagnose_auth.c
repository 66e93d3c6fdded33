/* The possible reasons why the WEBHOOK-AUTH of a push is wrong. */
#include "diagnose.h"
#include "digest.h"
#include "posthorn.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>

enum { KEY_LEN_MAX = 4096 };

void finding_set(struct finding *finding, const char *reason, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(finding->detail, sizeof finding->detail, format, args);
    va_end(args);
    finding->reason = reason;
    finding->right = strcmp(reason, "ok") == 0;
}

/* ---- the sources of a value ---------------------------------------------------------------------------- */

static bool is_digest_of(struct bytes value, const char *key, const char *ending)
{
    char text[KEY_LEN_MAX + 8], digest[DIGEST_HEX_LEN + 1];
    int len = snprintf(text, sizeof text, "%s%s", key, ending);

    if (len <= 0 || (size_t)len >= sizeof text)
        return false;
    digest_sha256_hex(bytes_make(text, (size_t)len), digest);
    return bytes_equal_secret(value, bytes_of(digest));
}

static bool is_digest(struct bytes value, const struct option_list *keys)
{
    for (int i = 0; i < keys->count; i++)
        if (is_digest_of(value, keys->items[i], ""))
            return true;
    return false;
}

/* ---- the usual mistakes ---- */

static bool is_key(struct bytes value, const char *key)
{
    return bytes_equal_secret(value, bytes_of(key));
}

static bool has_line_end(struct bytes value, const char *key)
{
    return is_digest_of(value, key, "\n") || is_digest_of(value, key, "\r\n") ||
           is_digest_of(value, key, " ") || is_digest_of(value, key, "\n\n");
}

/* The reverse: the key that was given here has a line feed. */
static bool lacks_line_end(struct bytes value, const char *key)
{
    char bare_key[KEY_LEN_MAX];
    size_t len = strcspn(key, "\r\n");
    snprintf(bare_key, sizeof bare_key, "%.*s", (int)len, key);
    return key[len] && len < sizeof bare_key && is_digest_of(value, bare_key, "");
}

static bool is_digested_twice(struct bytes value, const char *key)
{
    char digest[DIGEST_HEX_LEN + 1];
    digest_sha256_hex(bytes_of(key), digest);
    return is_digest_of(value, digest, "");
}

static bool is_base64(struct bytes value, const char *key)
{
    unsigned char digest[DIGEST_LEN], base64[4 * (DIGEST_LEN + 2) / 3 + 4];
    digest_sha256(bytes_of(key), digest);
    EVP_EncodeBlock(base64, digest, sizeof digest);
    return bytes_equal_secret(value, bytes_of((char *)base64));
}

static const struct {
    bool (*is_made)(struct bytes value, const char *key);
    const char *reason, *sentence;
} slips[] = {
    {is_key, "key_itself",
     "it is the API key itself; it must be the key's SHA-256 in hex. Treat the key as compromised"},
    {has_line_end, "key_newline",
     "it is the digest of your key and a line feed: `echo` adds one, `printf %s` does not"},
    {lacks_line_end, "key_newline",
     "the key you gave here ends in a line feed; without it the digest is right"},
    {is_digested_twice, "digested_twice", "it is the digest of the digest of your key"},
    {is_base64, "base64", "it is the right digest, but in base64; it is sent in hex"},
};

static bool find_slip(struct bytes value, const struct option_list *keys, struct finding *finding)
{
    for (size_t k = 0; k < sizeof slips / sizeof *slips; k++)
        for (int i = 0; i < keys->count; i++)
            if (slips[k].is_made(value, keys->items[i])) {
                finding_set(finding, slips[k].reason, "%s", slips[k].sentence);
                return true;
            }
    return false;
}

static bool are_hex(struct bytes value)
{
    for (size_t i = 0; i < value.len; i++)
        if (!isxdigit((unsigned char)value.data[i]))
            return false;
    return value.len > 0;
}

/* The first 64 hex digits in a row: the value without quotes, `sha256=`, `Bearer` and the like. */
static struct bytes bare(struct bytes value)
{
    for (size_t i = 0; i + DIGEST_HEX_LEN <= value.len; i++)
        if (are_hex(bytes_make(value.data + i, DIGEST_HEX_LEN)))
            return bytes_make(value.data + i, DIGEST_HEX_LEN);
    return (struct bytes){"", 0};
}

/* ---- judging ------------------------------------------------------------------------------------------- */

static struct bytes lower(struct bytes value, char out[DIGEST_HEX_LEN])
{
    for (size_t i = 0; i < value.len && i < DIGEST_HEX_LEN; i++)
        out[i] = (char)tolower((unsigned char)value.data[i]);
    return bytes_make(out, value.len < DIGEST_HEX_LEN ? value.len : DIGEST_HEX_LEN);
}

static bool named_alike(struct bytes name)
{
    char letters[32];
    size_t len = 0;

    for (size_t i = 0; i < name.len && len < sizeof letters - 1; i++)
        if (isalpha((unsigned char)name.data[i]))
            letters[len++] = (char)tolower((unsigned char)name.data[i]);
    letters[len] = '\0';
    return strstr(letters, "webhookauth") || strstr(letters, "webhooksauth");
}

static void diagnose_missing(const struct saved_push *push, const struct option_list *keys,
                             struct finding *finding)
{
    for (int i = 0; i < push->header_count; i++) {
        const struct saved_header *header = &push->headers[i];
        char digits[DIGEST_HEX_LEN];
        if (!named_alike(header->name) && !is_digest(lower(bare(header->value), digits), keys))
            continue;
        finding_set(finding, "wrong_name",
                    "the header is called '%.*s'; it must be WEBHOOK-AUTH (some proxies rename headers)",
                    header->name.len > 80 ? 80 : (int)header->name.len, header->name.data);
        return;
    }
    finding_set(finding, "missing", "there is no WEBHOOK-AUTH header");
}

static void diagnose_value(struct bytes value, const struct option_list *keys, struct finding *finding)
{
    char digits[DIGEST_HEX_LEN];

    if (value.len == DIGEST_HEX_LEN && is_digest(lower(value, digits), keys))
        finding_set(finding, "upper_case", "the digest is right but in upper case; it is sent in lower case");
    else if (is_digest(lower(bare(value), digits), keys))
        finding_set(finding, "decorated", "the digest is right, but the value has more than its 64 digits");
    else if (find_slip(value, keys, finding))
        return;
    else if (value.len == DIGEST_HEX_LEN && are_hex(value))
        finding_set(finding, "other_key",
                    "it is the digest of another key: another user's, another install's (sandbox or"
                    " production?), or one that was replaced");
    else
        finding_set(finding, "not_a_digest",
                    "it is not a SHA-256 in hex: that has 64 digits, this value has %zu characters",
                    value.len);
}

void diagnose_auth(const struct saved_push *push, const struct option_list *keys, struct finding *finding)
{
    int count;
    struct bytes value = saved_header(push, "WEBHOOK-AUTH", &count);

    *finding = (struct finding){.part = "WEBHOOK-AUTH"};
    if (count == 0)
        diagnose_missing(push, keys, finding);
    else if (count > 1)
        finding_set(finding, "doubled", "there are %d WEBHOOK-AUTH headers; there must be one", count);
    else if (is_digest(value, keys))
        finding_set(finding, "ok", "the digest of your key");
    else
        diagnose_value(value, keys, finding);
}
