#include "trigger.h"

#include "amend.h"
#include "catalogue.h"
#include "catalogue_option.h"
#include "commands.h"
#include "signatures_option.h"

enum { TIMES_MAX = 10 * 1000 * 1000 };

static bool amend(const struct invocation *invocation, struct trigger *trigger)
{
    struct examples *examples = &trigger->examples;
    char detail[AMEND_DETAIL_LEN];

    for (int i = 0; i < examples->count; i++) {
        for (int k = 0; k < trigger->sets.count; k++)
            if (!amend_set(examples->documents[i], trigger->sets.items[k], detail)) {
                command_wrong(invocation, "--set '%.80s': %s", trigger->sets.items[k], detail);
                return false;
            }
        if (trigger->sets.count > 0 && !amend_check(examples->documents[i], detail)) {
            command_wrong(invocation, "--set: %s", detail);
            return false;
        }
    }
    return true;
}

static int send(const struct invocation *invocation, struct trigger *trigger)
{
    int count = trigger->examples.count;

    if (trigger->edit && count > 1)
        return command_wrong(invocation, "--edit is for one event");
    if (!amend(invocation, trigger))
        return EXIT_USAGE;
    if (trigger->out_of_order && count < 2)
        return command_wrong(invocation,
                             "--out-of-order needs two events or more: a scenario, or several types");
    if (!trigger->to && trigger->secrets.count > 0)
        return command_wrong(invocation, "--secret needs --to: a server uses its own secrets");
    if (!trigger->to && trigger->signature_names)
        return command_wrong(invocation,
                             "--signatures needs --to: a server signs as the endpoint's attribute says");
    if (signatures_option_read(invocation, trigger->signature_names, &trigger->signatures) != EXIT_DONE)
        return EXIT_USAGE;
    if (trigger->edit && !amend_edit(invocation, &trigger->examples.documents[0]))
        return EXIT_FAILED;
    if (trigger->dry_run)
        return trigger_dry(trigger);
    return trigger->to ? trigger_push(trigger) : trigger_post(trigger);
}

static int run_trigger(const struct invocation *invocation, void *options)
{
    struct trigger *trigger = options;
    struct catalogue *catalogue = catalogue_option_open(invocation, trigger->own_types);

    if (!catalogue)
        return EXIT_USAGE;
    trigger->invocation = invocation;
    trigger->colours = colours_for(stdout);
    int code = EXIT_USAGE;
    if (examples_choose(&trigger->examples, invocation, catalogue, &trigger->choice))
        code = send(invocation, trigger);
    examples_free(&trigger->examples);
    catalogue_close(catalogue);
    return code;
}

#define AT(field) offsetof(struct trigger, field)
static const struct option_row rows[] = {
    {"to", OPTION_TEXT, AT(to), "", "URL", "push to this URL, without a server"},
    {"api-key", OPTION_TEXT, AT(api_key), "", "KEY", "with --to: API key for WEBHOOK-AUTH",
     .environment = true},
    {"secret", OPTION_LIST, AT(secrets), "", "SECRET",
     "with --to: signing secret (whsec_, whsk_); may be repeated"},
    {"signatures", OPTION_TEXT, AT(signature_names), "", "NAME,...",
     "with --to: sign as these do: webhook-auth, standard, stripe, github, shopify, slack, standard-ed25519, "
     "rfc9421 [webhook-auth,standard]"},
    {"all", OPTION_FLAG, AT(choice.all), "", NULL, "every documented type, in the catalogue's order"},
    {"every", OPTION_FLAG, AT(choice.every), "", NULL, "every type, the inferred ones too"},
    {"scenario", OPTION_TEXT, AT(choice.scenario), "", "NAME",
     "a sequence of events (`posthorn catalog scenarios` lists them)"},
    {"set", OPTION_LIST, AT(sets), "", "PATH=VALUE", "change a field of the event; may be repeated"},
    {"edit", OPTION_FLAG, AT(edit), "", NULL, "change the event in $EDITOR"},
    {"times", OPTION_NUMBER, AT(times), "1", "N", "send all of it N times", 1, TIMES_MAX},
    {"duplicate", OPTION_FLAG, AT(duplicate), "", NULL, "send each event twice with the same id"},
    {"out-of-order", OPTION_FLAG, AT(out_of_order), "", NULL, "send the last event first"},
    {"dry-run", OPTION_FLAG, AT(dry_run), "", NULL, "send nothing; print the curl command"},
    CATALOGUE_OPTION(struct trigger, own_types),
};

const struct command trigger_command = {
    .name = "trigger",
    .summary = "send an example event",
    .details =
        "Sends the catalogue's example of an event type (`posthorn catalog` lists them), of several types, "
        "of\n"
        "--all, of --every or of a --scenario. By default it posts the event to the server's API, and the "
        "server\n"
        "delivers it to your webhook_url. With --to it pushes the event straight to that URL as the server "
        "would:\n"
        "same headers, same WEBHOOK-AUTH, same document. It makes one attempt and prints the outcome.\n\n"
        "--set changes a field of the event: included.state=settled (an attribute of the snapshot),\n"
        "resource.id=77, relationships.failures=[], created_at=..., or any field as a JSON pointer,\n"
        "/included/0/attributes/state=settled. A value that is valid JSON is taken as JSON, any other as "
        "text.",
    .verbs = {{NULL, "[TYPE...]", run_trigger}},
    .rows = OPTION_TABLE(rows),
    .options_len = sizeof(struct trigger),
    .shared = &client_rows,
    .json = JSON_OPTION("print one JSON object a line"),
};
