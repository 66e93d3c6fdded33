#include "catalogue.h"
#include "catalogue_parts.h"
#include "embedded.h"
#include "json_tree.h"
#include "memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

const char *const catalogue_status_names[] = {"documented", "stated", "inferred", NULL};

bool catalogue_status_parse(struct bytes name, enum catalogue_status *status)
{
    for (int i = CATALOGUE_DOCUMENTED; i <= CATALOGUE_INFERRED; i++) {
        if (!bytes_equal_text(name, catalogue_status_names[i]))
            continue;
        *status = (enum catalogue_status)i;
        return true;
    }
    return false;
}

/* ---- reading ------------------------------------------------------------------------------------------- */

/* The files are part of the program, so a file that cannot be read is a bug. */
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

static enum catalogue_status status_of(const char *name)
{
    enum catalogue_status status = CATALOGUE_DOCUMENTED;
    bool known = !name || catalogue_status_parse(bytes_of(name), &status);
    assert(known);
    return status;
}

static void read_type(struct catalogue_type *type, struct json_object *entry)
{
    *type = (struct catalogue_type){.name = json_text(entry, "name"),
                                    .section = json_text(entry, "section"),
                                    .resource = json_text(entry, "resource"),
                                    .state = json_text(entry, "state"),
                                    .final = json_flag(entry, "final"),
                                    .en = json_text(entry, "en"),
                                    .es = json_text(entry, "es"),
                                    .note = json_text(entry, "note"),
                                    .entry = entry};
    assert(type->name && type->section && type->resource && type->en);
    if (!type->es)
        type->es = type->en;
    type->status = status_of(json_text(entry, "status"));
}

void catalogue_put_type(struct catalogue *catalogue, struct json_object *entry)
{
    struct catalogue_type type;
    read_type(&type, entry);
    for (int i = 0; i < catalogue->count; i++) {
        if (strcmp(catalogue->types[i].name, type.name) != 0)
            continue;
        catalogue->types[i] = type;
        json_object_array_put_idx(catalogue->event_types, (size_t)i, entry);
        return;
    }
    catalogue->types =
        memory_grow(catalogue->types, ((size_t)catalogue->count + 1) * sizeof *catalogue->types);
    catalogue->types[catalogue->count++] = type;
    json_object_array_add(catalogue->event_types, entry);
}

static struct json_object *copy_of(struct json_object *value)
{
    struct json_object *copy = NULL;
    if (value && json_object_deep_copy(value, &copy, NULL) != 0)
        memory_exhausted();
    return copy;
}

enum { API_MEMORY_MAX = 4 << 20 };

static void set(struct arena *arena, struct json_value *object, const char *name, enum json_kind kind,
                const char *text)
{
    struct json_value member = {.kind = kind, .name = bytes_of(name), .text = bytes_of(text)};
    bool done = json_set_member(arena, object, &member);
    assert(done);
}

/* Of the second path, the id ends in ByType. */
static struct json_value *operation_of_path(struct arena *arena, const struct json_value *operation,
                                            const char *path, bool second)
{
    struct json_value *one = arena_zero(arena, sizeof *one);
    const char *id = arena_printf(arena, "%s%s", json_member_string(operation, "id"), second ? "ByType" : "");
    assert(one && id);
    one->kind = JSON_OBJECT;
    for (const struct json_value *member = operation->first; member; member = member->next) {
        bool done = json_set_member(arena, one, member);
        assert(done);
    }
    set(arena, one, "path", JSON_STRING, path);
    set(arena, one, "id", JSON_STRING, id);
    return one;
}

/* Adds one operation for each of its paths. */
static void add_operation(struct arena *arena, struct json_value *operations, struct json_value *operation)
{
    const struct json_value *paths = json_member(operation, "paths");
    const char *method = json_member_string(operation, "method");

    if (!json_member(operation, "status"))
        set(arena, operation, "status", JSON_INTEGER,
            strcmp(method, "POST") == 0     ? "201"
            : strcmp(method, "DELETE") == 0 ? "204"
                                            : "200");
    for (const struct json_value *path = json_first(paths); path; path = path->next)
        json_append(operations, operation_of_path(arena, operation, path->text.data, path != paths->first));
    if (!paths)
        json_append(operations, operation);
}

static const struct json_value *read_api(struct arena *arena)
{
    struct json_reading reading;
    struct json_value *api =
        json_tree_read_copy(arena, bytes_make(catalogue_api, catalogue_api_len), &reading);
    assert(api);
    struct json_value *operations = json_member(api, "operations"), *next;
    struct json_value *written = operations->first;

    operations->first = operations->last = NULL;
    operations->count = 0;
    for (; written; written = next) {
        next = written->next;
        add_operation(arena, operations, written);
    }
    return api;
}

struct catalogue *catalogue_open(void)
{
    struct catalogue *catalogue = memory_zero(1, sizeof *catalogue);

    catalogue->event_types = parse(catalogue_event_types, catalogue_event_types_len);
    catalogue->resources = parse(catalogue_resources, catalogue_resources_len);
    catalogue->state_machines = parse(catalogue_state_machines, catalogue_state_machines_len);
    catalogue->scenarios = parse(catalogue_scenarios, catalogue_scenarios_len);
    arena_init(&catalogue->arena, API_MEMORY_MAX);
    catalogue->api = read_api(&catalogue->arena);
    catalogue->count = (int)json_length(catalogue->event_types);
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
    arena_fini(&catalogue->arena);
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

bool catalogue_opens_section(const struct catalogue *catalogue, int index)
{
    const char *section = catalogue_at(catalogue, index)->section;
    for (int i = 0; i < index; i++)
        if (strcmp(catalogue->types[i].section, section) == 0)
            return false;
    return true;
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

const struct json_value *catalogue_api_json(const struct catalogue *catalogue)
{
    return catalogue->api;
}

enum { NAME_LEN_MAX = 64 };

static int min3(int a, int b, int c)
{
    int least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein distance: the number of letters to insert, delete or replace. Both names have at most
 * NAME_LEN_MAX bytes. */
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
        struct bytes candidate = bytes_of(catalogue->types[i].name);
        int found = candidate.len > NAME_LEN_MAX ? least : distance(name, candidate);
        if (found < least) {
            least = found;
            nearest = &catalogue->types[i];
        }
    }
    return nearest;
}

/* ---- examples ------------------------------------------------------------------------------------------ */

static struct json_object *linkage(const char *type, const char *id)
{
    struct json_object *data = json_object_new_object(), *link = json_object_new_object();
    json_object_object_add(data, "type", json_object_new_string(type));
    json_object_object_add(data, "id", json_object_new_string(id));
    json_object_object_add(link, "data", data);
    return link;
}

static void put_members(struct json_object *object, struct json_object *members)
{
    if (!members)
        return;
    json_object_object_foreach(members, name, value)
    {
        json_object_object_add(object, name, copy_of(value));
    }
}

/* A platform's own type may leave its resource undescribed. Its example then has the id 1. */
static const char *resource_id(const struct catalogue *catalogue, const char *type)
{
    const char *id = json_text(json_get_object(catalogue->resources, type), "id");
    return id ? id : "1";
}

/* {type, id, attributes, relationships} of a resource, with some attributes replaced. */
static struct json_object *snapshot(const struct catalogue *catalogue, const char *type,
                                    struct json_object *replaced, struct json_object *replaced_again)
{
    struct json_object *resource = json_get_object(catalogue->resources, type);
    struct json_object *item = json_object_new_object(), *attributes = json_object_new_object(),
                       *relationships = json_object_new_object();

    put_members(attributes, json_get_object(resource, "attributes"));
    put_members(attributes, replaced);
    put_members(attributes, replaced_again);
    put_members(relationships, json_get_object(resource, "relationships"));
    json_object_object_add(item, "type", json_object_new_string(type));
    json_object_object_add(item, "id", json_object_new_string(resource_id(catalogue, type)));
    json_object_object_add(item, "attributes", attributes);
    json_object_object_add(item, "relationships", relationships);
    return item;
}

static struct json_object *included_of(const struct catalogue *catalogue, const struct catalogue_type *type,
                                       struct json_object *example, struct json_object *replaced)
{
    struct json_object *items = json_object_new_array();
    struct json_object *item =
        snapshot(catalogue, type->resource, json_get_object(example, "attributes"), replaced);
    struct json_object *related = json_get_object(item, "relationships");
    struct json_object *names = json_get_array(example, "include");

    json_object_array_add(items, item);
    for (size_t i = 0; i < json_length(names); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(names, i));
        struct json_object *data = json_get_object(json_get_object(related, name), "data");
        json_object_array_add(items, snapshot(catalogue, json_text(data, "type"), NULL, NULL));
    }
    return items;
}

static struct json_object *example_with(const struct catalogue *catalogue, const struct catalogue_type *type,
                                        struct json_object *replaced)
{
    static const char date[] = "2000-01-01T00:00:00.000Z";
    struct json_object *example = json_get_object(type->entry, "example");
    struct json_object *document = json_object_new_object(), *data = json_object_new_object(),
                       *attributes = json_object_new_object(), *relationships = json_object_new_object();

    json_object_object_add(attributes, "event_type", json_object_new_string(type->name));
    json_object_object_add(attributes, "created_at", json_object_new_string(date));
    json_object_object_add(attributes, "sent_at", json_object_new_string(date));
    json_object_object_add(relationships, "resource",
                           linkage(type->resource, resource_id(catalogue, type->resource)));
    put_members(relationships, json_get_object(example, "relationships"));
    json_object_object_add(data, "type", json_object_new_string("events"));
    json_object_object_add(data, "id", json_object_new_string("8"));
    json_object_object_add(data, "attributes", attributes);
    json_object_object_add(data, "relationships", relationships);
    json_object_object_add(document, "data", data);
    json_object_object_add(document, "included", included_of(catalogue, type, example, replaced));
    return document;
}

struct json_object *catalogue_example(const struct catalogue *catalogue, const struct catalogue_type *type)
{
    return example_with(catalogue, type, NULL);
}

void catalogue_put_example(struct text *out, const struct catalogue *catalogue,
                           const struct catalogue_type *type)
{
    struct json_object *example = catalogue_example(catalogue, type);
    json_put(out, example);
    json_object_put(example);
}

const char *catalogue_step_name(struct json_object *step)
{
    const char *name = json_object_is_type(step, json_type_string) ? json_object_get_string(step)
                                                                   : json_text(step, "event_type");
    assert(name);
    return name;
}

struct json_object *catalogue_step(const struct catalogue *catalogue, struct json_object *step,
                                   const struct catalogue_type **type)
{
    *type = catalogue_find(catalogue, bytes_of(catalogue_step_name(step)));
    return *type ? example_with(catalogue, *type, json_get_object(step, "attributes")) : NULL;
}
