/* posthorn catalog: the event types, with an example of each. */
#include "catalogue.h"
#include "catalogue_option.h"
#include "commands.h"
#include "json.h"
#include "show.h"
#include "terminal.h"

struct catalog {
    const char *own_types, *section;
    struct catalogue *catalogue;
};

/* The entry of the file, with the example written out. */
static struct json_object *whole_entry(const struct catalog *catalog, const struct catalogue_type *type)
{
    struct json_object *entry = json_object_new_object();

    json_object_object_foreach(type->entry, name, value)
    {
        if (strcmp(name, "example") != 0)
            json_object_object_add(entry, name, json_object_get(value));
    }
    json_object_object_add(entry, "example", catalogue_example(catalog->catalogue, type));
    return entry;
}

static bool is_listed(const struct catalog *catalog, const struct catalogue_type *type)
{
    return !catalog->section || strcmp(catalog->section, type->section) == 0;
}

static int list(const struct invocation *invocation, void *options)
{
    const struct catalog *catalog = options;
    struct json_object *entries = json_object_new_array();
    struct colours colours = colours_for(stdout);

    for (int i = 0; i < catalogue_count(catalog->catalogue); i++) {
        const struct catalogue_type *type = catalogue_at(catalog->catalogue, i);
        if (!is_listed(catalog, type))
            continue;
        json_object_array_add(entries, whole_entry(catalog, type));
        if (!invocation->json)
            printf("%-37s %s%-10s %-12s%s %s\n", type->name, colour_start(colours, COLOUR_FAINT),
                   catalogue_status_names[type->status], type->section, colour_end(colours), type->en);
    }
    bool found = json_object_array_length(entries) > 0;
    if (found && invocation->json)
        show_json(entries);
    json_object_put(entries);
    return found ? EXIT_DONE
                 : command_wrong(invocation,
                                 "there is no section '%.80s': cross_border, users, funding, payments",
                                 catalog->section);
}

static int show(const struct invocation *invocation, void *options)
{
    const struct catalog *catalog = options;
    const char *name = invocation->operands[0];
    const struct catalogue_type *type = catalogue_find(catalog->catalogue, bytes_of(name));

    if (!type) {
        type = catalogue_nearest(catalog->catalogue, bytes_of(name));
        return type ? command_wrong(invocation, "there is no type '%.128s': did you mean %s?", name,
                                    type->name)
                    : command_wrong(invocation, "there is no type '%.128s'", name);
    }
    struct json_object *entry = whole_entry(catalog, type);
    if (invocation->json) {
        show_json(entry);
    } else {
        printf("%s\n  %s\n  %s\n", type->name, type->en, type->es);
        if (type->note)
            printf("  %s\n", type->note);
        printf("status    %s\nsection   %s\nresource  %s\n", catalogue_status_names[type->status],
               type->section, type->resource);
        if (type->state)
            printf("state     %s%s\n", type->state, type->final ? " (final)" : "");
        printf("\n");
        show_json(json_get(entry, "example"));
    }
    json_object_put(entry);
    return EXIT_DONE;
}

static int scenarios(const struct invocation *invocation, void *options)
{
    const struct catalog *catalog = options;
    struct json_object *all = catalogue_scenarios_json(catalog->catalogue);

    if (invocation->json)
        show_json(all);
    for (size_t i = 0; !invocation->json && i < json_length(all); i++) {
        struct json_object *scenario = json_object_array_get_idx(all, i);
        struct json_object *steps = json_get(scenario, "steps");
        printf("%-20s %s\n", json_string(scenario, "name").data, json_string(scenario, "en").data);
        for (size_t j = 0; j < json_length(steps); j++)
            printf("%20s %zu. %s\n", "", j + 1, catalogue_step_name(json_object_array_get_idx(steps, j)));
    }
    return EXIT_DONE;
}

static int run(const struct invocation *invocation, void *options)
{
    struct catalog *catalog = options;
    catalog->catalogue = catalogue_option_open(invocation, catalog->own_types);
    if (!catalog->catalogue)
        return EXIT_USAGE;
    int code = invocation->verb->run(invocation, options);
    catalogue_close(catalog->catalogue);
    return code;
}

static const struct option_row rows[] = {
    {"section", OPTION_TEXT, offsetof(struct catalog, section), "", "NAME", "only the types of this section"},
    CATALOGUE_OPTION(struct catalog, own_types),
};

const struct command catalog_command = {
    .name = "catalog",
    .summary = "list the event types, with an example of each",
    .details =
        "Lists the platform's event types. `show` prints the meaning in English and Spanish and a complete\n"
        "example. A `documented` type has a published name. A `stated` type is mentioned by the guide "
        "without a\n"
        "name. An `inferred` type follows from the states of its resource.",
    .verbs = {{NULL, "", list}, {"list", "", list}, {"show", "TYPE", show}, {"scenarios", "", scenarios}},
    .rows = OPTION_TABLE(rows),
    .options_len = sizeof(struct catalog),
    .run = run,
    .json = JSON_OPTION("print JSON, with the examples"),
};
