/*
 * wishes: the events that an endpoint wants (routing.h), on memory of their own and ready to be judged.
 */
#pragma once
#include "routing.h"

struct wishes;

/* Makes *wishes what these settings say; nothing is done if it is that already. All empty: NULL. False: the
 * filter is damaged, and is left out; the endpoint gets what the rest lets through. */
bool wishes_set(struct wishes **wishes, struct bytes event_types, struct bytes channels, struct bytes filter);
void wishes_free(struct wishes *wishes); /* NULL is allowed */
/* NULL of NULL. */
const struct routing_wishes *wishes_of(const struct wishes *wishes);
