/* posthorn trigger to a server: events are posted to its API, and their deliveries are awaited. */
#include "trigger.h"

#include "command.h"
#include "instant.h"
#include "json.h"
#include "show.h"
#include "text.h"
#include <stdio.h>

enum { BODY_LEN_MAX = 1 << 20, MEMORY_LEN_MAX = 4 * BODY_LEN_MAX, POLL_MS = 50, POLLS_MAX = 600 };

/* The server gives the id and the dates; out of order, the dates have to say what the order was. */
static void date_event(struct json_object *document, int64_t at_ms)
{
    char date[INSTANT_LEN];

    instant_format(at_ms, date);
    json_object_object_add(json_get_object(json_get_object(document, "data"), "attributes"), "created_at",
                           json_object_new_string_len(date, INSTANT_LEN));
}

static void date_round(const struct trigger *trigger)
{
    struct clock clock = clock_system();
    int64_t now_ms = clock_wall_ms(&clock);

    for (int i = 0; i < trigger->examples.count; i++)
        date_event(trigger->examples.documents[i], now_ms + i);
}

/* ---- the same one again ----------------------------------------------------------------------------------
 */

/* NULL: there is none that has ended yet. */
static const char *ended_delivery(struct client *client, struct arena *arena, const char *event_id,
                                  bool *good)
{
    struct client_answer answer;
    struct bytes id, state;

    *good = client_expect(client, 200, "GET", arena_printf(arena, "/api/events/%s/deliveries", event_id),
                          NULL, &answer);
    struct json_object *deliveries = *good ? json_get_array(answer.json, "data") : NULL;
    struct json_object *first = deliveries ? json_object_array_get_idx(deliveries, 0) : NULL;
    bool known = first && json_get_text(first, "id", &id) &&
                 json_get_text(json_get_object(first, "attributes"), "state", &state);
    if (known && bytes_equal_text(state, "skipped")) {
        fprintf(stderr, "posthorn trigger: --duplicate: the event goes to nobody: set a webhook_url first\n");
        *good = known = false;
    }
    if (known && !bytes_equal_text(state, "pending"))
        return arena_printf(arena, "/api/deliveries/%.*s/resend", BYTES_ARG(id));
    return NULL;
}

/* A delivery that has ended can be sent again: same id, same bytes. */
static bool resend(struct trigger *trigger, struct client *client, const struct tally_entry *posted)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    struct client_answer answer;
    const char *path = NULL;
    struct arena arena;
    bool good = true;

    arena_init(&arena, MEMORY_LEN_MAX);
    for (int i = 0; i < POLLS_MAX && good && !path; i++) {
        if (i > 0)
            nanosleep(&pause, NULL);
        path = ended_delivery(client, &arena, posted->id, &good);
    }
    if (good && !path)
        fprintf(stderr, "posthorn trigger: --duplicate: event %s was not delivered within %d s\n", posted->id,
                POLL_MS * POLLS_MAX / 1000);
    good = path && client_expect(client, 200, "POST", path, NULL, &answer);
    arena_fini(&arena);
    if (good) {
        struct tally_entry again = *posted;
        again.status = answer.status;
        again.outcome = "resent";
        tally_add(trigger, &again);
    }
    return good;
}

/* ---- posting ---------------------------------------------------------------------------------------------
 */

static bool post_one(struct trigger *trigger, struct client *client, struct json_object *document)
{
    struct tally_entry entry = {
        .event_type = examples_event_type(document), .good = true, .outcome = "accepted"};
    struct client_answer answer;
    struct bytes id = {"", 0}, note;
    struct arena arena;
    struct text body;

    arena_init(&arena, MEMORY_LEN_MAX);
    text_init(&body, &arena, BODY_LEN_MAX);
    json_put(&body, document);
    bool good = client_expect(client, 201, "POST", "/api/events", body.data, &answer);
    if (good) {
        json_get_text(json_get_object(answer.json, "data"), "id", &id);
        struct bytes kept = arena_copy(&arena, id);
        entry.id = kept.data ? kept.data : "";
        entry.status = answer.status;
        if (json_get_text(json_get_object(answer.json, "meta"), "note", &note)) /* it goes to nobody */
            entry.sentence = arena_printf(&arena, "%.*s", BYTES_ARG(note));
        if (!trigger->json && trigger->outcomes.sent == 0)
            show_place(client_place(client));
        tally_add(trigger, &entry);
    }
    if (good && trigger->duplicate)
        good = resend(trigger, client, &entry);
    arena_fini(&arena);
    return good;
}

int trigger_post(struct trigger *trigger)
{
    struct client *client;
    int code = client_open(trigger->usage, &trigger->server, &client);
    bool good = true;

    if (code != EXIT_DONE)
        return code;
    tally_begin(trigger);
    for (int64_t round = 0; round < trigger->times && good; round++) {
        if (trigger->out_of_order)
            date_round(trigger);
        for (int turn = 0; turn < trigger->examples.count && good; turn++)
            good = post_one(trigger, client, trigger->examples.documents[trigger_turn(trigger, turn)]);
    }
    client_close(client);
    code = tally_end(trigger);
    return good ? code : EXIT_FAILED;
}
