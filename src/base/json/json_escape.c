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

size_t json_unescape(char *out, struct bytes raw)
{
    static const char letters[] = "bfnrt", meanings[] = "\b\f\n\r\t";
    size_t len = 0;
    const char *at = raw.data, *end = raw.data + raw.len;
    while (at < end) {
        if (*at != '\\') {
            out[len++] = *at++;
            continue;
        }
        const char *letter = strchr(letters, at[1]);
        if (at[1] != 'u') {
            out[len++] = (char)(letter ? meanings[letter - letters] : at[1]);
            at += 2;
            continue;
        }
        int code = json_hex4(at + 2, end);
        at += 6;
        if (code >= 0xd800 && code <= 0xdbff) {
            code = 0x10000 + (code - 0xd800) * 0x400 + (json_hex4(at + 2, end) - 0xdc00);
            at += 6;
        }
        len += put_utf8(out + len, code);
    }
    return len;
}
