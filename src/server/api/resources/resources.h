/*
 * resources: the handlers of every route, one file a resource. What a handler is: call.h.
 */
#pragma once
#include "shape.h"

/* The shapes of the resources. (The platform decides the shape of snapshots.) */
extern const struct shape users_shape, api_keys_shape, signing_secrets_shape, tls_identities_shape,
    deliveries_shape, attempts_shape, events_shape, event_types_shape, endpoints_shape, filter_tests_shape,
    jobs_shape, endpoint_stats_shape;

/* users.c */
bool users_list(struct call *call);
bool users_create(struct call *call);
bool users_show(struct call *call);
bool users_update(struct call *call);
/* The user of the path, `me` included, that the caller may see; false: 404. */
bool users_path_id(struct call *call, int64_t *id);

/* endpoints.c */
bool endpoints_list(struct call *call);
bool endpoints_create(struct call *call);
bool endpoints_show(struct call *call);
bool endpoints_update(struct call *call);
bool endpoints_delete(struct call *call);

/* endpoint_ping.c */
bool endpoints_ping(struct call *call);

/* endpoint_stats.c */
bool endpoint_stats_show(struct call *call);

/* filter_tests.c */
bool endpoints_test_filter(struct call *call);

/* jobs.c */
bool endpoints_recover(struct call *call);
bool endpoints_replay(struct call *call);
bool endpoints_backfill(struct call *call);
bool jobs_list(struct call *call);
bool jobs_show(struct call *call);
bool jobs_delete(struct call *call);

/* tls_identities.c */
bool tls_identities_show(struct call *call);
bool tls_identities_put(struct call *call);
bool tls_identities_delete(struct call *call);
/* The same of the endpoint in the path. */
bool endpoint_tls_show(struct call *call);
bool endpoint_tls_put(struct call *call);
bool endpoint_tls_delete(struct call *call);

/* api_keys.c */
bool api_keys_list(struct call *call);
bool api_keys_create(struct call *call);
bool api_keys_show(struct call *call);
bool api_keys_update(struct call *call);
bool api_keys_delete(struct call *call);
/* A new key, to be written; returns its text, which is shown once. NULL: the memory is used up. */
const char *api_key_prepare(struct call *call, struct bytes label, struct api_key *key);

/* signing_secrets.c: of the endpoint in the path, or of the user's default endpoint */
bool signing_secrets_list(struct call *call);
bool signing_secrets_create(struct call *call);
bool signing_secrets_show(struct call *call);
bool signing_secrets_reveal(struct call *call);
bool signing_secrets_delete(struct call *call);

/* events.c, event_create.c, event_batch.c */
bool events_list(struct call *call);
bool events_create(struct call *call);
bool events_create_lines(struct call *call);
bool events_create_batch(struct call *call); /* of lines; the caller may post them */
bool events_show(struct call *call);

/* Of the event that POST /api/endpoints/ID/ping makes. */
#define PING_EVENT_TYPE "ping"

/* deliveries.c */
bool deliveries_list(struct call *call);
bool event_deliveries_list(struct call *call);
bool deliveries_show(struct call *call);
bool delivery_attempts_list(struct call *call);
bool deliveries_resend(struct call *call);
bool deliveries_cancel(struct call *call);

/* snapshots.c */
bool snapshots_list(struct call *call);
bool snapshots_show(struct call *call);
bool snapshots_put(struct call *call);
bool snapshots_update(struct call *call);
bool snapshots_delete(struct call *call);

/* event_types.c */
bool event_types_list(struct call *call);
bool event_types_show(struct call *call);
bool openapi_show(struct call *call);
bool docs_show(struct call *call);
