/* posthorn resend: a delivery, or all of an event, once more. */
#include "client.h"
#include "command.h"
#include "json.h"
#include "show.h"

#include <stdio.h>

enum { PATH_LEN_MAX = 4096, DELIVERIES_MAX = 100000 };

static const char details[] =
    "Sends a delivery again, now, whatever its state: given up, cancelled, skipped, waiting or delivered. "
    "ID\n"
    "is the id of a delivery, or of an event: then all its deliveries are sent. The event keeps its id. A\n"
    "delivered delivery stays delivered.";

struct resend {
    struct client *client;
    bool json;
    int sent;
};

static bool send_one(struct resend *resend, const char *id)
{
    struct client_answer answer;
    char path[PATH_LEN_MAX];

    snprintf(path, sizeof path, "/api/deliveries/%s/resend", client_escape(resend->client, id));
    if (!client_call_paced(resend->client, "POST", path, "", &answer) ||
        !client_check(resend->client, 200, &answer))
        return false;
    resend->sent++;
    if (resend->json)
        show_json(answer.json);
    else
        printf("delivery %s will be sent now; see `posthorn why %s`\n", id, id);
    return true;
}

static bool send_list(struct resend *resend, struct json_object *list)
{
    struct bytes id;
    bool done = true;
    for (size_t i = 0; done && i < json_object_array_length(list); i++)
        done = json_get_text(json_object_array_get_idx(list, i), "id", &id) && send_one(resend, id.data);
    return done;
}

/* An id is an event's or a delivery's. */
static bool resend(struct resend *resend, const char *id)
{
    struct client_answer answer;
    char path[PATH_LEN_MAX];

    snprintf(path, sizeof path, "/api/events/%s/deliveries?page[size]=100",
             client_escape(resend->client, id));
    if (!client_call(resend->client, "GET", path, NULL, &answer))
        return false;
    if (answer.status == 404 || answer.status == 403)
        return send_one(resend, id);
    if (!client_check(resend->client, 200, &answer) ||
        !client_gather(resend->client, DELIVERIES_MAX, &answer))
        return false;
    struct json_object *list = json_object_get(json_get_array(answer.json, "data"));
    bool done = list && send_list(resend, list);
    json_object_put(list);
    if (done && resend->sent == 0)
        fprintf(stderr, "posthorn resend: event %s has no delivery\n", id);
    return done && resend->sent > 0;
}

int resend_main(int argc, char **argv)
{
    struct client_options server = {0};
    struct resend job = {0};
    int count;
    const struct option_row rows[] = {
        CLIENT_OPTION_ROWS(server),
        {"json", OPTION_FLAG, &job.json, NULL, "print the server's JSON document for each delivery"},
    };
    const struct usage usage = {"resend", "resend ID", details, rows, sizeof rows / sizeof *rows, 1, 1};

    enum options_outcome outcome = options_read(&usage, argc, argv, &count);
    if (outcome != OPTIONS_GO)
        return outcome == OPTIONS_HELP ? EXIT_DONE : EXIT_USAGE;
    int code = client_open(&usage, &server, &job.client);
    if (code != EXIT_DONE)
        return code;
    bool done = resend(&job, argv[argc - 1]);
    client_close(job.client);
    return done ? EXIT_DONE : EXIT_FAILED;
}
