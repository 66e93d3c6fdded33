#include "evidence.h"
#include "clock.h"
#include "instant.h"
#include "json_c.h"
#include "memory.h"
#include "show.h"
#include "words.h"

enum { CITED_MAX = 5 };

struct json_object *evidence_last(struct json_object *attributes)
{
    struct json_object *attempts = json_get(attributes, "attempts");
    size_t count = json_length(attempts);
    return count > 0 ? json_object_array_get_idx(attempts, count - 1) : NULL;
}

/* ---- the answer ---- */

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The server sends an answer that is not UTF-8 in hexadecimal. */
static struct bytes from_hex(struct bytes hex, char out[WORDS_ANSWER_MAX + 1])
{
    size_t len = 0;
    for (size_t i = 0; i + 1 < hex.len && len <= WORDS_ANSWER_MAX; i += 2) {
        int high = hex_value(hex.data[i]), low = hex_value(hex.data[i + 1]);
        if (high < 0 || low < 0)
            break;
        out[len++] = (char)(high << 4 | low);
    }
    return bytes_make(out, len);
}

static bool put_answer(struct text *out, struct json_object *attempt, bool quoted)
{
    char raw[WORDS_ANSWER_MAX + 1];
    struct bytes answer = json_string(attempt, "response");

    if (answer.len == 0)
        answer = from_hex(json_string(attempt, "response_hex"), raw);
    if (answer.len == 0)
        return false;
    if (quoted)
        words_put_answer(out, answer);
    else
        text_put_printable(
            out, bytes_make(answer.data, answer.len < WORDS_ANSWER_MAX ? answer.len : WORDS_ANSWER_MAX));
    return true;
}

char *evidence_answer(struct json_object *attempt)
{
    struct line line;
    struct text *text = line_begin(&line);

    put_answer(text, attempt, false);
    char *copy = memory_copy_text(text->len > 0 ? text->data : "");
    line_drop(&line);
    return copy;
}

/* ---- lines ---- */

/* A line that begins with its title. */
static struct text *begin_line(struct line *line, const char *title)
{
    struct text *text = line_begin(line);
    text_printf(text, "  %-9s ", title);
    return text;
}

static void put_attempt(struct text *out, struct json_object *attempt)
{
    struct words_outcome outcome = {.reason = json_string(attempt, "reason"),
                                    .status = json_number(attempt, "status", 0),
                                    .detail = json_string(attempt, "detail")};

    text_put_printable(out, json_string(attempt, "started_at"));
    text_printf(out, ", %lld ms: ", (long long)json_number(attempt, "duration_ms", 0));
    words_put_outcome(out, &outcome);
    if (attempt && !json_flag(attempt, "counted"))
        text_puts(out, " (does not count)");
}

static void print_last_try(struct json_object *attempt)
{
    struct clock clock = clock_system();
    struct bytes at = json_string(attempt, "started_at"), address = json_string(attempt, "address");
    struct line line;
    int64_t at_ms;

    begin_line(&line, "last try");
    text_put_printable(&line.text, at);
    if (instant_parse(at, &at_ms) && clock_wall_ms(&clock) >= at_ms) {
        text_puts(&line.text, ", ");
        words_put_duration(&line.text, clock_wall_ms(&clock) - at_ms);
        text_puts(&line.text, " ago");
    }
    if (address.len > 0) {
        text_puts(&line.text, ", to ");
        text_put_printable(&line.text, address);
    }
    line_print(&line, stdout);
}

static void print_tries(const struct evidence *evidence)
{
    struct json_object *attempts = json_get(evidence->attributes, "attempts");
    size_t count = json_length(attempts), first = count > CITED_MAX ? count - CITED_MAX : 0;
    bool earlier = first > 0 || json_flag(evidence->attributes, "earlier_attempts");
    struct line line;
    char title[24];

    for (size_t i = first; i < count; i++) {
        struct json_object *attempt = json_object_array_get_idx(attempts, i);
        snprintf(title, sizeof title, "try %lld", (long long)json_number(attempt, "attempt", 0));
        begin_line(&line, title);
        put_attempt(&line.text, attempt);
        line_print(&line, stdout);
    }
    if (!earlier)
        return;
    begin_line(&line, "earlier");
    text_printf(&line.text, "`posthorn deliveries show %.*s` has more", BYTES_ARG(evidence->delivery_id));
    line_print(&line, stdout);
}

static void print_receiver(const struct evidence *evidence)
{
    const char *advised = evidence->for_operator ? "the advice is for the operator of this server" : NULL;
    struct line line;

    begin_line(&line, "receiver");
    text_printf(&line.text, "user %.*s", BYTES_ARG(evidence->user_id));
    if (evidence->is_caller) {
        text_printf(&line.text, ", you; %s",
                    advised ? advised : "the advice is for you, the operator of that URL");
    } else {
        if (evidence->user_name.len > 0) {
            text_puts(&line.text, " (");
            text_put_printable(&line.text, evidence->user_name);
            text_putc(&line.text, ')');
        }
        text_printf(&line.text, ", and you are the operator: \"your server\" is the receiver's; %s",
                    advised ? advised : "the advice is for the receiver");
    }
    line_print(&line, stdout);
}

void evidence_print(const struct evidence *evidence)
{
    struct json_object *last = evidence_last(evidence->attributes);
    struct line line, url;

    if (!last)
        return;
    if (evidence->url.len > 0) {
        begin_line(&line, "url");
        text_put_printable(&line.text, evidence->url);
        line_print(&line, stdout);
    }
    print_last_try(last);
    begin_line(&line, "it said");
    if (put_answer(&line.text, last, true))
        line_print(&line, stdout);
    else
        line_drop(&line);
    print_tries(evidence);
    print_receiver(evidence);
    if (evidence->url.len == 0 || evidence->for_operator)
        return;
    begin_line(&line, "look");
    text_printf(&line.text, "posthorn doctor %s", json_number(last, "status", 0) > 0 ? "--ping " : "");
    text_put_printable(line_begin(&url), evidence->url);
    text_put_shell(&line.text, text_bytes(&url.text));
    line_drop(&url);
    line_print(&line, stdout);
}

void evidence_print_answers(struct json_object *attributes)
{
    struct json_object *attempts = json_get(attributes, "attempts");
    bool any = false;

    for (size_t i = 0; i < json_length(attempts); i++) {
        struct json_object *attempt = json_object_array_get_idx(attempts, i);
        struct line line;
        char title[24];
        snprintf(title, sizeof title, "%lld", (long long)json_number(attempt, "attempt", 0));
        begin_line(&line, title);
        if (!put_answer(&line.text, attempt, true)) {
            line_drop(&line);
            continue;
        }
        if (!any)
            printf("\n"
                   "Answers, by attempt:\n");
        any = true;
        line_print(&line, stdout);
    }
    if (json_flag(attributes, "earlier_attempts"))
        printf("\n"
               "There were earlier attempts: GET /api/deliveries/ID/attempts lists all of them.\n");
}
