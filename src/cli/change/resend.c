/* posthorn resend: sends a delivery, or all of an event, again. */
#include "client.h"
#include "commands.h"
#include "json_c.h"
#include "show.h"

enum { DELIVERIES_MAX = 100000 };

static bool send_one(const struct invocation *invocation, struct client *client, const char *id)
{
    struct client_answer answer;

    if (!client_expect(client, 200, "POST", client_path(client, "/api/deliveries/%s/resend", id), "",
                       &answer))
        return false;
    if (invocation->json)
        show_json(answer.json);
    else
        printf("delivery %s will be sent now; see `posthorn why %s`\n", id, id);
    return true;
}

/* An id is an event's or a delivery's. */
static int resend(const struct invocation *invocation, void *options)
{
    struct client *client = ((struct api_session *)options)->client;
    const char *id = invocation->operands[0];
    struct client_answer answer;
    bool done = true;

    const char *path = client_path(client, "/api/events/%s/deliveries?page[size]=100", id);
    if (!client_call_paced(client, "GET", path, NULL, &answer))
        return EXIT_FAILED;
    if (answer.status == 404 || answer.status == 403)
        return send_one(invocation, client, id) ? EXIT_DONE : EXIT_FAILED;
    if (!client_check(client, 200, &answer) || !client_gather(client, DELIVERIES_MAX, &answer))
        return EXIT_FAILED;
    struct json_object *list = json_object_get(json_get_array(answer.json, "data"));
    for (size_t i = 0; done && i < json_length(list); i++)
        done = send_one(invocation, client, json_string(json_object_array_get_idx(list, i), "id").data);
    if (json_length(list) == 0)
        done = command_failed(invocation, "event %s has no delivery", id) == EXIT_DONE;
    json_object_put(list);
    return done ? EXIT_DONE : EXIT_FAILED;
}

const struct command resend_command = {
    .name = "resend",
    .summary = "send a delivery, or all deliveries of an event, again",
    .details = "Sends a delivery again, now, whatever its state: given up, cancelled, skipped, waiting or "
               "delivered. ID\n"
               "is the id of a delivery, or of an event: then all its deliveries are sent. The event keeps "
               "its id. A\n"
               "delivered delivery stays delivered.",
    .verbs = {{NULL, "ID", resend}},
    API_COMMAND(struct api_session),
    .json = JSON_OPTION("print the server's JSON document for each delivery"),
};
