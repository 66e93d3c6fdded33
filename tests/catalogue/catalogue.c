/* The data against itself: the files must agree about each type. */
#include "catalogue_fixture.h"
#include "json_c.h"
#include "json_tree.h"
#include "posthorn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct json_object *resources, *machines;

static const char *text_of(struct json_object *object, const char *name)
{
    struct bytes text;
    return json_get_text(object, name, &text) ? text.data : NULL;
}

static bool holds(struct json_object *array, const char *text)
{
    for (size_t i = 0; array && i < json_object_array_length(array); i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(array, i)), text) == 0)
            return true;
    return false;
}

static void the_numbers_are_the_platforms(void **state)
{
    const struct catalogue *catalogue = *state;
    int counts[4] = {0};

    for (int i = 0; i < catalogue_count(catalogue); i++) {
        const struct catalogue_type *type = catalogue_at(catalogue, i);
        counts[type->status]++;
        assert_ptr_equal(catalogue_find(catalogue, bytes_of(type->name)), type); /* no name twice */
    }
    assert_int_equal(counts[CATALOGUE_DOCUMENTED], 14);
    assert_int_equal(counts[CATALOGUE_STATED], 5);
    assert_int_equal(counts[CATALOGUE_INFERRED], 11);
    assert_int_equal(counts[CATALOGUE_POSTHORN], 5);
}

static void every_type_says_what_it_is(void **state)
{
    const struct catalogue *catalogue = *state;

    for (int i = 0; i < catalogue_count(catalogue); i++) {
        const struct catalogue_type *type = catalogue_at(catalogue, i);
        struct json_object *resource = json_get_object(resources, type->resource);
        assert_true(strspn(type->name, "abcdefghijklmnopqrstuvwxyz_") == strlen(type->name));
        assert_non_null(resource);
        assert_string_not_equal(type->en, type->es);
        assert_true(type->en[strlen(type->en) - 1] == '.' && type->es[strlen(type->es) - 1] == '.');
        assert_true(!type->state || text_of(resource, "state_attribute"));
    }
}

static void every_example_is_an_event_in_the_state_it_announces(void **state)
{
    const struct catalogue *catalogue = *state;

    for (int i = 0; i < catalogue_count(catalogue); i++) {
        const struct catalogue_type *type = catalogue_at(catalogue, i);
        struct json_object *example = example_of(catalogue, type);
        const char *text = json_object_to_json_string(example);
        struct posthorn_event *event;
        assert_int_equal(posthorn_parse(text, strlen(text), &event, NULL), POSTHORN_OK);
        assert_string_equal(posthorn_event_type(event).data, type->name);
        assert_string_equal(posthorn_event_resource_type(event).data, type->resource);
        assert_int_equal(posthorn_event_sent_at(event).len, 24);
        struct json_object *resource = posthorn_event_resource(event);
        assert_non_null(resource);
        struct json_object *known = json_get_object(json_get_object(resources, type->resource), "attributes");
        assert_int_equal(json_object_object_length(json_get_object(resource, "attributes")),
                         json_object_object_length(known)); /* the example invents none */
        assert_non_null(json_get_object(resource, "relationships"));
        const char *attribute = text_of(json_get_object(resources, type->resource), "state_attribute");
        if (type->state)
            assert_string_equal(text_of(json_get_object(resource, "attributes"), attribute), type->state);
        posthorn_event_free(event);
        json_object_put(example);
    }
}

/* JSON:API's full linkage: nothing is included that nothing included names. */
static void what_is_included_is_linked(void **state)
{
    const struct catalogue *catalogue = *state;
    int further = 0;

    for (int i = 0; i < catalogue_count(catalogue); i++) {
        struct json_object *example = example_of(catalogue, catalogue_at(catalogue, i));
        struct json_object *included = json_get_array(example, "included");
        struct json_object *relationships =
            json_get_object(json_object_array_get_idx(included, 0), "relationships");
        for (size_t k = 1; k < json_object_array_length(included); k++) {
            struct json_object *item = json_object_array_get_idx(included, k);
            bool linked = false;
            json_object_object_foreach(relationships, name, relationship)
            {
                struct json_object *data = json_get_object(relationship, "data");
                linked =
                    linked || (data && name && strcmp(text_of(data, "type"), text_of(item, "type")) == 0 &&
                               strcmp(text_of(data, "id"), text_of(item, "id")) == 0);
            }
            assert_true(linked);
            further++;
        }
        json_object_put(example);
    }
    assert_true(further >= 4);
}

/* The public handler dies without it. */
static void working_outputs_have_their_failures(void **state)
{
    const struct catalogue *catalogue = *state;
    struct json_object *example =
        example_of(catalogue, catalogue_find(catalogue, bytes_of("concierge_request_output_working")));
    struct json_object *relationships = json_get_object(json_get_object(example, "data"), "relationships");

    assert_non_null(json_get_array(json_get_object(relationships, "failures"), "data"));
    json_object_put(example);
}

static void decimals_keep_their_text(void **state)
{
    const struct catalogue *catalogue = *state;
    struct json_object *example =
        example_of(catalogue, catalogue_find(catalogue, bytes_of("concierge_request_quoted")));

    assert_non_null(strstr(json_object_to_json_string_ext(example, JSON_C_TO_STRING_PLAIN), "1043.5,"));
    json_object_put(example);
}

/* ---- state machines and scenarios ---------------------------------------------------------------------- */

static struct json_object *move_of(const struct catalogue *catalogue, const struct catalogue_type *type)
{
    struct json_object *machine = json_get_object(machines, type->resource);
    struct json_object *moves = machine ? json_get_array(machine, "moves") : NULL;

    for (size_t i = 0; moves && i < json_object_array_length(moves); i++) {
        struct json_object *move = json_object_array_get_idx(moves, i);
        if (strcmp(text_of(move, "event_type"), type->name) == 0)
            return move;
    }
    return NULL;
}

static void states_agree_with_the_machines(void **state)
{
    const struct catalogue *catalogue = *state;

    for (int i = 0; i < catalogue_count(catalogue); i++) {
        const struct catalogue_type *type = catalogue_at(catalogue, i);
        struct json_object *machine = json_get_object(machines, type->resource);
        struct json_object *move = move_of(catalogue, type);
        assert_true((move != NULL) == (type->state != NULL && machine != NULL));
        if (!move)
            continue;
        assert_string_equal(text_of(move, "to"), type->state);
        assert_int_equal(holds(json_get_array(machine, "final"), type->state), type->final);
    }
    json_object_object_foreach(machines, name, machine)
    {
        struct json_object *moves = json_get_array(machine, "moves");
        assert_non_null(name);
        for (size_t i = 0; i < json_object_array_length(moves); i++) {
            struct json_object *move = json_object_array_get_idx(moves, i);
            assert_non_null(catalogue_find(catalogue, bytes_of(text_of(move, "event_type"))));
            assert_false(holds(json_get_array(move, "from"), text_of(move, "to")));
        }
    }
}

enum { RESOURCES_MAX = 8 };

struct walk {
    const char *resources[RESOURCES_MAX], *states[RESOURCES_MAX];
    int count;
};

static const char **state_in(struct walk *walk, const struct catalogue *catalogue, const char *resource)
{
    for (int i = 0; i < walk->count; i++)
        if (strcmp(walk->resources[i], resource) == 0)
            return &walk->states[i];
    assert_true(walk->count < RESOURCES_MAX);
    walk->resources[walk->count] = resource;
    walk->states[walk->count] = text_of(json_get_object(machines, resource), "initial");
    return &walk->states[walk->count++];
}

/* The state that a document's snapshot is in; NULL: this resource has none. */
static const char *state_shown(const struct catalogue *catalogue, const struct catalogue_type *type,
                               struct json_object *document)
{
    struct json_object *resource = json_get_object(resources, type->resource);
    struct json_object *included = json_get_array(document, "included");
    const char *attribute = text_of(resource, "state_attribute");
    return attribute
               ? text_of(json_get_object(json_object_array_get_idx(included, 0), "attributes"), attribute)
               : NULL;
}

/* One step: a legal move to the state its snapshot shows, or none and the state as it was. */
static void take_step(struct walk *walk, const struct catalogue *catalogue, const struct json_value *step)
{
    const struct catalogue_type *type;
    struct arena arena;
    arena_init(&arena, CATALOGUE_EXAMPLE_MEMORY_MAX);
    struct json_object *document = read_back(catalogue_step(&arena, catalogue, step, &type));
    arena_fini(&arena);
    assert_non_null(document);
    const char *shown = state_shown(catalogue, type, document);
    struct json_object *move = move_of(catalogue, type);
    if (shown && json_get_object(machines, type->resource)) {
        const char **now = state_in(walk, catalogue, type->resource);
        bool moves = move && strcmp(shown, text_of(move, "to")) == 0;
        if (moves && !holds(json_get_array(move, "from"), *now))
            fail_msg("%s from %s", type->name, *now);
        if (moves)
            *now = text_of(move, "to");
        assert_string_equal(shown, *now); /* no event shows what another one will announce */
    }
    json_object_put(document);
}

static void scenarios_are_legal_walks(void **state)
{
    const struct catalogue *catalogue = *state;
    const struct json_value *scenarios = catalogue_scenarios_json(catalogue);

    assert_true(scenarios->count >= 5);
    for (const struct json_value *scenario = json_first(scenarios); scenario; scenario = scenario->next) {
        const struct json_value *steps = json_member(scenario, "steps");
        struct walk walk = {0};
        assert_true(steps->count > 1);
        assert_string_not_equal(json_member_string(scenario, "en"), json_member_string(scenario, "es"));
        for (const struct json_value *step = json_first(steps); step; step = step->next)
            take_step(&walk, catalogue, step);
        for (int k = 0; k < walk.count; k++) { /* the story has an end */
            struct json_object *machine = json_get_object(machines, walk.resources[k]);
            struct json_object *final = json_get_array(machine, "final");
            if (json_object_array_length(final) && strcmp(walk.resources[k], "users") != 0)
                assert_true(holds(final, walk.states[k]));
        }
    }
}

static void mistyped_names_are_guessed(void **state)
{
    static const char *const guesses[][2] = {
        {"user_enabld", "user_enabled"},
        {"usr_enable", "user_enabled"},
        {"user-enabled", "user_enabled"},
        {"concierge_request_canceled", "concierge_request_cancelled"},
        {"withdrawal_instructions_created", "withdrawal_instruction_created"},
        {"xyz", NULL},
        {"", NULL},
        {"q", NULL}};
    const struct catalogue *catalogue = *state;
    char long_name[1000];

    for (size_t i = 0; i < sizeof guesses / sizeof *guesses; i++) {
        const struct catalogue_type *found = catalogue_nearest(catalogue, bytes_of(guesses[i][0]));
        if (guesses[i][1])
            assert_string_equal(found ? found->name : "nothing", guesses[i][1]);
        else
            assert_null(found);
    }
    memset(long_name, 'a', sizeof long_name);
    assert_null(catalogue_nearest(catalogue, bytes_make(long_name, sizeof long_name)));
    assert_null(catalogue_find(catalogue, bytes_of("user_enable")));
}

static int set_up(void **state)
{
    struct catalogue *catalogue = catalogue_open();
    resources = read_back(catalogue_resources_json(catalogue));
    machines = read_back(catalogue_state_machines_json(catalogue));
    *state = catalogue;
    return 0;
}

static int tear_down(void **state)
{
    json_object_put(resources);
    json_object_put(machines);
    catalogue_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_numbers_are_the_platforms),
        cmocka_unit_test(every_type_says_what_it_is),
        cmocka_unit_test(every_example_is_an_event_in_the_state_it_announces),
        cmocka_unit_test(what_is_included_is_linked),
        cmocka_unit_test(working_outputs_have_their_failures),
        cmocka_unit_test(decimals_keep_their_text),
        cmocka_unit_test(states_agree_with_the_machines),
        cmocka_unit_test(scenarios_are_legal_walks),
        cmocka_unit_test(mistyped_names_are_guessed),
    };
    return cmocka_run_group_tests_name("catalogue", tests, set_up, tear_down);
}
