#include "cursor.h"
#include "digest.h"

/* 8 bytes of id and 16 of check are 24 bytes: 32 characters of base64url without padding (RFC 4648). */
enum { ID_LEN = 8, RAW_LEN = 24 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void make_raw(int64_t id, struct bytes scope, unsigned char raw[RAW_LEN])
{
    unsigned char input[2 * DIGEST_LEN] = "posthorn cursor 1", digest[DIGEST_LEN];
    for (int i = 0; i < ID_LEN; i++)
        raw[i] = input[DIGEST_LEN - ID_LEN + i] = (unsigned char)((uint64_t)id >> (8 * (ID_LEN - 1 - i)));
    digest_sha256(scope, input + DIGEST_LEN);
    digest_sha256(bytes_make(input, sizeof input), digest);
    memcpy(raw + ID_LEN, digest, RAW_LEN - ID_LEN);
}

void cursor_format(int64_t id, struct bytes scope, char out[CURSOR_LEN + 1])
{
    unsigned char raw[RAW_LEN];
    make_raw(id, scope, raw);
    for (int i = 0, k = 0; i < RAW_LEN; i += 3, k += 4) {
        unsigned bits = (unsigned)raw[i] << 16 | (unsigned)raw[i + 1] << 8 | raw[i + 2];
        for (int j = 0; j < 4; j++)
            out[k + j] = alphabet[bits >> (18 - 6 * j) & 63];
    }
    out[CURSOR_LEN] = '\0';
}

bool cursor_parse(struct bytes text, struct bytes scope, int64_t *id)
{
    if (text.len != CURSOR_LEN)
        return false;
    uint64_t value = 0; /* the id is in the first 64 of the first 66 bits */
    for (int i = 0; i < 11; i++) {
        const char *digit = text.data[i] ? strchr(alphabet, text.data[i]) : NULL;
        if (!digit)
            return false;
        unsigned bits = (unsigned)(digit - alphabet);
        value = i < 10 ? value << 6 | bits : value << 4 | bits >> 2;
    }
    if (value == 0 || value > INT64_MAX)
        return false;
    char expected[CURSOR_LEN + 1];
    cursor_format((int64_t)value, scope, expected);
    *id = (int64_t)value;
    return bytes_equal_secret(text, bytes_of(expected));
}
