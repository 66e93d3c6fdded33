/* posthorn jobs: what is sent to endpoints once more, and how far that is. */
#include "commands.h"
#include "jobs_start.h"
#include "json_c.h"
#include "progress.h"
#include "show.h"
#include "since.h"
#include "write_request.h"
#include <time.h>

enum { JOBS_MAX = 1000, POLL_MS = 250 };

struct jobs_options {
    struct api_session api;
    const char *user;
};

static const struct show_column columns[] = {{"ID", "id", 19},
                                             {"KIND", "attributes.kind", 8},
                                             {"STATE", "attributes.state", 9},
                                             {"MADE_DUE", "attributes.made_due", 8},
                                             {"TOTAL", "attributes.total", 8},
                                             {"ENDPOINT", "relationships.endpoint.data.id", 0},
                                             {NULL}};

/* ---- starting one ---- */

static struct json_object *attributes_of(const struct jobs_wish *wish)
{
    struct json_object *attributes = json_object_new_object();
    char since[SINCE_LEN], until[SINCE_LEN];
    write_request_text(attributes, "since", since_of(wish->since, since));
    write_request_text(attributes, "until", since_of(wish->until, until));
    write_request_text(attributes, "event_type", wish->type);
    write_request_text(attributes, "delivery_state", wish->state);
    if (wish->dry_run)
        json_object_object_add(attributes, "dry_run", json_object_new_boolean(true));
    return attributes;
}

static int64_t number_of(struct json_object *job, const char *name)
{
    return json_object_get_int64(json_get(json_get(job, "attributes"), name));
}

static struct bytes state_of(struct json_object *job)
{
    return json_string(json_get(job, "attributes"), "state");
}

/* Until it has ended; *answer is the job then. */
static bool follow(struct client *client, const char *id, int64_t total, struct client_answer *answer)
{
    struct progress progress;
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    progress_begin(&progress, total);
    bool known = true;
    while (
        (known = client_expect(client, 200, "GET", client_path(client, "/api/jobs/%s", id), NULL, answer)) &&
        bytes_equal_text(state_of(json_get(answer->json, "data")), "running")) {
        progress_to(&progress, number_of(json_get(answer->json, "data"), "made_due"));
        nanosleep(&pause, NULL);
    }
    progress_clear(&progress);
    return known;
}

static int print_count(const struct invocation *invocation, const struct client_answer *answer)
{
    struct json_object *meta = json_get(answer->json, "meta");
    if (invocation->json)
        show_json(answer->json);
    else
        printf("%s%lld deliveries\n", json_object_get_boolean(json_get(meta, "complete")) ? "" : "at least ",
               (long long)json_object_get_int64(json_get(meta, "count")));
    return EXIT_DONE;
}

int jobs_start(const struct invocation *invocation, struct client *client, const char *kind,
               const struct jobs_wish *wish)
{
    struct client_answer answer;
    char id[24];
    if (!wish->since)
        return command_wrong(invocation,
                             "give --since TIME: a time, or `30m`, `12h`, `7d` for that long ago");
    const char *path = client_path(client, "/api/endpoints/%s/%s", invocation->operands[0], kind);
    if (!write_request_send(client, wish->dry_run ? 200 : 201, "POST", path,
                            write_request("jobs", NULL, NULL, attributes_of(wish)), &answer))
        return EXIT_FAILED;
    if (wish->dry_run)
        return print_count(invocation, &answer);
    struct json_object *job = json_get(answer.json, "data");
    snprintf(id, sizeof id, "%s", json_string(job, "id").data);
    if (wish->wait && !follow(client, id, number_of(job, "total"), &answer))
        return EXIT_FAILED;
    job = json_get(answer.json, "data");
    if (invocation->json)
        show_json(answer.json);
    else if (wish->wait)
        printf("job %s: %s, %lld deliveries were made due\n", id, state_of(job).data,
               (long long)number_of(job, "made_due"));
    else
        printf("job %s runs; see `posthorn jobs show %s`\n", id, id);
    return wish->wait && !bytes_equal_text(state_of(job), "done") ? EXIT_FAILED : EXIT_DONE;
}

/* ---- seeing and cancelling ---- */

static int list(const struct invocation *invocation, void *options)
{
    const struct jobs_options *jobs = options;
    struct client *client = jobs->api.client;
    client_path(client, "/api/jobs?page[size]=100&sort=-id");
    return client_show_list(client, client_add_query(client, "filter[user]", jobs->user), JOBS_MAX, columns);
}

static int show(const struct invocation *invocation, void *options)
{
    struct client *client = ((struct api_session *)options)->client;
    struct client_answer answer;
    if (!client_expect(client, 200, "GET", client_path(client, "/api/jobs/%s", invocation->operands[0]), NULL,
                       &answer))
        return EXIT_FAILED;
    return client_show_one(client, &answer, columns);
}

static int cancel(const struct invocation *invocation, void *options)
{
    struct client *client = ((struct api_session *)options)->client;
    return client_delete(client, client_path(client, "/api/jobs/%s", invocation->operands[0]));
}

static const struct option_row rows[] = {
    {"user", OPTION_TEXT, offsetof(struct jobs_options, user), "", "ID",
     "for a Master: the user; otherwise yourself", .verbs = "list"},
};

const struct command jobs_command = {
    .name = "jobs",
    .summary = "list, show or cancel recoveries, replays and backfills",
    .details = "The jobs of `posthorn endpoints recover`, `replay` and `backfill`, newest first, and their "
               "progress.\n"
               "`cancel` ends a job; deliveries that it made due stay due.",
    .verbs = {{"list", "", list}, {"show", "ID", show}, {"cancel", "ID", cancel}},
    .rows = OPTION_TABLE(rows),
    API_COMMAND(struct jobs_options),
    .json = JSON_OPTION("print the server's JSON document"),
};
