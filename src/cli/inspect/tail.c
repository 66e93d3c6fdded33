/* posthorn tail: prints new events and the outcomes of their deliveries as they happen. */
#include "client.h"
#include "clock.h"
#include "commands.h"
#include "instant.h"
#include "json_c.h"
#include "memory.h"
#include "show.h"
#include "terminal.h"
#include "words.h"

#include <signal.h>
#include <stdlib.h>

enum {
    ID_LEN = 24,
    TYPE_LEN = 129,
    STATE_WIDTH = 11,
    PAGE_SIZE = 20,
    PAGES_MAX = 10, /* a turn */
    SEEN_MAX = 1024,
    WATCHED_MAX = 512,
    RECIPIENTS_MAX = 4,
    LOOKS_MAX = 3, /* a turn, so that a key with five requests a second is enough */
    LOOK_MS_MAX = 60 * 1000 /* the maximum delay until a resend or a cancel is seen */,
    FAILED_TURNS = 5,
    PACE_PAUSE_US = 500 * 1000, /* after a 429; some seconds in all, because others may use the key too */
    PACE_TRIES_MAX = 20,
    PATH_LEN_MAX = 4096,
    EVERY_MS_MIN = 200,
    EVERY_MS_MAX = 3600 * 1000
};

/* An event whose deliveries have not all ended. */
struct watched {
    char id[ID_LEN], type[TYPE_LEN];
    int64_t look_at_ms;
    struct {
        char id[ID_LEN];
        int64_t attempt_count;
        bool ended;
    } recipients[RECIPIENTS_MAX]; /* the last printed state of each */
    int recipient_count;
};

struct tail {
    struct api_session api;
    int64_t every_ms;
    bool json;
    struct clock clock;
    struct colours colours;
    int64_t since_id;        /* the newest at the start */
    int64_t seen[SEEN_MAX];  /* a ring: ids can become visible a little out of their order */
    int64_t seen_count;      /* ever */
    struct watched *watched; /* WATCHED_MAX */
    int watched_count;
};

/* ---- lines ---- */

/* Begins a line with the time of day, or with --json with the time. */
static struct text *begin_line(const struct tail *tail, struct line *line, enum colour colour)
{
    char now[INSTANT_LEN];
    struct text *text = line_begin(line);

    instant_format(clock_wall_ms(&tail->clock), now);
    if (tail->json)
        text_printf(text, "{\"at\":\"%.*s\",", INSTANT_LEN, now);
    else
        text_printf(text, "%.8s %s", now + 11, colour_start(tail->colours, colour));
    return text;
}

static void end_line(const struct tail *tail, struct line *line)
{
    if (tail->json) {
        text_puts(&line->text, "}");
        show_json_line(text_bytes(&line->text));
        line_drop(line);
    } else {
        text_puts(&line->text, colour_end(tail->colours));
        line_print(line, stdout);
    }
    fflush(stdout);
}

static void print_event(const struct tail *tail, struct json_object *event)
{
    struct bytes id = json_string(event, "id"),
                 type = json_string(json_get(event, "attributes"), "event_type");
    struct json_object *resource = json_at(event, "relationships.resource.data");
    struct line line;
    struct text *text = begin_line(tail, &line, COLOUR_PLAIN);

    if (tail->json) {
        text_puts(text, "\"what\":\"event\",\"event\":");
        text_put_json(text, id);
        text_puts(text, ",\"event_type\":");
        text_put_json(text, type);
        text_puts(text, ",\"resource\":");
        json_put(text, resource);
    } else {
        const struct bytes parts[] = {bytes_of("event      "), id,
                                      bytes_of(" "),           type,
                                      bytes_of(" "),           json_string(resource, "type"),
                                      bytes_of("/"),           json_string(resource, "id")};
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            text_put_printable(text, parts[i]);
    }
    end_line(tail, &line);
}

static void put_outcome_json(struct text *text, const struct watched *event, struct json_object *delivery)
{
    static const char *const members[] = {"state", "attempt_count", "last_status", "last_reason",
                                          "next_attempt_in_ms"};

    text_puts(text, "\"what\":\"delivery\",\"event\":");
    text_put_json(text, bytes_of(event->id));
    text_puts(text, ",\"event_type\":");
    text_put_json(text, bytes_of(event->type));
    text_puts(text, ",\"delivery\":");
    text_put_json(text, json_string(delivery, "id"));
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        text_printf(text, ",\"%s\":", members[i]);
        json_put(text, json_get(json_get(delivery, "attributes"), members[i]));
    }
}

static void put_outcome(struct text *text, const struct watched *event, struct json_object *attributes)
{
    struct words_outcome outcome = {.reason = json_string(attributes, "last_reason"),
                                    .status = json_number(attributes, "last_status", 0)};
    int64_t next_ms = json_number(attributes, "next_attempt_in_ms", -1);
    struct bytes state = json_string(attributes, "state");
    bool pending = bytes_equal_text(state, "pending");
    size_t until = text->len + STATE_WIDTH;

    text_put_printable(text, pending ? bytes_of("failed") : state);
    do
        text_putc(text, ' ');
    while (text->len < until);
    text_put_printable(text, bytes_of(event->id));
    text_putc(text, ' ');
    text_put_printable(text, bytes_of(event->type));
    if (bytes_equal_text(state, "skipped")) {
        text_puts(text, ": no webhook_url was set");
        return;
    }
    text_puts(text, ", tried ");
    words_put_times(text, json_number(attributes, "attempt_count", 0));
    text_puts(text, ": ");
    words_put_outcome(text, &outcome);
    if (pending && next_ms > 0) {
        text_puts(text, "; next try in ");
        words_put_duration(text, next_ms);
    }
}

static void print_outcome(const struct tail *tail, const struct watched *event, struct json_object *delivery)
{
    struct json_object *attributes = json_get(delivery, "attributes");
    bool delivered = bytes_equal_text(json_string(attributes, "state"), "delivered");
    struct line line;
    struct text *text = begin_line(tail, &line, delivered ? COLOUR_GOOD : COLOUR_BAD);

    if (tail->json)
        put_outcome_json(text, event, delivery);
    else
        put_outcome(text, event, attributes);
    end_line(tail, &line);
}

/* ---- the outcome of an event ---- */

static void watch(struct tail *tail, struct json_object *event)
{
    if (tail->watched_count == WATCHED_MAX) {
        fprintf(
            stderr,
            "posthorn tail: too many events at once; the outcome of %s is not shown (see `posthorn why`)\n",
            tail->watched[0].id);
        memmove(tail->watched, tail->watched + 1, (WATCHED_MAX - 1) * sizeof *tail->watched);
        tail->watched_count--;
    }
    struct watched *watched = &tail->watched[tail->watched_count++];
    *watched = (struct watched){.look_at_ms = clock_mono_ms(&tail->clock)};
    snprintf(watched->id, sizeof watched->id, "%.*s", BYTES_ARG(json_string(event, "id")));
    snprintf(watched->type, sizeof watched->type, "%.*s",
             BYTES_ARG(json_string(json_get(event, "attributes"), "event_type")));
}

/* Prints the changes of one delivery; true: it has ended. */
static bool compare(const struct tail *tail, struct watched *event, struct json_object *delivery)
{
    struct json_object *attributes = json_get_object(delivery, "attributes");
    struct bytes id = json_string(delivery, "id");
    int64_t attempt_count = json_number(attributes, "attempt_count", 0);
    bool ended = !bytes_equal_text(json_string(attributes, "state"), "pending");
    int i = 0;

    while (i < event->recipient_count && !bytes_equal_text(id, event->recipients[i].id))
        i++;
    if (i == RECIPIENTS_MAX)
        return true;
    if (i == event->recipient_count) {
        event->recipient_count++;
        snprintf(event->recipients[i].id, ID_LEN, "%.*s", BYTES_ARG(id));
    }
    if (ended != event->recipients[i].ended || attempt_count != event->recipients[i].attempt_count)
        print_outcome(tail, event, delivery);
    event->recipients[i].ended = ended;
    event->recipients[i].attempt_count = attempt_count;
    return ended;
}

/* False: no usable answer; the caller asks again. */
static bool look(struct tail *tail, struct watched *event, bool *ended)
{
    struct client_answer answer;
    const char *path = client_path(tail->api.client, "/api/events/%s/deliveries", event->id);
    int64_t wait_ms = LOOK_MS_MAX;

    *ended = true;
    if (!client_call(tail->api.client, "GET", path, NULL, &answer) || answer.status == 429)
        return false;
    if (answer.status == 404) /* purged */
        return true;
    if (!client_check(tail->api.client, 200, &answer))
        return false;
    struct json_object *list = json_get(answer.json, "data");
    for (size_t i = 0; i < json_length(list); i++) {
        struct json_object *delivery = json_object_array_get_idx(list, i);
        int64_t next_ms = json_number(json_get(delivery, "attributes"), "next_attempt_in_ms", 0);
        *ended &= compare(tail, event, delivery);
        if (next_ms < wait_ms)
            wait_ms = next_ms;
    }
    event->look_at_ms = clock_mono_ms(&tail->clock) + (wait_ms > tail->every_ms ? wait_ms : tail->every_ms);
    return true;
}

/* The event whose last look is oldest; NULL: none is due. */
static struct watched *next_to_look_at(struct tail *tail)
{
    int64_t now_ms = clock_mono_ms(&tail->clock);
    struct watched *next = NULL;

    for (int i = 0; i < tail->watched_count; i++)
        if (tail->watched[i].look_at_ms <= now_ms &&
            (!next || tail->watched[i].look_at_ms < next->look_at_ms))
            next = &tail->watched[i];
    return next;
}

static bool look_around(struct tail *tail)
{
    for (int i = 0; i < LOOKS_MAX; i++) {
        struct watched *event = next_to_look_at(tail);
        bool ended;
        if (!event)
            return true;
        if (!look(tail, event, &ended))
            return false;
        if (ended)
            *event = tail->watched[--tail->watched_count];
    }
    return true;
}

/* ---- new events ---- */

static bool is_new(const struct tail *tail, int64_t id)
{
    int64_t known = tail->seen_count < SEEN_MAX ? tail->seen_count : SEEN_MAX;

    for (int64_t i = 0; i < known; i++)
        if (tail->seen[i] == id)
            return false;
    return id > tail->since_id;
}

/* Appends the page's new events, newest first, and sets the path of the next page, or "" if this page had a
 * known event. False: `status` has the server's answer. */
static bool read_page(struct tail *tail, char path[PATH_LEN_MAX], struct json_object *found, int *status)
{
    struct client_answer answer = {0};
    bool all_new = true;
    int64_t id;

    bool answered = client_call(tail->api.client, "GET", path, NULL, &answer);
    *status = answer.status;
    if (!answered || answer.status == 429 || !client_check(tail->api.client, 200, &answer))
        return false;
    struct json_object *list = json_get(answer.json, "data");
    for (size_t i = 0; i < json_length(list); i++) {
        struct json_object *event = json_object_array_get_idx(list, i);
        if (!bytes_to_int64(json_string(event, "id"), &id) || !is_new(tail, id)) {
            all_new = false;
            continue;
        }
        json_object_array_add(found, json_object_get(event));
        tail->seen[tail->seen_count++ % SEEN_MAX] = id;
    }
    struct bytes next = json_string(json_get_object(answer.json, "links"), "next");
    snprintf(path, PATH_LEN_MAX, "%.*s", BYTES_ARG(all_new ? next : bytes_of("")));
    return true;
}

static bool read_new(struct tail *tail)
{
    struct json_object *found = json_object_new_array();
    char path[PATH_LEN_MAX];
    bool read = true;
    int status = 0;

    snprintf(path, sizeof path, "/api/events?sort=-id&page[size]=%d", PAGE_SIZE);
    for (int i = 0; i < PAGES_MAX && *path && read; i++) {
        read = read_page(tail, path, found, &status);
        /* The pages before this one count as seen, so giving up here would lose this page's events. */
        for (int tries = 0; !read && status == 429 && tries < PACE_TRIES_MAX; tries++) {
            clock_pause_us(PACE_PAUSE_US);
            read = read_page(tail, path, found, &status);
        }
    }
    for (size_t i = json_object_array_length(found); i-- > 0;) {
        struct json_object *event = json_object_array_get_idx(found, i);
        print_event(tail, event);
        watch(tail, event);
    }
    json_object_put(found);
    return read || status == 429;
}

static bool begin(struct tail *tail)
{
    struct client_answer answer;

    if (!client_expect(tail->api.client, 200, "GET", "/api/events?sort=-id&page[size]=1", NULL, &answer))
        return false;
    struct json_object *list = json_get(answer.json, "data");
    if (json_length(list) > 0)
        bytes_to_int64(json_string(json_object_array_get_idx(list, 0), "id"), &tail->since_id);
    return true;
}

/* Signals wait until we sleep, so there is nothing that they could interrupt. */
static void follow(struct tail *tail)
{
    sigset_t ends;

    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    fprintf(stderr, "posthorn tail: %s: printing new events from now on; press Ctrl-C to stop\n",
            client_place(tail->api.client));
    for (bool on = true; on;) {
        bool answered = read_new(tail) && look_around(tail);
        int64_t wait_ms = answered ? tail->every_ms : FAILED_TURNS * tail->every_ms;
        struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
        on = !ferror(stdout) && sigtimedwait(&ends, NULL, &wait) < 0;
    }
}

static int run_tail(const struct invocation *invocation, void *options)
{
    struct tail *tail = options;
    tail->json = invocation->json;
    tail->clock = clock_system();
    tail->colours = colours_for(stdout);
    if (!begin(tail))
        return EXIT_FAILED;
    tail->watched = memory_zero(WATCHED_MAX, sizeof *tail->watched);
    follow(tail);
    free(tail->watched);
    return EXIT_DONE;
}

static const struct option_row rows[] = {{"every", OPTION_SECONDS, offsetof(struct tail, every_ms), "1",
                                          "SECONDS", "time between polls", EVERY_MS_MIN, EVERY_MS_MAX}};

const struct command tail_command = {
    .name = "tail",
    .summary = "print new events and outcomes as they come",
    .details =
        "Prints your new events and the outcome of each attempt, one a line, from now on until Ctrl-C. It "
        "polls\n"
        "the server with few requests, so an outcome may be shown seconds late when there are many events.",
    .verbs = {{NULL, "", run_tail}},
    .rows = OPTION_TABLE(rows),
    API_COMMAND(struct tail),
    .json = JSON_OPTION("print one JSON object a line"),
};
