/* event: the parts of a parsed event that the store needs and a user of the library does not. Internal. */
#pragma once
#include "posthorn.h"

/* The document indented by two spaces, every value as it came. */
struct posthorn_text ph_event_pretty(const struct posthorn_event *event);
