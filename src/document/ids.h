/*
 * ids: 64-bit ids made of milliseconds, a node number and a sequence. Pure.
 *
 *   (milliseconds since 1970) << 20 | node << 6 | sequence
 *
 * Ids never fall, even if the clock does: the floor is the largest id ever seen. Each start draws a random
 * node number, so that ids do not repeat even where the floor is not known: after a restore, or in a second
 * copy of the data folder, under a clock that was set back (mission row 10). Two starts in the same
 * milliseconds have the same number once in 16,384 times.
 *
 * Each id has 19 digits, so that a document can be rendered before its id is known. The ids are those of
 * the years 2000 to 2248, whatever the clock says.
 */
#pragma once
#include <stdint.h>

enum { IDS_NODE_MAX = 16383, IDS_DIGITS = 19 };

struct ids {
    int64_t last;
    int node; /* 0 to IDS_NODE_MAX, random */
};

int64_t ids_next(struct ids *ids, int64_t wall_ms);
/* No id of this time or later is below it, and all earlier ones are. */
int64_t ids_first_at(int64_t wall_ms);
void ids_floor(struct ids *ids, int64_t id); /* all later ids are above this one */
int64_t ids_from(int64_t wall_ms);           /* no id that was made then or later is below it */
/* Writes the 19 digits of an id from ids_next. */
void ids_put(int64_t id, char out[IDS_DIGITS]);
