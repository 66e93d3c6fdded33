#include "account.h"
#include "client.h"
#include "command.h"
#include "instant.h"
#include "json.h"
#include "show.h"

#include <stdio.h>

enum { PATH_LEN_MAX = 4096, SENTENCES_LEN_MAX = 16 << 10, MEMORY_MAX = 64 << 10 };

static const char details[] =
    "Says in plain sentences what became of an event, or of one delivery: how often it was tried, what\n"
    "your server said last, when the next try is, or why there is none; and what to do about it.";

struct why {
    struct client *client;
    bool json;
    struct json_object *event;      /* NULL: it is about one delivery */
    struct json_object *deliveries; /* an array; never NULL */
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
    if (!client_call(why->client, "GET", path, NULL, &answer))
        return false;
    if (answer.status == 404 || answer.status == 403)
        return true;
    if (!client_check(why->client, 200, &answer))
        return false;
    *data = json_object_get(json_get(answer.json, "data"));
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
        if (list) {
            json_object_put(why->deliveries);
            why->deliveries = list;
        }
        return true;
    }
    if (!fetch(why, &delivery, "/api/deliveries/", id, ""))
        return false;
    if (delivery) {
        json_object_array_add(why->deliveries, delivery);
        return true;
    }
    fprintf(stderr, "posthorn why: you have no event and no delivery %.40s; `posthorn events list` has ids\n",
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
static bool look_at_user(const struct why *why, struct json_object *delivery, struct account *account)
{
    struct json_object *relationship = json_get_object(json_get_object(delivery, "relationships"), "user");
    const char *user_id = text_of(json_get_object(relationship, "data"), "id").data;
    struct json_object *user;
    bool active;

    if (!fetch(why, &user, "/api/users/", user_id, ""))
        return false;
    if (!user)
        return true;
    struct json_object *attributes = attributes_of(user);
    bool has_url = json_get(attributes, "webhook_url") != NULL;
    bool paused = json_object_get_boolean(json_get(attributes, "paused"));
    account->last.success_2xx = bytes_equal_text(text_of(attributes, "success"), "2xx");
    json_object_put(user);
    if (!bytes_equal_text(account->state, "pending"))
        return true;
    if (!has_active_key(why, user_id, &active))
        return false;
    account->hold = !has_url ? ACCOUNT_NO_URL
                    : paused ? ACCOUNT_PAUSED
                    : active ? ACCOUNT_NOT_HELD
                             : ACCOUNT_NO_KEY;
    return true;
}

/* ---- saying ---- */

static int64_t between_ms(struct bytes from, struct bytes to)
{
    int64_t from_ms, to_ms;
    return instant_parse(from, &from_ms) && instant_parse(to, &to_ms) ? to_ms - from_ms : -1;
}

static void read_account(struct json_object *delivery, struct account *account)
{
    struct json_object *attributes = attributes_of(delivery);

    *account = (struct account){.delivery_id = text_of(delivery, "id"),
                                .state = text_of(attributes, "state"),
                                .finished_at = text_of(attributes, "finished_at")};
    account->in_flight = json_object_get_boolean(json_get(attributes, "in_flight"));
    account->attempt_count = number_of(attributes, "attempt_count", 0);
    account->next_ms = number_of(attributes, "next_attempt_in_ms", -1);
    account->last.reason = text_of(attributes, "last_reason");
    account->last.status = number_of(attributes, "last_status", 0);
    account->took_ms = between_ms(text_of(attributes, "first_attempt_at"), account->finished_at);
}

static void say_delivery(const struct why *why, struct json_object *delivery, const struct text *sentences,
                         const struct account *account)
{
    if (why->json) {
        struct json_object *attributes = attributes_of(delivery);
        const char *hold = account_hold_name(account->hold);
        json_object_object_add(attributes, "held", hold ? json_object_new_string(hold) : NULL);
        json_object_object_add(attributes, "why",
                               json_object_new_string_len(sentences->data, (int)sentences->len));
        return;
    }
    if (json_object_array_length(why->deliveries) > 1) {
        struct json_object *user = json_get_object(json_get_object(delivery, "relationships"), "user");
        printf("To user %.*s: ", BYTES_ARG(text_of(json_get_object(user, "data"), "id")));
    }
    printf("%.*s\n", (int)sentences->len, sentences->data);
}

static bool say_one(const struct why *why, struct json_object *delivery)
{
    struct account account;
    struct arena arena;
    struct text sentences;

    read_account(delivery, &account);
    if (!look_at_user(why, delivery, &account))
        return false;
    arena_init(&arena, MEMORY_MAX);
    text_init(&sentences, &arena, SENTENCES_LEN_MAX);
    account_put(&sentences, &account);
    say_delivery(why, delivery, &sentences, &account);
    arena_fini(&arena);
    return true;
}

static bool say_all(const struct why *why)
{
    size_t count = json_object_array_length(why->deliveries);

    if (why->event && !why->json)
        printf("Event %.*s, %.*s.\n", BYTES_ARG(text_of(why->event, "id")),
               BYTES_ARG(text_of(attributes_of(why->event), "event_type")));
    if (why->event && !why->json)
        show_place(client_place(why->client));
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
    } else if (count == 0) {
        printf("It goes to nobody: when it was accepted, its owner had no webhook_url. Set one, and later "
               "events go there; this one can be read with `posthorn events show`.\n");
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
        {"json", OPTION_FLAG, &why.json, NULL, "the server's documents, each delivery with its `why`"},
    };
    const struct usage usage = {"why", "why ID", details, rows, sizeof rows / sizeof *rows, 1, 1};

    enum options_outcome outcome = options_read(&usage, argc, argv, &count);
    if (outcome != OPTIONS_GO)
        return outcome == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
    int code = client_open(&usage, &server, &why.client);
    if (code != EXIT_DONE)
        return code;
    bool done = gather(&why, argv[argc - 1]) && say_all(&why);
    json_object_put(why.event);
    json_object_put(why.deliveries);
    client_close(why.client);
    return done ? EXIT_DONE : EXIT_FAILED;
}
