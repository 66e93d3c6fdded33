#include "amend.h"
#include "instant.h"
#include "json_c.h"
#include "text.h"

#include <json-c/json_pointer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_LEN_MAX = 256, VALUE_LEN_MAX = 1 << 20, TYPE_LEN_MAX = 128 };

/* ---- values -------------------------------------------------------------------------------------------- */

/* JSON if it is JSON. json_read refuses `null` as a document, and here it is a value. */
static struct json_object *value_of(const char *text, bool *is_null)
{
    struct json_reading reading;
    char *copy = strdup(text);

    *is_null = strcmp(text, "null") == 0;
    struct json_object *value = copy && !*is_null ? json_read(copy, strlen(copy), false, &reading) : NULL;
    free(copy);
    return value || *is_null ? value : json_object_new_string(text);
}

static struct json_object *linkage(const char *type, size_t type_len, const char *id)
{
    struct json_object *link = json_object_new_object();

    json_object_object_add(link, "type", json_object_new_string_len(type, (int)type_len));
    json_object_object_add(link, "id", json_object_new_string(id));
    return link;
}

/* A relationship from TYPE/ID, from a list or null, or from a whole object. */
static struct json_object *relationship_of(const char *text, struct json_object *value)
{
    const char *slash = strchr(text, '/');
    struct json_object *relationship;

    if (json_object_is_type(value, json_type_object))
        return value;
    if (json_object_is_type(value, json_type_string) && slash) {
        json_object_put(value);
        value = linkage(text, (size_t)(slash - text), slash + 1);
    }
    relationship = json_object_new_object();
    json_object_object_add(relationship, "data", value);
    return relationship;
}

/* ---- places -------------------------------------------------------------------------------------------- */

static struct json_object *member_object(struct json_object *object, const char *name)
{
    struct json_object *member = json_get_object(object, name);

    if (!member && json_object_is_type(object, json_type_object)) {
        member = json_object_new_object();
        json_object_object_add(object, name, member);
    }
    return member;
}

static bool text_is(struct json_object *object, const char *name, struct json_object *other)
{
    struct bytes one, two;
    return json_get_text(object, name, &one) && json_get_text(other, name, &two) && bytes_equal(one, two);
}

static struct json_object *resource_linkage(struct json_object *document)
{
    struct json_object *data = json_get_object(document, "data");
    return json_get_object(json_get_object(json_get_object(data, "relationships"), "resource"), "data");
}

/* The element of `included` that the event's resource names, or else the first. NULL: `included` is empty. */
static struct json_object *snapshot(struct json_object *document)
{
    struct json_object *included = json_get_array(document, "included"), *link = resource_linkage(document);
    size_t count = included ? json_object_array_length(included) : 0;

    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_object_array_get_idx(included, i);
        if (text_is(item, "type", link) && text_is(item, "id", link))
            return item;
    }
    return count > 0 ? json_object_array_get_idx(included, 0) : NULL;
}

/* Takes `value`. Makes missing objects on the path. */
static bool set_within(struct json_object *object, char *path, struct json_object *value)
{
    char *rest = path;

    for (char *name = strsep(&rest, "."); object; name = strsep(&rest, ".")) {
        if (!*name)
            break;
        if (!rest) {
            json_object_object_add(object, name, value);
            return true;
        }
        object = member_object(object, name);
    }
    json_object_put(value);
    return false;
}

static bool set_resource(struct json_object *document, const char *name, const char *text)
{
    struct json_object *link = resource_linkage(document), *item = snapshot(document);

    if ((strcmp(name, "id") != 0 && strcmp(name, "type") != 0) || !link)
        return false;
    json_object_object_add(link, name, json_object_new_string(text));
    if (item)
        json_object_object_add(item, name, json_object_new_string(text));
    return true;
}

/* The places that only have text, so that id=8 is not a number. */
static bool set_text(struct json_object *document, const char *path, const char *text, bool *known)
{
    struct json_object *data = member_object(document, "data");

    *known = true;
    if (strncmp(path, "resource.", 9) == 0)
        return set_resource(document, path + 9, text);
    if (strcmp(path, "id") == 0)
        json_object_object_add(data, path, json_object_new_string(text));
    else if (strcmp(path, "event_type") == 0 || strcmp(path, "created_at") == 0)
        json_object_object_add(member_object(data, "attributes"), path, json_object_new_string(text));
    else
        *known = false;
    return *known;
}

static bool set_value(struct json_object *document, char *path, const char *text)
{
    bool is_null;
    struct json_object *value = value_of(text, &is_null), *data = member_object(document, "data");

    if (*path == '/')
        return json_pointer_set(&document, path, value) == 0 || (json_object_put(value), false);
    if (strncmp(path, "included.", 9) == 0 && snapshot(document))
        return set_within(member_object(snapshot(document), "attributes"), path + 9, value);
    if (strncmp(path, "relationships.", 14) == 0 && !strchr(path + 14, '.'))
        return set_within(member_object(data, "relationships"), path + 14, relationship_of(text, value));
    json_object_put(value);
    return false;
}

bool amend_set(struct json_object *document, const char *assignment, char detail[AMEND_DETAIL_LEN])
{
    const char *equals = strchr(assignment, '=');
    size_t len = equals ? (size_t)(equals - assignment) : 0;
    char path[PATH_LEN_MAX];
    bool known;

    if (!equals || len == 0 || len >= sizeof path || strlen(equals) > VALUE_LEN_MAX) {
        snprintf(detail, AMEND_DETAIL_LEN, "write PATH=VALUE, for example included.state=settled");
        return false;
    }
    memcpy(path, assignment, len);
    path[len] = '\0';
    if (set_text(document, path, equals + 1, &known) || (!known && set_value(document, path, equals + 1)))
        return true;
    snprintf(detail, AMEND_DETAIL_LEN,
             "there is no field '%.80s'; the fields are included.NAME, resource.id, resource.type, "
             "relationships.NAME, event_type, created_at, id, and /JSON/POINTER",
             path);
    return false;
}

/* ---- checking the event ----------------------------------------------------------------------------- */

static bool wrong(char detail[AMEND_DETAIL_LEN], const char *sentence)
{
    snprintf(detail, AMEND_DETAIL_LEN, "%s", sentence);
    return false;
}

static bool is_type(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
              c == '.' || c == '-'))
            return false;
    }
    return text.len > 0 && text.len <= TYPE_LEN_MAX;
}

static bool is_identified(struct json_object *object)
{
    struct bytes type, id;
    return json_get_text(object, "type", &type) && json_get_text(object, "id", &id) && type.len > 0 &&
           id.len > 0;
}

static bool check_attributes(struct json_object *attributes, char detail[AMEND_DETAIL_LEN])
{
    struct bytes type, created_at;
    int64_t instant_ms;

    if (!json_get_text(attributes, "event_type", &type) || !is_type(type))
        return wrong(detail,
                     "data.attributes.event_type must be a text of letters, digits, '_', '.' and '-'");
    json_object_object_foreach(attributes, name, value)
    {
        if (strcmp(name, "created_at") == 0 &&
            (!json_get_text(attributes, name, &created_at) || !instant_parse(created_at, &instant_ms)))
            return wrong(detail, "data.attributes.created_at must be a date like 2000-01-01T00:00:00.000Z");
        if (strcmp(name, "event_type") != 0 && strcmp(name, "created_at") != 0 &&
            strcmp(name, "sent_at") != 0) {
            snprintf(detail, AMEND_DETAIL_LEN,
                     "data.attributes.%.60s: an event has only event_type and created_at; attributes of the "
                     "resource belong in included",
                     name);
            return false;
        }
        (void)value;
    }
    return true;
}

static bool check_relationships(struct json_object *relationships, char detail[AMEND_DETAIL_LEN])
{
    if (!relationships)
        return true;
    json_object_object_foreach(relationships, name, value)
    {
        struct json_object *link = json_get(value, "data");
        if (!json_object_is_type(value, json_type_object) ||
            (strcmp(name, "resource") == 0 && link && !is_identified(link))) {
            snprintf(detail, AMEND_DETAIL_LEN,
                     "data.relationships.%.60s must be like {\"data\": {\"type\": \"users\", \"id\": \"1\"}}",
                     name);
            return false;
        }
    }
    return true;
}

bool amend_check(struct json_object *document, char detail[AMEND_DETAIL_LEN])
{
    struct json_object *data = json_get_object(document, "data");
    struct json_object *included = json_get_array(document, "included"), *member;
    struct bytes text;
    int64_t id;

    if (!data)
        return wrong(detail, "data must be an object");
    if (json_object_object_get_ex(data, "type", &member) &&
        !(json_get_text(data, "type", &text) && bytes_equal_text(text, "events")))
        return wrong(detail, "data.type must be \"events\"");
    if (json_object_object_get_ex(data, "id", &member) &&
        !(json_get_text(data, "id", &text) && bytes_to_int64(text, &id) && id > 0))
        return wrong(detail, "data.id must be a decimal number, as a text");
    if (!json_get_object(data, "attributes"))
        return wrong(detail, "data.attributes must be an object");
    if (json_object_object_get_ex(data, "relationships", &member) && !json_get_object(data, "relationships"))
        return wrong(detail, "data.relationships must be an object");
    if (json_object_object_get_ex(document, "included", &member) && !included)
        return wrong(detail, "included must be a list");
    for (size_t i = 0; included && i < json_object_array_length(included); i++)
        if (!is_identified(json_object_array_get_idx(included, i)))
            return wrong(detail, "every element of included must have a type and an id, both strings");
    return check_attributes(json_get_object(data, "attributes"), detail) &&
           check_relationships(json_get_object(data, "relationships"), detail);
}
