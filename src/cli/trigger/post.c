/* posthorn trigger to a server: posts events to its API and waits for their deliveries. */
#include "trigger.h"

#include "command.h"
#include "instant.h"
#include "json_c.h"
#include "show.h"
#include "text.h"

enum { BODY_LEN_MAX = 1 << 20, MEMORY_LEN_MAX = 4 * BODY_LEN_MAX, POLL_MS = 50, POLLS_MAX = 600 };

/* The server gives the id and the dates. If events are sent out of order, the dates must show the real order.
 */
static void date_round(const struct trigger *trigger)
{
    struct clock clock = clock_system();
    int64_t now_ms = clock_wall_ms(&clock);
    char date[INSTANT_LEN];

    for (int i = 0; i < trigger->examples.count; i++) {
        instant_format(now_ms + i, date);
        json_object_object_add(json_at(trigger->examples.documents[i], "data.attributes"), "created_at",
                               json_object_new_string_len(date, INSTANT_LEN));
    }
}

/* ---- duplicates ---------------------------------------------------------------------------------------- */

/* Sets the path that resends the event's delivery, or "" until the delivery has ended. False: it never will;
 * stderr has the reason. */
static bool find_ended(struct trigger *trigger, struct client *client, const char *event_id,
                       const char **path)
{
    struct client_answer answer;

    *path = "";
    if (!client_expect(client, 200, "GET", client_path(client, "/api/events/%s/deliveries", event_id), NULL,
                       &answer))
        return false;
    struct json_object *deliveries = json_get(answer.json, "data");
    struct json_object *first = json_length(deliveries) ? json_object_array_get_idx(deliveries, 0) : NULL;
    struct bytes id = json_string(first, "id"), state = json_string(json_get(first, "attributes"), "state");
    if (bytes_equal_text(state, "skipped"))
        return command_failed(trigger->invocation, "--duplicate: the event goes to nobody: set a webhook_url "
                                                   "first") == EXIT_DONE;
    if (first && !bytes_equal_text(state, "pending"))
        *path = client_path(client, "/api/deliveries/%s/resend", id.data);
    return true;
}

/* An ended delivery can be sent again: same id, same bytes. */
static bool resend(struct trigger *trigger, struct client *client, const struct outcomes_entry *posted)
{
    struct outcomes_entry again = *posted;
    struct client_answer answer;
    const char *path = "";

    for (int i = 0; i < POLLS_MAX && !*path; i++) {
        if (i > 0)
            clock_pause_us(POLL_MS * 1000);
        if (!find_ended(trigger, client, posted->id, &path))
            return false;
    }
    if (!*path)
        return command_failed(trigger->invocation, "--duplicate: event %s was not delivered within %d s",
                              posted->id, POLL_MS * POLLS_MAX / 1000) == EXIT_DONE;
    if (!client_expect(client, 200, "POST", path, NULL, &answer))
        return false;
    again.status = answer.status;
    again.outcome = "resent";
    outcomes_add(trigger, &again);
    return true;
}

/* ---- posting ------------------------------------------------------------------------------------------- */

static bool post_one(struct trigger *trigger, struct client *client, struct json_object *document)
{
    char id[32] = "";
    struct outcomes_entry entry = {
        .event_type = examples_event_type(document), .id = id, .good = true, .outcome = "accepted"};
    struct client_answer answer;
    struct arena arena;
    struct text body;

    arena_init(&arena, MEMORY_LEN_MAX);
    text_init(&body, &arena, BODY_LEN_MAX);
    json_put(&body, document);
    bool good = client_expect(client, 201, "POST", "/api/events", body.data, &answer);
    if (good) {
        struct bytes note = json_string(json_get(answer.json, "meta"), "note"); /* it has no receiver */
        snprintf(id, sizeof id, "%s", json_string(json_get(answer.json, "data"), "id").data);
        entry.status = answer.status;
        entry.sentence = note.len ? note.data : NULL;
        if (!trigger->invocation->json && trigger->outcomes.sent == 0)
            show_place(client_place(client));
        outcomes_add(trigger, &entry);
    }
    entry.sentence = NULL; /* a view of that answer */
    if (good && trigger->duplicate)
        good = resend(trigger, client, &entry);
    arena_fini(&arena);
    return good;
}

int trigger_post(struct trigger *trigger)
{
    struct client *client;
    int code = client_open(trigger->invocation, &trigger->server, &client);
    bool good = true;

    if (code != EXIT_DONE)
        return code;
    outcomes_begin(trigger);
    for (int64_t round = 0; round < trigger->times && good; round++) {
        if (trigger->out_of_order)
            date_round(trigger);
        for (int turn = 0; turn < trigger->examples.count && good; turn++)
            good = post_one(trigger, client, trigger->examples.documents[trigger_turn(trigger, turn)]);
    }
    client_close(client);
    code = outcomes_end(trigger);
    return good ? code : EXIT_FAILED;
}
