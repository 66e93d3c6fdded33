#include "decimal.h"
#include <assert.h>

/* The value is 0.DIGITS times 10 to the power of magnitude. */
struct decimal {
    const char *at, *end; /* the digits from the first one that is not 0, with the point among them */
    int64_t magnitude;
    int sign; /* 0: the value is 0 */
};

enum { EXPONENT_MAX = 1 << 30 }; /* a larger one is taken for this: no text here is as long */

static int64_t exponent_of(const char *at, const char *end)
{
    int64_t value = 0;
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    for (; at < end && value < EXPONENT_MAX; at++)
        value = value * 10 + (*at - '0');
    return negative ? -value : value;
}

static struct decimal decimal_of(struct bytes text)
{
    const char *at = text.data, *end = at + text.len, *digit = NULL;
    struct decimal decimal = {.sign = 1};
    bool behind_point = false;
    assert(text.len > 0);
    if (*at == '-') {
        decimal.sign = -1;
        at++;
    }
    for (; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            behind_point = true;
            continue;
        }
        if (*at != '0' && !digit)
            digit = at;
        if (digit && !behind_point)
            decimal.magnitude++;
        else if (!digit && behind_point)
            decimal.magnitude--;
    }
    if (!digit)
        return (struct decimal){0};
    decimal.at = digit;
    decimal.end = at;
    if (at < end)
        decimal.magnitude += exponent_of(at + 1, end);
    return decimal;
}

static char next_digit(struct decimal *decimal)
{
    if (decimal->at < decimal->end && *decimal->at == '.')
        decimal->at++;
    return decimal->at < decimal->end ? *decimal->at++ : '0';
}

int decimal_compare(struct bytes a_text, struct bytes b_text)
{
    struct decimal a = decimal_of(a_text), b = decimal_of(b_text);
    if (a.sign != b.sign || a.sign == 0)
        return a.sign - b.sign;
    if (a.magnitude != b.magnitude)
        return a.magnitude < b.magnitude ? -a.sign : a.sign;
    while (a.at < a.end || b.at < b.end) {
        char of_a = next_digit(&a), of_b = next_digit(&b);
        if (of_a != of_b)
            return of_a < of_b ? -a.sign : a.sign;
    }
    return 0;
}
