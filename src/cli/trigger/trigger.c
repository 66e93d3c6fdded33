#include "trigger.h"

#include "amend.h"
#include "catalogue.h"
#include "catalogue_option.h"
#include "command.h"

enum { TIMES_MAX = 10 * 1000 * 1000 };

static const char details[] =
    "Sends the catalogue's example of an event type (`posthorn catalog` lists them). By default it posts\n"
    "the event to the server's API, and the server delivers it to your webhook_url. With --to it pushes the\n"
    "event straight to that URL as the server would: same headers, same WEBHOOK-AUTH, same document. It\n"
    "makes one attempt and prints the outcome.\n\n"
    "--set changes a field of the event: included.state=settled (an attribute of the snapshot),\n"
    "resource.id=77, relationships.failures=[], created_at=..., or any field as a JSON pointer,\n"
    "/included/0/attributes/state=settled. A value that is valid JSON is taken as JSON, any other as text.";

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
            options_wrong(trigger->usage, "--secret needs --to: a server uses its own secrets");
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
        {"api-key", OPTION_TEXT, &trigger->api_key, "KEY", "with --to: API key for WEBHOOK-AUTH",
         "POSTHORN_API_KEY"},
        {"secret", OPTION_LIST, &trigger->secrets, "SECRET",
         "with --to: signing secret (whsec_, whsk_); may be repeated"},
        {"all", OPTION_FLAG, &request.choice.all, NULL, "every documented type, in the catalogue's order"},
        {"every", OPTION_FLAG, &request.choice.every, NULL, "every type, the inferred ones too"},
        {"scenario", OPTION_TEXT, &request.choice.scenario, "NAME",
         "a sequence of events (`posthorn catalog scenarios` lists them)"},
        {"set", OPTION_LIST, &request.sets, "PATH=VALUE", "change a field of the event; may be repeated"},
        {"edit", OPTION_FLAG, &request.edit, NULL, "change the event in $EDITOR"},
        {"times", OPTION_NUMBER, &trigger->times, "N", "send all of it N times", NULL, 1, TIMES_MAX},
        {"duplicate", OPTION_FLAG, &trigger->duplicate, NULL, "send each event twice with the same id"},
        {"out-of-order", OPTION_FLAG, &trigger->out_of_order, NULL, "send the last event first"},
        {"dry-run", OPTION_FLAG, &request.dry_run, NULL, "send nothing; print the curl command"},
        CLIENT_OPTION_ROWS(trigger->server),
        CATALOGUE_OPTION_ROW(request.own_types),
        {"json", OPTION_FLAG, &trigger->json, NULL, "print one JSON object a line"},
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
