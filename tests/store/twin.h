/*
 * twin: the same store twice, the model and SQLite, with random ops for both and comparisons of both.
 */
#pragma once
#include "fixture.h"

enum { USERS_MAX = 6, ENDPOINTS_MAX = 16, POOL_MAX = 4000, EVENTS_MAX = 2000 };

struct twin {
    struct fixture model, sqlite;
    uint64_t random;
    int64_t users[USERS_MAX];
    int user_count;
    int64_t endpoints[ENDPOINTS_MAX]; /* further ones, and some that were removed */
    int endpoint_count;
    struct store_work pool[POOL_MAX]; /* boxes that were filled and not yet recorded; views are not used */
    int pool_count;
    struct store_op done[32]; /* earlier outcomes, to be repeated */
    int done_count;
    struct store_op events[EVENTS_MAX];
    int event_count;
    int renewals;
};

/* A number below `below`, from the twin's seed. */
uint64_t twin_draw(struct twin *t, uint64_t below);
/* One of its users, or now and then nobody. */
int64_t twin_user(struct twin *t);
/* A further endpoint, or a user's default one. */
int64_t twin_endpoint(struct twin *t);
struct bytes twin_resource_id(struct twin *t);
/* A random op, on users, endpoints and boxes that it may have or have had. */
struct store_op twin_op(struct twin *t);

/* Fails the test if the boxes that the last write filled differ. The others join the pool. */
void twin_same_boxes(struct twin *t);
/* Asks both one random query, and fails the test if the answers differ. */
void twin_read(struct twin *t);
