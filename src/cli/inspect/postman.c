/* posthorn postman: prints the Postman collection, which src/catalogue makes, and its environment. */
#include "postman.h"
#include "catalogue.h"
#include "catalogue_option.h"
#include "commands.h"
#include "json_tree.h"
#include "show.h"

struct options {
    bool environment;
    struct postman_values values;
    const char *own_types;
};

static int print(const struct invocation *invocation, void *given)
{
    const struct options *options = given;
    struct catalogue *catalogue = catalogue_option_open(invocation, options->own_types);
    if (!catalogue)
        return EXIT_USAGE;
    struct arena arena;
    arena_init(&arena, POSTMAN_MEMORY_MAX);
    show_json_tree(options->environment ? postman_environment(&arena, &options->values)
                                        : postman_collection(&arena, catalogue, &options->values));
    arena_fini(&arena);
    catalogue_close(catalogue);
    return EXIT_DONE;
}

#define AT(field) offsetof(struct options, field)
static const struct option_row rows[] = {
    {"environment", OPTION_FLAG, AT(environment), "", NULL,
     "print the environment instead of the collection"},
    {"webhook-url", OPTION_TEXT, AT(values.webhook_url), "http://127.0.0.1:3000/", "URL",
     "value of webhook_url"},
    {"domain", OPTION_TEXT, AT(values.domain), "http://127.0.0.1:8080", "URL",
     "value of domain, the API's server"},
    CATALOGUE_OPTION(struct options, own_types),
};

const struct command postman_command = {
    .name = "postman",
    .summary = "print a Postman collection of event types and API",
    .details =
        "Prints a Postman collection (v2.1): an example push of every event type to {{webhook_url}},\n"
        "with WEBHOOK-AUTH computed from {{your_api_key}}, and the API's requests against {{domain}}.\n"
        "With --environment, an environment with those three variables.",
    .verbs = {{NULL, "", print}},
    .rows = OPTION_TABLE(rows),
    .options_len = sizeof(struct options),
};
