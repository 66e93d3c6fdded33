/*
 * scene: a sender on a loop of its own, and attempts driven to their end one by one.
 */
#pragma once
#include "evil.h"
#include "sender.h"

struct scene {
    uv_loop_t loop;
    struct sender *sender;
    struct sender_limits limits; /* generous, so that only the one under test can pass */
    const char *ca_file, *dns_servers;
    bool (*allow)(void *ctx, const struct sockaddr *address);
    void *allow_ctx;
    int idle_connections_max;

    int64_t pool_key;
    int64_t age_ms_max;        /* of the next attempt's connection */
    bool once;                 /* the next attempt's */
    int timeout_s;             /* the next attempt's own; 0: none */
    int spent_s;               /* of it, before it begins */
    struct identity *identity; /* the next attempt's; NULL: none */
    const char *body;
    size_t body_len;

    int results; /* how many have come */
    struct sender_result result;
    char response[16 * 1024], detail[256];
};

void scene_init(struct scene *scene);
void scene_open(struct scene *scene);
void scene_fini(struct scene *scene);

/* Begins an attempt; scene_finish runs the loop until `results` has grown. */
void scene_begin(struct scene *scene, const char *url);
void scene_finish(struct scene *scene);
/* Both. */
const struct sender_result *scene_attempt(struct scene *scene, const char *url);
/* Lets the loop handle what has come, without an attempt. */
void scene_turn(struct scene *scene);
struct sender_stats scene_stats(const struct scene *scene);

/* "https://HOST:PORT/hook" in a buffer of the caller's. */
const char *scene_url(char *out, size_t size, bool https, const char *host, int port);
