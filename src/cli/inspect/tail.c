/* posthorn tail: what becomes of deliveries, as it happens. */
#include "client.h"
#include "clock.h"
#include "command.h"
#include "instant.h"
#include "json.h"
#include "memory.h"
#include "show.h"
#include "terminal.h"
#include "words.h"

#include <signal.h>
#include <stdio.h>
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
    LOOK_MS_MAX = 60 * 1000 /* a resend or a cancel comes to light that late */,
    FAILED_TURNS = 5,
    PACE_PAUSE_US = 500 * 1000, /* after a 429; some seconds in all, for a key that others use, too */
    PACE_TRIES_MAX = 20,
    PATH_LEN_MAX = 4096,
    LINE_LEN_MAX = 4096,
    EVERY_MS_MIN = 200,
    EVERY_MS_MAX = 3600 * 1000
};

static const char details[] =
    "Prints your new events and the outcome of each attempt, one a line, from now on until Ctrl-C. It polls\n"
    "the server with few requests, so an outcome may be shown seconds late when there are many events.";

/* An event whose deliveries have not all ended. */
struct watched {
    char id[ID_LEN], type[TYPE_LEN];
    int64_t look_at_ms;
    struct {
        char id[ID_LEN];
        int64_t attempt_count;
        bool ended;
    } recipients[RECIPIENTS_MAX]; /* what was said of each */
    int recipient_count;
};

struct tail {
    struct client *client;
    struct clock clock;
    struct colours colours;
    bool json;
    int64_t every_ms;
    int64_t since_id;        /* the newest when we began */
    int64_t seen[SEEN_MAX];  /* a ring: ids can become visible a little out of their order */
    int64_t seen_count;      /* ever */
    struct watched *watched; /* WATCHED_MAX */
    int watched_count;
};

static struct bytes text_of(struct json_object *object, const char *name)
{
    struct bytes text = {"", 0};
    json_get_text(object, name, &text);
    return text;
}

static int64_t number_of(struct json_object *object, const char *name, int64_t otherwise)
{
    struct json_object *value = json_get(object, name);
    return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : otherwise;
}

/* ---- lines ---- */

static void print_json_line(const char now[INSTANT_LEN], const struct text *line)
{
    struct text whole;

    text_init(&whole, line->arena, (size_t)2 * LINE_LEN_MAX);
    text_printf(&whole, "{\"at\":\"%.*s\",%.*s}", INSTANT_LEN, now, (int)line->len, line->data);
    show_json_line(text_bytes(&whole));
}

/* One write a line; `line` is JSON, or what stands behind the time of day. */
static void print_line(const struct tail *tail, enum colour colour, const struct text *line)
{
    char now[INSTANT_LEN];

    instant_format(clock_wall_ms(&tail->clock), now);
    if (tail->json)
        print_json_line(now, line);
    else
        printf("%.8s %s%.*s%s\n", now + 11, colour_start(tail->colours, colour), (int)line->len, line->data,
               colour_end(tail->colours));
    fflush(stdout);
}

static void print_event(const struct tail *tail, struct json_object *event)
{
    struct json_object *attributes = json_get_object(event, "attributes");
    struct json_object *relationships = json_get_object(event, "relationships");
    struct json_object *resource = json_get(json_get_object(relationships, "resource"), "data");
    struct arena arena;
    struct text line;

    arena_init(&arena, 4 * (size_t)LINE_LEN_MAX);
    text_init(&line, &arena, LINE_LEN_MAX);
    if (tail->json) {
        text_puts(&line, "\"what\":\"event\",\"event\":");
        text_put_json(&line, text_of(event, "id"));
        text_puts(&line, ",\"event_type\":");
        text_put_json(&line, text_of(attributes, "event_type"));
        text_puts(&line, ",\"resource\":");
        json_put(&line, resource);
    } else {
        text_puts(&line, "event      ");
        text_put_printable(&line, text_of(event, "id"));
        text_putc(&line, ' ');
        text_put_printable(&line, text_of(attributes, "event_type"));
        text_putc(&line, ' ');
        text_put_printable(&line, text_of(resource, "type"));
        text_putc(&line, '/');
        text_put_printable(&line, text_of(resource, "id"));
    }
    print_line(tail, COLOUR_PLAIN, &line);
    arena_fini(&arena);
}

static void put_outcome_json(struct text *line, const struct watched *event, struct json_object *delivery)
{
    struct json_object *attributes = json_get_object(delivery, "attributes");
    static const char *const members[] = {"state", "attempt_count", "last_status", "last_reason",
                                          "next_attempt_in_ms"};

    text_puts(line, "\"what\":\"delivery\",\"event\":");
    text_put_json(line, bytes_of(event->id));
    text_puts(line, ",\"event_type\":");
    text_put_json(line, bytes_of(event->type));
    text_puts(line, ",\"delivery\":");
    text_put_json(line, text_of(delivery, "id"));
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        text_printf(line, ",\"%s\":", members[i]);
        json_put(line, json_get(attributes, members[i]));
    }
}

static void put_outcome(struct text *line, const struct watched *event, struct json_object *attributes)
{
    struct words_outcome outcome = {.reason = text_of(attributes, "last_reason"),
                                    .status = number_of(attributes, "last_status", 0)};
    int64_t next_ms = number_of(attributes, "next_attempt_in_ms", -1);
    struct bytes state = text_of(attributes, "state");
    bool pending = bytes_equal_text(state, "pending");

    text_put_printable(line, pending ? bytes_of("failed") : state);
    do
        text_putc(line, ' ');
    while (line->len < STATE_WIDTH);
    text_put_printable(line, bytes_of(event->id));
    text_putc(line, ' ');
    text_put_printable(line, bytes_of(event->type));
    if (bytes_equal_text(state, "skipped")) {
        text_puts(line, ": no webhook_url was set");
        return;
    }
    text_puts(line, ", tried ");
    words_put_times(line, number_of(attributes, "attempt_count", 0));
    text_puts(line, ": ");
    words_put_outcome(line, &outcome);
    if (pending && next_ms > 0) {
        text_puts(line, "; next try in ");
        words_put_duration(line, next_ms);
    }
}

static void print_outcome(const struct tail *tail, const struct watched *event, struct json_object *delivery)
{
    struct json_object *attributes = json_get_object(delivery, "attributes");
    bool delivered = bytes_equal_text(text_of(attributes, "state"), "delivered");
    struct arena arena;
    struct text line;

    arena_init(&arena, 4 * (size_t)LINE_LEN_MAX);
    text_init(&line, &arena, LINE_LEN_MAX);
    if (tail->json)
        put_outcome_json(&line, event, delivery);
    else
        put_outcome(&line, event, attributes);
    print_line(tail, delivered ? COLOUR_GOOD : COLOUR_BAD, &line);
    arena_fini(&arena);
}

/* ---- what becomes of an event ---- */

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
    snprintf(watched->id, sizeof watched->id, "%.*s", BYTES_ARG(text_of(event, "id")));
    snprintf(watched->type, sizeof watched->type, "%.*s",
             BYTES_ARG(text_of(json_get_object(event, "attributes"), "event_type")));
}

/* Prints what is new of one delivery; true: nothing more will come of it. */
static bool compare(const struct tail *tail, struct watched *event, struct json_object *delivery)
{
    struct json_object *attributes = json_get_object(delivery, "attributes");
    struct bytes id = text_of(delivery, "id");
    int64_t attempt_count = number_of(attributes, "attempt_count", 0);
    bool ended = !bytes_equal_text(text_of(attributes, "state"), "pending");
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

/* False: the server did not say; it is asked again. */
static bool look(struct tail *tail, struct watched *event, bool *ended)
{
    struct client_answer answer;
    char path[PATH_LEN_MAX];
    int64_t wait_ms = LOOK_MS_MAX;

    *ended = true;
    snprintf(path, sizeof path, "/api/events/%s/deliveries", event->id);
    if (!client_call(tail->client, "GET", path, NULL, &answer) || answer.status == 429)
        return false;
    if (answer.status == 404) /* purged */
        return true;
    if (!client_check(tail->client, 200, &answer))
        return false;
    struct json_object *list = json_get_array(answer.json, "data");
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        struct json_object *delivery = json_object_array_get_idx(list, i);
        int64_t next_ms = number_of(json_get_object(delivery, "attributes"), "next_attempt_in_ms", 0);
        *ended &= compare(tail, event, delivery);
        if (next_ms < wait_ms)
            wait_ms = next_ms;
    }
    event->look_at_ms = clock_mono_ms(&tail->clock) + (wait_ms > tail->every_ms ? wait_ms : tail->every_ms);
    return true;
}

/* The one that has waited longest for a look; NULL: none is due. */
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

/* Appends the page's new events, newest first; the path of the next page, or "" when this one had one that is
 * known. False: no answer, and `status` is what the server said instead. */
static bool read_page(struct tail *tail, char path[PATH_LEN_MAX], struct json_object *found, int *status)
{
    struct client_answer answer = {0};
    bool all_new = true;
    int64_t id;

    bool answered = client_call(tail->client, "GET", path, NULL, &answer);
    *status = answer.status;
    if (!answered || answer.status == 429 || !client_check(tail->client, 200, &answer))
        return false;
    struct json_object *list = json_get_array(answer.json, "data");
    for (size_t i = 0; list && i < json_object_array_length(list); i++) {
        struct json_object *event = json_object_array_get_idx(list, i);
        if (!bytes_to_int64(text_of(event, "id"), &id) || !is_new(tail, id)) {
            all_new = false;
            continue;
        }
        json_object_array_add(found, json_object_get(event));
        tail->seen[tail->seen_count++ % SEEN_MAX] = id;
    }
    struct bytes next = text_of(json_get_object(answer.json, "links"), "next");
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
        /* The pages before this one are counted as seen: whoever gives up here loses what is on this one. */
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

    if (!client_expect(tail->client, 200, "GET", "/api/events?sort=-id&page[size]=1", NULL, &answer))
        return false;
    struct json_object *list = json_get_array(answer.json, "data");
    if (list && json_object_array_length(list) > 0)
        bytes_to_int64(text_of(json_object_array_get_idx(list, 0), "id"), &tail->since_id);
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
            client_place(tail->client));
    for (bool on = true; on;) {
        bool answered = read_new(tail) && look_around(tail);
        int64_t wait_ms = answered ? tail->every_ms : FAILED_TURNS * tail->every_ms;
        struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
        on = !ferror(stdout) && sigtimedwait(&ends, NULL, &wait) < 0;
    }
}

int tail_main(int argc, char **argv)
{
    struct client_options server = {0};
    struct tail tail = {.every_ms = 1000, .clock = clock_system(), .colours = colours_for(stdout)};
    int count;
    const struct option_row rows[] = {
        CLIENT_OPTION_ROWS(server),
        {"every", OPTION_SECONDS, &tail.every_ms, "SECONDS", "time between polls [1]", NULL, EVERY_MS_MIN,
         EVERY_MS_MAX},
        {"json", OPTION_FLAG, &tail.json, NULL, "print one JSON object a line"},
    };
    const struct usage usage = {
        "tail", "tail [--every SECONDS]", details, rows, sizeof rows / sizeof *rows, 0, 0};

    enum options_outcome outcome = options_read(&usage, argc, argv, &count);
    if (outcome != OPTIONS_GO)
        return outcome == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
    int code = client_open(&usage, &server, &tail.client);
    if (code != EXIT_DONE)
        return code;
    bool begun = begin(&tail);
    if (begun) {
        tail.watched = memory_zero(WATCHED_MAX, sizeof *tail.watched);
        follow(&tail);
        free(tail.watched);
    }
    client_close(tail.client);
    return begun ? EXIT_DONE : EXIT_FAILED;
}
