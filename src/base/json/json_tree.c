#include "json_tree.h"
#include "json_scan.h"
#include <assert.h>

struct json_value *json_tree_read(struct arena *arena, char *text, size_t len, bool lenient,
                                  struct json_reading *reading)
{
    struct json_builder builder;
    builder.arena = arena;
    builder.root = NULL;
    builder.depth = 0;
    builder.full = false;
    if (json_scan(text, len, lenient, reading, &builder))
        return NULL;
    if (!builder.full)
        return builder.root;
    reading->problem =
        (struct json_problem){JSON_MEMBERS, 1, 1, "the text needs more memory than one request may use"};
    return NULL;
}

static void end_with_nul(struct bytes text)
{
    if (text.data)
        ((char *)text.data)[text.len] = '\0';
}

/* A string is followed by its quote. One with escapes is shorter than the memory it was decoded into. */
static void end_strings(struct json_value *value)
{
    end_with_nul(value->name);
    if (value->kind == JSON_STRING)
        end_with_nul(value->text);
    for (struct json_value *member = value->first; member; member = member->next)
        end_strings(member);
}

struct json_value *json_tree_read_copy(struct arena *arena, struct bytes text, struct json_reading *reading)
{
    struct bytes copy = arena_copy(arena, text);
    reading->problem = (struct json_problem){JSON_MEMBERS, 1, 1, "the text is too large"};
    struct json_value *root =
        copy.data ? json_tree_read(arena, (char *)copy.data, copy.len, false, reading) : NULL;
    if (root)
        end_strings(root);
    return root;
}

/* ---- looking ---- */

struct json_value *json_first(const struct json_value *value)
{
    return value ? value->first : NULL;
}

bool json_is(const struct json_value *value, enum json_kind kind)
{
    return value && value->kind == kind;
}

struct json_value *json_named(const struct json_value *object, struct bytes name)
{
    if (!json_is(object, JSON_OBJECT))
        return NULL;
    for (struct json_value *member = object->first; member; member = member->next)
        if (bytes_equal(member->name, name))
            return member;
    return NULL;
}

struct json_value *json_member_of_kind(const struct json_value *object, const char *name, enum json_kind kind)
{
    struct json_value *member = json_member(object, name);
    return json_is(member, kind) ? member : NULL;
}

bool json_member_text(const struct json_value *object, const char *name, struct bytes *text)
{
    const struct json_value *member = json_member_of_kind(object, name, JSON_STRING);
    if (member)
        *text = member->text;
    return member != NULL;
}

const char *json_member_string(const struct json_value *object, const char *name)
{
    const struct json_value *member = json_member_of_kind(object, name, JSON_STRING);
    return member ? member->text.data : NULL;
}

bool json_member_flag(const struct json_value *object, const char *name)
{
    return json_member_of_kind(object, name, JSON_TRUE) != NULL;
}

int64_t json_member_integer(const struct json_value *object, const char *name, int64_t otherwise)
{
    int64_t number;
    return json_integer(json_member(object, name), &number) ? number : otherwise;
}

bool json_integer(const struct json_value *value, int64_t *number)
{
    if (!json_is(value, JSON_INTEGER) && !json_is(value, JSON_DECIMAL))
        return false;
    bool negative = value->text.data[0] == '-';
    struct bytes digits = bytes_make(value->text.data + negative, value->text.len - negative);
    int64_t size;
    if (json_is(value, JSON_DECIMAL)) {
        while (digits.len && digits.data[digits.len - 1] == '0')
            digits.len--;
        if (!digits.len || digits.data[--digits.len] != '.')
            return false;
    }
    if (!bytes_to_int64(digits, &size))
        return false;
    *number = negative ? -size : size;
    return true;
}

/* ---- changing ---- */

void json_become_string(struct json_value *value, struct bytes text)
{
    value->kind = JSON_STRING;
    value->text = text;
    value->text_plain = false;
}

void json_append(struct json_value *array, struct json_value *element)
{
    element->next = NULL;
    if (array->last)
        array->last->next = element;
    else
        array->first = element;
    array->last = element;
    array->count++;
}

bool json_set_member(struct arena *arena, struct json_value *object, const struct json_value *member)
{
    assert(object->kind == JSON_OBJECT);
    for (struct json_value *old = object->first; old; old = old->next) {
        if (!bytes_equal(old->name, member->name))
            continue;
        struct json_value *next = old->next;
        *old = *member;
        old->next = next;
        return true;
    }
    struct json_value *copy = arena_alloc(arena, sizeof *copy);
    if (!copy)
        return false;
    *copy = *member;
    json_append(object, copy);
    return true;
}

struct json_value *json_add_object(struct arena *arena, struct json_value *object, const char *name)
{
    struct json_value made = {.kind = JSON_OBJECT, .name = bytes_of(name)};
    return json_set_member(arena, object, &made) ? json_member(object, name) : NULL;
}

/* ---- writing ---- */

static void put_string(struct text *out, struct bytes text, bool plain)
{
    if (!plain) {
        text_put_json(out, text);
        return;
    }
    text_putc(out, '"');
    text_put(out, text);
    text_putc(out, '"');
}

static void put_members(struct text *out, const struct json_value *value)
{
    bool object = value->kind == JSON_OBJECT;
    text_putc(out, object ? '{' : '[');
    for (const struct json_value *member = value->first; member; member = member->next) {
        if (member != value->first)
            text_putc(out, ',');
        if (object)
            json_tree_put_member(out, member);
        else
            json_tree_put(out, member);
    }
    text_putc(out, object ? '}' : ']');
}

void json_tree_put(struct text *out, const struct json_value *value)
{
    switch (value->kind) {
    case JSON_NULL:
        text_puts(out, "null");
        break;
    case JSON_FALSE:
        text_puts(out, "false");
        break;
    case JSON_TRUE:
        text_puts(out, "true");
        break;
    case JSON_INTEGER:
    case JSON_DECIMAL:
        text_put(out, value->text);
        break;
    case JSON_STRING:
        put_string(out, value->text, value->text_plain);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        put_members(out, value);
        break;
    }
}

/* Starts a line, indented by two spaces a level. */
static void put_break(struct text *out, int depth)
{
    text_putc(out, '\n');
    for (int i = 0; i < depth; i++)
        text_puts(out, "  ");
}

void json_put_indented(struct text *out, struct bytes compact)
{
    int depth = 0;
    bool in_string = false;
    for (const char *at = compact.data, *end = at + compact.len; at < end; at++) {
        bool opens = !in_string && (*at == '{' || *at == '['),
             closes = !in_string && (*at == '}' || *at == ']');
        if (closes)
            put_break(out, --depth);
        text_putc(out, *at);
        if (in_string && *at == '\\')
            text_putc(out, *++at);
        else if (*at == '"')
            in_string = !in_string;
        else if (opens && (at[1] == '}' || at[1] == ']'))
            text_putc(out, *++at);
        else if (opens)
            put_break(out, ++depth);
        else if (!in_string && *at == ',')
            put_break(out, depth);
        else if (!in_string && *at == ':')
            text_putc(out, ' ');
    }
}

void json_tree_put_pretty(struct text *out, const struct json_value *value)
{
    struct arena arena;
    struct text compact;
    arena_init(&arena, 4 * out->len_max);
    text_init(&compact, &arena, out->len_max);
    json_tree_put(&compact, value);
    json_put_indented(out, text_bytes(&compact));
    out->overflow = out->overflow || compact.overflow;
    arena_fini(&arena);
}

void json_tree_put_member(struct text *out, const struct json_value *member)
{
    put_string(out, member->name, member->name_plain);
    text_putc(out, ':');
    json_tree_put(out, member);
}
