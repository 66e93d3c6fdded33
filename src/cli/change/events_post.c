#include "events_post.h"

#include "digest.h"
#include "json_c.h"
#include "memory.h"
#include "progress.h"
#include "show.h"
#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum {
    BATCH_LINES_MAX = 250,
    BATCH_LEN_MAX = 512 << 10,
    DOCUMENT_LEN_MAX = 1 << 20, /* the server's maximum */
    TRIES_MAX = 6,
    WAIT_S_MAX = 30,
    KEY_RANDOM_LEN = 12
};

struct post {
    const struct invocation *invocation;
    struct client *client;
    const char *name; /* of the input, for messages */
    FILE *input;
    struct progress progress;

    char *line; /* getline's */
    size_t line_cap;
    int64_t line_number;

    char *batch; /* whole lines, each with its newline */
    size_t batch_len;
    struct {
        size_t begin; /* in batch */
        int64_t number;
    } lines[BATCH_LINES_MAX + 1]; /* one more, for the end of the last */
    int count;

    int64_t accepted, refused;
    int64_t nobody, nobody_line; /* accepted, but sent to nobody; the first of these lines; */
    char *note;                  /* and the server's note on it */
};

/* ---- one batch ---- */

static struct json_object *first_error(struct json_object *answer)
{
    struct json_object *errors = json_get_array(answer, "errors");
    return errors ? json_object_array_get_idx(errors, 0) : NULL;
}

static void print_refusal(struct post *post, int64_t number, struct json_object *answer)
{
    struct json_object *first = first_error(answer);
    struct bytes detail = json_string(first, "detail");
    struct line line;

    progress_clear(&post->progress);
    text_printf(line_begin(&line), "%s:%lld: ", post->name, (long long)number);
    text_put_printable(&line.text, json_string(first, "status"));
    text_puts(&line.text, ": ");
    text_put_escaped(&line.text, detail.len ? detail : bytes_of("no reason was given"));
    line_print(&line, stderr);
}

/* An event whose user has no webhook_url is stored and not sent; the answer then has a note. */
static void note_nobody(struct post *post, int64_t number, struct json_object *meta)
{
    struct bytes note = json_string(meta, "note");

    if (note.len == 0 || post->nobody++ > 0)
        return;
    post->nobody_line = number;
    post->note = memory_copy_text(note.data);
}

static void say_nobody(struct post *post)
{
    struct line line;

    if (post->nobody == 0)
        return;
    text_puts(line_begin(&line), "posthorn events: ");
    if (post->nobody_line > 0)
        text_printf(&line.text,
                    "%lld of them went to nobody; the first is %s:%lld: ", (long long)post->nobody,
                    post->name, (long long)post->nobody_line);
    text_put_escaped(&line.text, bytes_of(post->note));
    line_print(&line, stderr);
    free(post->note);
}

/* NUL-terminated, for free(). */
static char *copy_of(struct bytes text)
{
    char *copy = memory_alloc(text.len + 1);
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return copy;
}

enum line_fate { LINE_TAKEN, LINE_LATER, LINE_NOT_OF_THIS_BATCH };

/* `last`: an event that could be accepted later counts as refused. */
static enum line_fate take_answer(struct post *post, int64_t number, struct bytes text, bool last)
{
    struct json_reading reading;
    char *copy = copy_of(text);
    struct json_object *answer = json_read(copy, text.len, false, &reading);
    struct json_object *meta = json_get_object(answer, "meta");
    struct bytes status = json_string(meta, "status");
    bool understood = status.len > 0;
    bool later = understood && !last &&
                 (bytes_equal_text(status, "429") || bytes_equal_text(status, "503") ||
                  bytes_equal_text(json_string(first_error(answer), "code"), "idempotency_in_flight"));
    if (understood && !later) {
        bool accepted = bytes_equal_text(status, "201");
        post->accepted += accepted;
        post->refused += !accepted;
        if (accepted)
            note_nobody(post, number, meta);
        else
            print_refusal(post, number, answer);
        if (post->invocation->json) {
            json_object_object_add(meta, "line", json_object_new_int64(number));
            show_json_line(bytes_of(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_NOSLASHESCAPE)));
        }
        progress_step(&post->progress);
    }
    json_object_put(answer);
    free(copy);
    return later ? LINE_LATER : understood ? LINE_TAKEN : LINE_NOT_OF_THIS_BATCH;
}

/* Makes the line the n-th after `first`. */
static void keep_line(struct post *post, int first, int n, int line)
{
    size_t begin = post->lines[line].begin, len = post->lines[line + 1].begin - begin;
    size_t to = post->lines[first + n].begin;
    memmove(post->batch + to, post->batch + begin, len);
    post->lines[first + n].number = post->lines[line].number;
    post->lines[first + n + 1].begin = to + len;
}

/* Moves the lines to be sent later to the front and returns their number. -1: not an answer to this batch. */
static int take_answers(struct post *post, int first, int count, struct bytes text, bool last)
{
    int later = 0;
    for (int i = 0; i < count; i++) {
        const char *newline = text.len ? memchr(text.data, '\n', text.len) : NULL;
        size_t len = newline ? (size_t)(newline - text.data) : text.len;
        int64_t number = post->lines[first + i].number;
        enum line_fate fate = take_answer(post, number, bytes_make(text.data, len), last);
        if (fate == LINE_NOT_OF_THIS_BATCH) {
            command_failed(post->invocation, "the server's answer has no line for %s:%lld", post->name,
                           (long long)number);
            return -1;
        }
        if (fate == LINE_LATER)
            keep_line(post, first, later++, first + i);
        size_t skip = newline ? len + 1 : len;
        text = bytes_make(text.data + skip, text.len - skip);
    }
    return later;
}

static void wait_s(int seconds)
{
    clock_pause_us((seconds < 1 ? 1 : seconds > WAIT_S_MAX ? WAIT_S_MAX : seconds) * (int64_t)1000000);
}

/* Sends it until the answer is not "later". The key makes that safe: nothing is accepted twice. */
static bool send_lines(struct post *post, struct bytes lines, struct client_answer *answer)
{
    char key[2 * KEY_RANDOM_LEN + 1];

    digest_random_hex(key, KEY_RANDOM_LEN);
    for (int tried = 1;; tried++) {
        progress_clear(&post->progress);
        bool answered = client_post_lines(post->client, "/api/events", lines, key, answer);
        /* 409: an earlier try, whose answer was lost, is still under way */
        bool later = !answered || answer->status == 409 || answer->status == 429 || answer->status == 503;
        if (!later)
            return true;
        if (tried == TRIES_MAX)
            return answered && client_check(post->client, 201, answer);
        wait_s(answered ? answer->retry_after_s : 1);
    }
}

static bool send_once(struct post *post, int first, int count, struct client_answer *answer)
{
    size_t begin = post->lines[first].begin, end = post->lines[first + count].begin;
    return send_lines(post, bytes_make(post->batch + begin, end - begin), answer);
}

/* Lines for which the server has no room are sent again in a batch of their own. */
static bool send_batch(struct post *post, int first, int count)
{
    struct client_answer answer;

    for (int tried = 1; count > 0;) {
        if (!send_once(post, first, count, &answer))
            return false;
        if (answer.status == 413 && count > 1) /* this server's maximum is smaller */
            return send_batch(post, first, count / 2) &&
                   send_batch(post, first + count / 2, count - count / 2);
        if (answer.status != 201 && answer.status != 207)
            return client_check(post->client, 201, &answer);
        int later = take_answers(post, first, count, answer.text, tried == TRIES_MAX);
        if (later < 0)
            return false;
        tried = later < count ? 1 : tried + 1;
        count = later;
        if (count > 0)
            wait_s(answer.retry_after_s);
    }
    return true;
}

static bool flush_batch(struct post *post)
{
    post->lines[post->count].begin = post->batch_len;
    bool done = post->count == 0 || send_batch(post, 0, post->count);
    if (!done)
        command_failed(post->invocation,
                       "stopped at %s:%lld; the events from there on may not have been accepted", post->name,
                       (long long)post->lines[0].number);
    post->count = 0;
    post->batch_len = 0;
    return done;
}

/* ---- lines ---- */

static struct bytes trim(const char *text, size_t len)
{
    while (len > 0 && strchr(" \t\r\n", text[len - 1]))
        len--;
    while (len > 0 && strchr(" \t", *text)) {
        text++;
        len--;
    }
    return bytes_make(text, len);
}

static bool add_line(struct post *post, struct bytes line)
{
    if (line.len >= DOCUMENT_LEN_MAX) {
        progress_clear(&post->progress);
        fprintf(stderr, "%s:%lld: the event is too long\n", post->name, (long long)post->line_number);
        post->refused++;
        return true;
    }
    if ((post->count == BATCH_LINES_MAX || post->batch_len + line.len + 1 > BATCH_LEN_MAX) &&
        !flush_batch(post))
        return false;
    post->lines[post->count].begin = post->batch_len;
    post->lines[post->count++].number = post->line_number;
    memcpy(post->batch + post->batch_len, line.data, line.len);
    post->batch[post->batch_len + line.len] = '\n';
    post->batch_len += line.len + 1;
    return true;
}

/* The next line that is not blank; its len is 0 at the end. */
static struct bytes next_line(struct post *post)
{
    ssize_t len;
    while ((len = getline(&post->line, &post->line_cap, post->input)) >= 0) {
        struct bytes line = trim(post->line, (size_t)len);
        post->line_number++;
        if (line.len)
            return line;
    }
    return (struct bytes){0};
}

static bool post_lines(struct post *post, struct bytes line)
{
    post->batch = memory_alloc(BATCH_LEN_MAX + DOCUMENT_LEN_MAX + 1);
    bool going = true;
    for (; line.len && going; line = next_line(post))
        going = add_line(post, line);
    going = going && flush_batch(post);
    progress_clear(&post->progress);
    free(post->batch);
    if (!post->invocation->json)
        printf("%lld accepted, %lld refused\n", (long long)post->accepted, (long long)post->refused);
    say_nobody(post);
    return going && post->refused == 0;
}

/* ---- one document ---- */

/* True: this line is a whole JSON text, so the input is one event a line. */
static bool is_whole(struct bytes line)
{
    struct json_reading reading;
    char *copy = copy_of(line);
    bool whole = json_check(copy, line.len, true, &reading) == JSON_OK;
    free(copy);
    return whole;
}

static bool post_document(struct post *post, struct bytes first)
{
    struct client_answer answer;
    char *text = memory_alloc(DOCUMENT_LEN_MAX + 2);
    size_t len = first.len < DOCUMENT_LEN_MAX ? first.len : DOCUMENT_LEN_MAX;

    memcpy(text, first.data, len);
    text[len++] = '\n';
    len += fread(text + len, 1, DOCUMENT_LEN_MAX + 1 - len, post->input);
    text[len] = '\0';
    bool fits = len <= DOCUMENT_LEN_MAX;
    if (!fits)
        command_failed(post->invocation, "%s is one document longer than 1 MiB", post->name);
    bool done = fits && client_expect(post->client, 201, "POST", "/api/events", text, &answer);
    if (done && post->invocation->json)
        show_json(answer.json);
    else if (done)
        printf("%s\n", json_string(json_get(answer.json, "data"), "id").data);
    if (done)
        note_nobody(post, 0, json_get_object(answer.json, "meta"));
    say_nobody(post);
    free(text);
    return done;
}

/* ---- the input ---- */

static int64_t count_lines(FILE *file)
{
    int64_t count = 0;
    for (int c; (c = getc_unlocked(file)) != EOF;)
        count += c == '\n';
    rewind(file);
    return count;
}

int events_post(const struct invocation *invocation, struct client *client)
{
    const char *path = invocation->operands[0];
    bool standard = strcmp(path, "-") == 0;
    struct post post = {.invocation = invocation,
                        .client = client,
                        .name = standard ? "stdin" : path,
                        .input = standard ? stdin : fopen(path, "re")};
    if (!post.input)
        return command_failed(invocation, "%s: %s", path, strerror(errno));
    progress_begin(&post.progress, standard ? 0 : count_lines(post.input));
    struct bytes first = next_line(&post);
    bool done = false;
    if (!first.len)
        command_failed(invocation, "%s has no event", post.name);
    else
        done = is_whole(first) ? post_lines(&post, first) : post_document(&post, first);
    if (ferror(post.input))
        done = command_failed(invocation, "%s: %s", post.name, strerror(errno)) == EXIT_DONE;
    free(post.line);
    if (!standard)
        fclose(post.input);
    return done ? EXIT_DONE : EXIT_FAILED;
}
