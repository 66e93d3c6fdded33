/*
 * not_sent: the endpoints of an event's owner that have no delivery of it, and the reason of each. From the
 * API's documents. Pure.
 */
#pragma once
#include "bytes.h"

struct json_object;

/*
 * An array of {endpoint, url, reason}, which the caller frees. `unmatched` is the event's `meta.unmatched`,
 * `endpoints` the owner's endpoints, `deliveries` the event's; each may be NULL. The reason is one of
 *
 *   type, channel, filter   the setting that decided, when the event came
 *   created_later           the endpoint did not exist yet
 *   ping                    the event was for another endpoint alone
 *   no_url                  there was no URL
 */
struct json_object *not_sent_of(struct json_object *event, struct json_object *unmatched,
                                struct json_object *endpoints, struct json_object *deliveries);
/* A line for each, below a title; nothing for none. */
void not_sent_print(struct json_object *not_sent, struct bytes event_type);
