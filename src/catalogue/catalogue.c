#include "catalogue.h"
#include "body.h"
#include "catalogue_parts.h"
#include "embedded.h"
#include "json_tree.h"
#include "memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

const char *const catalogue_status_names[] = {"documented", "stated", "inferred", "posthorn", NULL};

bool catalogue_status_parse(struct bytes name, enum catalogue_status *status)
{
    for (int i = CATALOGUE_DOCUMENTED; i <= CATALOGUE_POSTHORN; i++) {
        if (!bytes_equal_text(name, catalogue_status_names[i]))
            continue;
        *status = (enum catalogue_status)i;
        return true;
    }
    return false;
}

/* ---- reading ------------------------------------------------------------------------------------------- */

/* The files are part of the program, so a file that cannot be read is a bug. */
static struct json_value *parse(struct arena *arena, const char *text, size_t len)
{
    struct json_reading reading;
    struct json_value *value = json_tree_read_copy(arena, bytes_make(text, len), &reading);
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

static void read_type(struct catalogue_type *type, const struct json_value *entry)
{
    *type = (struct catalogue_type){.name = json_member_string(entry, "name"),
                                    .section = json_member_string(entry, "section"),
                                    .resource = json_member_string(entry, "resource"),
                                    .state = json_member_string(entry, "state"),
                                    .final = json_member_flag(entry, "final"),
                                    .en = json_member_string(entry, "en"),
                                    .es = json_member_string(entry, "es"),
                                    .note = json_member_string(entry, "note"),
                                    .entry = entry};
    assert(type->name && type->section && type->resource && type->en);
    if (!type->es)
        type->es = type->en;
    type->status = status_of(json_member_string(entry, "status"));
}

void catalogue_put_type(struct catalogue *catalogue, const struct json_value *entry)
{
    struct catalogue_type type;
    read_type(&type, entry);
    for (int i = 0; i < catalogue->count; i++) {
        if (strcmp(catalogue->types[i].name, type.name) != 0)
            continue;
        catalogue->types[i] = type;
        return;
    }
    catalogue->types =
        memory_grow(catalogue->types, ((size_t)catalogue->count + 1) * sizeof *catalogue->types);
    catalogue->types[catalogue->count++] = type;
}

enum { EXAMPLE_ID = 8 };                           /* as in the guide */
static const int64_t EXAMPLE_AT_MS = 946684800000; /* 2000-01-01T00:00:00.000Z */
enum { FILES_MEMORY_MAX = 16 << 20 };              /* the files, and a platform's own of 1 MiB */

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
    struct json_value *api = parse(arena, catalogue_api, catalogue_api_len);
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
    struct arena *arena = &catalogue->arena;

    arena_init(arena, FILES_MEMORY_MAX);
    catalogue->resources = parse(arena, catalogue_resources, catalogue_resources_len);
    catalogue->state_machines = parse(arena, catalogue_state_machines, catalogue_state_machines_len);
    catalogue->scenarios = parse(arena, catalogue_scenarios, catalogue_scenarios_len);
    catalogue->api = read_api(arena);
    const struct json_value *entries = parse(arena, catalogue_event_types, catalogue_event_types_len);
    catalogue->types = memory_zero((size_t)entries->count, sizeof *catalogue->types);
    for (const struct json_value *entry = json_first(entries); entry; entry = entry->next)
        read_type(&catalogue->types[catalogue->count++], entry);
    return catalogue;
}

void catalogue_close(struct catalogue *catalogue)
{
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

const struct json_value *catalogue_resources_json(const struct catalogue *catalogue)
{
    return catalogue->resources;
}

const struct json_value *catalogue_state_machines_json(const struct catalogue *catalogue)
{
    return catalogue->state_machines;
}

const struct json_value *catalogue_scenarios_json(const struct catalogue *catalogue)
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

/* These do nothing once the arena is full. Every allocation of an example is a node, so it stays full. */
static struct json_value *add_object(struct arena *arena, struct json_value *object, const char *name)
{
    return object ? json_add_object(arena, object, name) : NULL;
}

static void add_string(struct arena *arena, struct json_value *object, const char *name, const char *text)
{
    struct json_value member = {.kind = JSON_STRING, .name = bytes_of(name), .text = bytes_of(text)};
    if (object)
        json_set_member(arena, object, &member);
}

static void add_members(struct arena *arena, struct json_value *object, const struct json_value *members)
{
    const struct json_value *member = json_first(members);
    while (object && member && json_set_member(arena, object, member))
        member = member->next;
}

static struct json_value *make_object(struct arena *arena)
{
    struct json_value *object = arena_zero(arena, sizeof *object);
    if (object)
        object->kind = JSON_OBJECT;
    return object;
}

/* A platform's own type may leave its resource undescribed. Its example then has the id 1. */
static const char *resource_id(const struct catalogue *catalogue, const char *type)
{
    const char *id = json_member_string(json_member(catalogue->resources, type), "id");
    return id ? id : "1";
}

/* Adds {type, id, attributes, relationships} of a resource, with some attributes replaced. */
static const struct json_value *add_snapshot(struct arena *arena, struct json_value *items,
                                             const struct catalogue *catalogue, const char *type,
                                             const struct json_value *replaced,
                                             const struct json_value *replaced_again)
{
    const struct json_value *resource = json_member(catalogue->resources, type);
    struct json_value *item = make_object(arena);
    if (!item)
        return NULL;
    add_string(arena, item, "type", type);
    add_string(arena, item, "id", resource_id(catalogue, type));
    struct json_value *attributes = add_object(arena, item, "attributes");
    add_members(arena, attributes, json_member(resource, "attributes"));
    add_members(arena, attributes, replaced);
    add_members(arena, attributes, replaced_again);
    add_members(arena, add_object(arena, item, "relationships"), json_member(resource, "relationships"));
    json_append(items, item);
    return item;
}

/* The elements of `included`, without brackets. */
static void put_included(struct text *out, const struct catalogue *catalogue,
                         const struct catalogue_type *type, const struct json_value *replaced)
{
    struct arena *arena = out->arena;
    const struct json_value *example = json_member(type->entry, "example");
    struct json_value items = {.kind = JSON_ARRAY};
    const struct json_value *item =
        add_snapshot(arena, &items, catalogue, type->resource, json_member(example, "attributes"), replaced);
    const struct json_value *related = json_member(item, "relationships");
    const struct json_value *name = json_first(json_member(example, "include"));
    for (; item && name; name = name->next) {
        const struct json_value *data = json_member(json_member(related, name->text.data), "data");
        item = add_snapshot(arena, &items, catalogue, json_member_string(data, "type"), NULL, NULL);
    }
    out->overflow = out->overflow || !item;
    for (item = json_first(&items); item; item = item->next) {
        text_puts(out, item == items.first ? "" : ",");
        json_tree_put(out, item);
    }
}

/* The document as an event of that type is pushed. data NULL: the arena is full. */
static struct bytes render_example(struct arena *arena, const struct catalogue *catalogue,
                                   const struct catalogue_type *type, const struct json_value *replaced)
{
    struct text relationships, included, document;
    uint32_t stamp_offset;
    const struct json_value *related =
        json_first(json_member(json_member(type->entry, "example"), "relationships"));
    text_init(&relationships, arena, CATALOGUE_EXAMPLES_LEN_MAX);
    text_init(&included, arena, CATALOGUE_EXAMPLES_LEN_MAX);
    text_init(&document, arena, CATALOGUE_EXAMPLES_LEN_MAX);
    for (; related; related = related->next) {
        text_puts(&relationships, relationships.len ? "," : "");
        json_tree_put_member(&relationships, related);
    }
    put_included(&included, catalogue, type, replaced);
    body_render(&document,
                &(struct body_parts){.id = EXAMPLE_ID,
                                     .event_type = bytes_of(type->name),
                                     .created_at_ms = EXAMPLE_AT_MS,
                                     .resource_type = bytes_of(type->resource),
                                     .resource_id = bytes_of(resource_id(catalogue, type->resource)),
                                     .relationships = text_bytes(&relationships),
                                     .included = text_bytes(&included)},
                &stamp_offset);
    if (relationships.overflow || included.overflow || document.overflow)
        return (struct bytes){0};
    body_stamp(document.data, document.len, stamp_offset, EXAMPLE_AT_MS);
    return text_bytes(&document);
}

static struct json_value *example_with(struct arena *arena, const struct catalogue *catalogue,
                                       const struct catalogue_type *type, const struct json_value *replaced)
{
    struct arena work;
    struct json_reading reading;
    arena_init(&work, CATALOGUE_EXAMPLE_MEMORY_MAX);
    struct bytes document = render_example(&work, catalogue, type, replaced);
    struct json_value *example = document.data ? json_tree_read_copy(arena, document, &reading) : NULL;
    arena_fini(&work);
    return example;
}

struct json_value *catalogue_example(struct arena *arena, const struct catalogue *catalogue,
                                     const struct catalogue_type *type)
{
    return example_with(arena, catalogue, type, NULL);
}

void catalogue_put_example(struct text *out, const struct catalogue *catalogue,
                           const struct catalogue_type *type)
{
    struct arena arena;
    arena_init(&arena, CATALOGUE_EXAMPLE_MEMORY_MAX);
    struct bytes example = render_example(&arena, catalogue, type, NULL);
    assert(example.data);
    text_put(out, example);
    arena_fini(&arena);
}

const char *catalogue_step_name(const struct json_value *step)
{
    const char *name = json_is(step, JSON_STRING) ? step->text.data : json_member_string(step, "event_type");
    assert(name);
    return name;
}

struct json_value *catalogue_step(struct arena *arena, const struct catalogue *catalogue,
                                  const struct json_value *step, const struct catalogue_type **type)
{
    *type = catalogue_find(catalogue, bytes_of(catalogue_step_name(step)));
    return *type ? example_with(arena, catalogue, *type, json_member(step, "attributes")) : NULL;
}
