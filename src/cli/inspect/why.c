/* posthorn why: what became of an event or a delivery, in sentences (verdict.h), and the record behind it. */
#include "client.h"
#include "command.h"
#include "evidence.h"
#include "instant.h"
#include "json.h"
#include "remedy.h"
#include "show.h"
#include "verdict.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    PATH_LEN_MAX = 4096,
    SENTENCES_LEN_MAX = 16 << 10,
    MEMORY_MAX = 64 << 10,
    WHY_MEMORY_MAX = 1 << 20,
    DELIVERIES_MAX = 100000
};

static const char details[] =
    "Explains in plain sentences what became of an event or a delivery: the number of tries, the last\n"
    "answer, the time of the next try or the reason why there is none, and what to do. The record follows:\n"
    "the URL, the last tries, the start of the last answer (1 KiB, escaped), and whose server it is.";

struct why {
    struct client *client;
    bool json;
    struct json_object *event;      /* NULL: it is about one delivery */
    struct json_object *deliveries; /* an array; never NULL */
    struct json_object *me;         /* who asks; NULL: not known */
    struct arena arena;
};

static struct json_object *attributes_of(struct json_object *object)
{
    return json_get_object(object, "attributes");
}

static int64_t number_of(struct json_object *object, const char *name, int64_t otherwise)
{
    struct json_object *value = json_get(object, name);
    return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : otherwise;
}

static struct bytes text_of(struct json_object *object, const char *name)
{
    struct bytes text = {"", 0};
    json_get_text(object, name, &text);
    return text;
}

/* ---- asking ---- */

/* The `data` that this path with this id in it answers with, or NULL: it is not there, or not the caller's to
 * see. False: another answer, or none; stderr says which. */
static bool fetch(const struct why *why, struct json_object **data, const char *before, const char *id,
                  const char *after)
{
    struct client_answer answer;
    char path[PATH_LEN_MAX];

    *data = NULL;
    snprintf(path, sizeof path, "%s%s%s", before, client_escape(why->client, id), after);
    if (!client_call_paced(why->client, "GET", path, NULL, &answer))
        return false;
    if (answer.status == 404 || answer.status == 403)
        return true;
    if (!client_check(why->client, 200, &answer) ||
        (json_get_array(answer.json, "data") && !client_gather(why->client, DELIVERIES_MAX, &answer)))
        return false;
    *data = json_object_get(json_get(answer.json, "data"));
    return true;
}

/* Who asks, so that it can be said who "you" is. */
static bool identify(struct why *why)
{
    return fetch(why, &why->me, "/api/users/", "me", "");
}

/* The event's deliveries come without their attempts. */
static bool fetch_each(struct why *why, struct json_object *list)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *one;
        if (!fetch(why, &one, "/api/deliveries/", text_of(json_object_array_get_idx(list, i), "id").data, ""))
            return false;
        if (one)
            json_object_array_add(why->deliveries, one);
    }
    return true;
}

/* An id is an event's or a delivery's: both are asked for. */
static bool gather(struct why *why, const char *id)
{
    struct json_object *delivery;

    why->deliveries = json_object_new_array();
    if (!fetch(why, &why->event, "/api/events/", id, ""))
        return false;
    if (why->event) {
        struct json_object *list;
        if (!fetch(why, &list, "/api/events/", id, "/deliveries?page[size]=100"))
            return false;
        bool done = !list || fetch_each(why, list);
        json_object_put(list);
        return done;
    }
    if (!fetch(why, &delivery, "/api/deliveries/", id, ""))
        return false;
    if (delivery) {
        json_object_array_add(why->deliveries, delivery);
        return true;
    }
    fprintf(stderr, "posthorn why: you have no event or delivery %.40s; `posthorn events list` prints ids\n",
            id);
    return false;
}

static bool has_active_key(const struct why *why, const char *user_id, bool *active)
{
    struct json_object *keys;

    *active = true; /* unless we see that it is not so */
    if (!fetch(why, &keys, "/api/api_keys?page[size]=100&filter[user]=", user_id, ""))
        return false;
    if (keys)
        *active = false;
    for (size_t i = 0; keys && i < json_object_array_length(keys); i++) {
        struct json_object *key = json_object_array_get_idx(keys, i);
        *active = *active || !json_get(attributes_of(key), "revoked_at");
    }
    json_object_put(keys);
    return true;
}

/* What the recipient's settings have to do with it. A Regular cannot look at a Master's. */
static bool look_at_user(struct why *why, struct verdict *verdict, struct evidence *evidence)
{
    const char *user_id = evidence->user_id.data;
    struct json_object *user;
    bool active;

    if (evidence->is_caller)
        user = json_object_get(why->me);
    else if (!fetch(why, &user, "/api/users/", user_id, ""))
        return false;
    if (!user)
        return true;
    struct json_object *attributes = attributes_of(user);
    evidence->url = arena_copy(&why->arena, text_of(attributes, "webhook_url"));
    evidence->user_name = arena_copy(&why->arena, text_of(attributes, "name"));
    bool has_url = json_get(attributes, "webhook_url") != NULL;
    bool paused = json_object_get_boolean(json_get(attributes, "paused"));
    verdict->last.success_2xx = bytes_equal_text(text_of(attributes, "success"), "2xx");
    json_object_put(user);
    if (bytes_equal_text(verdict->state, "skipped") && !has_url)
        verdict->hold = VERDICT_NO_URL;
    if (!bytes_equal_text(verdict->state, "pending"))
        return true;
    if (!has_active_key(why, user_id, &active))
        return false;
    verdict->hold = !has_url ? VERDICT_NO_URL
                    : paused ? VERDICT_PAUSED
                    : active ? VERDICT_NOT_HELD
                             : VERDICT_NO_KEY;
    return true;
}

/* ---- saying ---- */

static int64_t between_ms(struct bytes from, struct bytes to)
{
    int64_t from_ms, to_ms;
    return instant_parse(from, &from_ms) && instant_parse(to, &to_ms) ? to_ms - from_ms : -1;
}

/* The attempts that counted and began when it had been delivered. */
static int64_t count_since(struct json_object *attributes, struct bytes finished_at)
{
    struct json_object *attempts = json_get_array(attributes, "attempts");
    size_t all = attempts ? json_object_array_length(attempts) : 0;
    int64_t count = 0;
    for (size_t i = 0; i < all; i++) {
        struct json_object *attempt = json_object_array_get_idx(attempts, i);
        count += json_object_get_boolean(json_get(attempt, "counted")) &&
                 between_ms(finished_at, text_of(attempt, "started_at")) >= 0;
    }
    return count;
}

/* What ended after somebody had cancelled it counts for nothing, as what is our own fault does, or a close
 * that crossed it: but those have other reasons. */
static void read_overtaken(struct json_object *last, struct verdict *verdict)
{
    verdict->after_all = (struct words_outcome){.reason = text_of(last, "reason"),
                                                .status = number_of(last, "status", 0),
                                                .detail = text_of(last, "detail")};
    enum failure_class class = failure_class_of(words_failure(verdict->after_all.reason));
    verdict->overtaken = last && !json_object_get_boolean(json_get(last, "counted")) &&
                         (verdict->after_all.status > 0 || class == FAILURE_CLASS_RECEIVER);
}

static void read_account(struct json_object *delivery, struct verdict *verdict)
{
    struct json_object *attributes = attributes_of(delivery);

    *verdict = (struct verdict){.delivery_id = text_of(delivery, "id"),
                                .state = text_of(attributes, "state"),
                                .finished_at = text_of(attributes, "finished_at")};
    verdict->in_flight = json_object_get_boolean(json_get(attributes, "in_flight"));
    verdict->attempt_count = number_of(attributes, "attempt_count", 0);
    verdict->next_ms = number_of(attributes, "next_attempt_in_ms", -1);
    verdict->last.reason = text_of(attributes, "last_reason");
    verdict->last.status = number_of(attributes, "last_status", 0);
    struct json_object *last = evidence_last(attributes);
    verdict->last.detail = text_of(last, "detail");
    read_overtaken(last, verdict);
    verdict->request_unread = last && json_object_get_boolean(json_get(last, "request_unread"));
    verdict->resending = json_object_get_boolean(json_get(attributes, "resending"));
    verdict->again_count =
        bytes_equal_text(verdict->state, "delivered") ? count_since(attributes, verdict->finished_at) : 0;
    verdict->took_ms = between_ms(text_of(attributes, "first_attempt_at"), verdict->finished_at);
}

static struct json_object *string_or_null(struct bytes text)
{
    return text.len > 0 ? json_object_new_string_len(text.data, (int)text.len) : NULL;
}

static void add_to_json(const struct text *sentences, const struct verdict *verdict,
                        const struct evidence *evidence)
{
    struct json_object *attributes = evidence->attributes, *last = evidence_last(attributes);
    const char *hold = verdict_hold_name(verdict->hold);
    char *answer = evidence_answer(last);

    json_object_object_add(attributes, "held", hold ? json_object_new_string(hold) : NULL);
    json_object_object_add(attributes, "why",
                           json_object_new_string_len(sentences->data, (int)sentences->len));
    json_object_object_add(attributes, "webhook_url", string_or_null(evidence->url));
    json_object_object_add(attributes, "last_attempt_at", string_or_null(text_of(last, "started_at")));
    json_object_object_add(attributes, "last_answer", string_or_null(bytes_of(answer)));
    json_object_object_add(attributes, "you_are",
                           json_object_new_string(evidence->is_caller ? "receiver" : "operator"));
    json_object_object_add(attributes, "advice_for",
                           json_object_new_string(evidence->for_operator ? "operator" : "receiver"));
    free(answer);
}

static void say_delivery(const struct why *why, const struct text *sentences, const struct verdict *verdict,
                         const struct evidence *evidence)
{
    if (why->json) {
        add_to_json(sentences, verdict, evidence);
        return;
    }
    if (json_object_array_length(why->deliveries) > 1)
        printf("To user %.*s: ", BYTES_ARG(evidence->user_id));
    printf("%.*s\n", (int)sentences->len, sentences->data);
    bool smooth = bytes_equal_text(verdict->state, "delivered") && verdict->attempt_count <= 1;
    if (!smooth)
        evidence_print(evidence);
}

static bool say_one(struct why *why, struct json_object *delivery)
{
    struct json_object *relationship = json_get_object(json_get_object(delivery, "relationships"), "user");
    struct evidence evidence = {.attributes = attributes_of(delivery),
                                .delivery_id = text_of(delivery, "id"),
                                .user_id = text_of(json_get_object(relationship, "data"), "id")};
    struct verdict verdict;
    struct arena arena;
    struct text sentences;

    read_account(delivery, &verdict);
    evidence.is_caller = bytes_equal(evidence.user_id, text_of(why->me, "id"));
    evidence.for_operator = remedy_is_for_operator(words_failure(verdict.last.reason));
    if (!look_at_user(why, &verdict, &evidence))
        return false;
    arena_init(&arena, MEMORY_MAX);
    text_init(&sentences, &arena, SENTENCES_LEN_MAX);
    verdict_put(&sentences, &verdict);
    say_delivery(why, &sentences, &verdict, &evidence);
    arena_fini(&arena);
    return true;
}

static void say_event(struct why *why)
{
    struct text line;

    text_init(&line, &why->arena, SENTENCES_LEN_MAX);
    text_puts(&line, "Event ");
    text_put_printable(&line, text_of(why->event, "id"));
    text_puts(&line, ", ");
    text_put_printable(&line, text_of(attributes_of(why->event), "event_type"));
    printf("%s.\n", line.data);
    show_place(client_place(why->client));
}

static bool say_all(struct why *why)
{
    size_t count = json_object_array_length(why->deliveries);

    if (why->event && !why->json)
        say_event(why);
    for (size_t i = 0; i < count; i++)
        if (!say_one(why, json_object_array_get_idx(why->deliveries, i)))
            return false;
    if (why->json) {
        struct json_object *document = json_object_new_object();
        json_object_object_add(document, "event", json_object_get(why->event));
        json_object_object_add(document, "deliveries", json_object_get(why->deliveries));
        show_json(document);
        json_object_put(document);
    } else if (!why->event) {
        show_place(client_place(why->client));
    }
    return true;
}

int why_main(int argc, char **argv)
{
    struct client_options server = {0};
    struct why why = {0};
    int count;
    const struct option_row rows[] = {
        CLIENT_OPTION_ROWS(server),
        {"json", OPTION_FLAG, &why.json, NULL,
         "print the server's JSON documents, each delivery with its `why`"},
    };
    const struct usage usage = {"why", "why ID", details, rows, sizeof rows / sizeof *rows, 1, 1};

    enum options_outcome outcome = options_read(&usage, argc, argv, &count);
    if (outcome != OPTIONS_GO)
        return outcome == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
    int code = client_open(&usage, &server, &why.client);
    if (code != EXIT_DONE)
        return code;
    arena_init(&why.arena, WHY_MEMORY_MAX);
    bool done = gather(&why, argv[argc - 1]) && identify(&why) && say_all(&why);
    arena_fini(&why.arena);
    json_object_put(why.me);
    json_object_put(why.event);
    json_object_put(why.deliveries);
    client_close(why.client);
    return done ? EXIT_DONE : EXIT_FAILED;
}
