/* posthorn verify: checks that a stored push is genuine. */
#include "clock.h"
#include "commands.h"
#include "diagnose.h"
#include "input.h"
#include "instant.h"
#include "posthorn.h"
#include "secret_flaw.h"
#include "show.h"
#include "signatures_option.h"
#include "terminal.h"

enum {
    MEMORY_LEN_MAX = 4 * SAVED_LEN_MAX,
    TOLERANCE_S_MAX = 365 * 86400,
    FINDINGS_MAX = 3 + DIAGNOSE_DIALECTS_MAX
};

struct verify {
    const struct invocation *invocation;
    struct option_list headers, keys, secrets;
    const char *body, *at, *names, *url;
    int signatures; /* bits of enum push_signature; 0: those that are there */
    struct arrival arrival;
};

/* ---- the stored push ----------------------------------------------------------------------------------- */

static bool read_push(const struct verify *verify, struct arena *arena, const char *file,
                      struct saved_push *push)
{
    *push = (struct saved_push){.header_count = 0};
    if (file) {
        struct bytes text = input_read(verify->invocation, arena, file, SAVED_LEN_MAX);
        return text.data && saved_parse(verify->invocation, text, push);
    }
    for (int i = 0; i < verify->headers.count; i++)
        if (!saved_add_header(verify->invocation, bytes_of(verify->headers.items[i]), push))
            return false;
    push->body = input_read(verify->invocation, arena, verify->body ? verify->body : "-", SAVED_LEN_MAX);
    return push->body.data != NULL;
}

/* ---- printing ------------------------------------------------------------------------------------------ */

static void print_plain(const struct finding *findings, int count)
{
    struct colours colours = colours_for(stdout);
    struct line line;

    for (int i = 0; i < count; i++) {
        const struct finding *finding = &findings[i];
        text_printf(line_begin(&line), "%-18s %s%s%s: ", finding->part,
                    colour_start(colours, finding->right ? COLOUR_GOOD : COLOUR_BAD),
                    finding->right ? "right" : "wrong", colour_end(colours));
        text_put_printable(&line.text, bytes_of(finding->detail));
        line_print(&line, stdout);
    }
}

static void print_json(const struct finding *findings, int count, bool right)
{
    struct line line, detail;
    struct text *text = line_begin(&line);

    text_printf(text, "{\"right\":%s,\"parts\":[", right ? "true" : "false");
    for (int i = 0; i < count; i++) {
        text_put_printable(line_begin(&detail), bytes_of(findings[i].detail));
        text_printf(text, "%s{\"part\":\"%s\",\"right\":%s,\"reason\":\"%s\",\"detail\":", i ? "," : "",
                    findings[i].part, findings[i].right ? "true" : "false", findings[i].reason);
        text_put_json(text, text_bytes(&detail.text));
        text_putc(text, '}');
        line_drop(&detail);
    }
    text_puts(text, "]}");
    show_json_line(text_bytes(text));
    line_drop(&line);
}

static int judge(const struct verify *verify, const struct saved_push *push)
{
    struct finding findings[FINDINGS_MAX];
    int count = 0;
    bool right = true;

    if (verify->keys.count > 0)
        diagnose_auth(push, &verify->keys, &findings[count++]);
    int signatures = verify->signatures ? verify->signatures : diagnose_which(push);
    if (verify->secrets.count > 0 && signatures & (PUSH_STANDARD | PUSH_STANDARD_ED25519))
        diagnose_signature(push, &verify->secrets, &verify->arrival, &findings[count++]);
    if (verify->secrets.count > 0)
        count += diagnose_dialects(push, signatures, &verify->secrets, verify->url, &verify->arrival,
                                   &findings[count]);
    diagnose_body(push, &findings[count++]);
    for (int i = 0; i < count; i++)
        right = right && findings[i].right;
    if (verify->invocation->json)
        print_json(findings, count, right);
    else
        print_plain(findings, count);
    return right ? EXIT_DONE : EXIT_FAILED;
}

/* ---- options ------------------------------------------------------------------------------------------- */

/* Seconds since 1970, or a date. */
static bool read_at(struct verify *verify)
{
    struct clock clock = clock_system();
    int64_t at_ms;

    verify->arrival.at_s = clock_wall_ms(&clock) / 1000;
    if (!verify->at || bytes_to_int64(bytes_of(verify->at), &verify->arrival.at_s))
        return true;
    if (!instant_parse(bytes_of(verify->at), &at_ms))
        return false;
    verify->arrival.at_s = at_ms / 1000;
    return true;
}

static int run(const struct invocation *invocation, void *options)
{
    const char *file = invocation->operand_count ? invocation->operands[0] : NULL;
    struct verify *verify = options;
    struct saved_push push;
    struct arena arena;

    verify->invocation = invocation;
    if (verify->keys.count + verify->secrets.count == 0)
        return command_wrong(invocation, "give --api-key, --secret or both to verify the push with");
    if (signatures_option_read(invocation, verify->names, &verify->signatures) != EXIT_DONE)
        return EXIT_USAGE;
    if (verify->signatures & PUSH_WEBHOOK_AUTH && verify->keys.count == 0)
        return command_wrong(invocation, "--signatures webhook-auth needs --api-key");
    if (verify->signatures & ~PUSH_WEBHOOK_AUTH && verify->secrets.count == 0)
        return command_wrong(invocation,
                             "--signatures needs --secret: whsec_..., or the public key whpk_...");
    if (secret_flaw_check(invocation, &verify->secrets) != EXIT_DONE)
        return EXIT_USAGE;
    if (!read_at(verify))
        return command_wrong(invocation,
                             "--at takes seconds since 1970, or a date like 2000-01-01T00:00:00Z");
    if (file && (verify->headers.count > 0 || verify->body))
        return command_wrong(invocation, "give FILE, or --header and --body, not both");
    arena_init(&arena, MEMORY_LEN_MAX);
    int code = read_push(verify, &arena, file, &push) ? judge(verify, &push) : EXIT_FAILED;
    arena_fini(&arena);
    return code;
}

#define AT(field) offsetof(struct verify, field)
static const struct option_row rows[] = {
    {"api-key", OPTION_LIST, AT(keys), "", "KEY", "to check WEBHOOK-AUTH; may be repeated",
     .environment = true},
    {"secret", OPTION_LIST, AT(secrets), "", "SECRET",
     "to check the signatures (whsec_, whpk_); may be repeated", .environment = true},
    {"signatures", OPTION_TEXT, AT(names), "", "NAME,...",
     "check these: webhook-auth, standard, stripe, github, shopify, slack, standard-ed25519, rfc9421 [those "
     "that are there]"},
    {"url", OPTION_TEXT, AT(url), "", "URL", "for rfc9421: the endpoint's URL, which is signed, too"},
    {"header", OPTION_LIST, AT(headers), "", "LINE",
     "a header of the push, such as 'webhook-id: 8'; may be repeated"},
    {"body", OPTION_TEXT, AT(body), "", "FILE", "body of the push, byte for byte [stdin]"},
    {"at", OPTION_TEXT, AT(at), "", "TIME", "time of arrival: a date, or seconds since 1970 [now]"},
    {"tolerance", OPTION_NUMBER, AT(arrival.tolerance_s), "300", "SECONDS",
     "allowed difference of the clocks", 0, TOLERANCE_S_MAX},
};

const struct command verify_command = {
    .name = "verify",
    .summary = "check whether a push is genuine, and find the part that is wrong",
    .details =
        "Checks whether a push that you kept is genuine. If it is not, it names the wrong part and "
        "the likely\n"
        "cause: a line feed in the key, a body that was parsed and written again, a wrong clock, "
        "another user's\n"
        "key, a header that was renamed or doubled.\n\n"
        "It checks WEBHOOK-AUTH with --api-key, and with --secret the signatures that are there: those of "
        "Standard\n"
        "Webhooks, Stripe, GitHub, Shopify, Slack and RFC 9421.\n\n"
        "FILE is the push as it arrived: header lines, an empty line, the body (- for stdin). Without "
        "FILE, give\n"
        "the headers with --header, and the body with --body or on stdin.",
    .verbs = {{NULL, "[FILE]", run}},
    .rows = OPTION_TABLE(rows),
    .options_len = sizeof(struct verify),
    .json = JSON_OPTION("print JSON, with a reason for programs"),
};
