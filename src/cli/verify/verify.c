/* posthorn verify: whether a push that was kept is one of yours. */
#include "clock.h"
#include "command.h"
#include "diagnose.h"
#include "instant.h"
#include "posthorn.h"
#include "secret_flaw.h"
#include "show.h"
#include "terminal.h"
#include "text.h"

#include <stdio.h>

enum {
    MEMORY_LEN_MAX = 4 * SAVED_LEN_MAX,
    TOLERANCE_S_MAX = 365 * 86400,
    FINDINGS_MAX = 3,
    ANSWER_DETAIL_LEN_MAX = 4 * FINDING_DETAIL_LEN,
    OUTPUT_LEN_MAX = 16 << 10,
    LINES_LEN_MAX = 64 << 10
};

static const char details[] =
    "Checks whether a push that you kept is genuine. If it is not, it names the wrong part and the likely\n"
    "cause: a line feed in the key, a body that was parsed and written again, a wrong clock, another user's\n"
    "key, a header that was renamed or doubled.\n\n"
    "FILE is the push as it arrived: header lines, an empty line, the body (- for stdin). Without FILE, "
    "give\n"
    "the headers with --header, and the body with --body or on stdin.";

struct verify {
    const struct usage *usage;
    struct option_list headers, keys, secrets;
    const char *body, *at;
    int64_t tolerance_s, at_s;
    bool json;
};

/* ---- what was kept ---------------------------------------------------------------------------------------
 */

static bool read_push(const struct verify *verify, struct arena *arena, const char *file,
                      struct saved_push *push)
{
    *push = (struct saved_push){.header_count = 0};
    if (file) {
        struct bytes text = saved_read(verify->usage, arena, file);
        return text.data && saved_parse(verify->usage, text, push);
    }
    for (int i = 0; i < verify->headers.count; i++)
        if (!saved_add_header(verify->usage, bytes_of(verify->headers.items[i]), push))
            return false;
    push->body = saved_read(verify->usage, arena, verify->body ? verify->body : "-");
    return push->body.data != NULL;
}

/* ---- what is said ----------------------------------------------------------------------------------------
 */

static void print_plain(const struct finding *findings, int count)
{
    struct colours colours = colours_for(stdout);
    struct arena arena;

    for (int i = 0; i < count; i++) {
        const struct finding *finding = &findings[i];
        struct text detail;
        arena_init(&arena, LINES_LEN_MAX);
        text_init(&detail, &arena, ANSWER_DETAIL_LEN_MAX);
        text_put_printable(&detail, bytes_of(finding->detail));
        printf("%-18s %s%s%s: %s\n", finding->part,
               colour_start(colours, finding->right ? COLOUR_GOOD : COLOUR_BAD),
               finding->right ? "right" : "wrong", colour_end(colours), detail.data);
        arena_fini(&arena);
    }
}

static void print_json(const struct finding *findings, int count, bool right)
{
    struct arena arena;
    struct text out;

    arena_init(&arena, LINES_LEN_MAX);
    text_init(&out, &arena, OUTPUT_LEN_MAX);
    text_printf(&out, "{\"right\":%s,\"parts\":[", right ? "true" : "false");
    for (int i = 0; i < count; i++) {
        struct text detail;
        text_init(&detail, &arena, ANSWER_DETAIL_LEN_MAX);
        text_put_printable(&detail, bytes_of(findings[i].detail));
        text_printf(&out, "%s{\"part\":\"%s\",\"right\":%s,\"reason\":\"%s\",\"detail\":", i ? "," : "",
                    findings[i].part, findings[i].right ? "true" : "false", findings[i].reason);
        text_put_json(&out, text_bytes(&detail));
        text_putc(&out, '}');
    }
    text_puts(&out, "]}");
    show_json_line(text_bytes(&out));
    arena_fini(&arena);
}

static int judge(const struct verify *verify, const struct saved_push *push)
{
    struct finding findings[FINDINGS_MAX];
    int count = 0;
    bool right = true;

    if (verify->keys.count > 0)
        diagnose_auth(push, &verify->keys, &findings[count++]);
    if (verify->secrets.count > 0)
        diagnose_signature(push, &verify->secrets, verify->at_s, verify->tolerance_s, &findings[count++]);
    diagnose_body(push, &findings[count++]);
    for (int i = 0; i < count; i++)
        right = right && findings[i].right;
    if (verify->json)
        print_json(findings, count, right);
    else
        print_plain(findings, count);
    return right ? EXIT_DONE : EXIT_FAILED;
}

/* ---- options ---------------------------------------------------------------------------------------------
 */

/* Seconds since 1970, or a date. */
static bool read_at(struct verify *verify)
{
    struct clock clock = clock_system();
    int64_t at_ms;

    verify->at_s = clock_wall_ms(&clock) / 1000;
    if (!verify->at || bytes_to_int64(bytes_of(verify->at), &verify->at_s))
        return true;
    if (!instant_parse(bytes_of(verify->at), &at_ms))
        return false;
    verify->at_s = at_ms / 1000;
    return true;
}

static int run(struct verify *verify, const char *file)
{
    struct saved_push push;
    struct arena arena;

    if (verify->keys.count + verify->secrets.count == 0)
        return options_wrong(verify->usage, "give --api-key, --secret or both to verify the push with");
    if (secret_flaw_check(verify->usage, &verify->secrets) != EXIT_DONE)
        return EXIT_USAGE;
    if (!read_at(verify))
        return options_wrong(verify->usage,
                             "--at takes seconds since 1970, or a date like 2000-01-01T00:00:00Z");
    if (file && (verify->headers.count > 0 || verify->body))
        return options_wrong(verify->usage, "give FILE, or --header and --body, not both");
    arena_init(&arena, MEMORY_LEN_MAX);
    int code = read_push(verify, &arena, file, &push) ? judge(verify, &push) : EXIT_FAILED;
    arena_fini(&arena);
    return code;
}

int verify_main(int argc, char **argv)
{
    struct verify verify = {.tolerance_s = POSTHORN_TOLERANCE_S};
    int count;
    const struct option_row rows[] = {
        {"api-key", OPTION_LIST, &verify.keys, "KEY", "to check WEBHOOK-AUTH; may be repeated",
         "POSTHORN_API_KEY"},
        {"secret", OPTION_LIST, &verify.secrets, "SECRET",
         "to check webhook-signature (whsec_, whpk_); may be repeated", "POSTHORN_SECRET"},
        {"header", OPTION_LIST, &verify.headers, "LINE",
         "a header of the push, such as 'webhook-id: 8'; may be repeated"},
        {"body", OPTION_TEXT, &verify.body, "FILE", "body of the push, byte for byte [stdin]"},
        {"at", OPTION_TEXT, &verify.at, "TIME", "time of arrival: a date, or seconds since 1970 [now]"},
        {"tolerance", OPTION_NUMBER, &verify.tolerance_s, "SECONDS", "allowed difference of the clocks [300]",
         NULL, 0, TOLERANCE_S_MAX},
        {"json", OPTION_FLAG, &verify.json, NULL, "print JSON, with a reason for programs"},
    };
    const struct usage usage = {"verify",
                                "verify FILE [--api-key KEY] [--secret SECRET] [--at TIME]\n"
                                "verify --header LINE... [--body FILE] [--api-key KEY] [--secret SECRET]",
                                details,
                                rows,
                                sizeof rows / sizeof *rows,
                                0,
                                1};

    enum options_outcome outcome = options_read(&usage, argc, argv, &count);
    if (outcome != OPTIONS_GO)
        return outcome == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
    verify.usage = &usage;
    return run(&verify, count == 1 ? argv[argc - 1] : NULL);
}
