/* Reads a platform's own catalogue file and checks it against the embedded catalogue. Nothing is added before
 * all of it has passed; only the total size is checked afterwards. */
#include "catalogue.h"
#include "catalogue_parts.h"
#include "locate.h"
#include "memory.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_LEN_MAX = 1 << 20, TYPES_MAX = 500, NAME_LEN_MAX = 128, POINTER_LEN_MAX = 512 };

struct addition {
    const struct catalogue *catalogue;
    struct json_object *root, *event_types, *resources, *state_machines, *scenarios;
    struct bytes text;
    struct catalogue_problem *problem;
};

/* ---- saying what is wrong ------------------------------------------------------------------------------ */

/* Reports a problem at the member `member` of the value at `pointer`, or, if member is NULL, at that value.
 * Always false. */
static bool wrong(struct addition *addition, const char *pointer, const char *member, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static bool wrong(struct addition *addition, const char *pointer, const char *member, const char *format, ...)
{
    struct catalogue_problem *problem = addition->problem;
    char place[POINTER_LEN_MAX];
    va_list args;

    snprintf(place, sizeof place, "%s%s%s", pointer, member ? "/" : "", member ? member : "");
    locate(addition->text, place, &problem->line, &problem->column);
    va_start(args, format);
    vsnprintf(problem->detail, sizeof problem->detail, format, args);
    va_end(args);
    return false;
}

/* Appends to a pointer. A pointer that is too long is cut, so the message points to an outer value. */
static const char *below(char place[POINTER_LEN_MAX], const char *pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static const char *below(char place[POINTER_LEN_MAX], const char *pointer, const char *format, ...)
{
    char rest[POINTER_LEN_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(rest, sizeof rest, format, args);
    va_end(args);
    size_t len = strnlen(pointer, POINTER_LEN_MAX - 1), more = strnlen(rest, POINTER_LEN_MAX - 1 - len);
    memcpy(place, pointer, len);
    memcpy(place + len, rest, more);
    place[len + more] = '\0';
    return place;
}

/* ---- the form of things -------------------------------------------------------------------------------- */

enum member_kind {
    MEMBER_NAME,
    MEMBER_TEXT,
    MEMBER_FLAG,
    MEMBER_OBJECT,
    MEMBER_LIST,
    MEMBER_NAMES,
    MEMBER_ANY
};

struct member {
    const char *name;
    enum member_kind kind;
    bool required;
};

/* The names that the API accepts as an event_type or as the type of a resource. */
static bool is_name_text(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t len = strlen(text);
    return len && len <= NAME_LEN_MAX && strspn(text, letters) == len && strcmp(text, ".") != 0 &&
           strcmp(text, "..") != 0;
}

static bool is_name(struct json_object *value)
{
    return json_object_is_type(value, json_type_string) && is_name_text(json_object_get_string(value)) &&
           strlen(json_object_get_string(value)) == (size_t)json_object_get_string_len(value);
}

static bool are_names(struct json_object *value)
{
    if (!json_object_is_type(value, json_type_array))
        return false;
    for (size_t i = 0; i < json_length(value); i++)
        if (!is_name(json_object_array_get_idx(value, i)))
            return false;
    return true;
}

static bool is_kind(struct json_object *value, enum member_kind kind)
{
    switch (kind) {
    case MEMBER_NAME:
        return is_name(value);
    case MEMBER_TEXT:
        return json_object_is_type(value, json_type_string) && json_object_get_string_len(value) > 0;
    case MEMBER_FLAG:
        return json_object_is_type(value, json_type_boolean);
    case MEMBER_OBJECT:
        return json_object_is_type(value, json_type_object);
    case MEMBER_LIST:
        return json_object_is_type(value, json_type_array);
    case MEMBER_NAMES:
        return are_names(value);
    case MEMBER_ANY:
        return true;
    }
    return false;
}

static const char *kind_sentence(enum member_kind kind)
{
    static const char *const sentences[] = {
        [MEMBER_NAME] = "a name of 1 to 128 letters, digits, '_', '.' or '-'",
        [MEMBER_TEXT] = "a text",
        [MEMBER_FLAG] = "true or false",
        [MEMBER_OBJECT] = "an object",
        [MEMBER_LIST] = "an array",
        [MEMBER_NAMES] = "an array of names",
    };
    return sentences[kind];
}

/* True: an object that has these members and no others. The last of `rows` has no name. */
static bool check_members(struct addition *addition, struct json_object *object, const char *pointer,
                          const struct member *rows)
{
    if (!json_object_is_type(object, json_type_object))
        return wrong(addition, pointer, NULL, "this must be an object");
    json_object_object_foreach(object, name, value)
    {
        const struct member *row = rows;
        while (row->name && strcmp(row->name, name) != 0)
            row++;
        if (!row->name)
            return wrong(addition, pointer, name, "unknown member \"%.60s\"", name);
        if (!is_kind(value, row->kind))
            return wrong(addition, pointer, name, "\"%s\" must be %s", name, kind_sentence(row->kind));
    }
    for (const struct member *row = rows; row->name; row++)
        if (row->required && !json_get(object, row->name))
            return wrong(addition, pointer, NULL, "\"%s\" is missing", row->name);
    return true;
}

/* ---- what there will be -------------------------------------------------------------------------------- */

static struct json_object *find_resource(const struct addition *addition, const char *name)
{
    struct json_object *own = json_get_object(addition->resources, name);
    return own ? own : json_get_object(catalogue_resources_json(addition->catalogue), name);
}

static bool is_type(const struct addition *addition, const char *name)
{
    for (size_t i = 0; i < json_length(addition->event_types); i++)
        if (strcmp(json_text(json_object_array_get_idx(addition->event_types, i), "name"), name) == 0)
            return true;
    return catalogue_find(addition->catalogue, bytes_of(name)) != NULL;
}

/* ---- resources ----------------------------------------------------------------------------------------- */

static bool check_relationships(struct addition *addition, struct json_object *relationships,
                                const char *pointer)
{
    static const struct member identifier[] = {{"type", MEMBER_NAME, true}, {"id", MEMBER_TEXT, true}, {0}};
    char place[POINTER_LEN_MAX];

    if (!relationships)
        return true;
    json_object_object_foreach(relationships, name, relationship)
    {
        struct json_object *data = json_get(relationship, "data");
        size_t count = json_length(data);
        if (!json_object_is_type(relationship, json_type_object) ||
            !json_object_object_get_ex(relationship, "data", NULL))
            return wrong(addition, pointer, name, "a relationship must be an object with \"data\"");
        below(place, pointer, "/%s/data", name);
        if (data && !json_object_is_type(data, json_type_array) &&
            !check_members(addition, data, place, identifier))
            return false;
        for (size_t i = 0; i < count; i++) {
            below(place, pointer, "/%s/data/%zu", name, i);
            if (!check_members(addition, json_object_array_get_idx(data, i), place, identifier))
                return false;
        }
    }
    return true;
}

static bool check_resources(struct addition *addition)
{
    static const struct member rows[] = {{"id", MEMBER_TEXT, false},
                                         {"path", MEMBER_TEXT, false},
                                         {"state_attribute", MEMBER_NAME, false},
                                         {"attributes", MEMBER_OBJECT, false},
                                         {"values", MEMBER_OBJECT, false},
                                         {"relationships", MEMBER_OBJECT, false},
                                         {0}};
    char pointer[POINTER_LEN_MAX], place[POINTER_LEN_MAX];

    if (!addition->resources)
        return true;
    json_object_object_foreach(addition->resources, name, resource)
    {
        if (!is_name_text(name))
            return wrong(addition, "/resources", name, "a resource has %s", kind_sentence(MEMBER_NAME));
        below(pointer, "", "/resources/%s", name);
        if (!check_members(addition, resource, pointer, rows) ||
            !check_relationships(addition, json_get_object(resource, "relationships"),
                                 below(place, pointer, "/relationships")))
            return false;
    }
    return true;
}

/* ---- event types --------------------------------------------------------------------------------------- */

static bool check_include(struct addition *addition, struct json_object *entry, const char *pointer)
{
    struct json_object *resource = find_resource(addition, json_text(entry, "resource"));
    struct json_object *names = json_get_array(json_get_object(entry, "example"), "include");
    char place[POINTER_LEN_MAX];

    for (size_t i = 0; i < json_length(names); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(names, i));
        struct json_object *relationship = json_get_object(json_get_object(resource, "relationships"), name);
        struct json_object *data = json_get_object(relationship, "data");
        below(place, pointer, "/example/include/%zu", i);
        if (!data)
            return wrong(addition, place, NULL, "the resource has no relationship \"%.60s\" to one other",
                         name);
        if (!find_resource(addition, json_text(data, "type")))
            return wrong(addition, place, NULL, "\"%.60s\" is not among the resources",
                         json_text(data, "type"));
    }
    return true;
}

static bool check_type(struct addition *addition, struct json_object *entry, const char *pointer)
{
    static const struct member rows[] = {{"name", MEMBER_NAME, true},
                                         {"status", MEMBER_TEXT, false},
                                         {"section", MEMBER_NAME, true},
                                         {"resource", MEMBER_NAME, true},
                                         {"state", MEMBER_NAME, false},
                                         {"final", MEMBER_FLAG, false},
                                         {"en", MEMBER_TEXT, true},
                                         {"es", MEMBER_TEXT, false},
                                         {"note", MEMBER_TEXT, false},
                                         {"example", MEMBER_OBJECT, false},
                                         {0}};
    static const struct member example[] = {{"attributes", MEMBER_OBJECT, false},
                                            {"relationships", MEMBER_OBJECT, false},
                                            {"include", MEMBER_NAMES, false},
                                            {0}};
    char place[POINTER_LEN_MAX];
    enum catalogue_status status;
    struct json_object *shown = json_get(entry, "example");

    if (!check_members(addition, entry, pointer, rows))
        return false;
    if (json_get(entry, "status") && !catalogue_status_parse(bytes_of(json_text(entry, "status")), &status))
        return wrong(addition, pointer, "status", "status must be documented, stated or inferred");
    struct json_object *resource = find_resource(addition, json_text(entry, "resource"));
    if (json_get(entry, "state") && !json_get(resource, "state_attribute"))
        return wrong(addition, pointer, "state", "the resource \"%.60s\" has no state_attribute",
                     json_text(entry, "resource"));
    if (shown && !check_members(addition, shown, below(place, pointer, "/example"), example))
        return false;
    below(place, pointer, "/example/relationships");
    return check_relationships(addition, json_get_object(shown, "relationships"), place) &&
           check_include(addition, entry, pointer);
}

static bool check_types(struct addition *addition)
{
    size_t count = json_length(addition->event_types);
    char pointer[POINTER_LEN_MAX];

    if (count > TYPES_MAX)
        return wrong(addition, "/event_types", NULL, "more than %d types", TYPES_MAX);
    for (size_t i = 0; i < count; i++) {
        struct json_object *entry = json_object_array_get_idx(addition->event_types, i);
        below(pointer, "", "/event_types/%zu", i);
        if (!check_type(addition, entry, pointer))
            return false;
        for (size_t k = 0; k < i; k++)
            if (strcmp(json_text(json_object_array_get_idx(addition->event_types, k), "name"),
                       json_text(entry, "name")) == 0)
                return wrong(addition, pointer, "name", "\"%.128s\" is defined twice",
                             json_text(entry, "name"));
    }
    return true;
}

/* ---- state machines and scenarios ---------------------------------------------------------------------- */

static bool check_machine(struct addition *addition, struct json_object *machine, const char *pointer)
{
    static const struct member rows[] = {
        {"initial", MEMBER_NAME, true}, {"final", MEMBER_NAMES, true}, {"moves", MEMBER_LIST, true}, {0}};
    static const struct member move[] = {
        {"from", MEMBER_NAMES, true}, {"to", MEMBER_NAME, true}, {"event_type", MEMBER_NAME, true}, {0}};
    char place[POINTER_LEN_MAX];

    if (!check_members(addition, machine, pointer, rows))
        return false;
    struct json_object *moves = json_get_array(machine, "moves");
    for (size_t i = 0; i < json_length(moves); i++) {
        struct json_object *one = json_object_array_get_idx(moves, i);
        below(place, pointer, "/moves/%zu", i);
        if (!check_members(addition, one, place, move))
            return false;
        if (!is_type(addition, json_text(one, "event_type")))
            return wrong(addition, place, "event_type", "there is no type \"%.128s\"",
                         json_text(one, "event_type"));
    }
    return true;
}

static bool check_machines(struct addition *addition)
{
    char pointer[POINTER_LEN_MAX];

    if (!addition->state_machines)
        return true;
    json_object_object_foreach(addition->state_machines, name, machine)
    {
        below(pointer, "", "/state_machines/%s", name);
        if (!check_machine(addition, machine, pointer))
            return false;
    }
    return true;
}

static bool check_scenario(struct addition *addition, struct json_object *scenario, const char *pointer)
{
    static const struct member rows[] = {{"name", MEMBER_NAME, true},
                                         {"en", MEMBER_TEXT, true},
                                         {"es", MEMBER_TEXT, false},
                                         {"steps", MEMBER_LIST, true},
                                         {0}};
    static const struct member long_step[] = {
        {"event_type", MEMBER_NAME, true}, {"attributes", MEMBER_OBJECT, false}, {0}};
    char place[POINTER_LEN_MAX];

    if (!check_members(addition, scenario, pointer, rows))
        return false;
    struct json_object *steps = json_get_array(scenario, "steps");
    for (size_t i = 0; i < json_length(steps); i++) {
        struct json_object *step = json_object_array_get_idx(steps, i);
        below(place, pointer, "/steps/%zu", i);
        bool plain = is_name(step);
        if (!plain && !check_members(addition, step, place, long_step))
            return false;
        const char *name = plain ? json_object_get_string(step) : json_text(step, "event_type");
        if (!is_type(addition, name))
            return wrong(addition, place, plain ? NULL : "event_type", "there is no type \"%.128s\"", name);
    }
    return true;
}

static bool check_scenarios(struct addition *addition)
{
    size_t count = json_length(addition->scenarios);
    char pointer[POINTER_LEN_MAX];

    for (size_t i = 0; i < count; i++) {
        below(pointer, "", "/scenarios/%zu", i);
        if (!check_scenario(addition, json_object_array_get_idx(addition->scenarios, i), pointer))
            return false;
    }
    return true;
}

/* ---- adding -------------------------------------------------------------------------------------------- */

static void add_members(struct json_object *target, struct json_object *members)
{
    if (!members)
        return;
    json_object_object_foreach(members, name, value)
    {
        json_object_object_add(target, name, json_object_get(value));
    }
}

static void add_scenario(struct json_object *scenarios, struct json_object *scenario)
{
    for (size_t i = 0; i < json_length(scenarios); i++) {
        struct json_object *there = json_object_array_get_idx(scenarios, i);
        if (strcmp(json_text(there, "name"), json_text(scenario, "name")) != 0)
            continue;
        json_object_array_put_idx(scenarios, i, json_object_get(scenario));
        return;
    }
    json_object_array_add(scenarios, json_object_get(scenario));
}

static void add(struct catalogue *catalogue, const struct addition *addition)
{
    add_members(catalogue->resources, addition->resources);
    add_members(catalogue->state_machines, addition->state_machines);
    for (size_t i = 0; i < json_length(addition->event_types); i++)
        catalogue_put_type(catalogue, json_object_get(json_object_array_get_idx(addition->event_types, i)));
    for (size_t i = 0; i < json_length(addition->scenarios); i++)
        add_scenario(catalogue->scenarios, json_object_array_get_idx(addition->scenarios, i));
}

/* A large resource is in the example of each of its types, so the sum can be far larger than the file. */
static bool check_size(struct addition *addition)
{
    const struct catalogue *catalogue = addition->catalogue;
    struct arena arena;
    struct text all;

    arena_init(&arena, 4 * (size_t)CATALOGUE_EXAMPLES_LEN_MAX);
    text_init(&all, &arena, CATALOGUE_EXAMPLES_LEN_MAX - 1);
    for (int i = 0; i < catalogue_count(catalogue) && !all.overflow; i++) {
        struct json_object *example = catalogue_example(catalogue, catalogue_at(catalogue, i));
        json_put_pretty(&all, example);
        json_object_put(example);
    }
    arena_fini(&arena);
    return !all.overflow || wrong(addition, "", NULL, "the examples together have more than %d bytes",
                                  CATALOGUE_EXAMPLES_LEN_MAX);
}

bool catalogue_add(struct catalogue *catalogue, char *text, size_t len, struct catalogue_problem *problem)
{
    static const struct member rows[] = {{"event_types", MEMBER_LIST, false},
                                         {"resources", MEMBER_OBJECT, false},
                                         {"state_machines", MEMBER_OBJECT, false},
                                         {"scenarios", MEMBER_LIST, false},
                                         {0}};
    struct json_reading reading;
    struct json_object *root = json_read(text, len, true, &reading);
    struct addition addition = {
        .catalogue = catalogue, .root = root, .text = bytes_make(text, len), .problem = problem};

    if (!root) {
        const char *detail = reading.problem.detail, *colon = strstr(detail, ": ");
        if (reading.problem.error == JSON_EMPTY)
            detail = "the file is empty";
        else if (colon && bytes_starts(bytes_of(detail), "line "))
            detail = colon + 2; /* line and column have members of their own */
        problem->line = reading.problem.line;
        problem->column = reading.problem.column;
        snprintf(problem->detail, sizeof problem->detail, "%s", detail);
        return false;
    }
    addition.event_types = json_get_array(root, "event_types");
    addition.resources = json_get_object(root, "resources");
    addition.state_machines = json_get_object(root, "state_machines");
    addition.scenarios = json_get_array(root, "scenarios");
    bool right = check_members(&addition, root, "", rows) && check_resources(&addition) &&
                 check_types(&addition) && check_machines(&addition) && check_scenarios(&addition);
    if (right)
        add(catalogue, &addition);
    right = right && check_size(&addition);
    json_object_put(root);
    return right;
}

char *catalogue_read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    char *text = memory_alloc(FILE_LEN_MAX + 1);
    *len = fread(text, 1, FILE_LEN_MAX + 1, file);
    int error = ferror(file) ? EIO : *len > FILE_LEN_MAX ? EFBIG : 0;
    fclose(file);
    if (!error) {
        text[*len] = '\0';
        return text;
    }
    free(text);
    errno = error;
    return NULL;
}

enum catalogue_file catalogue_add_file(struct catalogue *catalogue, const char *path, char error_text[512])
{
    struct catalogue_problem problem;
    size_t len;
    char *text = catalogue_read_file(path, &len);

    if (!text) {
        int error = errno;
        snprintf(error_text, 512, "%.200s cannot be read: %s", path, strerror(error));
        return error == ENOENT ? CATALOGUE_FILE_ABSENT : CATALOGUE_FILE_WRONG;
    }
    bool added = catalogue_add(catalogue, text, len, &problem);
    if (!added)
        snprintf(error_text, 512, "%.200s:%d:%d: %s", path, problem.line, problem.column, problem.detail);
    free(text);
    return added ? CATALOGUE_FILE_ADDED : CATALOGUE_FILE_WRONG;
}
