/* Sparse fieldsets: which fields of a resource a request asks for. */
#include "jsonapi.h"

const struct bytes *fieldset_find(const struct call *call, struct bytes type)
{
    const struct query *query = &call->query;
    for (int i = 0; i < query->fieldset_count; i++)
        if (bytes_equal(query->fieldsets[i].type, type))
            return &query->fieldsets[i].names;
    return NULL;
}

bool fieldset_has(const struct bytes *fieldset, struct bytes name)
{
    if (!fieldset)
        return true;
    struct bytes names = *fieldset;
    while (names.len)
        if (bytes_equal(bytes_trim(bytes_cut(&names, ',')), name))
            return true;
    return false;
}

/* The members of attributes or relationships that are asked for; without any, nothing of it at all. */
static bool put_fields(struct text *out, const struct json_value *part, const struct bytes *names,
                       const char *separator)
{
    const char *opening = "{";
    for (const struct json_value *field = part->first; field; field = field->next) {
        if (!fieldset_has(names, field->name))
            continue;
        if (*opening == '{')
            text_printf(out, "%s\"%.*s\":", separator, BYTES_ARG(part->name));
        text_puts(out, opening);
        json_tree_put_member(out, field);
        opening = ",";
    }
    text_puts(out, *opening == ',' ? "}" : "");
    return *opening == ',';
}

void fieldset_put(struct text *out, const struct call *call, const struct json_value *resource)
{
    struct bytes type = {0};
    json_member_text(resource, "type", &type);
    const struct bytes *names = fieldset_find(call, type);
    const char *separator = "{";
    for (const struct json_value *member = resource->first; member; member = member->next) {
        bool is_part =
            bytes_equal_text(member->name, "attributes") || bytes_equal_text(member->name, "relationships");
        if (names && is_part && json_is(member, JSON_OBJECT)) {
            separator = put_fields(out, member, names, separator) ? "," : separator;
            continue;
        }
        text_puts(out, separator);
        json_tree_put_member(out, member);
        separator = ",";
    }
}
