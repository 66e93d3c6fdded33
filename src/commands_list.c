#include "commands_list.h"
#include "catalogue.h"
#include "commands.h"
#include "completions.h"
#include "manage.h"
#include "serve.h"

enum { TYPES_LEN_MAX = 64 << 10 };

static int complete(const struct invocation *invocation, void *options)
{
    struct catalogue *catalogue = catalogue_open();
    struct arena arena;
    struct text types;

    arena_init(&arena, 2 * (size_t)TYPES_LEN_MAX);
    text_init(&types, &arena, TYPES_LEN_MAX);
    for (int i = 0; i < catalogue_count(catalogue); i++)
        text_printf(&types, " %s", catalogue_at(catalogue, i)->name);
    const struct completions completions = {commands_list, commands_list_count, types.data};
    bool known = completions_print(invocation->operands[0], &completions);
    arena_fini(&arena);
    catalogue_close(catalogue);
    return known ? EXIT_DONE
                 : command_wrong(invocation, "there are completions for bash, zsh or fish, not for '%.40s'",
                                 invocation->operands[0]);
}

static const struct command completions_command = {
    .name = "completions",
    .summary = "print shell completions for bash, zsh or fish",
    .details =
        "Prints a script that completes commands, options and event types.\n"
        "bash: add `source <(posthorn completions bash)` to ~/.bashrc; zsh: the same with zsh, in ~/.zshrc;\n"
        "fish: posthorn completions fish > ~/.config/fish/completions/posthorn.fish",
    .verbs = {{NULL, "bash|zsh|fish", complete}},
};

static int print_version(const struct invocation *invocation, void *options)
{
    puts(invocation->json ? "{\"version\":\"" POSTHORN_VERSION "\"}" : "posthorn " POSTHORN_VERSION);
    return EXIT_DONE;
}

static const struct command version_command = {
    .name = "version",
    .summary = "print the version",
    .details = "Prints the version of posthorn.",
    .verbs = {{NULL, "", print_version}},
    .json = JSON_OPTION("print {\"version\":\"...\"}"),
};

const struct command *const commands_list[] = {
    &serve_command,   &init_command,          &backup_command,    &compact_command, &restore_command,
    &check_command,   &keys_command,          &receive_command,   &trigger_command, &verify_command,
    &events_command,  &deliveries_command,    &endpoints_command, &jobs_command,    &resend_command,
    &why_command,     &tail_command,          &doctor_command,    &catalog_command, &ips_command,
    &secrets_command, &secrets_reset_command, &mtls_command,      &postman_command, &completions_command,
    &version_command,
};
const int commands_list_count = sizeof commands_list / sizeof *commands_list;
