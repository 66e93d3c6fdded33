#include "json_escape.h"

int json_hex4(const char *at, const char *end)
{
    int value = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static size_t put_utf8(char *out, int code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)((0xf00 >> len & 0xff) | code);
    return len;
}

/* Takes a \u sequence, or two that are a surrogate pair, from the front of `raw`. -1: there is none. */
static int take_code(struct bytes *raw)
{
    const char *at = raw->data, *end = raw->data + raw->len;
    int code = end - at >= 6 ? json_hex4(at + 2, end) : -1, len = 6;
    if (code >= 0xd800 && code <= 0xdfff) {
        int low = end - at >= 12 && at[6] == '\\' && at[7] == 'u' ? json_hex4(at + 8, end) : -1;
        code = code <= 0xdbff && low >= 0xdc00 && low <= 0xdfff
                   ? 0x10000 + (code - 0xd800) * 0x400 + (low - 0xdc00)
                   : -1;
        len = 12;
    }
    if (code >= 0)
        *raw = bytes_make(at + len, raw->len - (size_t)len);
    return code;
}

size_t json_unescape_next(struct bytes *raw, char out[JSON_UNESCAPED_LEN_MAX])
{
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    if (raw->data[0] == '\\' && raw->len >= 2) {
        int code = raw->data[1] == 'u' ? take_code(raw) : -1;
        if (code >= 0)
            return put_utf8(out, code);
        if (raw->data[1] != 'u') {
            const char *letter = memchr(letters, raw->data[1], sizeof letters - 1);
            out[0] = letter ? meanings[letter - letters] : raw->data[1];
            *raw = bytes_make(raw->data + 2, raw->len - 2);
            return 1;
        }
    }
    out[0] = raw->data[0];
    *raw = bytes_make(raw->data + 1, raw->len - 1);
    return 1;
}

size_t json_unescape(char *out, struct bytes raw)
{
    size_t len = 0;
    while (raw.len > 0) {
        const char *slash = memchr(raw.data, '\\', raw.len);
        size_t plain = slash ? (size_t)(slash - raw.data) : raw.len;
        memcpy(out + len, raw.data, plain);
        len += plain;
        raw = bytes_make(raw.data + plain, raw.len - plain);
        if (slash)
            len += json_unescape_next(&raw, out + len);
    }
    return len;
}
