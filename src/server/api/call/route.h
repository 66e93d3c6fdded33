/*
 * route: the table of what the API serves. A path is matched segment by segment, decoded, never normalised;
 * one trailing slash is accepted and nothing is redirected (mission row 46).
 * The table stands above all handlers, in route.c of the folder above.
 */
#pragma once
#include "call.h"

enum { ROUTE_METHODS_MAX = 4 };

enum route_access {
    ROUTE_HEALTH, /* public, and without a pace: it is asked for all the time */
    ROUTE_PUBLIC,
    ROUTE_METRICS, /* public, unless metrics-key says otherwise */
    ROUTE_USER,
    ROUTE_MASTER
};

struct route_method {
    const char *name; /* GET serves HEAD, too */
    call_step *handle;
    enum route_access access;
    unsigned query;    /* QUERY_BITs of the parameters it knows */
    const char *media; /* of its answer; NULL: a JSON:API document */
};

struct route {
    const char *pattern; /* "/api/events/:id"; variables are :type, :endpoint and :id */
    struct route_method methods[ROUTE_METHODS_MAX];
};

enum route_error { ROUTE_FOUND, ROUTE_MALFORMED, ROUTE_UNKNOWN };

/* Decoded segments; len 0: the pattern has none. */
struct route_variables {
    struct bytes type, endpoint, id;
};

enum route_error route_find(struct arena *arena, struct bytes path, const struct route **route,
                            struct route_variables *variables);
/* Is /api/TYPE a route of its own, so that snapshots of this type are at /api/resources/TYPE only? */
bool route_is_named(struct bytes type);
/* The table's rows in order; NULL behind the last. */
const struct route *route_at(int index);
/* NULL: the route has no such method. */
const struct route_method *route_method(const struct route *route, struct bytes method);
/* "GET, HEAD, PATCH, OPTIONS". NULL: the arena is used up. */
const char *route_allow(struct arena *arena, const struct route *route);
