#include "evidence.h"
#include "clock.h"
#include "instant.h"
#include "json.h"
#include "memory.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>

enum { CITED_MAX = 5, LINE_LEN_MAX = 16 << 10, MEMORY_MAX = 4 * LINE_LEN_MAX };

static struct bytes text_of(struct json_object *object, const char *name)
{
    struct bytes text = {"", 0};
    json_get_text(object, name, &text);
    return text;
}

static int64_t number_of(struct json_object *object, const char *name)
{
    struct json_object *value = json_get(object, name);
    return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : 0;
}

static size_t count_of(struct json_object *attempts)
{
    return attempts ? json_object_array_length(attempts) : 0;
}

struct json_object *evidence_last(struct json_object *attributes)
{
    struct json_object *attempts = json_get_array(attributes, "attempts");
    size_t count = count_of(attempts);
    return count > 0 ? json_object_array_get_idx(attempts, count - 1) : NULL;
}

/* ---- what was answered ---- */

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What is not UTF-8 comes in hexadecimal. */
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
    struct bytes answer = text_of(attempt, "response");

    if (answer.len == 0)
        answer = from_hex(text_of(attempt, "response_hex"), raw);
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
    struct arena arena;
    struct text out;

    arena_init(&arena, MEMORY_MAX);
    text_init(&out, &arena, LINE_LEN_MAX);
    put_answer(&out, attempt, false);
    char *copy = memory_copy_text(out.len > 0 ? out.data : "");
    arena_fini(&arena);
    return copy;
}

/* ---- lines ---- */

/* A line begins with its title and is printed with line_end. */
struct line {
    struct arena arena;
    struct text text;
};

static void line_begin(struct line *line, const char *title)
{
    arena_init(&line->arena, MEMORY_MAX);
    text_init(&line->text, &line->arena, LINE_LEN_MAX);
    text_printf(&line->text, "  %-9s ", title);
}

static void line_end(struct line *line)
{
    printf("%.*s\n", (int)line->text.len, line->text.data);
    arena_fini(&line->arena);
}

static void put_attempt(struct text *out, struct json_object *attempt)
{
    struct words_outcome outcome = {.reason = text_of(attempt, "reason"),
                                    .status = number_of(attempt, "status"),
                                    .detail = text_of(attempt, "detail")};

    text_put_printable(out, text_of(attempt, "started_at"));
    text_printf(out, ", %lld ms: ", (long long)number_of(attempt, "duration_ms"));
    words_put_outcome(out, &outcome);
    if (attempt && !json_object_get_boolean(json_get(attempt, "counted")))
        text_puts(out, " (does not count)");
}

static void print_last_try(struct json_object *attempt)
{
    struct clock clock = clock_system();
    struct bytes at = text_of(attempt, "started_at"), address = text_of(attempt, "address");
    struct line line;
    int64_t at_ms;

    line_begin(&line, "last try");
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
    line_end(&line);
}

static void print_tries(const struct evidence *evidence)
{
    struct json_object *attempts = json_get_array(evidence->attributes, "attempts");
    size_t count = count_of(attempts), first = count > CITED_MAX ? count - CITED_MAX : 0;
    bool earlier = first > 0 || json_object_get_boolean(json_get(evidence->attributes, "earlier_attempts"));
    struct line line;
    char title[24];

    for (size_t i = first; i < count; i++) {
        struct json_object *attempt = json_object_array_get_idx(attempts, i);
        snprintf(title, sizeof title, "try %lld", (long long)number_of(attempt, "attempt"));
        line_begin(&line, title);
        put_attempt(&line.text, attempt);
        line_end(&line);
    }
    if (!earlier)
        return;
    line_begin(&line, "earlier");
    text_printf(&line.text, "`posthorn deliveries show %.*s` has more", BYTES_ARG(evidence->delivery_id));
    line_end(&line);
}

/* For a shell: a URL has no white space, but it may have quotes. */
static void put_shell_word(struct text *out, struct bytes word)
{
    text_putc(out, '\'');
    for (size_t i = 0; i < word.len; i++)
        if (word.data[i] == '\'')
            text_puts(out, "'\\''");
        else
            text_put_printable(out, bytes_make(word.data + i, 1));
    text_putc(out, '\'');
}

static void print_receiver(const struct evidence *evidence)
{
    const char *advised = evidence->for_operator ? "the advice is for the operator of this server" : NULL;
    struct line line;

    line_begin(&line, "receiver");
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
    line_end(&line);
}

void evidence_print(const struct evidence *evidence)
{
    struct json_object *last = evidence_last(evidence->attributes);
    struct line line;

    if (!last)
        return;
    if (evidence->url.len > 0) {
        line_begin(&line, "url");
        text_put_printable(&line.text, evidence->url);
        line_end(&line);
    }
    print_last_try(last);
    line_begin(&line, "it said");
    if (put_answer(&line.text, last, true))
        line_end(&line);
    else
        arena_fini(&line.arena);
    print_tries(evidence);
    print_receiver(evidence);
    if (evidence->url.len == 0 || evidence->for_operator)
        return;
    line_begin(&line, "look");
    text_printf(&line.text, "posthorn doctor %s", number_of(last, "status") > 0 ? "--ping " : "");
    put_shell_word(&line.text, evidence->url);
    line_end(&line);
}

void evidence_print_answers(struct json_object *attributes)
{
    struct json_object *attempts = json_get_array(attributes, "attempts");
    bool any = false;

    for (size_t i = 0; i < count_of(attempts); i++) {
        struct json_object *attempt = json_object_array_get_idx(attempts, i);
        struct line line;
        char title[24];
        snprintf(title, sizeof title, "%lld", (long long)number_of(attempt, "attempt"));
        line_begin(&line, title);
        if (!put_answer(&line.text, attempt, true)) {
            arena_fini(&line.arena);
            continue;
        }
        if (!any)
            printf("\n"
                   "Answers, by attempt:\n");
        any = true;
        line_end(&line);
    }
    if (json_object_get_boolean(json_get(attributes, "earlier_attempts")))
        printf("\n"
               "There were earlier attempts: GET /api/deliveries/ID/attempts lists all of them.\n");
}
