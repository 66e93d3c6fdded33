#include "hour.h"

#define COUNT_MAX (((int64_t)1 << 53) - 1) /* what JSON's readers take exactly */

/* Buckets that share an octave, as a power of two; the first octave that is shared. */
enum { SHARED_BITS = 3, SHARED = 1 << SHARED_BITS };

const char *const hour_names[HOUR_KINDS] = {
    [HOUR_ACCEPTED] = "accepted", [HOUR_DELIVERED] = "delivered", [HOUR_FAILED] = "failed",
    [HOUR_GIVEN_UP] = "given_up", [HOUR_CANCELLED] = "cancelled",
};

int64_t hour_of(int64_t wall_ms)
{
    return wall_ms > 0 ? wall_ms / HOUR_MS : 0;
}

int hour_bucket(int64_t duration_ms)
{
    if (duration_ms < SHARED)
        return duration_ms > 0 ? (int)duration_ms : 0;
    int octave = 63 - __builtin_clzll((unsigned long long)duration_ms) - SHARED_BITS;
    int64_t bucket = SHARED * octave + (duration_ms >> octave);
    return bucket < HOUR_BUCKETS ? (int)bucket : HOUR_BUCKETS - 1;
}

int64_t hour_bucket_ms(int bucket)
{
    if (bucket < 2 * SHARED)
        return bucket;
    int octave = bucket / SHARED - 1;
    int64_t first_ms = (int64_t)(bucket % SHARED + SHARED) << octave;
    return first_ms + ((int64_t)1 << octave) / 2;
}

enum hour_kind hour_outcome(const struct ledger_outcome *outcome, int *bucket)
{
    *bucket = HOUR_NO_ANSWER;
    if (outcome->decision.kind == DECISION_RELEASE)
        return HOUR_KINDS;
    if (outcome->attempt.status > 0)
        *bucket = hour_bucket(outcome->attempt.duration_ms);
    return outcome->decision.kind == DECISION_DELIVERED ? HOUR_DELIVERED : HOUR_FAILED;
}

enum hour_kind hour_change(const struct ledger_row *before, const struct ledger_row *after)
{
    if (!before)
        return HOUR_ACCEPTED;
    if (before->state == after->state)
        return HOUR_KINDS;
    return after->state == DELIVERY_GIVEN_UP    ? HOUR_GIVEN_UP
           : after->state == DELIVERY_CANCELLED ? HOUR_CANCELLED
                                                : HOUR_KINDS;
}

void hour_add(struct hour *to, const struct hour *from)
{
    for (int i = 0; i < HOUR_KINDS; i++)
        to->counts[i] += from->counts[i];
    hour_bound(to);
    for (int i = 0; i < HOUR_BUCKETS; i++)
        if (__builtin_add_overflow(to->answers[i], from->answers[i], &to->answers[i]))
            to->answers[i] = UINT32_MAX;
}

bool hour_percentile(const struct hour *hour, int percent, int64_t *duration_ms)
{
    int64_t answers = 0, passed = 0;
    for (int i = 0; i < HOUR_BUCKETS; i++)
        answers += hour->answers[i];
    int64_t rank = (answers * percent + 99) / 100;
    for (int i = 0; i < HOUR_BUCKETS; i++) {
        passed += hour->answers[i];
        if (passed < rank || passed == 0)
            continue;
        *duration_ms = hour_bucket_ms(i);
        return true;
    }
    return false;
}

size_t hour_save_answers(const struct hour *hour, unsigned char out[HOUR_ANSWERS_LEN_MAX])
{
    size_t len = 0;
    for (int i = 0; i < HOUR_BUCKETS; i++) {
        uint32_t count = hour->answers[i];
        if (count == 0)
            continue;
        out[len++] = (unsigned char)i;
        for (; count >= 0x80; count >>= 7)
            out[len++] = (unsigned char)(count | 0x80);
        out[len++] = (unsigned char)count;
    }
    return len;
}

/* A number of up to 32 bits, seven in each byte, the lowest first. Returns its length; 0: it is none. */
static size_t number(const unsigned char *at, size_t len, uint32_t *count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len && i < 5; i++) {
        value |= (uint64_t)(at[i] & 0x7f) << (7 * i);
        *count = (uint32_t)value;
        if (!(at[i] & 0x80))
            return value <= UINT32_MAX ? i + 1 : 0;
    }
    return 0;
}

bool hour_load_answers(struct hour *hour, struct bytes saved)
{
    const unsigned char *at = (const unsigned char *)saved.data;
    for (size_t left = saved.len; left > 0;) {
        uint32_t count = 0;
        int bucket = *at;
        size_t len = number(at + 1, left - 1, &count);
        if (len == 0 || bucket >= HOUR_BUCKETS || hour->answers[bucket] != 0)
            return false;
        hour->answers[bucket] = count;
        at += 1 + len;
        left -= 1 + len;
    }
    return true;
}

void hour_bound(struct hour *hour)
{
    for (int i = 0; i < HOUR_KINDS; i++)
        if (hour->counts[i] < 0 || hour->counts[i] > COUNT_MAX)
            hour->counts[i] = hour->counts[i] < 0 ? 0 : COUNT_MAX;
}
