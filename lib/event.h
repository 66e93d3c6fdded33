/* event: functions on a parsed event for the store only. Internal. */
#pragma once
#include "posthorn.h"

/* The document indented by two spaces, every value as it came. */
struct posthorn_text ph_event_pretty(const struct posthorn_event *event);
/* As posthorn_parse, for a text of any length from malloc, with room for a NUL after `len`. The event owns
 * the text from now on; an error frees it. */
enum posthorn_result ph_event_take(char *body, size_t len, struct posthorn_event **out,
                                   struct posthorn_problem *problem);
