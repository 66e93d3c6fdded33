/*
 * in_flight: the Idempotency-Keys of the requests that this server has in hand. A key is in flight from the
 * moment its request was read until its answer is given. Any thread may call these functions.
 */
#pragma once
#include "digest.h"
#include <pthread.h>
#include <stdbool.h>

enum { IN_FLIGHT_BUCKETS = 1024 };

/* Belongs to its request. `digest` says whose key it is, of which path, and its text. */
struct in_flight_key {
    unsigned char digest[DIGEST_LEN];
    const void *request;
    struct in_flight_key *others; /* the request's own list of what it holds */
    struct in_flight_key *next;   /* of its bucket */
};

struct in_flight {
    pthread_mutex_t lock;
    struct in_flight_key *buckets[IN_FLIGHT_BUCKETS];
};

void in_flight_init(struct in_flight *keys);
/* No key may be in it. */
void in_flight_fini(struct in_flight *keys);

enum in_flight_entry {
    IN_FLIGHT_ENTERED, /* in_flight_leave it */
    IN_FLIGHT_OWN,     /* the same request has entered it before */
    IN_FLIGHT_TAKEN    /* another request has it */
};
enum in_flight_entry in_flight_enter(struct in_flight *keys, struct in_flight_key *key);
void in_flight_leave(struct in_flight *keys, struct in_flight_key *key);
