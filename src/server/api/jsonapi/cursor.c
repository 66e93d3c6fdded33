#include "cursor.h"
#include "digest.h"

enum { RAW_LEN_MAX = CURSOR_CHECK_LEN + MODEL_ID_LEN_MAX };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void make_check(struct bytes id, struct bytes scope, unsigned char check[CURSOR_CHECK_LEN])
{
    static const char purpose[DIGEST_LEN] = "posthorn cursor 1";
    unsigned char input[3 * DIGEST_LEN], digest[DIGEST_LEN];
    memcpy(input, purpose, DIGEST_LEN);
    digest_sha256(id, input + DIGEST_LEN);
    digest_sha256(scope, input + (size_t)2 * DIGEST_LEN);
    digest_sha256(bytes_make(input, sizeof input), digest);
    memcpy(check, digest, CURSOR_CHECK_LEN);
}

void cursor_format(struct bytes id, struct bytes scope, char out[CURSOR_LEN_MAX + 1])
{
    unsigned char raw[RAW_LEN_MAX + 2] = {0};
    if (id.len > MODEL_ID_LEN_MAX) /* of a damaged row: what follows it is not found by it */
        id.len = MODEL_ID_LEN_MAX;
    make_check(id, scope, raw);
    memcpy(raw + CURSOR_CHECK_LEN, id.data, id.len);
    size_t raw_len = CURSOR_CHECK_LEN + id.len, len = 0;
    for (size_t i = 0; i < raw_len; i += 3) {
        unsigned bits = (unsigned)raw[i] << 16 | (unsigned)raw[i + 1] << 8 | raw[i + 2];
        for (int j = 0; j < 4 && 6 * (len - i / 3 * 4) < 8 * (raw_len - i); j++)
            out[len++] = alphabet[bits >> (18 - 6 * j) & 63];
    }
    out[len] = '\0';
}

/* 0: not base64url of a possible length. */
static size_t decode(struct bytes text, unsigned char raw[RAW_LEN_MAX])
{
    unsigned bits = 0;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *digit = text.data[i] ? strchr(alphabet, text.data[i]) : NULL;
        if (!digit)
            return 0;
        bits = bits << 6 | (unsigned)(digit - alphabet);
        if (i % 4 == 0)
            continue;
        if (len == RAW_LEN_MAX)
            return 0;
        raw[len++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
    }
    return len;
}

bool cursor_parse(struct bytes text, struct bytes scope, char id[MODEL_ID_LEN_MAX], size_t *id_len)
{
    unsigned char raw[RAW_LEN_MAX];
    char expected[CURSOR_LEN_MAX + 1];
    size_t len = decode(text, raw);
    if (len <= CURSOR_CHECK_LEN)
        return false;
    *id_len = len - CURSOR_CHECK_LEN;
    memcpy(id, raw + CURSOR_CHECK_LEN, *id_len);
    cursor_format(bytes_make(id, *id_len), scope, expected);
    return bytes_equal_secret(text, bytes_of(expected));
}
