#include "trigger.h"

#include "amend.h"
#include "catalogue.h"
#include "catalogue_option.h"
#include "command.h"

enum { TIMES_MAX = 10 * 1000 * 1000 };

static const char details[] =
    "Sends the catalogue's example of an event_type (`posthorn catalog` lists them). By default it\n"
    "goes through the server's API: accepted, made durable, delivered to your webhook_url. With --to\n"
    "it plays the server against that URL itself: same headers, same WEBHOOK-AUTH, same document,\n"
    "one attempt, and the outcome is printed.\n"
    "\n"
    "--set changes a place of the event: included.state=settled (an attribute of the snapshot),\n"
    "resource.id=77, relationships.failures=[], created_at=..., or any place as a JSON pointer,\n"
    "/included/0/attributes/state=settled. A value is JSON if it can be read as JSON, else text.";

struct request {
    struct trigger trigger;
    struct examples_choice choice;
    struct option_list sets;
    const char *own_types;
    bool edit, dry_run;
};

static bool amend(struct request *request)
{
    struct examples *examples = &request->trigger.examples;
    const struct usage *usage = request->trigger.usage;
    char detail[AMEND_DETAIL_LEN];

    if (request->edit && examples->count > 1) {
        options_wrong(usage, "--edit is for one event");
        return false;
    }
    for (int i = 0; i < examples->count; i++) {
        for (int k = 0; k < request->sets.count; k++)
            if (!amend_set(examples->documents[i], request->sets.items[k], detail)) {
                options_wrong(usage, "--set '%.80s': %s", request->sets.items[k], detail);
                return false;
            }
        if (request->sets.count > 0 && !amend_check(examples->documents[i], detail)) {
            options_wrong(usage, "--set: %s", detail);
            return false;
        }
    }
    return true;
}

static int run(struct request *request)
{
    struct trigger *trigger = &request->trigger;

    if (request->edit && !amend_edit(trigger->usage, &trigger->examples.documents[0]))
        return EXIT_FAILED;
    if (request->dry_run)
        return trigger_dry(trigger);
    return trigger->to ? trigger_push(trigger) : trigger_post(trigger);
}

static int choose_and_run(struct request *request)
{
    struct trigger *trigger = &request->trigger;
    int code;
    struct catalogue *catalogue = catalogue_option_open(trigger->usage, request->own_types, &code);

    if (!catalogue)
        return code;
    code = EXIT_USAGE;
    if (examples_choose(&trigger->examples, trigger->usage, catalogue, &request->choice) && amend(request)) {
        if (trigger->out_of_order && trigger->examples.count < 2)
            options_wrong(trigger->usage,
                          "--out-of-order needs two events or more: a scenario, or several types");
        else if (!trigger->to && trigger->secrets.count > 0)
            options_wrong(trigger->usage, "--secret goes with --to: a server has its own secrets");
        else
            code = run(request);
    }
    examples_free(&trigger->examples);
    catalogue_close(catalogue);
    return code;
}

int trigger_main(int argc, char **argv)
{
    struct request request = {.trigger = {.colours = colours_for(stdout), .times = 1}};
    struct trigger *trigger = &request.trigger;
    const struct option_row rows[] = {
        {"to", OPTION_TEXT, &trigger->to, "URL", "push to this URL, without a server"},
        {"api-key", OPTION_TEXT, &trigger->api_key, "KEY", "with --to: the key for WEBHOOK-AUTH",
         "POSTHORN_API_KEY"},
        {"secret", OPTION_LIST, &trigger->secrets, "SECRET",
         "with --to: sign with it (whsec_, whsk_); again for a second"},
        {"all", OPTION_FLAG, &request.choice.all, NULL, "every documented type, in the catalogue's order"},
        {"every", OPTION_FLAG, &request.choice.every, NULL, "every type there is, the inferred ones too"},
        {"scenario", OPTION_TEXT, &request.choice.scenario, "NAME",
         "a whole examples (`posthorn catalog scenarios`)"},
        {"set", OPTION_LIST, &request.sets, "PATH=VALUE", "change a place of the event; may be repeated"},
        {"edit", OPTION_FLAG, &request.edit, NULL, "change the event in $EDITOR"},
        {"times", OPTION_NUMBER, &trigger->times, "N", "all of it so many times", NULL, 1, TIMES_MAX},
        {"duplicate", OPTION_FLAG, &trigger->duplicate, NULL, "each event twice, with the same id"},
        {"out-of-order", OPTION_FLAG, &trigger->out_of_order, NULL, "the last one first"},
        {"dry-run", OPTION_FLAG, &request.dry_run, NULL, "send nothing; print the curl that would"},
        CLIENT_OPTION_ROWS(trigger->server),
        CATALOGUE_OPTION_ROW(request.own_types),
        {"json", OPTION_FLAG, &trigger->json, NULL, "a JSON object a line"},
    };
    const struct usage usage = {
        "trigger",
        "trigger TYPE... | --all | --every | --scenario NAME [--server URL] [--key KEY]\n"
        "trigger TYPE... | --all | --every | --scenario NAME --to URL [--api-key KEY]\n"
        "trigger ... [--set PATH=VALUE]... [--edit] [--times N] [--duplicate]\n"
        "trigger ... [--out-of-order] [--dry-run]",
        details,
        rows,
        sizeof rows / sizeof *rows,
        0,
        EXAMPLES_EVENTS_MAX};

    enum options_outcome outcome = options_read(&usage, argc, argv, &request.choice.name_count);
    if (outcome != OPTIONS_GO)
        return outcome == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
    trigger->usage = &usage;
    request.choice.names = argv + argc - request.choice.name_count;
    return choose_and_run(&request);
}
