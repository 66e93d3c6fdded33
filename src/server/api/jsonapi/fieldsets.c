/* Sparse fieldsets: what fields[TYPE] leaves of a resource object that has been written. */
#include "jsonapi.h"
#include <assert.h>

static const struct query_fieldset *find(const struct query *query, const struct json_value *resource)
{
    struct bytes type;
    if (!json_member_text(resource, "type", &type))
        return NULL;
    for (int i = 0; i < query->fieldset_count; i++)
        if (bytes_equal(query->fieldsets[i].type, type))
            return &query->fieldsets[i];
    return NULL;
}

static bool names_have(void *ctx, struct bytes name)
{
    struct bytes names = *(const struct bytes *)ctx;
    while (names.len) {
        const char *comma = memchr(names.data, ',', names.len);
        size_t len = comma ? (size_t)(comma - names.data) : names.len, skip = comma ? len + 1 : len;
        if (bytes_equal(bytes_trim(bytes_make(names.data, len)), name))
            return true;
        names = bytes_make(names.data + skip, names.len - skip);
    }
    return false;
}

static bool is_no_member(void *ctx, struct bytes name)
{
    return !bytes_equal_text(name, ctx);
}

/* Attributes and relationships share one space of names (JSON:API section 7.2.2). */
static void keep_members(struct json_value *resource, const char *part, struct bytes names)
{
    struct json_value *members = json_member_of_kind(resource, part, JSON_OBJECT);
    if (!members)
        return;
    json_keep_members(members, names_have, &names);
    if (members->count == 0)
        json_keep_members(resource, is_no_member, (void *)part);
}

static void trim_one(const struct query *query, struct json_value *resource)
{
    const struct query_fieldset *fieldset = find(query, resource);
    if (!fieldset)
        return;
    keep_members(resource, "attributes", fieldset->names);
    keep_members(resource, "relationships", fieldset->names);
}

/* What stands behind `begin` is copied, read, trimmed, and written again. */
static void trim_written(const struct query *query, struct text *out, size_t begin, bool list)
{
    struct json_reading reading;
    struct arena memory;
    arena_init(&memory, CALL_SCRATCH_LEN_MAX);
    struct bytes copy = arena_copy(&memory, bytes_make(out->data + begin, out->len - begin));
    struct json_value *written =
        copy.data ? json_tree_read(&memory, (char *)copy.data, copy.len, false, &reading) : NULL;
    if (written) { /* or it has nearly as many members as a request may have: rather all of it than none */
        for (struct json_value *one = list ? written->first : NULL; one; one = one->next)
            trim_one(query, one);
        if (!list)
            trim_one(query, written);
        out->len = begin;
        json_tree_put(out, written);
    }
    out->len -= list; /* its bracket */
    arena_fini(&memory);
}

/* Over the text of what was just written, so that who writes a resource need not know of fieldsets. */
void jsonapi_trim(struct call *call, struct text *out, size_t begin, bool list)
{
    if (!call->query.fieldset_count || out->len == begin)
        return;
    if (list) {
        begin--;
        assert(out->data[begin] == '[');
        text_putc(out, ']');
    }
    if (!out->overflow)
        trim_written(&call->query, out, begin, list);
}
