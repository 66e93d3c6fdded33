/*
 * gathered: what has happened to the deliveries of each endpoint and is not in the table of hours yet. A row
 * for each event would cost a tenth of an event, so numbers are gathered for a minute. A crash loses them.
 *
 * Every GATHERED_EACH_MS a round begins: what is there is written, in the order of the ids, because rows next
 * to each other share a page, and a part with each batch. An endpoint gathers one hour at a time, so a batch
 * that counts for the next hour writes the one before. With more than GATHERED_MAX endpoints a batch writes
 * as many as it adds.
 *
 * If a batch is undone, the next ones write nothing for a second: the disk may be full, and outcomes need
 * what is left. What happens at the turn of an hour may then count for the hour before. With
 * GATHERED_LOST_FROM endpoints in memory, others do not count.
 *
 * Used by the writer thread only.
 */
#pragma once
#include "hour.h"
#include "idmap.h"
#include <stdbool.h>

enum { GATHERED_EACH_MS = 60 * 1000, GATHERED_MAX = 65536, GATHERED_LOST_FROM = 2 * GATHERED_MAX };

struct gathered_entry;
struct gathered_note;

/* Most endpoints answer in a few buckets. */
struct gathered_sums {
    int64_t hour;
    uint32_t counts[HOUR_KINDS];
    int answer_count, answer_cap;
    struct gathered_answer *answers;
};

/* What a batch writes of an endpoint: it adds to the row of that hour. */
struct gathered_out {
    int64_t endpoint_id;
    struct gathered_entry *entry;
    struct gathered_sums sums;
    bool done; /* it is written, or there is nothing to write */
};

struct gathered {
    struct idmap entries;
    struct gathered_note *notes; /* of this batch */
    struct gathered_out *outs;   /* of this batch */
    int note_count, note_cap, out_count, out_cap;
    int64_t *round; /* the ids that are written now, in order */
    int round_count, round_at, round_at_before;
    int64_t round_began_ms, rest_until_ms; /* mono */
    int64_t now_ms, hour;                  /* of this batch */
};

void gathered_fini(struct gathered *gathered);
void gathered_begin(struct gathered *gathered, int64_t mono_ms, int64_t wall_ms);
/* HOUR_KINDS, HOUR_NO_ANSWER: none. */
void gathered_note(struct gathered *gathered, int64_t endpoint_id, enum hour_kind kind, int bucket);
/* Each of these moves numbers to `outs`, and the caller writes those that are not done. The first two move
 * nothing in the second after an undo. */
void gathered_some(struct gathered *gathered); /* those that a batch should write */
void gathered_one(struct gathered *gathered, int64_t endpoint_id);
/* As many as fit into a batch; false: there were none. */
bool gathered_rest(struct gathered *gathered);
void gathered_add(const struct gathered_out *out, struct hour *to);
/* The endpoint is removed: nothing is written of it. */
void gathered_drop(struct gathered *gathered, int64_t endpoint_id);
void gathered_commit(struct gathered *gathered);
void gathered_undo(struct gathered *gathered);
