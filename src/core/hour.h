/*
 * hour: what happened to the deliveries of one endpoint in one hour, in numbers. Pure.
 *
 * The times of the receiver's answers are counted in buckets whose width grows with the time: up to 15 ms
 * each has its own, and then eight share an octave. So a percentile is wrong by 7 % at most.
 */
#pragma once
#include "ledger.h"

enum hour_kind {
    HOUR_ACCEPTED,  /* deliveries to it that came to be */
    HOUR_DELIVERED, /* acknowledged attempts */
    HOUR_FAILED,    /* attempts that counted and were not acknowledged */
    HOUR_GIVEN_UP,  /* deliveries */
    HOUR_CANCELLED, /* deliveries */
    HOUR_KINDS
};
extern const char *const hour_names[HOUR_KINDS]; /* of the columns, and in the API */

enum {
    HOUR_MS = 3600 * 1000,
    HOURS_KEPT = 168, /* with the current one */
    HOUR_BUCKETS = 120,
    HOUR_NO_ANSWER = -1,
    HOUR_ANSWERS_LEN_MAX = HOUR_BUCKETS * 6 /* bytes of hour_save_answers */
};

/* Zeroed memory: nothing happened. */
struct hour {
    int64_t hour; /* since 1970 */
    int64_t counts[HOUR_KINDS];
    uint32_t answers[HOUR_BUCKETS];
};

/* The hour of an instant. One before 1970 is in hour 0. */
int64_t hour_of(int64_t wall_ms);
/* The bucket of a time; that of an hour or of a negative one, too. */
int hour_bucket(int64_t duration_ms);
/* The time in the middle of a bucket. */
int64_t hour_bucket_ms(int bucket);
/* What an outcome that was not fenced counts as: HOUR_DELIVERED or HOUR_FAILED; HOUR_KINDS: it counts for
 * nothing. *bucket: of its answer; HOUR_NO_ANSWER: it had none. */
enum hour_kind hour_outcome(const struct ledger_outcome *outcome, int *bucket);
/* What a delivery counts as that has changed; HOUR_KINDS: for nothing. `before` NULL: it is new. */
enum hour_kind hour_change(const struct ledger_row *before, const struct ledger_row *after);

/* Numbers that are too large stay at the largest. */
void hour_add(struct hour *to, const struct hour *from);
/* The nearest rank: `percent` of the answers took no longer. False: there were none. */
bool hour_percentile(const struct hour *hour, int percent, int64_t *duration_ms);

/* The buckets that are not 0: of each its number and its count. Returns the length. */
size_t hour_save_answers(const struct hour *hour, unsigned char out[HOUR_ANSWERS_LEN_MAX]);
/* For bytes from a disk, which may be anything: those that make no sense count for nothing. False: there are
 * such. */
bool hour_load_answers(struct hour *hour, struct bytes saved);
/* For counts from a disk: 0 to 2^53 - 1. */
void hour_bound(struct hour *hour);
