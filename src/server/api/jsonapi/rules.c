#include "rules.h"
#include <stdlib.h>

static bool is_at(struct bytes name)
{
    return bytes_starts(name, "@");
}

static bool fail_member(struct call *call, struct bytes name, const char *detail)
{
    return call_fail(call, API_MEMBER_INVALID, SOURCE_POINTER, call_pointer(call, "", name), "%s", detail);
}

/* Removes what is none of `known`, which ends with NULL. */
static void drop_unknown(struct call *call, struct json_value *object, const char *const *known,
                         const char *what)
{
    struct json_value *kept = NULL;
    for (struct json_value *member = object->first; member; member = member->next) {
        int i = 0;
        while (known[i] && !bytes_equal_text(member->name, known[i]))
            i++;
        if (known[i] || is_at(member->name)) {
            kept = member;
            continue;
        }
        call_warn(call, "member_unknown", 0, 0, "%s has a member \"%.*s\", which was ignored", what,
                  jsonapi_shown_len(member->name), member->name.data);
        *(kept ? &kept->next : &object->first) = member->next;
        object->last = member->next ? object->last : kept;
        object->count--;
    }
}

/* ---- names, section 5.8 ---- */

static bool is_global(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c >= 0x80;
}

static bool is_name(struct bytes name)
{
    if (!name.len || !is_global((unsigned char)name.data[0]) ||
        !is_global((unsigned char)name.data[name.len - 1]))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if (!is_global(c) && c != '-' && c != '_' && c != ' ')
            return false;
    }
    return true;
}

bool rules_check_name(struct call *call, struct bytes name)
{
    static const char rule[] = "JSON:API allows letters, digits, and inside '-', '_' and a space";
    if (is_name(name) || is_at(name))
        return true;
    if (!call->api->config.config->any_member_names)
        return call_fail(
            call, API_MEMBER_INVALID, SOURCE_POINTER, call_pointer(call, "", name),
            "\"%.*s\" cannot be the name of a member: %s. The setting any-member-names accepts it.",
            jsonapi_shown_len(name), name.data, rule);
    call_warn(call, "member_name", 0, 0, "\"%.*s\" is accepted, but cannot be the name of a member: %s",
              jsonapi_shown_len(name), name.data, rule);
    return true;
}

/* Of a value, at any depth; how deep that can be, the JSON reader limits. */
static bool check_names(struct call *call, const struct json_value *value)
{
    bool list = json_is(value, JSON_ARRAY);
    int i = 0;
    if (!list && !json_is(value, JSON_OBJECT))
        return true;
    for (const struct json_value *one = value->first; one; one = one->next, i++) {
        if (!list && is_at(one->name))
            continue;
        if (!list && !rules_check_name(call, one->name))
            return false;
        if (!check_names(call, one))
            return call_within(call, "", list ? bytes_of(call_printf(call, "%d", i)) : one->name);
    }
    return true;
}

/* ---- meta and links, sections 7.5 and 7.6 ---- */

static bool check_meta(struct call *call, const struct json_value *object)
{
    const struct json_value *meta = json_member(object, "meta");
    if (!meta)
        return true;
    return json_is(meta, JSON_OBJECT) || fail_member(call, bytes_of("meta"), "meta must be an object.");
}

static bool check_link(struct call *call, const struct json_value *link)
{
    bool text = json_is(link, JSON_STRING) || json_is(link, JSON_NULL);
    if (!text && !json_member_of_kind(link, "href", JSON_STRING))
        return fail_member(call, link->name, "A link must be a text, an object with a text href, or null.");
    return text || check_meta(call, link) || call_within(call, "", link->name);
}

static bool check_links(struct call *call, const struct json_value *object, bool of_relationship)
{
    const struct json_value *links = json_member(object, "links");
    if (!links)
        return true;
    if (!json_is(links, JSON_OBJECT))
        return fail_member(call, bytes_of("links"), "links must be an object.");
    if (of_relationship && !json_member(links, "self") && !json_member(links, "related"))
        return fail_member(call, bytes_of("links"), "The links of a relationship need self or related.");
    for (const struct json_value *link = links->first; link; link = link->next)
        if (!is_at(link->name) && !check_link(call, link))
            return call_within(call, "", bytes_of("links"));
    return true;
}

/* ---- the document, section 7.1 and 7.7 ---- */

bool rules_check_document(struct call *call, const struct json_value *root)
{
    const struct json_value *jsonapi = json_member(root, "jsonapi");
    if (jsonapi && !json_is(jsonapi, JSON_OBJECT))
        return fail_member(call, bytes_of("jsonapi"), "jsonapi must be an object.");
    const struct json_value *version = json_member(jsonapi, "version");
    if (version && !json_is(version, JSON_STRING)) {
        fail_member(call, bytes_of("version"), "The version must be a text, such as \"1.1\".");
        return call_within(call, "", bytes_of("jsonapi"));
    }
    if (!check_meta(call, jsonapi))
        return call_within(call, "", bytes_of("jsonapi"));
    return check_meta(call, root) && check_links(call, root, false);
}

/* ---- relationships, section 7.2.2.2 ---- */

/* Linkage of any relationship: null, one, or a list. */
static bool check_identifier(struct call *call, struct json_value *identifier)
{
    static const char *const known[] = {"type", "id", "lid", "meta", NULL};
    struct bytes type, id;
    if (!jsonapi_read_linkage(call, identifier, "", &type, &id) || !check_meta(call, identifier))
        return false;
    drop_unknown(call, identifier, known, "a resource identifier");
    return true;
}

static bool check_linkage(struct call *call, struct json_value *linkage)
{
    int i = 0;
    if (json_is(linkage, JSON_NULL))
        return true;
    if (!json_is(linkage, JSON_ARRAY))
        return check_identifier(call, linkage);
    for (struct json_value *one = linkage->first; one; one = one->next, i++)
        if (!check_identifier(call, one))
            return call_within(call, "", bytes_of(call_printf(call, "%d", i)));
    return true;
}

bool rules_check_relationship(struct call *call, struct json_value *relationship)
{
    static const char *const known[] = {"data", "links", "meta", NULL};
    bool object = json_is(relationship, JSON_OBJECT);
    bool any = false;
    for (int i = 0; object && known[i]; i++)
        any = any || json_member(relationship, known[i]);
    if (!any)
        return call_fail(call, API_RELATIONSHIP_INVALID, SOURCE_POINTER, "",
                         "A relationship must be an object with data, links or meta.");
    struct json_value *linkage = json_member(relationship, "data");
    if (linkage && !check_linkage(call, linkage))
        return call_within(call, "", bytes_of("data"));
    drop_unknown(call, relationship, known, "a relationship");
    return check_links(call, relationship, true) && check_meta(call, relationship);
}

/* ---- fields, section 7.2.2 ---- */

static bool check_reserved(struct call *call, const struct json_value *part)
{
    static const char *const reserved[] = {"id", "type"};
    for (int i = 0; i < 2; i++)
        if (json_member(part, reserved[i])) {
            fail_member(call, bytes_of(reserved[i]),
                        "id and type stand beside attributes and relationships; no field may be named so.");
            return call_within(call, "", part->name);
        }
    return true;
}

static int compare(struct bytes left, struct bytes right)
{
    size_t len = left.len < right.len ? left.len : right.len;
    int order = len ? memcmp(left.data, right.data, len) : 0;
    return order ? order : (left.len > right.len) - (left.len < right.len);
}

static int compare_names(const void *a, const void *b)
{
    const struct bytes *left = a, *right = b;
    return compare(*left, *right);
}

/* The first name that is in both; len 0: none, or *full. Sorted, so that many of them cost little. */
static struct bytes name_of_both(struct call *call, const struct json_value *one,
                                 const struct json_value *other, bool *full)
{
    size_t count = (size_t)one->count + (size_t)other->count, n = 0;
    struct bytes *names = arena_alloc(&call->scratch, count * sizeof *names + 1);
    *full = names == NULL;
    if (*full)
        return (struct bytes){0};
    for (const struct json_value *member = one->first; member; member = member->next)
        names[n++] = member->name;
    for (const struct json_value *member = other->first; member; member = member->next)
        names[n++] = member->name;
    qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 1; i < n; i++)
        if (bytes_equal(names[i - 1], names[i]) && !is_at(names[i]))
            return names[i];
    return (struct bytes){0};
}

bool rules_check_fields(struct call *call, const struct json_value *attributes,
                        const struct json_value *relationships)
{
    bool full = false;
    if (!check_reserved(call, attributes) || !check_reserved(call, relationships))
        return false;
    if (!attributes || !relationships || !attributes->count || !relationships->count)
        return true;
    struct bytes both = name_of_both(call, attributes, relationships, &full);
    if (full)
        return call_too_large(call);
    if (!both.len)
        return true;
    fail_member(call, both,
                "An attribute has this name, too: the fields of a resource share one space of names.");
    return call_within(call, "", relationships->name);
}

static bool get_object(struct call *call, const struct json_value *resource, const char *name,
                       struct json_value **part)
{
    *part = json_member_of_kind(resource, name, JSON_OBJECT);
    return *part || !json_member(resource, name) ||
           call_fail(call, API_MEMBER_INVALID, SOURCE_POINTER, call_pointer(call, "", bytes_of(name)),
                     "%s must be an object.", name);
}

bool rules_check_resource(struct call *call, struct json_value *resource)
{
    static const char *const known[] = {"type",          "id",    "lid",  "attributes",
                                        "relationships", "links", "meta", NULL};
    struct json_value *attributes, *relationships;
    if (!get_object(call, resource, "attributes", &attributes) ||
        !get_object(call, resource, "relationships", &relationships) ||
        !rules_check_fields(call, attributes, relationships))
        return false;
    if (!check_names(call, attributes))
        return call_within(call, "", bytes_of("attributes"));
    for (struct json_value *one = relationships ? relationships->first : NULL; one; one = one->next) {
        if (is_at(one->name))
            continue;
        if (!rules_check_name(call, one->name))
            return call_within(call, "", bytes_of("relationships"));
        if (!rules_check_relationship(call, one))
            return call_within(call, "/relationships", one->name);
    }
    drop_unknown(call, resource, known, "a resource");
    return check_links(call, resource, false) && check_meta(call, resource);
}

/* ---- compound documents, section 7.4 ---- */

struct included_entry {
    struct bytes type, id;
    const struct json_value *resource;
    int index; /* in `included` */
    bool is_linked;
};

struct linkage {
    struct included_entry *entries;  /* by type and id */
    struct included_entry **waiting; /* linked, and their own links are still to be followed */
    int count, waiting_count;
};

static int compare_entries(const void *a, const void *b)
{
    const struct included_entry *left = a, *right = b;
    int by_type = compare(left->type, right->type);
    int by_id = by_type ? by_type : compare(left->id, right->id);
    return by_id ? by_id : left->index - right->index;
}

static void link_to(struct linkage *linkage, const struct json_value *identifier)
{
    struct included_entry wanted = {.index = -1};
    int low = 0, high = linkage->count;
    if (!json_member_text(identifier, "type", &wanted.type) ||
        !json_member_text(identifier, "id", &wanted.id))
        return;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (compare_entries(&linkage->entries[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    struct included_entry *found = low < linkage->count ? &linkage->entries[low] : NULL;
    if (!found || found->is_linked || !bytes_equal(found->type, wanted.type) ||
        !bytes_equal(found->id, wanted.id))
        return;
    found->is_linked = true;
    linkage->waiting[linkage->waiting_count++] = found;
}

static void follow(struct linkage *linkage, const struct json_value *relationships, bool of_event)
{
    const struct json_value *one = json_is(relationships, JSON_OBJECT) ? relationships->first : NULL;
    for (; one; one = one->next) {
        const struct json_value *data = json_member(one, "data");
        if (of_event && bytes_equal_text(one->name, "user"))
            continue;
        if (!json_is(data, JSON_ARRAY))
            link_to(linkage, data);
        else
            for (const struct json_value *identifier = data->first; identifier; identifier = identifier->next)
                link_to(linkage, identifier);
    }
}

static bool fail_entry(struct call *call, const struct included_entry *entry, const char *detail)
{
    return call_fail(call, API_INCLUDED_INVALID, SOURCE_POINTER,
                     call_printf(call, "/included/%d", entry->index), "%s", detail);
}

static bool list_entries(struct call *call, const struct json_value *included, struct linkage *linkage)
{
    size_t count = (size_t)included->count;
    linkage->entries = arena_zero(&call->scratch, count * sizeof *linkage->entries + 1);
    linkage->waiting = arena_zero(&call->scratch, count * sizeof(struct included_entry *) + 1);
    if (!linkage->entries || !linkage->waiting)
        return call_too_large(call);
    for (const struct json_value *one = included->first; one; one = one->next) {
        struct included_entry *entry = &linkage->entries[linkage->count];
        entry->resource = one;
        entry->index = linkage->count++;
        json_member_text(one, "type", &entry->type);
        json_member_text(one, "id", &entry->id);
    }
    qsort(linkage->entries, count, sizeof *linkage->entries, compare_entries);
    for (int i = 1; i < linkage->count; i++) {
        const struct included_entry *entry = &linkage->entries[i], *before = entry - 1;
        if (bytes_equal(before->type, entry->type) && bytes_equal(before->id, entry->id))
            return fail_entry(call, entry, "A resource of this type and id is in included already.");
    }
    return true;
}

bool rules_check_linked(struct call *call, const struct json_value *relationships,
                        const struct json_value *included)
{
    struct linkage linkage = {0};
    const struct included_entry *alone = NULL;
    if (!included || !included->count)
        return true;
    if (!list_entries(call, included, &linkage))
        return false;
    follow(&linkage, relationships, true);
    while (linkage.waiting_count)
        follow(&linkage, json_member(linkage.waiting[--linkage.waiting_count]->resource, "relationships"),
               false);
    for (int i = 0; i < linkage.count; i++) {
        const struct included_entry *entry = &linkage.entries[i];
        if (!entry->is_linked && (!alone || entry->index < alone->index))
            alone = entry;
    }
    return !alone || fail_entry(call, alone,
                                "Nothing leads to this resource: each one in included must be named by a "
                                "relationship of the event (other than user, which names an account), or of "
                                "another one in included that is.");
}
