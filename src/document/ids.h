/*
 * ids: 64-bit ids made of milliseconds, a node number and a sequence. Pure.
 *
 *   (milliseconds since 1970) << 20 | node << 10 | sequence
 *
 * Never going back, even if the clock does: the floor is the largest id ever seen. After a restored backup
 * the clock is ahead of everything that was issued before, so ids never repeat (mission row 10).
 */
#pragma once
#include <stdint.h>

struct ids {
    int64_t last;
    int node; /* 0 to 1,023 */
};

int64_t ids_next(struct ids *ids, int64_t wall_ms);
void ids_floor(struct ids *ids, int64_t id); /* never issue anything up to this */
int64_t ids_time_ms(int64_t id);
