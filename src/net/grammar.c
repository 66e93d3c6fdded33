#include "grammar.h"

int64_t grammar_number(struct bytes text)
{
    int64_t number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!bytes_is_digit(text.data[i]))
            return -1;
        int digit = text.data[i] - '0';
        number = number < 0 || number > (INT64_MAX - digit) / 10 ? -2 : number * 10 + digit;
    }
    return text.len > 0 ? number : -1;
}

bool grammar_is_token_text(struct bytes text)
{
    bool all = text.len > 0;
    for (size_t i = 0; i < text.len; i++)
        all &= grammar_is_token(text.data[i]);
    return all;
}

/* Checks eight bytes at once. False: none is a control byte. True for a tab, too. */
static bool may_have_control(const char *eight)
{
    const uint64_t ones = UINT64_MAX / 0xff, highs = ones << 7;
    uint64_t word, del;
    memcpy(&word, eight, sizeof word);
    del = word ^ ones * 0x7f;
    return ((((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & highs) != 0;
}

bool grammar_is_value(struct bytes text)
{
    size_t done = 0;
    while (text.len - done >= sizeof(uint64_t) && !may_have_control(text.data + done))
        done += sizeof(uint64_t);
    for (size_t i = done; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

bool grammar_list_has(struct bytes list, const char *token)
{
    while (list.len > 0)
        if (bytes_equal_nocase(bytes_trim(bytes_cut(&list, ',')), token))
            return true;
    return false;
}
