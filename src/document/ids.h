/*
 * ids: 64-bit ids made of milliseconds, a node number and a sequence. Pure.
 *
 *   (milliseconds since 1970) << 20 | node << 6 | sequence
 *
 * Never going back, even if the clock does: the floor is the largest id ever seen. Each start draws a node
 * number anew, so that ids do not repeat even where the floor does not know of others: a restored backup or a
 * second copy of the data folder, under a clock that was set back (mission row 10). Two starts that give out
 * ids of the same milliseconds have the same number once in 16,384 times.
 *
 * Each has 19 digits, so that a document can be rendered before its id is known: ids are those of 2000 or
 * later, whatever the clock says, and end in 2248.
 */
#pragma once
#include <stdint.h>

enum { IDS_NODE_MAX = 16383, IDS_DIGITS = 19 };

struct ids {
    int64_t last;
    int node; /* 0 to IDS_NODE_MAX, random */
};

int64_t ids_next(struct ids *ids, int64_t wall_ms);
void ids_floor(struct ids *ids, int64_t id); /* never issue anything up to this */
/* Writes the 19 digits of an id that came from here. */
void ids_put(int64_t id, char out[IDS_DIGITS]);
