/* event: the parts of a parsed event that the store needs and a user of the library does not. Internal. */
#pragma once
#include "posthorn.h"

/* The document indented by two spaces, every value as it came. */
struct posthorn_text ph_event_pretty(const struct posthorn_event *event);
/* As posthorn_parse, of a text of any length that malloc gave, with room for a NUL behind `len`; it is the
 * event's from now on, or freed. */
enum posthorn_result ph_event_take(char *body, size_t len, struct posthorn_event **out,
                                   struct posthorn_problem *problem);
