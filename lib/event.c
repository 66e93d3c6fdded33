#include "event.h"
#include "layout.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct posthorn_event {
    char *body;
    size_t body_len;
    struct ph_layout pretty;
    struct json_object *document;
    struct posthorn_text id, type, created_at, sent_at, resource_type, resource_id;
    struct json_object *included, *resource;
};

/* ---- finding members in the document ------------------------------------------------------------------- */

static struct json_object *member(struct json_object *object, const char *name, enum json_type type)
{
    struct json_object *value = NULL;

    if (!object || !json_object_is_type(object, json_type_object) ||
        !json_object_object_get_ex(object, name, &value) || !json_object_is_type(value, type))
        return NULL;
    return value;
}

static struct posthorn_text text_member(struct json_object *object, const char *name)
{
    struct json_object *value = member(object, name, json_type_string);

    if (!value)
        return (struct posthorn_text){"", 0};
    return (struct posthorn_text){json_object_get_string(value), (size_t)json_object_get_string_len(value)};
}

static bool text_equal(struct posthorn_text a, struct posthorn_text b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static size_t count_members(struct json_object *value)
{
    size_t count = 0;

    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++)
            count += count_members(json_object_array_get_idx(value, i));
    } else if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, inner)
        {
            (void)name;
            count += 1 + count_members(inner);
        }
    }
    return count;
}

static enum posthorn_result problem_is(struct posthorn_problem *problem, enum posthorn_result result,
                                       size_t offset, const char *detail)
{
    if (problem) {
        problem->offset = offset;
        snprintf(problem->detail, sizeof problem->detail, "%s", detail ? detail : "");
    }
    return result;
}

/* ---- reading ------------------------------------------------------------------------------------------- */

static enum posthorn_result read_json(struct posthorn_event *event, struct posthorn_problem *problem)
{
    enum posthorn_result result = ph_layout(event->body, event->body_len, &event->pretty);

    if (result != POSTHORN_OK)
        return problem_is(problem, result, event->pretty.error_offset,
                          result == POSTHORN_TOO_LARGE ? "too many members" : event->pretty.error);
    /* One level more than the layout allows: json-c counts the document itself. */
    struct json_tokener *tokener = json_tokener_new_ex(POSTHORN_DEPTH_MAX + 1);
    if (!tokener)
        return POSTHORN_NO_MEMORY;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    /* With its NUL: only that ends a document that is a bare number. */
    event->document = json_tokener_parse_ex(tokener, event->body, (int)event->body_len + 1);
    enum json_tokener_error error = json_tokener_get_error(tokener);
    json_tokener_free(tokener);
    if (error != json_tokener_success)
        return problem_is(problem, POSTHORN_NOT_JSON, 0, json_tokener_error_desc(error));
    if (count_members(event->document) != event->pretty.members)
        return problem_is(problem, POSTHORN_NOT_JSON, 0, "an object has the same member twice");
    return POSTHORN_OK;
}

static struct json_object *find_resource(const struct posthorn_event *event)
{
    size_t count = event->included ? json_object_array_length(event->included) : 0;

    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_object_array_get_idx(event->included, i);
        if (event->resource_id.len > 0 && text_equal(text_member(item, "type"), event->resource_type) &&
            text_equal(text_member(item, "id"), event->resource_id))
            return item;
    }
    return NULL;
}

static enum posthorn_result read_event(struct posthorn_event *event, struct posthorn_problem *problem)
{
    struct json_object *data = member(event->document, "data", json_type_object);
    struct json_object *attributes = member(data, "attributes", json_type_object);
    struct json_object *relationships = member(data, "relationships", json_type_object);
    struct json_object *resource =
        member(member(relationships, "resource", json_type_object), "data", json_type_object);
    struct posthorn_text type = text_member(data, "type");
    const char *missing = NULL;

    event->id = text_member(data, "id");
    event->type = text_member(attributes, "event_type");
    event->created_at = text_member(attributes, "created_at");
    event->sent_at = text_member(attributes, "sent_at");
    event->resource_type = text_member(resource, "type");
    event->resource_id = text_member(resource, "id");
    event->included = member(event->document, "included", json_type_array);
    event->resource = find_resource(event);

    if (!data)
        missing = "data must be an object";
    else if (!text_equal(type, (struct posthorn_text){"events", 6}))
        missing = "data.type must be \"events\"";
    else if (event->id.len == 0)
        missing = "data.id must be a string that is not empty";
    else if (event->type.len == 0)
        missing = "data.attributes.event_type must be a string that is not empty";
    return missing ? problem_is(problem, POSTHORN_NOT_AN_EVENT, 0, missing) : POSTHORN_OK;
}

enum posthorn_result posthorn_parse(const char *body, size_t len, struct posthorn_event **out,
                                    struct posthorn_problem *problem)
{
    *out = NULL;
    problem_is(problem, POSTHORN_OK, 0, "");
    if (len > POSTHORN_DOCUMENT_LEN_MAX)
        return problem_is(problem, POSTHORN_TOO_LARGE, 0, "the body is larger than 2 MiB");
    char *copy = malloc(len + 1);
    if (!copy)
        return POSTHORN_NO_MEMORY;
    if (len > 0)
        memcpy(copy, body, len);
    return ph_event_take(copy, len, out, problem);
}

enum posthorn_result ph_event_take(char *body, size_t len, struct posthorn_event **out,
                                   struct posthorn_problem *problem)
{
    struct posthorn_event *event = calloc(1, sizeof *event);

    *out = NULL;
    if (!event) {
        free(body);
        return POSTHORN_NO_MEMORY;
    }
    event->body = body;
    event->body[len] = '\0';
    event->body_len = len;

    enum posthorn_result result = read_json(event, problem);
    if (result == POSTHORN_OK)
        result = read_event(event, problem);
    if (result != POSTHORN_OK) {
        posthorn_event_free(event);
        return result;
    }
    *out = event;
    return POSTHORN_OK;
}

void posthorn_event_free(struct posthorn_event *event)
{
    if (!event)
        return;
    json_object_put(event->document);
    free(event->pretty.data);
    free(event->body);
    free(event);
}

/* ---- asking -------------------------------------------------------------------------------------------- */

struct posthorn_text posthorn_event_id(const struct posthorn_event *event)
{
    return event->id;
}

struct posthorn_text posthorn_event_type(const struct posthorn_event *event)
{
    return event->type;
}

struct posthorn_text posthorn_event_created_at(const struct posthorn_event *event)
{
    return event->created_at;
}

struct posthorn_text posthorn_event_sent_at(const struct posthorn_event *event)
{
    return event->sent_at;
}

struct posthorn_text posthorn_event_resource_type(const struct posthorn_event *event)
{
    return event->resource_type;
}

struct posthorn_text posthorn_event_resource_id(const struct posthorn_event *event)
{
    return event->resource_id;
}

struct posthorn_text posthorn_event_body(const struct posthorn_event *event)
{
    return (struct posthorn_text){event->body, event->body_len};
}

struct posthorn_text ph_event_pretty(const struct posthorn_event *event)
{
    return (struct posthorn_text){event->pretty.data, event->pretty.len};
}

struct json_object *posthorn_event_document(const struct posthorn_event *event)
{
    return event->document;
}

struct json_object *posthorn_event_included(const struct posthorn_event *event)
{
    return event->included;
}

struct json_object *posthorn_event_resource(const struct posthorn_event *event)
{
    return event->resource;
}
