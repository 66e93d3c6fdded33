/*
 * A command as a table: its options go where the rows say, its verbs are found, and an error is
 * one line with exit code 2.
 */
#include "command.h"
#include "completions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct given {
    const char *shared; /* first */
    bool flag;
    const char *text, *choice;
    struct option_list list, words;
    int64_t number, delay_ms, plain;
};

#define AT(field) offsetof(struct given, field)
static const struct option_row rows[] = {
    {"flag", OPTION_FLAG, AT(flag), "", NULL, "a flag"},
    {"text", OPTION_TEXT, AT(text), "standard", "TEXT", "a text", .environment = true},
    {"choice", OPTION_CHOICE, AT(choice), "", "red|green|blue", "a colour"},
    {"list", OPTION_LIST, AT(list), "", "TEXT", "texts", .environment = true},
    {"words", OPTION_WORDS, AT(words), "", "WORD", "words"},
    {"number", OPTION_NUMBER, AT(number), "7", "N", "a number", 1, 100, .environment = true},
    {"plain", OPTION_NUMBER, AT(plain), "", "N", "a number without a default", 1, 100, .verbs = "list, show"},
    {"delay", OPTION_SECONDS, AT(delay_ms), "0.5", "S", "seconds", 0, 60000},
};
static const struct option_row shared_rows[] = {{"shared", OPTION_TEXT, 0, "", "TEXT", "of many commands"}};
static const struct option_table shared = OPTION_TABLE(shared_rows);
static const struct option_row setting_rows[] = {
    {"listen", OPTION_TEXT, 0, ":80", "ADDRESS", "a setting"},
    {"dev", OPTION_FLAG, 0, "", NULL, "another"},
};
static const struct option_table settings = OPTION_TABLE(setting_rows);

/* What the last call found. */
static struct given given;
static char line_copy[1024], verb[16], operands[128], setting_text[128];
static bool json;

static void join(char *out, size_t size, char **texts, int count)
{
    *out = '\0';
    for (int i = 0; i < count; i++)
        snprintf(out + strlen(out), size - strlen(out), "%s%s", i ? " " : "", texts[i]);
}

static int run(const struct invocation *invocation, void *options)
{
    given = *(struct given *)options;
    json = invocation->json;
    snprintf(verb, sizeof verb, "%s", invocation->verb->name ? invocation->verb->name : "-");
    join(operands, sizeof operands, invocation->operands, invocation->operand_count);
    join(setting_text, sizeof setting_text, invocation->settings, invocation->setting_count);
    return EXIT_DONE;
}

static const struct command test_command = {
    .name = "test",
    .summary = "a test",
    .details = "A test.",
    .verbs = {{"list", "", run}, {"show", "ID", run}, {"many", "TYPE...", run}, {NULL, "[FILE]", run}},
    .options_len = sizeof(struct given),
    .rows = OPTION_TABLE(rows),
    .shared = &shared,
    .settings = &settings,
    .settings_shown = "dev",
    .json = JSON_OPTION("print JSON"),
};
static const struct command reset_command = {.name = "test reset",
                                             .summary = "two words",
                                             .details = "Two words.",
                                             .verbs = {{NULL, "", run}},
                                             .options_len = sizeof(struct given)};
static const struct command *const commands[] = {&test_command, &reset_command};

/* Runs `posthorn LINE`, cut at spaces; a lone '' is an empty argument. Both outputs are in `out`. */
static int call(const char *line, char out[16384])
{
    static char program[] = "posthorn";
    char *argv[256] = {program}, *rest = line_copy;
    int argc = 1;
    FILE *former[] = {stdout, stderr}, *capture = fmemopen(out, 16384, "w");
    verb[0] = '\0';
    snprintf(line_copy, sizeof line_copy, "%s", line);
    for (char *word; (word = strsep(&rest, " "));)
        argv[argc++] = strcmp(word, "''") == 0 ? word + 2 : word;
    stdout = stderr = capture;
    int code = command_run(commands, 2, argc, argv);
    stdout = former[0];
    stderr = former[1];
    fclose(capture);
    return code;
}

static void must_run(const char *line)
{
    char out[16384];
    if (call(line, out) != EXIT_DONE || !verb[0])
        fail_msg("%s: %s", line, out);
}

static void options_go_where_the_table_says(void **state)
{
    must_run("test list --flag --text a --list b --list=c,d --words e,f --words g --number 8 --delay 1.5 "
             "--shared h "
             "--choice green --json");
    assert_true(given.flag && json);
    assert_string_equal(given.text, "a");
    assert_string_equal(given.choice, "green");
    assert_int_equal(given.list.count, 2);
    assert_string_equal(given.list.items[1], "c,d");
    assert_int_equal(given.words.count, 3);
    assert_int_equal(given.number, 8);
    assert_int_equal(given.delay_ms, 1500);
    assert_string_equal(given.shared, "h");
    must_run("test list");
    assert_string_equal(given.text, "standard");
    assert_int_equal(given.number, 7);
    assert_int_equal(given.plain, -1);
    assert_int_equal(given.delay_ms, 500);
    assert_false(given.flag || json);
}

static void verbs_and_operands_are_found(void **state)
{
    must_run("test show --flag 8");
    assert_string_equal(verb, "show");
    assert_string_equal(operands, "8");
    must_run("test many a b c");
    assert_string_equal(operands, "a b c");
    must_run("test");
    assert_string_equal(verb, "-");
    must_run("test -");
    assert_string_equal(operands, "-");
    must_run("test -- --flag");
    assert_string_equal(operands, "--flag");
    assert_false(given.flag);
    must_run("test reset");
    assert_string_equal(verb, "-");
    assert_null(given.text);
}

static void settings_are_kept_for_their_reader(void **state)
{
    must_run("test list --dev --listen :8080 --flag --listen=:1 --json");
    assert_string_equal(setting_text, "--dev --listen :8080 --listen=:1");
    assert_true(given.flag && json);
}

static void wrong_usage(void **state)
{
    static const struct {
        const char *line, *said;
    } wrongs[] = {
        {"tset", "there is no command 'tset'; did you mean 'test'?"},
        {"test list --nothing", "there is no option --nothing\n"},
        {"test list --nubmer 3", "there is no option --nubmer; did you mean --number?"},
        {"test list --share x", "did you mean --shared?"},
        {"test list -x", "there is no option -x"},
        {"test list --text", "--text needs a value: --text TEXT"},
        {"test list --listen", "--listen needs a value: --listen ADDRESS"},
        {"test list --text ''", "--text is empty"},
        {"test list --list ''", "--list is empty"},
        {"test list --flag=maybe", "--flag takes true or false, not 'maybe'"},
        {"test list --choice yellow", "--choice takes red, green or blue, not 'yellow'"},
        {"test list --number 0", "--number takes a whole number from 1 to 100, not '0'"},
        {"test list --number 101", "not '101'"},
        {"test list --number x", "not 'x'"},
        {"test list --number -5", "not '-5'"},
        {"test list --number 1.5", "not '1.5'"},
        {"test list --number ''", "not ''"},
        {"test list --delay -1", "--delay takes a number of seconds from 0 to 60, not '-1'"},
        {"test list --delay 1.", "not '1.'"},
        {"test list --delay .5", "not '.5'"},
        {"test list --delay 1.2345", "not '1.2345'"},
        {"test list --delay 1e3", "not '1e3'"},
        {"test list --delay 60.001", "not '60.001'"},
        {"test list --delay 99999999999999999999", "not '99999"},
        {"test list 8", "write `test list`, `test show ID`, `test many TYPE...` or `test [FILE]`\n"},
        {"test show", "write `test list`"},
        {"test many", "write `test list`"},
        {"test one two", "write `test list`"},
        {"test many a --plain 3", "--plain is not for `test many`, but for: list, show\n"},
    };
    char out[16384];
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++)
        if (call(wrongs[i].line, out) != EXIT_USAGE || !strstr(out, wrongs[i].said) || verb[0])
            fail_msg("%s: %s", wrongs[i].line, out);
    char line[1024] = "test list";
    for (int i = 0; i <= OPTION_LIST_MAX; i++)
        strcat(line, " --list x");
    assert_int_equal(call(line, out), EXIT_USAGE);
    assert_non_null(strstr(out, "--list is given more than 64 times"));
}

static void seconds_have_up_to_three_decimals(void **state)
{
    static const struct {
        const char *line;
        int64_t ms;
    } cases[] = {{"test list --delay 0", 0},      {"test list --delay 2", 2000},
                 {"test list --delay 0.001", 1},  {"test list --delay 60", 60000},
                 {"test list --delay 0.25", 250}, {"test list --delay 1.050", 1050}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        must_run(cases[i].line);
        assert_int_equal(given.delay_ms, cases[i].ms);
    }
}

static void the_environment_fills_what_is_not_given(void **state)
{
    char out[16384];
    setenv("POSTHORN_TEXT", "from environment", 1);
    setenv("POSTHORN_LIST", "e", 1);
    setenv("POSTHORN_WORDS", "not read", 1);
    must_run("test list");
    assert_string_equal(given.text, "from environment");
    assert_int_equal(given.list.count, 1);
    assert_int_equal(given.words.count, 0);
    must_run("test list --text given --list a");
    assert_string_equal(given.text, "given");
    assert_int_equal(given.list.count, 1);
    assert_string_equal(given.list.items[0], "a");
    setenv("POSTHORN_TEXT", "", 1); /* empty is as good as unset */
    must_run("test list");
    assert_string_equal(given.text, "standard");
    setenv("POSTHORN_NUMBER", "many", 1);
    assert_int_equal(call("test list", out), EXIT_USAGE);
    assert_non_null(strstr(out, "POSTHORN_NUMBER takes a whole number"));
    must_run("test list --number 3");
    unsetenv("POSTHORN_TEXT");
    unsetenv("POSTHORN_LIST");
    unsetenv("POSTHORN_WORDS");
    unsetenv("POSTHORN_NUMBER");
}

static void help_has_each_form_and_each_option(void **state)
{
    static const char *const lines[] = {"test --help", "test one -h", "help test",
                                        "test list --help --nothing"};
    static const char *const said[] = {
        "usage: posthorn test list [options]\n",
        "       posthorn test show ID [options]\n",
        "       posthorn test [FILE] [options]\n",
        "  --text TEXT                   a text [standard] (or POSTHORN_TEXT)\n",
        "  --plain N                     list, show: a number without a default\n",
        "  --shared TEXT                 of many commands\n",
        "  --dev                         another\n",
        "  --json                        print JSON\n",
        "  --help                        this text\n",
    };
    char out[16384];
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(call(lines[i], out), EXIT_DONE);
        for (size_t k = 0; k < sizeof said / sizeof *said; k++)
            if (!strstr(out, said[k]))
                fail_msg("%s: no '%s' in: %s", lines[i], said[k], out);
        assert_null(strstr(out, "--listen")); /* not among settings_shown */
    }
    assert_int_equal(call("--help", out), EXIT_DONE);
    assert_non_null(strstr(out, "\n  test         a test\n"));
    assert_int_equal(call("help test reset", out), EXIT_DONE);
    assert_non_null(strstr(out, "posthorn test reset [options]\n\nTwo words."));
}

static void completions_have_choices_verbs_and_types(void **state)
{
    static const struct {
        const char *shell, *said;
    } cases[] = {{"bash", "words=\" list show many reset user_enabled\""},
                 {"bash", "--choice) choices=\"red|green|blue\" ;;"},
                 {"bash", "\"test reset\")\n        options=\"--help\""},
                 {"zsh", "'*--choice[a colour]:red|green|blue:(red green blue)'"},
                 {"zsh", "( list show many reset user_enabled)"},
                 {"fish", "-l choice -x -a 'red green blue' -d 'a colour'"},
                 {"fish", "from test; and __fish_seen_subcommand_from reset' -l help"}};
    char out[16384];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        FILE *former = stdout;
        stdout = fmemopen(out, sizeof out, "w");
        assert_true(completions_print(cases[i].shell, &(struct completions){commands, 2, " user_enabled"}));
        fclose(stdout);
        stdout = former;
        if (!strstr(out, cases[i].said))
            fail_msg("%s: no '%s' in: %s", cases[i].shell, cases[i].said, out);
    }
    assert_false(completions_print("tcsh", &(struct completions){commands, 2, ""}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_go_where_the_table_says),
        cmocka_unit_test(verbs_and_operands_are_found),
        cmocka_unit_test(settings_are_kept_for_their_reader),
        cmocka_unit_test(wrong_usage),
        cmocka_unit_test(seconds_have_up_to_three_decimals),
        cmocka_unit_test(the_environment_fills_what_is_not_given),
        cmocka_unit_test(help_has_each_form_and_each_option),
        cmocka_unit_test(completions_have_choices_verbs_and_types),
    };
    return cmocka_run_group_tests_name("command/command", tests, NULL, NULL);
}
