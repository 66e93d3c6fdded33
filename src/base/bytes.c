#include "bytes.h"

bool bytes_equal_nocase(struct bytes a, const char *text)
{
    if (a.len != strlen(text))
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (a.data[i] != text[i] && bytes_lower(a.data[i]) != bytes_lower(text[i]))
            return false;
    return true;
}

bool bytes_starts(struct bytes a, const char *prefix)
{
    size_t len = strlen(prefix);
    return a.len >= len && (len == 0 || memcmp(a.data, prefix, len) == 0);
}

bool bytes_equal_secret(struct bytes a, struct bytes b)
{
    if (a.len != b.len)
        return false;
    /* Without volatile a compiler may leave the loop at the first difference. */
    volatile unsigned char difference = 0;
    for (size_t i = 0; i < a.len; i++)
        difference |= (unsigned char)(a.data[i] ^ b.data[i]);
    return difference == 0;
}

struct bytes bytes_cut(struct bytes *rest, char separator)
{
    const char *end = rest->len ? memchr(rest->data, separator, rest->len) : NULL;
    size_t len = end ? (size_t)(end - rest->data) : rest->len, skip = end ? len + 1 : len;
    struct bytes part = bytes_make(rest->data, len);
    *rest = bytes_make(rest->data + skip, rest->len - skip);
    return part;
}

struct bytes bytes_trim(struct bytes a)
{
    while (a.len && (a.data[0] == ' ' || a.data[0] == '\t')) {
        a.data++;
        a.len--;
    }
    while (a.len && (a.data[a.len - 1] == ' ' || a.data[a.len - 1] == '\t'))
        a.len--;
    return a;
}

bool bytes_to_int64(struct bytes a, int64_t *value)
{
    if (a.len == 0 || (a.len > 1 && a.data[0] == '0'))
        return false;
    int64_t sum = 0;
    for (size_t i = 0; i < a.len; i++) {
        if (!bytes_is_digit(a.data[i]))
            return false;
        int digit = a.data[i] - '0';
        if (sum > (INT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

struct bytes bytes_from_int64(int64_t value, char out[BYTES_INT64_LEN_MAX])
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233"
                                "34353637383940414243444546474849505152535455565758596061626364656667"
                                "6869707172737475767778798081828384858687888990919293949596979899";
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    size_t at = BYTES_INT64_LEN_MAX;
    for (; rest >= 10; rest /= 100) /* two digits a division: ids have 19 */
        memcpy(out + (at -= 2), pairs + 2 * (rest % 100), 2);
    if (rest > 0 || at == BYTES_INT64_LEN_MAX)
        out[--at] = (char)('0' + rest);
    if (value < 0)
        out[--at] = '-';
    return bytes_make(out + at, BYTES_INT64_LEN_MAX - at);
}

size_t bytes_utf8_length(struct bytes a)
{
    const unsigned char *s = (const unsigned char *)a.data;
    if (a.len == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    /* RFC 3629 section 4: the range of the second byte excludes overlong forms and surrogates. */
    size_t len = s[0] >= 0xc2 && s[0] <= 0xdf   ? 2
                 : (s[0] & 0xf0) == 0xe0        ? 3
                 : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
                                                : 0;
    if (len == 0 || a.len < len)
        return 0;
    unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

bool bytes_are_utf8(struct bytes a)
{
    while (a.len) {
        size_t len = bytes_utf8_length(a);
        if (len == 0)
            return false;
        a.data += len;
        a.len -= len;
    }
    return true;
}

char *bytes_put_base64(char *at, const unsigned char *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        uint32_t bits = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                        (left > 2 ? data[i + 2] : 0);
        *at++ = digits[bits >> 18];
        *at++ = digits[bits >> 12 & 63];
        *at++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *at++ = left > 2 ? digits[bits & 63] : '=';
    }
    return at;
}
