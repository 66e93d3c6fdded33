/* posthorn catalog: the event types, with an example of each. */
#include "catalogue.h"
#include "catalogue_option.h"
#include "command.h"
#include "json.h"
#include "options.h"
#include "show.h"
#include "terminal.h"

#include <stdio.h>

static const char details[] =
    "Lists the platform's event types. `show` prints the meaning in English and Spanish and a complete\n"
    "example. A `documented` type has a published name. A `stated` type is mentioned by the guide without a\n"
    "name. An `inferred` type follows from the states of its resource.";

struct catalog {
    const char *section;
    bool json;
    const struct usage *usage;
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

static int list_types(const struct catalog *catalog)
{
    struct json_object *entries = json_object_new_array();
    struct colours colours = colours_for(stdout);

    for (int i = 0; i < catalogue_count(catalog->catalogue); i++) {
        const struct catalogue_type *type = catalogue_at(catalog->catalogue, i);
        if (!is_listed(catalog, type))
            continue;
        json_object_array_add(entries, whole_entry(catalog, type));
        if (!catalog->json)
            printf("%-37s %s%-10s %-12s%s %s\n", type->name, colour_start(colours, COLOUR_FAINT),
                   catalogue_status_names[type->status], type->section, colour_end(colours), type->en);
    }
    bool found = json_object_array_length(entries) > 0;
    if (found && catalog->json)
        show_json(entries);
    json_object_put(entries);
    return found ? EXIT_DONE
                 : options_wrong(catalog->usage,
                                 "there is no section '%.80s': cross_border, users, funding, payments",
                                 catalog->section);
}

static int show_type(const struct catalog *catalog, const char *name)
{
    const struct catalogue_type *type = catalogue_find(catalog->catalogue, bytes_of(name));

    if (!type) {
        type = catalogue_nearest(catalog->catalogue, bytes_of(name));
        return type ? options_wrong(catalog->usage, "there is no type '%.128s': did you mean %s?", name,
                                    type->name)
                    : options_wrong(catalog->usage, "there is no type '%.128s'", name);
    }
    struct json_object *entry = whole_entry(catalog, type);
    if (catalog->json) {
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

static int list_scenarios(const struct catalog *catalog)
{
    struct json_object *scenarios = catalogue_scenarios_json(catalog->catalogue);

    if (catalog->json)
        show_json(scenarios);
    for (size_t i = 0; !catalog->json && i < json_object_array_length(scenarios); i++) {
        struct json_object *scenario = json_object_array_get_idx(scenarios, i), *steps;
        struct bytes name, sentence;
        json_get_text(scenario, "name", &name);
        json_get_text(scenario, "en", &sentence);
        printf("%-20.*s %.*s\n", BYTES_ARG(name), BYTES_ARG(sentence));
        steps = json_get_array(scenario, "steps");
        for (size_t j = 0; j < json_object_array_length(steps); j++)
            printf("%20s %zu. %s\n", "", j + 1, catalogue_step_name(json_object_array_get_idx(steps, j)));
    }
    return EXIT_DONE;
}

static int run(const struct catalog *catalog, char **operands, int count)
{
    if (count == 0 || (count == 1 && strcmp(operands[0], "list") == 0))
        return list_types(catalog);
    if (count == 1 && strcmp(operands[0], "scenarios") == 0)
        return list_scenarios(catalog);
    if (count == 2 && strcmp(operands[0], "show") == 0)
        return show_type(catalog, operands[1]);
    return options_wrong(catalog->usage, "write `catalog`, `catalog show TYPE` or `catalog scenarios`");
}

int catalog_main(int argc, char **argv)
{
    struct catalog catalog = {0};
    const char *file = NULL;
    int count, code;
    const struct option_row rows[] = {
        {"section", OPTION_TEXT, &catalog.section, "NAME", "only this section's types"},
        CATALOGUE_OPTION_ROW(file),
        {"json", OPTION_FLAG, &catalog.json, NULL, "print JSON, with the examples"},
    };
    const struct usage usage = {"catalog",
                                "catalog [--section NAME] [--catalogue FILE]\n"
                                "catalog show TYPE\n"
                                "catalog scenarios",
                                details,
                                rows,
                                sizeof rows / sizeof *rows,
                                0,
                                2};

    enum options_outcome outcome = options_read(&usage, argc, argv, &count);
    if (outcome != OPTIONS_GO)
        return outcome == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
    catalog.usage = &usage;
    catalog.catalogue = catalogue_option_open(&usage, file, &code);
    if (!catalog.catalogue)
        return code;
    code = run(&catalog, argv + argc - count, count);
    catalogue_close(catalog.catalogue);
    return code;
}
