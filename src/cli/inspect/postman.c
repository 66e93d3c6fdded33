/* posthorn postman: the collection that src/catalogue makes, and its environment. */
#include "postman.h"
#include "catalogue.h"
#include "catalogue_option.h"
#include "command.h"
#include "json.h"
#include "options.h"
#include "show.h"

static const char details[] =
    "Prints a Postman collection (v2.1): an example push of every event type to {{webhook_url}},\n"
    "with WEBHOOK-AUTH computed from {{your_api_key}}, and the API's requests against {{domain}}.\n"
    "With --environment, an environment with those three variables.";

int postman_main(int argc, char **argv)
{
    struct postman_values values = postman_values_default;
    bool environment = false;
    const char *file = NULL;
    int count, code;
    const struct option_row rows[] = {
        {"environment", OPTION_FLAG, &environment, NULL, "print the environment instead of the collection"},
        {"webhook-url", OPTION_TEXT, &values.webhook_url, "URL",
         "value of webhook_url [http://127.0.0.1:3000/]"},
        {"domain", OPTION_TEXT, &values.domain, "URL",
         "value of domain, the API's server [http://127.0.0.1:8080]"},
        CATALOGUE_OPTION_ROW(file),
    };
    const struct usage usage = {"postman",
                                "postman [--catalogue FILE] > collection.json\n"
                                "postman --environment > environment.json",
                                details,
                                rows,
                                sizeof rows / sizeof *rows,
                                0,
                                0};
    enum options_outcome outcome = options_read(&usage, argc, argv, &count);
    if (outcome != OPTIONS_GO)
        return outcome == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
    struct catalogue *catalogue = catalogue_option_open(&usage, file, &code);
    if (!catalogue)
        return code;
    struct json_object *document =
        environment ? postman_environment(&values) : postman_collection(catalogue, &values);
    show_json(document);
    json_object_put(document);
    catalogue_close(catalogue);
    return EXIT_DONE;
}
