/* posthorn catalog: lists the event types and shows their examples. */
#include "catalogue.h"
#include "catalogue_option.h"
#include "commands.h"
#include "json_tree.h"
#include "show.h"
#include "terminal.h"

#include <assert.h>

struct catalog {
    const char *own_types, *section;
    struct catalogue *catalogue;
};

enum { ENTRIES_MEMORY_MAX = 2 * CATALOGUE_EXAMPLE_MEMORY_MAX };

/* The entry of the file, with the example written out. */
static struct json_value *whole_entry(struct arena *arena, const struct catalog *catalog,
                                      const struct catalogue_type *type)
{
    struct json_value *entry = arena_zero(arena, sizeof *entry);
    struct json_value *example = catalogue_example(arena, catalog->catalogue, type);
    bool done = entry != NULL;

    example->name = bytes_of("example");
    if (entry)
        entry->kind = JSON_OBJECT;
    for (const struct json_value *member = json_first(type->entry); done && member; member = member->next)
        if (!bytes_equal(member->name, example->name))
            done = json_set_member(arena, entry, member);
    assert(done); /* the catalogue limits the size of its examples */
    json_append(entry, example);
    return entry;
}

static bool is_listed(const struct catalog *catalog, const struct catalogue_type *type)
{
    return !catalog->section || strcmp(catalog->section, type->section) == 0;
}

static int list(const struct invocation *invocation, void *options)
{
    const struct catalog *catalog = options;
    struct json_value entries = {.kind = JSON_ARRAY};
    struct arena arena;
    struct colours colours = colours_for(stdout);

    arena_init(&arena, ENTRIES_MEMORY_MAX);
    for (int i = 0; i < catalogue_count(catalog->catalogue); i++) {
        const struct catalogue_type *type = catalogue_at(catalog->catalogue, i);
        if (!is_listed(catalog, type))
            continue;
        json_append(&entries, whole_entry(&arena, catalog, type));
        if (!invocation->json)
            printf("%-37s %s%-10s %-12s%s %s\n", type->name, colour_start(colours, COLOUR_FAINT),
                   catalogue_status_names[type->status], type->section, colour_end(colours), type->en);
    }
    bool found = entries.count > 0;
    if (found && invocation->json)
        show_json_tree(&entries);
    arena_fini(&arena);
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
    struct arena arena;
    arena_init(&arena, ENTRIES_MEMORY_MAX);
    const struct json_value *entry = whole_entry(&arena, catalog, type);
    if (invocation->json) {
        show_json_tree(entry);
    } else {
        printf("%s\n  %s\n  %s\n", type->name, type->en, type->es);
        if (type->note)
            printf("  %s\n", type->note);
        printf("status    %s\nsection   %s\nresource  %s\n", catalogue_status_names[type->status],
               type->section, type->resource);
        if (type->state)
            printf("state     %s%s\n", type->state, type->final ? " (final)" : "");
        printf("\n");
        show_json_tree(json_member(entry, "example"));
    }
    arena_fini(&arena);
    return EXIT_DONE;
}

static int scenarios(const struct invocation *invocation, void *options)
{
    const struct catalog *catalog = options;
    const struct json_value *all = catalogue_scenarios_json(catalog->catalogue);

    if (invocation->json)
        show_json_tree(all);
    for (const struct json_value *one = invocation->json ? NULL : json_first(all); one; one = one->next) {
        const struct json_value *step = json_first(json_member(one, "steps"));
        printf("%-20s %s\n", json_member_string(one, "name"), json_member_string(one, "en"));
        for (int number = 1; step; step = step->next)
            printf("%20s %d. %s\n", "", number++, catalogue_step_name(step));
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
        "name. An `inferred` type follows from the states of its resource. A `posthorn` type is sent by "
        "posthorn\n"
        "itself.",
    .verbs = {{NULL, "", list}, {"list", "", list}, {"show", "TYPE", show}, {"scenarios", "", scenarios}},
    .rows = OPTION_TABLE(rows),
    .options_len = sizeof(struct catalog),
    .run = run,
    .json = JSON_OPTION("print JSON, with the examples"),
};
