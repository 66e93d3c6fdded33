/* posthorn endpoints stats: what happened to an endpoint's deliveries, with a line for each hour. */
#include "endpoint_stats.h"
#include "client.h"
#include "json_c.h"
#include "show.h"
#include <inttypes.h>
#include <unistd.h>

/* A line has 80 columns, with the bar that a terminal gets. */
enum { BAR_WIDTH = 8, HOUR_WIDTH = 16 /* 2000-01-01T00:00 */ };
static const char bar[] = "########";

static int64_t number(struct json_object *of, const char *name)
{
    return json_object_get_int64(json_get(of, name));
}

/* "-": there is none. The server wrote it: no text from outside. */
static const char *text(struct json_object *of, const char *name)
{
    struct json_object *value = json_get(of, name);
    return value ? json_object_get_string(value) : "-";
}

static void print_sums(const struct client_answer *answer)
{
    struct json_object *sums = json_get(json_get(answer->json, "data"), "attributes");
    printf("since %.*s UTC: %" PRId64 " accepted, %" PRId64 " delivered,\n"
           "%" PRId64 " failed attempts, %" PRId64 " given up, %" PRId64 " cancelled\n"
           "answers in ms: p50 %s, p99 %s\n"
           "waiting: %s",
           HOUR_WIDTH, text(sums, "since"), number(sums, "accepted"), number(sums, "delivered"),
           number(sums, "failed"), number(sums, "given_up"), number(sums, "cancelled"), text(sums, "p50_ms"),
           text(sums, "p99_ms"), text(sums, "waiting"));
    if (json_get(sums, "oldest_waiting_at"))
        printf(", the first since %s", text(sums, "oldest_waiting_at"));
    printf("\n");
}

static void print_hours(struct json_object *hours)
{
    size_t count = json_object_array_length(hours);
    bool bars = isatty(STDOUT_FILENO);
    int64_t most = 1;
    for (size_t i = 0; i < count; i++) {
        int64_t accepted = number(json_object_array_get_idx(hours, i), "accepted");
        most = accepted > most ? accepted : most;
    }
    if (count > 0)
        printf("\n%-*s%10s%10s%10s%10s%8s%8s\n", HOUR_WIDTH, "HOUR, UTC", "ACCEPTED", "DELIVERED", "FAILED",
               "GIVEN_UP", "P50_MS", "P99_MS");
    for (size_t i = 0; i < count; i++) {
        struct json_object *hour = json_object_array_get_idx(hours, i);
        int64_t accepted = number(hour, "accepted");
        int len = bars ? (int)(BAR_WIDTH * (double)accepted / (double)most + 0.5) : 0;
        printf("%.*s%10" PRId64 "%10" PRId64 "%10" PRId64 "%10" PRId64 "%8s%8s%.*s\n", HOUR_WIDTH,
               text(hour, "hour"), accepted, number(hour, "delivered"), number(hour, "failed"),
               number(hour, "given_up"), text(hour, "p50_ms"), text(hour, "p99_ms"), len, bar);
    }
}

int endpoint_stats(const struct invocation *invocation, void *options)
{
    struct client *client = ((struct api_session *)options)->client;
    const char *path = client_path(client, "/api/endpoints/%s/stats", invocation->operands[0]);
    struct client_answer answer;
    if (!client_expect(client, 200, "GET", path, NULL, &answer))
        return EXIT_FAILED;
    struct json_object *hours =
        json_get_array(json_get(json_get(answer.json, "data"), "attributes"), "hours");
    if (invocation->json || !hours) {
        show_json(answer.json);
        return EXIT_DONE;
    }
    print_sums(&answer);
    print_hours(hours);
    return EXIT_DONE;
}
