#include "plain_filter.h"
#include <stdlib.h>

static bool plain_alternative(const struct json_value *alternative, const struct json_value *value)
{
    bool number = json_is(value, JSON_INTEGER) || json_is(value, JSON_DECIMAL);
    if (json_is(alternative, JSON_OBJECT)) {
        const struct json_value *operand = alternative->first;
        struct bytes text = value->text, affix = operand->text;
        if (bytes_equal_text(operand->name, "exists"))
            return json_is(operand, JSON_TRUE);
        if (json_is(value, JSON_OBJECT))
            return false;
        if (bytes_equal_text(operand->name, "prefix"))
            return json_is(value, JSON_STRING) && text.len >= affix.len &&
                   memcmp(text.data, affix.data, affix.len) == 0;
        if (bytes_equal_text(operand->name, "suffix"))
            return json_is(value, JSON_STRING) && text.len >= affix.len &&
                   memcmp(text.data + text.len - affix.len, affix.data, affix.len) == 0;
        if (bytes_equal_text(operand->name, "anything-but"))
            return !plain_alternative(operand, value);
        double bound = strtod(operand->first->next->text.data, NULL);
        return number && (operand->first->text.data[0] == '>' ? strtod(text.data, NULL) > bound
                                                              : strtod(text.data, NULL) < bound);
    }
    if (number)
        return (json_is(alternative, JSON_INTEGER) || json_is(alternative, JSON_DECIMAL)) &&
               strtod(alternative->text.data, NULL) == strtod(value->text.data, NULL);
    return alternative->kind == value->kind &&
           (!json_is(value, JSON_STRING) || bytes_equal(alternative->text, value->text));
}

/* `wanted`: alternatives, or a pattern. `value` NULL: it is not there. */
static bool plain_value(const struct json_value *wanted, const struct json_value *value)
{
    if (json_is(value, JSON_ARRAY) && value->count > 0) {
        for (const struct json_value *element = value->first; element; element = element->next)
            if (plain_value(wanted, element))
                return true;
        value = NULL; /* it is there, and nothing else is true of it */
        for (const struct json_value *at = wanted->first; json_is(wanted, JSON_ARRAY) && at; at = at->next)
            if (json_is(at, JSON_OBJECT) && json_is(json_member(at, "exists"), JSON_TRUE))
                return true;
        return false;
    }
    if (json_is(wanted, JSON_OBJECT))
        return plain_filter(wanted, json_is(value, JSON_OBJECT) ? value : NULL);
    for (const struct json_value *at = wanted->first; at; at = at->next) {
        const struct json_value *exists = json_is(at, JSON_OBJECT) ? json_member(at, "exists") : NULL;
        if (exists ? json_is(exists, value ? JSON_TRUE : JSON_FALSE)
                   : value && !json_is(value, JSON_ARRAY) && plain_alternative(at, value))
            return true;
    }
    return false;
}

static const struct json_value *plain_member(const struct json_value *object, struct bytes name)
{
    const struct json_value *member = object ? object->first : NULL;
    while (member && !bytes_equal(member->name, name))
        member = member->next;
    return member;
}

bool plain_filter(const struct json_value *pattern, const struct json_value *object)
{
    for (const struct json_value *at = pattern->first; at; at = at->next) {
        bool found = false;
        if (bytes_equal_text(at->name, "$or")) {
            for (const struct json_value *one = at->first; one; one = one->next)
                found |= plain_filter(one, object);
        } else {
            found = plain_value(at, plain_member(object, at->name));
        }
        if (!found)
            return false;
    }
    return true;
}
