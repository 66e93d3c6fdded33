#include "route.h"
#include "pages.h"
#include "resources.h"

enum { SEGMENTS_MAX = 6 };

enum {
    QUERY_ONE = QUERY_BIT(QUERY_FIELDS),
    QUERY_WITH = QUERY_ONE | QUERY_BIT(QUERY_INCLUDE),
    QUERY_PAGE = QUERY_ONE | QUERY_BIT(QUERY_PAGE_SIZE) | QUERY_BIT(QUERY_PAGE_AFTER) |
                 QUERY_BIT(QUERY_PAGE_BEFORE) | QUERY_BIT(QUERY_SORT),
    QUERY_TYPES = QUERY_ONE | QUERY_BIT(QUERY_SECTION) | QUERY_BIT(QUERY_STATUS),
    QUERY_OWNED = QUERY_PAGE | QUERY_BIT(QUERY_USER),
    QUERY_SNAPSHOT = QUERY_ONE | QUERY_BIT(QUERY_USER),
    QUERY_EVENTS = QUERY_PAGE | QUERY_WITH | QUERY_BIT(QUERY_EVENT_TYPE) | QUERY_BIT(QUERY_RESOURCE_TYPE) |
                   QUERY_BIT(QUERY_RESOURCE_ID) | QUERY_BIT(QUERY_USER) | QUERY_BIT(QUERY_UNDELIVERED),
    QUERY_DELIVERIES = QUERY_OWNED | QUERY_BIT(QUERY_EVENT_TYPE) | QUERY_BIT(QUERY_STATE) |
                       QUERY_BIT(QUERY_TO_ENDPOINT) | QUERY_BIT(QUERY_REASON) | QUERY_BIT(QUERY_SINCE)
};

#define ROUTE_SNAPSHOTS                                                                                      \
    {                                                                                                        \
        "GET", snapshots_list, ROUTE_USER, QUERY_OWNED                                                       \
    }
#define ROUTE_SNAPSHOT                                                                                       \
    {"GET", snapshots_show, ROUTE_USER, QUERY_SNAPSHOT}, {"PUT", snapshots_put, ROUTE_USER, QUERY_SNAPSHOT}, \
        {"PATCH", snapshots_update, ROUTE_USER, QUERY_SNAPSHOT},                                             \
    {                                                                                                        \
        "DELETE", snapshots_delete, ROUTE_USER, QUERY_BIT(QUERY_USER)                                        \
    }

static const struct route routes[] = {
    {"/api/events", {{"GET", events_list, ROUTE_USER, QUERY_EVENTS}, {"POST", events_create, ROUTE_USER, 0}}},
    {"/api/events/batch", {{"POST", events_create_lines, ROUTE_USER, 0}}},
    {"/api/events/:id", {{"GET", events_show, ROUTE_USER, QUERY_WITH}}},
    {"/api/events/:id/deliveries", {{"GET", event_deliveries_list, ROUTE_USER, QUERY_PAGE | QUERY_WITH}}},
    {"/api/deliveries", {{"GET", deliveries_list, ROUTE_USER, QUERY_DELIVERIES}}},
    {"/api/deliveries/:id", {{"GET", deliveries_show, ROUTE_USER, QUERY_WITH}}},
    {"/api/deliveries/:id/attempts", {{"GET", delivery_attempts_list, ROUTE_USER, QUERY_PAGE}}},
    {"/api/deliveries/:id/resend", {{"POST", deliveries_resend, ROUTE_USER, QUERY_WITH}}},
    {"/api/deliveries/:id/cancel", {{"POST", deliveries_cancel, ROUTE_USER, QUERY_WITH}}},
    {"/api/users", {{"GET", users_list, ROUTE_MASTER, QUERY_PAGE}, {"POST", users_create, ROUTE_MASTER, 0}}},
    {"/api/users/:id",
     {{"GET", users_show, ROUTE_USER, QUERY_ONE}, {"PATCH", users_update, ROUTE_USER, QUERY_ONE}}},
    {"/api/users/:id/endpoints", {{"GET", endpoints_list, ROUTE_USER, QUERY_PAGE}}},
    {"/api/endpoints",
     {{"GET", endpoints_list, ROUTE_USER, QUERY_OWNED}, {"POST", endpoints_create, ROUTE_USER, QUERY_ONE}}},
    {"/api/endpoints/:id",
     {{"GET", endpoints_show, ROUTE_USER, QUERY_ONE},
      {"PATCH", endpoints_update, ROUTE_USER, QUERY_ONE},
      {"DELETE", endpoints_delete, ROUTE_USER, 0}}},
    {"/api/endpoints/:id/ping", {{"POST", endpoints_ping, ROUTE_USER, 0}}},
    {"/api/endpoints/:id/stats", {{"GET", endpoint_stats_show, ROUTE_USER, QUERY_ONE}}},
    {"/api/endpoints/:id/test_filter", {{"POST", endpoints_test_filter, ROUTE_USER, QUERY_ONE}}},
    {"/api/endpoints/:endpoint/signing_secrets",
     {{"GET", signing_secrets_list, ROUTE_USER, 0}, {"POST", signing_secrets_create, ROUTE_USER, 0}}},
    {"/api/endpoints/:endpoint/signing_secrets/:id",
     {{"GET", signing_secrets_show, ROUTE_USER, 0}, {"DELETE", signing_secrets_delete, ROUTE_USER, 0}}},
    {"/api/endpoints/:endpoint/signing_secrets/:id/reveal",
     {{"POST", signing_secrets_reveal, ROUTE_USER, 0}}},
    {"/api/endpoints/:id/tls",
     {{"GET", endpoint_tls_show, ROUTE_USER, 0},
      {"PUT", endpoint_tls_put, ROUTE_USER, 0},
      {"DELETE", endpoint_tls_delete, ROUTE_USER, 0}}},
    {"/api/endpoints/:id/recover", {{"POST", endpoints_recover, ROUTE_USER, QUERY_ONE}}},
    {"/api/endpoints/:id/replay", {{"POST", endpoints_replay, ROUTE_USER, QUERY_ONE}}},
    {"/api/endpoints/:id/backfill", {{"POST", endpoints_backfill, ROUTE_USER, QUERY_ONE}}},
    {"/api/jobs", {{"GET", jobs_list, ROUTE_USER, QUERY_OWNED}}},
    {"/api/jobs/:id", {{"GET", jobs_show, ROUTE_USER, QUERY_ONE}, {"DELETE", jobs_delete, ROUTE_USER, 0}}},
    {"/api/users/:id/tls",
     {{"GET", tls_identities_show, ROUTE_USER, 0},
      {"PUT", tls_identities_put, ROUTE_USER, 0},
      {"DELETE", tls_identities_delete, ROUTE_USER, 0}}},
    {"/api/api_keys",
     {{"GET", api_keys_list, ROUTE_USER, QUERY_OWNED}, {"POST", api_keys_create, ROUTE_USER, 0}}},
    {"/api/api_keys/:id",
     {{"GET", api_keys_show, ROUTE_USER, QUERY_ONE},
      {"PATCH", api_keys_update, ROUTE_USER, 0},
      {"DELETE", api_keys_delete, ROUTE_USER, 0}}},
    {"/api/signing_secrets",
     {{"GET", signing_secrets_list, ROUTE_USER, QUERY_BIT(QUERY_USER)},
      {"POST", signing_secrets_create, ROUTE_USER, 0}}},
    {"/api/signing_secrets/:id",
     {{"GET", signing_secrets_show, ROUTE_USER, 0}, {"DELETE", signing_secrets_delete, ROUTE_USER, 0}}},
    {"/api/signing_secrets/:id/reveal", {{"POST", signing_secrets_reveal, ROUTE_USER, 0}}},
    {"/api/event_types", {{"GET", event_types_list, ROUTE_PUBLIC, QUERY_TYPES}}},
    {"/api/event_types/:id", {{"GET", event_types_show, ROUTE_PUBLIC, QUERY_ONE}}},
    {"/api/meta", {{"GET", meta_show, ROUTE_PUBLIC, 0}}},
    {"/openapi.json", {{"GET", openapi_show, ROUTE_PUBLIC, 0, "application/json"}}},
    {"/docs", {{"GET", docs_show, ROUTE_PUBLIC, 0, "text/html"}}},
    {"/health", {{"GET", health_show, ROUTE_HEALTH, 0}}},
    {"/metrics", {{"GET", metrics_show, ROUTE_METRICS, QUERY_BIT(QUERY_ENDPOINT), "text/plain"}}},
    /* Whatever events are about. Behind all others, which keep their names; those have the long form only. */
    {"/api/resources/:type", {ROUTE_SNAPSHOTS}},
    {"/api/resources/:type/:id", {ROUTE_SNAPSHOT}},
    {"/api/:type", {ROUTE_SNAPSHOTS}},
    {"/api/:type/:id", {ROUTE_SNAPSHOT}},
};
enum { ROUTE_COUNT = sizeof routes / sizeof *routes };

static const struct shape *const shapes[] = {
    &events_shape,   &deliveries_shape,      &attempts_shape,       &users_shape,       &endpoints_shape,
    &api_keys_shape, &signing_secrets_shape, &tls_identities_shape, &event_types_shape, &filter_tests_shape,
    &jobs_shape,     &endpoint_stats_shape};
enum { SHAPE_COUNT = sizeof shapes / sizeof *shapes };

struct segments {
    struct bytes texts[SEGMENTS_MAX];
    int count;
};

/* False: not a path of ours. */
static bool next_segment(struct bytes *path, struct bytes *segment)
{
    if (!path->len || path->data[0] != '/')
        return false;
    const char *slash = path->len > 1 ? memchr(path->data + 1, '/', path->len - 1) : NULL;
    size_t len = slash ? (size_t)(slash - path->data) : path->len;
    *segment = bytes_make(path->data + 1, len - 1);
    *path = bytes_make(path->data + len, path->len - len);
    return true;
}

static bool decode_segment(struct arena *arena, struct bytes *segment)
{
    if (!memchr(segment->data, '%', segment->len))
        return bytes_are_utf8(*segment);
    *segment = query_decode(arena, *segment, false);
    return segment->data != NULL;
}

static enum route_error split(struct arena *arena, struct bytes path, struct segments *segments)
{
    segments->count = 0;
    while (path.len) {
        struct bytes segment;
        if (segments->count == SEGMENTS_MAX || !next_segment(&path, &segment))
            return ROUTE_UNKNOWN;
        if (!path.len && !segment.len && segments->count) /* a trailing slash */
            return ROUTE_FOUND;
        if (!segment.len)
            return ROUTE_UNKNOWN;
        if (!decode_segment(arena, &segment))
            return ROUTE_MALFORMED;
        segments->texts[segments->count++] = segment;
    }
    return ROUTE_FOUND;
}

static struct bytes *variable(struct route_variables *variables, struct bytes part)
{
    if (bytes_equal_text(part, ":type"))
        return &variables->type;
    return bytes_equal_text(part, ":endpoint") ? &variables->endpoint : &variables->id;
}

/* `.` and `..` match no pattern: literals differ, and a variable refuses them. */
static bool matches(const struct route *route, const struct segments *segments,
                    struct route_variables *variables)
{
    struct bytes pattern = bytes_of(route->pattern), part;
    *variables = (struct route_variables){bytes_of(""), bytes_of(""), bytes_of("")};
    for (int i = 0; i < segments->count; i++) {
        struct bytes text = segments->texts[i];
        if (!next_segment(&pattern, &part))
            return false;
        if (part.data[0] == ':') {
            if (bytes_equal_text(text, ".") || bytes_equal_text(text, ".."))
                return false;
            *variable(variables, part) = text;
        } else if (!bytes_equal(part, text)) {
            return false;
        }
    }
    return pattern.len == 0;
}

enum route_error route_find(struct arena *arena, struct bytes path, const struct route **route,
                            struct route_variables *variables)
{
    struct segments segments;
    enum route_error error = split(arena, path, &segments);
    if (error != ROUTE_FOUND)
        return error;
    for (int i = 0; i < ROUTE_COUNT; i++) {
        if (matches(&routes[i], &segments, variables)) {
            *route = &routes[i];
            return ROUTE_FOUND;
        }
    }
    return ROUTE_UNKNOWN;
}

bool route_is_named(struct bytes type)
{
    for (int i = 0; i < ROUTE_COUNT; i++) {
        struct bytes pattern = bytes_of(routes[i].pattern), part;
        bool is_api = next_segment(&pattern, &part) && bytes_equal_text(part, "api");
        if (is_api && next_segment(&pattern, &part) && bytes_equal(part, type))
            return true;
    }
    return false;
}

const struct route *route_at(int index)
{
    return index < ROUTE_COUNT ? &routes[index] : NULL;
}

const struct shape *shape_at(int index)
{
    return index < SHAPE_COUNT ? shapes[index] : NULL;
}

const struct route_method *route_method(const struct route *route, struct bytes method)
{
    if (bytes_equal_text(method, "HEAD"))
        method = bytes_of("GET");
    for (int i = 0; i < ROUTE_METHODS_MAX && route->methods[i].name; i++)
        if (bytes_equal_text(method, route->methods[i].name))
            return &route->methods[i];
    return NULL;
}

const char *route_allow(struct arena *arena, const struct route *route)
{
    struct text allow;
    text_init(&allow, arena, 128);
    for (int i = 0; i < ROUTE_METHODS_MAX && route->methods[i].name; i++) {
        bool get = strcmp(route->methods[i].name, "GET") == 0;
        text_printf(&allow, "%s%s, ", route->methods[i].name, get ? ", HEAD" : "");
    }
    text_puts(&allow, "OPTIONS");
    return allow.overflow ? NULL : allow.data;
}
