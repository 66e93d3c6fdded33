/* Sparse fieldsets: what fields[TYPE] leaves of a resource object that has been written. */
#include "jsonapi.h"
#include <assert.h>

static const struct query_fieldset *find(const struct query *query, struct json_object *resource)
{
    struct bytes type;
    if (!json_get_text(resource, "type", &type))
        return NULL;
    for (int i = 0; i < query->fieldset_count; i++)
        if (bytes_equal(query->fieldsets[i].type, type))
            return &query->fieldsets[i];
    return NULL;
}

static bool names_has(struct bytes names, const char *name)
{
    while (names.len) {
        const char *comma = memchr(names.data, ',', names.len);
        size_t len = comma ? (size_t)(comma - names.data) : names.len, skip = comma ? len + 1 : len;
        if (bytes_equal_text(bytes_trim(bytes_make(names.data, len)), name))
            return true;
        names = bytes_make(names.data + skip, names.len - skip);
    }
    return false;
}

/* Attributes and relationships share one space of names (JSON:API section 7.2.2). */
static void keep_members(struct json_object *resource, const char *part, struct bytes names)
{
    struct json_object *members = json_get_object(resource, part), *kept = NULL;
    if (!members)
        return;
    struct json_object_iterator i = json_object_iter_begin(members), end = json_object_iter_end(members);
    for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
        const char *name = json_object_iter_peek_name(&i);
        if (!names_has(names, name))
            continue;
        kept = kept ? kept : json_object_new_object();
        json_object_object_add(kept, name, json_object_get(json_object_iter_peek_value(&i)));
    }
    if (kept)
        json_object_object_add(resource, part, kept);
    else
        json_object_object_del(resource, part);
}

static void trim_one(const struct query *query, struct json_object *resource)
{
    const struct query_fieldset *fieldset = find(query, resource);
    if (!fieldset)
        return;
    keep_members(resource, "attributes", fieldset->names);
    keep_members(resource, "relationships", fieldset->names);
}

/* Over the text of what was just written, so that who writes a resource need not know of fieldsets. */
void jsonapi_trim(struct call *call, struct text *out, size_t begin, bool list)
{
    struct json_reading reading;
    if (!call->query.fieldset_count || out->len == begin)
        return;
    if (list) {
        begin--;
        assert(out->data[begin] == '[');
        text_putc(out, ']');
    }
    if (out->overflow)
        return;
    struct json_object *written = json_read(out->data + begin, out->len - begin, false, &reading);
    if (!written)
        return; /* it has nearly as many members as a request may have: rather all of it than none */
    for (size_t i = 0; list && i < json_object_array_length(written); i++)
        trim_one(&call->query, json_object_array_get_idx(written, i));
    if (!list)
        trim_one(&call->query, written);
    out->len = begin;
    json_put(out, written);
    out->len -= list; /* its bracket */
    json_object_put(written);
}
