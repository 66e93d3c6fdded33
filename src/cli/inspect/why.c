/* posthorn why: describes the state of an event or a delivery in sentences (verdict.h), and prints its
 * record. */
#include "client.h"
#include "commands.h"
#include "evidence.h"
#include "instant.h"
#include "json_c.h"
#include "remedy.h"
#include "show.h"
#include "verdict.h"

#include <stdlib.h>

enum { WHY_MEMORY_MAX = 1 << 20, DELIVERIES_MAX = 100000, NEEDED_LEN_MAX = 512 };

struct why {
    struct api_session api;
    const struct invocation *invocation;
    struct json_object *event;      /* NULL: it is about one delivery */
    struct json_object *deliveries; /* an array; never NULL */
    struct json_object *not_sent;   /* the endpoints that have none; NULL: not known */
    struct json_object *me;         /* who asks; NULL: not known */
    struct arena arena;
};

static struct json_object *attributes_of(struct json_object *object)
{
    return json_get_object(object, "attributes");
}

/* ---- asking ---- */

/* The `data` that a path answers with, or NULL: it is not there, or the caller may not see it. False: another
 * answer, or none; stderr says which. */
static bool fetch_with(const struct why *why, const char *path, struct json_object **data,
                       struct json_object **not_sent)
{
    struct client_answer answer;

    *data = NULL;
    if (!client_call_paced(why->api.client, "GET", path, NULL, &answer))
        return false;
    if (answer.status == 404 || answer.status == 403)
        return true;
    if (!client_check(why->api.client, 200, &answer))
        return false;
    if (not_sent)
        *not_sent = json_object_get(json_get(json_get(answer.json, "meta"), "not_sent"));
    if ((json_get_array(answer.json, "data") && !client_gather(why->api.client, DELIVERIES_MAX, &answer)))
        return false;
    *data = json_object_get(json_get(answer.json, "data"));
    return true;
}

static bool fetch(const struct why *why, const char *path, struct json_object **data)
{
    return fetch_with(why, path, data, NULL);
}

/* Adds the delivery, with its attempts, if it is there. */
static bool fetch_delivery(struct why *why, const char *id)
{
    struct json_object *delivery;
    if (!fetch(why, client_path(why->api.client, "/api/deliveries/%s", id), &delivery))
        return false;
    if (delivery)
        json_object_array_add(why->deliveries, delivery);
    return true;
}

/* The event's deliveries come without their attempts. */
static bool fetch_deliveries(struct why *why, const char *event_id)
{
    struct json_object *list;
    bool done =
        fetch_with(why, client_path(why->api.client, "/api/events/%s/deliveries?page[size]=100", event_id),
                   &list, &why->not_sent);
    for (size_t i = 0; done && i < json_length(list); i++)
        done = fetch_delivery(why, json_string(json_object_array_get_idx(list, i), "id").data);
    json_object_put(list);
    return done;
}

/* An id is an event's or a delivery's: both are asked for. */
static bool gather(struct why *why, const char *id)
{
    why->deliveries = json_object_new_array();
    if (!fetch(why, client_path(why->api.client, "/api/events/%s", id), &why->event))
        return false;
    if (why->event)
        return fetch_deliveries(why, id);
    if (!fetch_delivery(why, id))
        return false;
    if (json_length(why->deliveries) > 0)
        return true;
    command_failed(why->invocation, "you have no event or delivery %.40s; `posthorn events list` prints ids",
                   id);
    return false;
}

static bool has_active_key(const struct why *why, const char *user_id, bool *active)
{
    struct json_object *keys;

    if (!fetch(why, client_path(why->api.client, "/api/api_keys?page[size]=100&filter[user]=%s", user_id),
               &keys))
        return false;
    *active = !keys; /* without proof of the contrary */
    for (size_t i = 0; i < json_length(keys); i++)
        *active |= !json_get(attributes_of(json_object_array_get_idx(keys, i)), "revoked_at");
    json_object_put(keys);
    return true;
}

/* The statuses that acknowledge: "200 to 299", "200, 202". */
static struct bytes needed(struct why *why, struct json_object *attributes)
{
    struct json_object *codes = json_get_array(attributes, "success");
    struct text out;
    if (!codes)
        return bytes_of(bytes_equal_text(json_string(attributes, "success"), "2xx") ? "200 to 299" : "200");
    text_init(&out, &why->arena, NEEDED_LEN_MAX);
    for (size_t i = 0; i < json_length(codes); i++)
        text_printf(&out, "%s%s", i > 0 ? ", " : "",
                    json_object_get_string(json_object_array_get_idx(codes, i)));
    return text_bytes(&out);
}

/* Reads the name of somebody else. A Regular cannot read a Master. */
static bool look_at_user(struct why *why, struct evidence *evidence)
{
    struct json_object *user;
    if (evidence->is_caller)
        return true;
    if (!fetch(why, client_path(why->api.client, "/api/users/%s", evidence->user_id.data), &user))
        return false;
    evidence->user_name = arena_copy(&why->arena, json_string(attributes_of(user), "name"));
    json_object_put(user);
    return true;
}

/* Reads the endpoint's settings that hold the delivery back. One that was removed has none. */
static bool look_at_endpoint(struct why *why, struct verdict *verdict, struct evidence *evidence)
{
    struct json_object *endpoint;
    bool active;

    if (!fetch(why, client_path(why->api.client, "/api/endpoints/%s", verdict->endpoint_id.data), &endpoint))
        return false;
    if (!endpoint)
        return true;
    struct json_object *attributes = attributes_of(endpoint);
    evidence->url = arena_copy(&why->arena, json_string(attributes, "url"));
    verdict->paused_at = arena_copy(&why->arena, json_string(attributes, "paused_at"));
    verdict->disabled_reason = arena_copy(&why->arena, json_string(attributes, "disabled_reason"));
    bool has_url = json_get(attributes, "url") != NULL;
    bool paused = !bytes_equal_text(json_string(attributes, "status"), "active");
    verdict->last.success = needed(why, attributes);
    json_object_put(endpoint);
    if (bytes_equal_text(verdict->state, "skipped") && !has_url)
        verdict->hold = VERDICT_NO_URL;
    if (!bytes_equal_text(verdict->state, "pending"))
        return true;
    if (!has_active_key(why, evidence->user_id.data, &active))
        return false;
    verdict->hold = !has_url                       ? VERDICT_NO_URL
                    : verdict->disabled_reason.len ? VERDICT_DISABLED
                    : paused                       ? VERDICT_PAUSED
                    : active                       ? VERDICT_NOT_HELD
                                                   : VERDICT_NO_KEY;
    return true;
}

/* ---- printing ---- */

static int64_t between_ms(struct bytes from, struct bytes to)
{
    int64_t from_ms, to_ms;
    return instant_parse(from, &from_ms) && instant_parse(to, &to_ms) ? to_ms - from_ms : -1;
}

/* The counted attempts that began after it was delivered. */
static int64_t count_since(struct json_object *attributes, struct bytes finished_at)
{
    struct json_object *attempts = json_get(attributes, "attempts");
    int64_t count = 0;
    for (size_t i = 0; i < json_length(attempts); i++) {
        struct json_object *attempt = json_object_array_get_idx(attempts, i);
        count +=
            json_flag(attempt, "counted") && between_ms(finished_at, json_string(attempt, "started_at")) >= 0;
    }
    return count;
}

/* An attempt that ended after the cancel does not count. Neither do our own faults and crossed closes, but
 * those have other reasons. */
static void read_overtaken(struct json_object *last, struct verdict *verdict)
{
    verdict->after_all = (struct words_outcome){.reason = json_string(last, "reason"),
                                                .status = json_number(last, "status", 0),
                                                .detail = json_string(last, "detail")};
    enum failure_class class = failure_class_of(words_failure(verdict->after_all.reason));
    verdict->overtaken = last && !json_flag(last, "counted") &&
                         (verdict->after_all.status > 0 || class == FAILURE_CLASS_RECEIVER);
}

static void read_account(struct json_object *delivery, struct verdict *verdict)
{
    struct json_object *attributes = attributes_of(delivery);

    *verdict = (struct verdict){.delivery_id = json_string(delivery, "id"),
                                .state = json_string(attributes, "state"),
                                .finished_at = json_string(attributes, "finished_at")};
    verdict->in_flight = json_flag(attributes, "in_flight");
    verdict->attempt_count = json_number(attributes, "attempt_count", 0);
    verdict->next_ms = json_number(attributes, "next_attempt_in_ms", -1);
    verdict->last.reason = json_string(attributes, "last_reason");
    verdict->last.status = json_number(attributes, "last_status", 0);
    struct json_object *last = evidence_last(attributes);
    verdict->last.detail = json_string(last, "detail");
    read_overtaken(last, verdict);
    verdict->request_unread = json_flag(last, "request_unread");
    verdict->resending = json_flag(attributes, "resending");
    verdict->again_count =
        bytes_equal_text(verdict->state, "delivered") ? count_since(attributes, verdict->finished_at) : 0;
    verdict->took_ms = between_ms(json_string(attributes, "first_attempt_at"), verdict->finished_at);
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
    json_object_object_add(attributes, "last_attempt_at", string_or_null(json_string(last, "started_at")));
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
    if (why->invocation->json) {
        add_to_json(sentences, verdict, evidence);
        return;
    }
    if (json_object_array_length(why->deliveries) + json_length(why->not_sent) > 1)
        printf("To endpoint %.*s of user %.*s: ", BYTES_ARG(verdict->endpoint_id),
               BYTES_ARG(evidence->user_id));
    puts(sentences->data);
    bool smooth = bytes_equal_text(verdict->state, "delivered") && verdict->attempt_count <= 1;
    if (!smooth)
        evidence_print(evidence);
}

static bool say_one(struct why *why, struct json_object *delivery)
{
    struct evidence evidence = {.attributes = attributes_of(delivery),
                                .delivery_id = json_string(delivery, "id"),
                                .user_id = json_string(json_at(delivery, "relationships.user.data"), "id")};
    struct verdict verdict;
    struct line sentences;

    read_account(delivery, &verdict);
    evidence.is_caller = bytes_equal(evidence.user_id, json_string(why->me, "id"));
    evidence.for_operator = remedy_is_for_operator(words_failure(verdict.last.reason));
    verdict.endpoint_id = json_string(json_at(delivery, "relationships.endpoint.data"), "id");
    verdict.is_default = bytes_equal(verdict.endpoint_id, evidence.user_id);
    if (!look_at_user(why, &evidence) || !look_at_endpoint(why, &verdict, &evidence))
        return false;
    verdict_put(line_begin(&sentences), &verdict);
    say_delivery(why, &sentences.text, &verdict, &evidence);
    line_drop(&sentences);
    return true;
}

static void say_event(struct why *why)
{
    struct line line;

    text_puts(line_begin(&line), "Event ");
    text_put_printable(&line.text, json_string(why->event, "id"));
    text_puts(&line.text, ", ");
    text_put_printable(&line.text, json_string(attributes_of(why->event), "event_type"));
    text_puts(&line.text, ".");
    line_print(&line, stdout);
    show_place(client_place(why->api.client));
}

static void say_not_sent(const struct why *why)
{
    for (size_t i = 0; i < json_length(why->not_sent); i++) {
        struct json_object *one = json_object_array_get_idx(why->not_sent, i);
        struct line line;
        verdict_put_not_sent(line_begin(&line), json_string(one, "endpoint"), json_string(one, "reason"),
                             json_string(attributes_of(why->event), "event_type"));
        line_print(&line, stdout);
    }
}

static bool say_all(struct why *why)
{
    size_t count = json_object_array_length(why->deliveries);

    if (why->event && !why->invocation->json)
        say_event(why);
    for (size_t i = 0; i < count; i++)
        if (!say_one(why, json_object_array_get_idx(why->deliveries, i)))
            return false;
    if (why->invocation->json) {
        struct json_object *document = json_object_new_object();
        json_object_object_add(document, "event", json_object_get(why->event));
        json_object_object_add(document, "deliveries", json_object_get(why->deliveries));
        if (why->not_sent)
            json_object_object_add(document, "not_sent", json_object_get(why->not_sent));
        show_json(document);
        json_object_put(document);
    } else {
        say_not_sent(why);
        if (!why->event)
            show_place(client_place(why->api.client));
    }
    return true;
}

static int explain(const struct invocation *invocation, void *options)
{
    struct why *why = options;
    why->invocation = invocation;
    arena_init(&why->arena, WHY_MEMORY_MAX);
    bool done = gather(why, invocation->operands[0]) && fetch(why, "/api/users/me", &why->me) && say_all(why);
    arena_fini(&why->arena);
    json_object_put(why->me);
    json_object_put(why->event);
    json_object_put(why->deliveries);
    json_object_put(why->not_sent);
    return done ? EXIT_DONE : EXIT_FAILED;
}

const struct command why_command = {
    .name = "why",
    .summary = "explain the outcome of an event in plain sentences",
    .details =
        "Explains the outcome of an event or a delivery in plain sentences: the number of tries, the last\n"
        "answer, the time of the next try or the reason why there is none, and advice. The record follows:\n"
        "the URL, the last tries, the start of the last answer (1 KiB, escaped), and its server. Each\n"
        "endpoint of the owner that did not get the event is named, with the reason.",
    .verbs = {{NULL, "ID", explain}},
    API_COMMAND(struct why),
    .json = JSON_OPTION("print the server's JSON documents, each delivery with its `why`"),
};
