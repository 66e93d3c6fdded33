#include "catalogue.h"
#include "embedded.h"
#include "json.h"
#include "memory.h"

#include <assert.h>
#include <stdlib.h>

struct catalogue {
    struct json_object *event_types, *resources, *state_machines, *scenarios;
    struct catalogue_type *types;
    int count;
};

const char *catalogue_status_name(enum catalogue_status status)
{
    static const char *const names[] = {"documented", "stated", "inferred"};
    return names[status];
}

/* ---- reading ------------------------------------------------------------------------------------------- */

/* The files are part of the program: that they can be read is asserted, and seen by the first test. */
static struct json_object *parse(const char *text, size_t len)
{
    struct json_reading reading;
    char *copy = memory_alloc(len + 1);
    memcpy(copy, text, len + 1);
    struct json_object *value = json_read(copy, len, false, &reading);
    free(copy);
    assert(value);
    return value;
}

static const char *text_or_null(struct json_object *entry, const char *name)
{
    struct bytes text;
    return json_get_text(entry, name, &text) ? text.data : NULL;
}

static enum catalogue_status status_of(const char *name)
{
    for (int status = CATALOGUE_DOCUMENTED; status < CATALOGUE_INFERRED; status++)
        if (strcmp(name, catalogue_status_name((enum catalogue_status)status)) == 0)
            return (enum catalogue_status)status;
    assert(strcmp(name, "inferred") == 0);
    return CATALOGUE_INFERRED;
}

static void read_type(struct catalogue_type *type, struct json_object *entry)
{
    *type = (struct catalogue_type){.name = text_or_null(entry, "name"),
                                    .section = text_or_null(entry, "section"),
                                    .resource = text_or_null(entry, "resource"),
                                    .state = text_or_null(entry, "state"),
                                    .final = json_object_get_boolean(json_get(entry, "final")),
                                    .en = text_or_null(entry, "en"),
                                    .es = text_or_null(entry, "es"),
                                    .note = text_or_null(entry, "note"),
                                    .entry = entry};
    assert(type->name && type->section && type->resource && type->en && type->es);
    type->status = status_of(text_or_null(entry, "status"));
}

struct catalogue *catalogue_open(void)
{
    struct catalogue *catalogue = memory_zero(1, sizeof *catalogue);

    catalogue->event_types = parse(catalogue_event_types, catalogue_event_types_len);
    catalogue->resources = parse(catalogue_resources, catalogue_resources_len);
    catalogue->state_machines = parse(catalogue_state_machines, catalogue_state_machines_len);
    catalogue->scenarios = parse(catalogue_scenarios, catalogue_scenarios_len);
    catalogue->count = (int)json_object_array_length(catalogue->event_types);
    catalogue->types = memory_zero((size_t)catalogue->count, sizeof *catalogue->types);
    for (int i = 0; i < catalogue->count; i++)
        read_type(&catalogue->types[i], json_object_array_get_idx(catalogue->event_types, (size_t)i));
    return catalogue;
}

void catalogue_close(struct catalogue *catalogue)
{
    json_object_put(catalogue->event_types);
    json_object_put(catalogue->resources);
    json_object_put(catalogue->state_machines);
    json_object_put(catalogue->scenarios);
    free(catalogue->types);
    free(catalogue);
}

/* ---- asking -------------------------------------------------------------------------------------------- */

int catalogue_count(const struct catalogue *catalogue)
{
    return catalogue->count;
}

const struct catalogue_type *catalogue_at(const struct catalogue *catalogue, int index)
{
    assert(index >= 0 && index < catalogue->count);
    return &catalogue->types[index];
}

const struct catalogue_type *catalogue_find(const struct catalogue *catalogue, struct bytes name)
{
    for (int i = 0; i < catalogue->count; i++)
        if (bytes_equal_text(name, catalogue->types[i].name))
            return &catalogue->types[i];
    return NULL;
}

struct json_object *catalogue_resources_json(const struct catalogue *catalogue)
{
    return catalogue->resources;
}

struct json_object *catalogue_state_machines_json(const struct catalogue *catalogue)
{
    return catalogue->state_machines;
}

struct json_object *catalogue_scenarios_json(const struct catalogue *catalogue)
{
    return catalogue->scenarios;
}

enum { NAME_LEN_MAX = 64 };

static int min3(int a, int b, int c)
{
    int least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance: how many letters to put in, take out or change. Both at most NAME_LEN_MAX. */
static int distance(struct bytes a, struct bytes b)
{
    int row[NAME_LEN_MAX + 1];

    for (size_t j = 0; j <= b.len; j++)
        row[j] = (int)j;
    for (size_t i = 0; i < a.len; i++) {
        int diagonal = row[0];
        row[0] = (int)i + 1;
        for (size_t j = 0; j < b.len; j++) {
            int above = row[j + 1];
            row[j + 1] = min3(above + 1, row[j] + 1, diagonal + (a.data[i] != b.data[j]));
            diagonal = above;
        }
    }
    return row[b.len];
}

const struct catalogue_type *catalogue_nearest(const struct catalogue *catalogue, struct bytes name)
{
    const struct catalogue_type *nearest = NULL;
    int least = (int)name.len / 3 + 1; /* a third of its letters may be wrong */

    if (name.len > NAME_LEN_MAX)
        return NULL;
    for (int i = 0; i < catalogue->count; i++) {
        int found = distance(name, bytes_of(catalogue->types[i].name));
        if (found < least) {
            least = found;
            nearest = &catalogue->types[i];
        }
    }
    return nearest;
}

/* ---- examples ------------------------------------------------------------------------------------------ */

static struct json_object *copy_of(struct json_object *value)
{
    struct json_object *copy = NULL;
    if (json_object_deep_copy(value, &copy, NULL) != 0)
        abort();
    return copy;
}

static struct json_object *linkage(const char *type, const char *id)
{
    struct json_object *data = json_object_new_object(), *link = json_object_new_object();
    json_object_object_add(data, "type", json_object_new_string(type));
    json_object_object_add(data, "id", json_object_new_string(id));
    json_object_object_add(link, "data", data);
    return link;
}

/* {type, id, attributes, relationships} of a resource, with some attributes replaced. */
static struct json_object *snapshot(const struct catalogue *catalogue, const char *type,
                                    struct json_object *replaced)
{
    struct json_object *resource = json_get_object(catalogue->resources, type);
    struct json_object *item = json_object_new_object();
    struct json_object *attributes = copy_of(json_get_object(resource, "attributes"));

    if (replaced) {
        json_object_object_foreach(replaced, name, value)
        {
            assert(json_object_object_get_ex(attributes, name, NULL));
            json_object_object_add(attributes, name, copy_of(value));
        }
    }
    json_object_object_add(item, "type", json_object_new_string(type));
    json_object_object_add(item, "id", json_object_new_string(text_or_null(resource, "id")));
    json_object_object_add(item, "attributes", attributes);
    json_object_object_add(item, "relationships", copy_of(json_get_object(resource, "relationships")));
    return item;
}

static struct json_object *included_of(const struct catalogue *catalogue, const struct catalogue_type *type,
                                       struct json_object *example)
{
    struct json_object *items = json_object_new_array();
    struct json_object *item = snapshot(catalogue, type->resource, json_get_object(example, "attributes"));
    struct json_object *related = json_get_object(item, "relationships");
    struct json_object *names = json_get_array(example, "include");

    json_object_array_add(items, item);
    for (size_t i = 0; names && i < json_object_array_length(names); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(names, i));
        struct json_object *data = json_get_object(json_get_object(related, name), "data");
        json_object_array_add(items, snapshot(catalogue, text_or_null(data, "type"), NULL));
    }
    return items;
}

struct json_object *catalogue_example(const struct catalogue *catalogue, const struct catalogue_type *type)
{
    static const char date[] = "2000-01-01T00:00:00.000Z";
    struct json_object *example = json_get_object(type->entry, "example");
    struct json_object *resource = json_get_object(catalogue->resources, type->resource);
    struct json_object *further = json_get_object(example, "relationships");
    struct json_object *document = json_object_new_object(), *data = json_object_new_object(),
                       *attributes = json_object_new_object(), *relationships = json_object_new_object();

    json_object_object_add(attributes, "event_type", json_object_new_string(type->name));
    json_object_object_add(attributes, "created_at", json_object_new_string(date));
    json_object_object_add(attributes, "sent_at", json_object_new_string(date));
    json_object_object_add(relationships, "resource", linkage(type->resource, text_or_null(resource, "id")));
    if (further) {
        json_object_object_foreach(further, name, value)
        {
            json_object_object_add(relationships, name, copy_of(value));
        }
    }
    json_object_object_add(data, "type", json_object_new_string("events"));
    json_object_object_add(data, "id", json_object_new_string("8"));
    json_object_object_add(data, "attributes", attributes);
    json_object_object_add(data, "relationships", relationships);
    json_object_object_add(document, "data", data);
    json_object_object_add(document, "included", included_of(catalogue, type, example));
    return document;
}
