#include "options.h"
#include "command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct given {
    bool flag;
    const char *text;
    struct option_list list;
    int64_t number, delay_ms;
    int operands;
    char *first;
};

enum { ARGUMENTS_MAX = 64 };

/* `line` is cut at spaces; a lone `''` is an empty argument. */
static enum options_outcome read_line(struct given *given, const char *line)
{
    static char copy[1024];
    char *argv[ARGUMENTS_MAX] = {0}, *rest = copy;
    int argc = 0;
    const struct option_row rows[] = {
        {"flag", OPTION_FLAG, &given->flag, NULL, "a flag"},
        {"text", OPTION_TEXT, &given->text, "TEXT", "a text", "POSTHORN_TEST_TEXT"},
        {"list", OPTION_LIST, &given->list, "TEXT", "texts", "POSTHORN_TEST_LIST"},
        {"number", OPTION_NUMBER, &given->number, "N", "a number", "POSTHORN_TEST_NUMBER", 1, 100},
        {"delay", OPTION_SECONDS, &given->delay_ms, "S", "seconds", NULL, 0, 60000},
    };
    const struct usage usage = {"test", "test", "A test.", rows, 5, 0, 2};

    memset(given, 0, sizeof *given);
    given->number = -1;
    strcpy(copy, line);
    for (char *word; (word = strsep(&rest, " ")); argc++) {
        assert_true(argc < ARGUMENTS_MAX - 1);
        argv[argc] = strcmp(word, "''") == 0 ? word + 2 : word;
    }
    enum options_outcome outcome = options_read(&usage, argc, argv, &given->operands);
    given->first = outcome == OPTIONS_GO && given->operands ? argv[argc - given->operands] : NULL;
    return outcome;
}

static void options_go_where_the_table_says(void **state)
{
    struct given given;

    assert_int_equal(read_line(&given, "test --flag --text a --list b --list=c --number 7 --delay 1.5"),
                     OPTIONS_GO);
    assert_true(given.flag);
    assert_string_equal(given.text, "a");
    assert_int_equal(given.list.count, 2);
    assert_string_equal(given.list.items[1], "c");
    assert_int_equal(given.number, 7);
    assert_int_equal(given.delay_ms, 1500);
    assert_int_equal(given.operands, 0);
    assert_int_equal(read_line(&given, "test"), OPTIONS_GO);
    assert_int_equal(given.number, -1);
}

static void operands_and_options_may_be_mixed(void **state)
{
    struct given given;

    assert_int_equal(read_line(&given, "test one --flag two"), OPTIONS_GO);
    assert_int_equal(given.operands, 2);
    assert_string_equal(given.first, "one");
    assert_true(given.flag);
    assert_int_equal(read_line(&given, "test -- --flag"), OPTIONS_GO);
    assert_string_equal(given.first, "--flag");
    assert_false(given.flag);
}

static void wrong_usage(void **state)
{
    static const char *const lines[] = {
        "test --nothing",
        "test --text",
        "test --text ''",
        "test --list ''",
        "test --flag=1",
        "test --number 0",
        "test --number 101",
        "test --number x",
        "test --number -5",
        "test --number 1.5",
        "test --number ''",
        "test --delay -1",
        "test --delay 1.",
        "test --delay .5",
        "test --delay 1.2345",
        "test --delay 1e3",
        "test --delay 60.001",
        "test --delay 99999999999999999999",
        "test -x",
        "test one two three",
        "test --list 1 --list 2 --list 3 "
        "--list 4 --list 5 --list 6 --list 7 --list 8 --list 9 --list 10 --list 11 "
        "--list 12 --list 13 --list 14 --list 15 --list 16 --list 17"};
    struct given given;

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (read_line(&given, lines[i]) != OPTIONS_WRONG)
            fail_msg("%s", lines[i]);
}

static void seconds_have_up_to_three_decimals(void **state)
{
    static const struct {
        const char *line;
        int64_t ms;
    } rows[] = {{"test --delay 0", 0},      {"test --delay 2", 2000},   {"test --delay 0.001", 1},
                {"test --delay 60", 60000}, {"test --delay 0.25", 250}, {"test --delay 1.050", 1050}};
    struct given given;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(read_line(&given, rows[i].line), OPTIONS_GO);
        assert_int_equal(given.delay_ms, rows[i].ms);
    }
}

static void the_environment_fills_what_is_not_given(void **state)
{
    struct given given;

    setenv("POSTHORN_TEST_TEXT", "from environment", 1);
    setenv("POSTHORN_TEST_LIST", "e", 1);
    assert_int_equal(read_line(&given, "test"), OPTIONS_GO);
    assert_string_equal(given.text, "from environment");
    assert_int_equal(given.list.count, 1);
    assert_int_equal(read_line(&given, "test --text given --list a"), OPTIONS_GO);
    assert_string_equal(given.text, "given");
    assert_int_equal(given.list.count, 1);
    assert_string_equal(given.list.items[0], "a");
    setenv("POSTHORN_TEST_TEXT", "", 1); /* empty is as good as unset */
    assert_int_equal(read_line(&given, "test"), OPTIONS_GO);
    assert_null(given.text);
    setenv("POSTHORN_TEST_NUMBER", "many", 1);
    assert_int_equal(read_line(&given, "test"), OPTIONS_WRONG);
    assert_int_equal(read_line(&given, "test --number 3"), OPTIONS_GO);
    unsetenv("POSTHORN_TEST_TEXT");
    unsetenv("POSTHORN_TEST_LIST");
    unsetenv("POSTHORN_TEST_NUMBER");
}

static void help_is_not_an_error(void **state)
{
    struct given given;

    assert_int_equal(read_line(&given, "test --help"), OPTIONS_HELP);
    assert_int_equal(read_line(&given, "test one -h"), OPTIONS_HELP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_go_where_the_table_says),
        cmocka_unit_test(operands_and_options_may_be_mixed),
        cmocka_unit_test(wrong_usage),
        cmocka_unit_test(seconds_have_up_to_three_decimals),
        cmocka_unit_test(the_environment_fills_what_is_not_given),
        cmocka_unit_test(help_is_not_an_error),
    };
    return cmocka_run_group_tests_name("cli/options", tests, NULL, NULL);
}
