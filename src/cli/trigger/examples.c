#include "examples.h"
#include "catalogue.h"
#include "command.h"
#include "json_c.h"
#include "json_tree.h"
#include "suggest.h"

/* A document that can be amended; a json-c object, like those from an editor. */
static struct json_object *document_of(const struct json_value *example)
{
    struct json_reading reading;
    struct arena arena;
    struct text text;

    arena_init(&arena, 4 * (size_t)CATALOGUE_EXAMPLES_LEN_MAX);
    text_init(&text, &arena, CATALOGUE_EXAMPLES_LEN_MAX);
    json_tree_put(&text, example);
    struct json_object *document = json_read(text.data, text.len, false, &reading);
    arena_fini(&arena);
    return document;
}

static bool add(struct examples *examples, const struct invocation *invocation,
                const struct json_value *example)
{
    if (examples->count == EXAMPLES_EVENTS_MAX) {
        command_wrong(invocation, "more than %d events at once", EXAMPLES_EVENTS_MAX);
        return false;
    }
    struct json_object *document = document_of(example), *data = json_get_object(document, "data");
    struct json_object *attributes = json_get_object(data, "attributes");
    json_object_object_del(data, "id");
    json_object_object_del(attributes, "created_at");
    json_object_object_del(attributes, "sent_at");
    examples->documents[examples->count++] = document;
    return true;
}

static bool add_example(struct examples *examples, const struct invocation *invocation,
                        const struct catalogue *catalogue, const struct catalogue_type *type)
{
    struct arena arena;
    arena_init(&arena, CATALOGUE_EXAMPLE_MEMORY_MAX);
    bool added = add(examples, invocation, catalogue_example(&arena, catalogue, type));
    arena_fini(&arena);
    return added;
}

static bool add_type(struct examples *examples, const struct invocation *invocation,
                     const struct catalogue *catalogue, const char *name)
{
    const struct catalogue_type *type = catalogue_find(catalogue, bytes_of(name));

    if (type)
        return add_example(examples, invocation, catalogue, type);
    type = catalogue_nearest(catalogue, bytes_of(name));
    if (type)
        command_wrong(invocation, "there is no example of '%.128s': did you mean %s?", name, type->name);
    else
        command_wrong(invocation, "there is no example of '%.128s': `posthorn catalog` lists the types",
                      name);
    return false;
}

static void unknown_scenario(const struct invocation *invocation, const struct json_value *scenarios,
                             const char *wanted)
{
    const char *names[EXAMPLES_EVENTS_MAX];
    int count = 0;
    const struct json_value *one = json_first(scenarios);

    for (; one && count < EXAMPLES_EVENTS_MAX; one = one->next)
        names[count++] = json_member_string(one, "name");
    const char *near = suggest_nearest(wanted, names, count);
    if (near)
        command_wrong(invocation, "there is no scenario '%.128s': did you mean %s?", wanted, near);
    else
        command_wrong(invocation, "there is no scenario '%.128s': `posthorn catalog scenarios` lists them",
                      wanted);
}

static bool add_scenario(struct examples *examples, const struct invocation *invocation,
                         const struct catalogue *catalogue, const char *wanted)
{
    const struct json_value *scenarios = catalogue_scenarios_json(catalogue), *steps = NULL;

    for (const struct json_value *one = json_first(scenarios); one; one = one->next)
        if (strcmp(json_member_string(one, "name"), wanted) == 0)
            steps = json_member(one, "steps");
    if (!steps) {
        unknown_scenario(invocation, scenarios, wanted);
        return false;
    }
    bool added = true;
    for (const struct json_value *step = json_first(steps); added && step; step = step->next) {
        const struct catalogue_type *type;
        struct arena arena;
        arena_init(&arena, CATALOGUE_EXAMPLE_MEMORY_MAX);
        const struct json_value *example = catalogue_step(&arena, catalogue, step, &type);
        added = example && add(examples, invocation, example);
        arena_fini(&arena);
    }
    return added;
}

bool examples_choose(struct examples *examples, const struct invocation *invocation,
                     const struct catalogue *catalogue, const struct examples_choice *choice)
{
    if ((invocation->operand_count > 0) + choice->all + choice->every + (choice->scenario != NULL) != 1) {
        command_wrong(invocation, "give one or more event types, or --all, or --every, or --scenario NAME");
        return false;
    }
    if (choice->scenario)
        return add_scenario(examples, invocation, catalogue, choice->scenario);
    for (int i = 0; (choice->all || choice->every) && i < catalogue_count(catalogue); i++) {
        const struct catalogue_type *type = catalogue_at(catalogue, i);
        if ((choice->every || type->status == CATALOGUE_DOCUMENTED) &&
            !add_example(examples, invocation, catalogue, type))
            return false;
    }
    for (int i = 0; i < invocation->operand_count; i++)
        if (!add_type(examples, invocation, catalogue, invocation->operands[i]))
            return false;
    return true;
}

void examples_free(struct examples *examples)
{
    for (int i = 0; i < examples->count; i++)
        json_object_put(examples->documents[i]);
    examples->count = 0;
}

struct bytes examples_event_type(struct json_object *document)
{
    struct bytes type = {"", 0};
    json_get_text(json_get_object(json_get_object(document, "data"), "attributes"), "event_type", &type);
    return type;
}
