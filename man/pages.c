/*
 * pages: fills a man page's template from the tables the program itself runs on, so that page and program
 * cannot differ. Used at build time.
 *
 *   pages TEMPLATE > PAGE
 *
 * A line that is one of these words alone is replaced: @SETTINGS@ (config.h), @FAILURES@ (failure.h),
 * @RESULTS@ (posthorn.h). @VERSION@ is replaced anywhere.
 */
#include "config.h"
#include "failure.h"
#include "posthorn.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Roff: a hyphen that must be copied as such, a backslash, `code`, and a dot or quote that begins a line. */
static void put(const char *text)
{
    bool code = false;
    if (*text == '.' || *text == '\'')
        fputs("\\&", stdout);
    for (; *text; text++) {
        if (*text == '`') {
            code = !code;
            fputs(code ? "\\fB" : "\\fR", stdout);
        } else if (*text == '-') {
            fputs("\\-", stdout);
        } else if (*text == '\\') {
            fputs("\\e", stdout);
        } else {
            putchar(*text);
        }
    }
}

static void put_sentence(const char *text)
{
    char first[2] = {(char)toupper((unsigned char)*text), 0};
    bool plain = isalpha((unsigned char)*text);
    if (plain)
        put(first);
    put(plain ? text + 1 : text);
    puts(".");
}

static void failures(void)
{
    static const char *const classes[] = {"", "receiver", "posthorn", "policy", "nobody"};
    for (enum failure failure = FAILURE_NONE + 1; failure < FAILURE_COUNT; failure++) {
        printf(".TP\n.B %s\n(%s) ", failure_name(failure), classes[failure_class_of(failure)]);
        put_sentence(failure_sentence(failure));
    }
}

static void results(void)
{
    for (enum posthorn_result result = POSTHORN_OK; result < POSTHORN_RESULT_COUNT; result++) {
        printf(".TP\n.B POSTHORN_");
        for (const char *name = posthorn_result_name(result); *name; name++)
            putchar(toupper((unsigned char)*name));
        printf("\n(%d) ", posthorn_http_status(result));
        put_sentence(posthorn_result_sentence(result));
    }
}

static void line_with_version(char *line)
{
    char *version = strstr(line, "@VERSION@");
    if (version) {
        *version = 0;
        printf("%s%s%s", line, POSTHORN_VERSION, version + strlen("@VERSION@"));
    } else {
        fputs(line, stdout);
    }
}

int main(int argc, char **argv)
{
    char line[1024];
    FILE *template = argc == 2 ? fopen(argv[1], "re") : NULL;
    if (!template) {
        fputs("usage: pages TEMPLATE\n", stderr);
        return 2;
    }
    while (fgets(line, sizeof line, template)) {
        if (strcmp(line, "@SETTINGS@\n") == 0)
            config_print_man(stdout);
        else if (strcmp(line, "@FAILURES@\n") == 0)
            failures();
        else if (strcmp(line, "@RESULTS@\n") == 0)
            results();
        else
            line_with_version(line);
    }
    fclose(template);
    return ferror(stdout) ? 1 : 0;
}
