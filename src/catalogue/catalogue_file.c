/* Reads a platform's own catalogue file and checks it against the embedded catalogue. Nothing is added before
 * all of it has passed; only the total size is checked afterwards. */
#include "catalogue.h"
#include "catalogue_parts.h"
#include "locate.h"
#include "memory.h"
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_LEN_MAX = 1 << 20, TYPES_MAX = 500, NAME_LEN_MAX = 128, POINTER_LEN_MAX = 512 };

struct addition {
    const struct catalogue *catalogue;
    struct json_value *event_types, *resources, *state_machines, *scenarios;
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
static bool is_name_text(struct bytes text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    for (size_t i = 0; i < text.len; i++)
        if (!memchr(letters, text.data[i], sizeof letters - 1))
            return false;
    return text.len && text.len <= NAME_LEN_MAX && !bytes_equal_text(text, ".") &&
           !bytes_equal_text(text, "..");
}

static bool is_name(const struct json_value *value)
{
    return json_is(value, JSON_STRING) && is_name_text(value->text);
}

static bool are_names(const struct json_value *value)
{
    if (!json_is(value, JSON_ARRAY))
        return false;
    for (const struct json_value *one = json_first(value); one; one = one->next)
        if (!is_name(one))
            return false;
    return true;
}

static bool is_kind(const struct json_value *value, enum member_kind kind)
{
    switch (kind) {
    case MEMBER_NAME:
        return is_name(value);
    case MEMBER_TEXT:
        return json_is(value, JSON_STRING) && value->text.len > 0;
    case MEMBER_FLAG:
        return json_is(value, JSON_TRUE) || json_is(value, JSON_FALSE);
    case MEMBER_OBJECT:
        return json_is(value, JSON_OBJECT);
    case MEMBER_LIST:
        return json_is(value, JSON_ARRAY);
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
static bool check_members(struct addition *addition, const struct json_value *object, const char *pointer,
                          const struct member *rows)
{
    if (!json_is(object, JSON_OBJECT))
        return wrong(addition, pointer, NULL, "this must be an object");
    for (const struct json_value *value = json_first(object); value; value = value->next) {
        const char *name = value->name.data;
        const struct member *row = rows;
        while (row->name && strcmp(row->name, name) != 0)
            row++;
        if (!row->name)
            return wrong(addition, pointer, name, "unknown member \"%.60s\"", name);
        if (!is_kind(value, row->kind))
            return wrong(addition, pointer, name, "\"%s\" must be %s", name, kind_sentence(row->kind));
    }
    for (const struct member *row = rows; row->name; row++)
        if (row->required && !json_member(object, row->name))
            return wrong(addition, pointer, NULL, "\"%s\" is missing", row->name);
    return true;
}

/* ---- what there will be -------------------------------------------------------------------------------- */

static const struct json_value *find_resource(const struct addition *addition, const char *name)
{
    const struct json_value *own = json_member(addition->resources, name);
    return own ? own : json_member(catalogue_resources_json(addition->catalogue), name);
}

static bool is_type(const struct addition *addition, const char *name)
{
    for (const struct json_value *one = json_first(addition->event_types); one; one = one->next)
        if (strcmp(json_member_string(one, "name"), name) == 0)
            return true;
    return catalogue_find(addition->catalogue, bytes_of(name)) != NULL;
}

/* ---- resources ----------------------------------------------------------------------------------------- */

static bool check_relationships(struct addition *addition, const struct json_value *relationships,
                                const char *pointer)
{
    static const struct member identifier[] = {{"type", MEMBER_NAME, true}, {"id", MEMBER_TEXT, true}, {0}};
    char place[POINTER_LEN_MAX];

    for (const struct json_value *relationship = json_first(relationships); relationship;
         relationship = relationship->next) {
        const char *name = relationship->name.data;
        const struct json_value *data = json_member(relationship, "data");
        bool list = json_is(data, JSON_ARRAY);
        int i = 0;
        if (!data)
            return wrong(addition, pointer, name, "a relationship must be an object with \"data\"");
        below(place, pointer, "/%s/data", name);
        if (!list && !json_is(data, JSON_NULL) && !check_members(addition, data, place, identifier))
            return false;
        for (const struct json_value *one = list ? data->first : NULL; one; one = one->next, i++) {
            below(place, pointer, "/%s/data/%d", name, i);
            if (!check_members(addition, one, place, identifier))
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

    for (const struct json_value *resource = json_first(addition->resources); resource;
         resource = resource->next) {
        const char *name = resource->name.data;
        if (!is_name_text(resource->name))
            return wrong(addition, "/resources", name, "a resource has %s", kind_sentence(MEMBER_NAME));
        below(pointer, "", "/resources/%s", name);
        if (!check_members(addition, resource, pointer, rows) ||
            !check_relationships(addition, json_member(resource, "relationships"),
                                 below(place, pointer, "/relationships")))
            return false;
    }
    return true;
}

/* ---- event types --------------------------------------------------------------------------------------- */

static bool check_include(struct addition *addition, const struct json_value *entry, const char *pointer)
{
    const struct json_value *resource = find_resource(addition, json_member_string(entry, "resource"));
    const struct json_value *names = json_member(json_member(entry, "example"), "include");
    char place[POINTER_LEN_MAX];

    int i = 0;
    for (const struct json_value *one = json_first(names); one; one = one->next) {
        const char *name = one->text.data;
        const struct json_value *relationship = json_member(json_member(resource, "relationships"), name);
        const struct json_value *data = json_member_of_kind(relationship, "data", JSON_OBJECT);
        below(place, pointer, "/example/include/%d", i++);
        if (!data)
            return wrong(addition, place, NULL, "the resource has no relationship \"%.60s\" to one other",
                         name);
        if (!find_resource(addition, json_member_string(data, "type")))
            return wrong(addition, place, NULL, "\"%.60s\" is not among the resources",
                         json_member_string(data, "type"));
    }
    return true;
}

static bool check_type(struct addition *addition, const struct json_value *entry, const char *pointer)
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
    const struct json_value *shown = json_member(entry, "example");

    if (!check_members(addition, entry, pointer, rows))
        return false;
    if (json_member(entry, "status") &&
        !catalogue_status_parse(bytes_of(json_member_string(entry, "status")), &status))
        return wrong(addition, pointer, "status", "status must be documented, stated, inferred or posthorn");
    const struct json_value *resource = find_resource(addition, json_member_string(entry, "resource"));
    if (json_member(entry, "state") && !json_member(resource, "state_attribute"))
        return wrong(addition, pointer, "state", "the resource \"%.60s\" has no state_attribute",
                     json_member_string(entry, "resource"));
    if (shown && !check_members(addition, shown, below(place, pointer, "/example"), example))
        return false;
    below(place, pointer, "/example/relationships");
    return check_relationships(addition, json_member(shown, "relationships"), place) &&
           check_include(addition, entry, pointer);
}

static bool check_types(struct addition *addition)
{
    char pointer[POINTER_LEN_MAX];
    int i = 0;

    if (addition->event_types && addition->event_types->count > TYPES_MAX)
        return wrong(addition, "/event_types", NULL, "more than %d types", TYPES_MAX);
    for (const struct json_value *entry = json_first(addition->event_types); entry; entry = entry->next) {
        below(pointer, "", "/event_types/%d", i++);
        if (!check_type(addition, entry, pointer))
            return false;
        for (const struct json_value *other = addition->event_types->first; other != entry;
             other = other->next)
            if (strcmp(json_member_string(other, "name"), json_member_string(entry, "name")) == 0)
                return wrong(addition, pointer, "name", "\"%.128s\" is defined twice",
                             json_member_string(entry, "name"));
    }
    return true;
}

/* ---- state machines and scenarios ---------------------------------------------------------------------- */

static bool check_machine(struct addition *addition, const struct json_value *machine, const char *pointer)
{
    static const struct member rows[] = {
        {"initial", MEMBER_NAME, true}, {"final", MEMBER_NAMES, true}, {"moves", MEMBER_LIST, true}, {0}};
    static const struct member move[] = {
        {"from", MEMBER_NAMES, true}, {"to", MEMBER_NAME, true}, {"event_type", MEMBER_NAME, true}, {0}};
    char place[POINTER_LEN_MAX];

    if (!check_members(addition, machine, pointer, rows))
        return false;
    const struct json_value *moves = json_member(machine, "moves");
    int i = 0;
    for (const struct json_value *one = json_first(moves); one; one = one->next) {
        below(place, pointer, "/moves/%d", i++);
        if (!check_members(addition, one, place, move))
            return false;
        if (!is_type(addition, json_member_string(one, "event_type")))
            return wrong(addition, place, "event_type", "there is no type \"%.128s\"",
                         json_member_string(one, "event_type"));
    }
    return true;
}

static bool check_machines(struct addition *addition)
{
    char pointer[POINTER_LEN_MAX];

    for (const struct json_value *machine = json_first(addition->state_machines); machine;
         machine = machine->next) {
        below(pointer, "", "/state_machines/%s", machine->name.data);
        if (!check_machine(addition, machine, pointer))
            return false;
    }
    return true;
}

static bool check_scenario(struct addition *addition, const struct json_value *scenario, const char *pointer)
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
    const struct json_value *steps = json_member(scenario, "steps");
    int i = 0;
    for (const struct json_value *step = json_first(steps); step; step = step->next) {
        below(place, pointer, "/steps/%d", i++);
        bool plain = is_name(step);
        if (!plain && !check_members(addition, step, place, long_step))
            return false;
        const char *name = plain ? step->text.data : json_member_string(step, "event_type");
        if (!is_type(addition, name))
            return wrong(addition, place, plain ? NULL : "event_type", "there is no type \"%.128s\"", name);
    }
    return true;
}

static bool check_scenarios(struct addition *addition)
{
    char pointer[POINTER_LEN_MAX];
    int i = 0;

    for (const struct json_value *one = json_first(addition->scenarios); one; one = one->next) {
        below(pointer, "", "/scenarios/%d", i++);
        if (!check_scenario(addition, one, pointer))
            return false;
    }
    return true;
}

/* ---- adding -------------------------------------------------------------------------------------------- */

static void add_members(struct arena *arena, struct json_value *target, const struct json_value *members)
{
    for (const struct json_value *member = json_first(members); member; member = member->next) {
        bool done = json_set_member(arena, target, member);
        assert(done);
    }
}

/* Takes the scenario; one of that name is replaced where it stands. */
static void add_scenario(struct json_value *scenarios, struct json_value *scenario)
{
    for (struct json_value *there = json_first(scenarios); there; there = there->next) {
        if (strcmp(json_member_string(there, "name"), json_member_string(scenario, "name")) != 0)
            continue;
        scenario->next = there->next;
        *there = *scenario;
        if (!there->next)
            scenarios->last = there;
        return;
    }
    json_append(scenarios, scenario);
}

static void add(struct catalogue *catalogue, const struct addition *addition)
{
    struct json_value *next;

    add_members(&catalogue->arena, catalogue->resources, addition->resources);
    add_members(&catalogue->arena, catalogue->state_machines, addition->state_machines);
    for (const struct json_value *entry = json_first(addition->event_types); entry; entry = entry->next)
        catalogue_put_type(catalogue, entry);
    for (struct json_value *one = json_first(addition->scenarios); one; one = next) {
        next = one->next;
        add_scenario(catalogue->scenarios, one);
    }
}

/* A large resource is in the example of each of its types, so the sum can be far larger than the file. */
static bool check_size(struct addition *addition)
{
    const struct catalogue *catalogue = addition->catalogue;
    struct arena arena, example;
    struct text all;
    bool fits = true;

    arena_init(&example, CATALOGUE_EXAMPLE_MEMORY_MAX);
    arena_init(&arena, 4 * (size_t)CATALOGUE_EXAMPLES_LEN_MAX);
    text_init(&all, &arena, CATALOGUE_EXAMPLES_LEN_MAX - 1);
    for (int i = 0; i < catalogue_count(catalogue) && fits; i++) {
        arena_reset(&example);
        const struct json_value *one = catalogue_example(&example, catalogue, catalogue_at(catalogue, i));
        fits = one != NULL;
        if (fits)
            json_tree_put_pretty(&all, one);
        fits = fits && !all.overflow;
    }
    arena_fini(&arena);
    arena_fini(&example);
    return fits || wrong(addition, "", NULL, "the examples together have more than %d bytes",
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
    /* The check blanks comments and trailing commas; the tree is then read without them. */
    struct json_value *root = json_check(text, len, true, &reading) == JSON_OK
                                  ? json_tree_read_copy(&catalogue->arena, bytes_make(text, len), &reading)
                                  : NULL;
    struct addition addition = {.catalogue = catalogue, .text = bytes_make(text, len), .problem = problem};

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
    addition.event_types = json_member(root, "event_types");
    addition.resources = json_member(root, "resources");
    addition.state_machines = json_member(root, "state_machines");
    addition.scenarios = json_member(root, "scenarios");
    bool right = check_members(&addition, root, "", rows) && check_resources(&addition) &&
                 check_types(&addition) && check_machines(&addition) && check_scenarios(&addition);
    if (right)
        add(catalogue, &addition);
    right = right && check_size(&addition);
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
