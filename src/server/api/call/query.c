#include "query.h"

#define QUERY_NAME(symbol, name) name,
static const char *const names[QUERY_PARAMETER_COUNT] = {QUERY_PARAMETER_LIST(QUERY_NAME)};
#undef QUERY_NAME

const char *query_name(enum query_parameter parameter)
{
    return names[parameter];
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct bytes query_decode(struct arena *arena, struct bytes text, bool plus)
{
    const struct bytes wrong = {0};
    char *out = arena_alloc(arena, text.len + 1);
    if (!out)
        return wrong;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_value(text.data[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_value(text.data[i + 2]);
            if (low < 0 || high + low == 0)
                return wrong;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out[len++] = c;
    }
    out[len] = '\0';
    struct bytes decoded = bytes_make(out, len);
    return bytes_are_utf8(decoded) ? decoded : wrong;
}

void query_put_encoded(struct text *out, struct bytes value)
{
    static const char unreserved[] = "-._~";
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c && strchr(unreserved, c));
        if (plain)
            text_putc(out, (char)c);
        else
            text_printf(out, "%%%02X", c);
    }
}

void query_put_parameter(struct text *out, char *separator, struct bytes name, struct bytes value)
{
    text_putc(out, *separator);
    query_put_encoded(out, name);
    text_putc(out, '=');
    query_put_encoded(out, value);
    *separator = '&';
}

void query_put(struct text *out, const struct query *query, unsigned left_out, char *separator)
{
    for (int i = 0; i < QUERY_PARAMETER_COUNT; i++)
        if (i != QUERY_FIELDS && query->given & ~left_out & QUERY_BIT(i))
            query_put_parameter(out, separator, bytes_of(names[i]), query->values[i]);
    for (int i = 0; i < query->fieldset_count; i++)
        query_put_parameter(out, separator, query->fieldsets[i].name, query->fieldsets[i].names);
}

/* `fields[...]`, whatever the type: once for each. */
static enum query_error read_fieldset(struct bytes name, struct bytes names_wanted, struct query *query)
{
    static const char prefix[] = "fields[";
    size_t prefix_len = sizeof prefix - 1;
    if (!bytes_starts(name, prefix) || name.len <= prefix_len + 1 || name.data[name.len - 1] != ']')
        return QUERY_UNKNOWN;
    struct bytes type = bytes_make(name.data + prefix_len, name.len - prefix_len - 1);
    if (memchr(type.data, '[', type.len) || memchr(type.data, ']', type.len)) /* fields[users][x] */
        return QUERY_UNKNOWN;
    for (int i = 0; i < query->fieldset_count; i++)
        if (bytes_equal(query->fieldsets[i].type, type))
            return QUERY_REPEATED;
    if (query->fieldset_count == QUERY_FIELDSETS_MAX)
        return QUERY_UNKNOWN;
    query->fieldsets[query->fieldset_count++] = (struct query_fieldset){name, type, names_wanted};
    query->given |= QUERY_BIT(QUERY_FIELDS);
    return QUERY_OK;
}

static enum query_error read_one(struct arena *arena, struct bytes item, unsigned allowed,
                                 struct query *query, struct bytes *name)
{
    const char *equals = memchr(item.data, '=', item.len);
    size_t name_len = equals ? (size_t)(equals - item.data) : item.len;
    size_t value_at = equals ? name_len + 1 : item.len;
    *name = query_decode(arena, bytes_make(item.data, name_len), true);
    struct bytes value = query_decode(arena, bytes_make(item.data + value_at, item.len - value_at), true);
    if (!name->data || !value.data)
        return QUERY_MALFORMED;
    if (allowed & QUERY_BIT(QUERY_FIELDS) && bytes_starts(*name, "fields["))
        return read_fieldset(*name, value, query);
    for (int i = 0; i < QUERY_PARAMETER_COUNT; i++) {
        if (i == QUERY_FIELDS || !(allowed & QUERY_BIT(i)) || !bytes_equal_text(*name, names[i]))
            continue;
        bool again = query->given & QUERY_BIT(i);
        if (again && i != QUERY_ENDPOINT)
            return QUERY_REPEATED;
        if (again) {
            const char *both =
                arena_printf(arena, "%.*s,%.*s", BYTES_ARG(query->values[i]), BYTES_ARG(value));
            if (!both)
                return QUERY_MALFORMED;
            value = bytes_of(both);
        }
        query->given |= QUERY_BIT(i);
        query->values[i] = value;
        return QUERY_OK;
    }
    return QUERY_UNKNOWN;
}

enum query_error query_parse(struct arena *arena, struct bytes text, unsigned allowed, struct query *query,
                             struct bytes *name)
{
    query->given = 0;
    query->fieldset_count = 0;
    *name = bytes_of("");
    while (text.len) {
        struct bytes item = bytes_cut(&text, '&');
        enum query_error error = item.len ? read_one(arena, item, allowed, query, name) : QUERY_OK;
        if (error != QUERY_OK)
            return error;
    }
    return QUERY_OK;
}
