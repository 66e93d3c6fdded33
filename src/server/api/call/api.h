/*
 * api: the HTTP side of the server. Routes, authentication, JSON:API; one file a resource in api/.
 *
 * A request comes from the listener, is authenticated against the keyring, parsed, validated, and becomes one
 * queue job (write) or one readers job (read); its answer is sent from their completion. An event
 * gets its 201 only after the commit that made it durable (promise P1).
 */
#pragma once
#include "config.h"
#include "engine.h"
#include "listener.h"
#include "queue.h"
#include "readers.h"
#include "vault.h"

struct api;

struct api_config {
    const struct config *config; /* must outlive the api */
    struct guard guard;          /* for webhook_url at write time */
    struct queue *queue;
    struct readers *readers;
    const struct vault *vault; /* must outlive the api */
    struct clock clock;
    struct log *log;
    struct bytes own_types; /* a platform's own (api/reference.h); must outlive the api */
    /* For /metrics and /health. */
    void (*engine_stats)(void *ctx, struct engine_stats *stats);
    void *ctx;
};

/* Loads the keyring (every active key's digest, its user and role) through the readers; NULL: the log says
 * why. */
struct api *api_open(const struct api_config *config);
/* Answers what a throttle holds back at once, and returns when no request is in hand. Call it between
 * listener_quiesce and listener_close. */
void api_drain(struct api *api);
/* No request may come any more; the queue and the readers still run. */
void api_close(struct api *api);

/* For listener_config. */
int api_accept_head(void *api, struct listener_request *request);
void api_handle(void *api, struct listener_request *request);
/* For the listener of metrics-listen. */
int api_accept_head_metrics(void *api, struct listener_request *request);
void api_handle_metrics(void *api, struct listener_request *request);
void api_on_refused(void *api, struct listener_request *request, int status, struct listener_reply *reply);
