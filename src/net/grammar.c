#include "grammar.h"

bool grammar_is_token_text(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!grammar_is_token(text.data[i]))
            return false;
    return text.len > 0;
}

bool grammar_is_value(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

bool grammar_list_has(struct bytes list, const char *token)
{
    while (list.len > 0) {
        const char *comma = memchr(list.data, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.data) : list.len;
        if (bytes_equal_nocase(bytes_trim(bytes_make(list.data, len)), token))
            return true;
        len += comma != NULL;
        list = bytes_make(list.data + len, list.len - len);
    }
    return false;
}
