#include "gathered.h"
#include "memory.h"
#include <stdlib.h>

/* A part of a round: at least so many, and no more. */
enum { PART_MIN = 64, PART_MAX = 8192, REST_MS = 1000 };

struct gathered_answer {
    int bucket;
    uint32_t count;
};

struct gathered_entry {
    int64_t id;
    struct gathered_sums sums;
};

/* What an undo takes back. */
struct gathered_note {
    struct gathered_entry *entry;
    enum hour_kind kind;
    int bucket;
};

static void entry_free(struct gathered_entry *entry)
{
    free(entry->sums.answers);
    free(entry);
}

void gathered_fini(struct gathered *gathered)
{
    size_t at = 0;
    for (struct gathered_entry *entry; (entry = idmap_each(&gathered->entries, &at));)
        entry_free(entry);
    for (int i = 0; i < gathered->out_count; i++) /* of a batch that met a broken disk */
        free(gathered->outs[i].sums.answers);
    idmap_fini(&gathered->entries);
    free(gathered->notes);
    free(gathered->outs);
    free(gathered->round);
    *gathered = (struct gathered){0};
}

void gathered_begin(struct gathered *gathered, int64_t mono_ms, int64_t wall_ms)
{
    gathered->now_ms = mono_ms;
    gathered->hour = hour_of(wall_ms);
    gathered->round_at_before = gathered->round_at;
    gathered->note_count = gathered->out_count = 0;
}

static uint32_t *answers_of(struct gathered_sums *sums, int bucket)
{
    for (int i = 0; i < sums->answer_count; i++)
        if (sums->answers[i].bucket == bucket)
            return &sums->answers[i].count;
    if (sums->answer_count == sums->answer_cap) {
        sums->answer_cap += 4;
        sums->answers = memory_grow(sums->answers, (size_t)sums->answer_cap * sizeof *sums->answers);
    }
    sums->answers[sums->answer_count] = (struct gathered_answer){.bucket = bucket};
    return &sums->answers[sums->answer_count++].count;
}

static bool is_empty(const struct gathered_sums *sums)
{
    for (int i = 0; i < HOUR_KINDS; i++)
        if (sums->counts[i])
            return false;
    for (int i = 0; i < sums->answer_count; i++)
        if (sums->answers[i].count)
            return false;
    return true;
}

static void move_out(struct gathered *gathered, struct gathered_entry *entry)
{
    gathered->outs =
        memory_room(gathered->outs, gathered->out_count, &gathered->out_cap, sizeof *gathered->outs);
    gathered->outs[gathered->out_count++] =
        (struct gathered_out){entry->id, entry, entry->sums, is_empty(&entry->sums)};
    entry->sums = (struct gathered_sums){.hour = gathered->hour};
}

void gathered_note(struct gathered *gathered, int64_t endpoint_id, enum hour_kind kind, int bucket)
{
    struct gathered_entry *entry = idmap_get(&gathered->entries, endpoint_id);
    if (!entry) {
        if (gathered->entries.count >= GATHERED_LOST_FROM)
            return;
        entry = memory_zero(1, sizeof *entry);
        entry->id = endpoint_id;
        entry->sums.hour = gathered->hour;
        idmap_put(&gathered->entries, endpoint_id, entry);
    }
    if (entry->sums.hour != gathered->hour && gathered->now_ms >= gathered->rest_until_ms)
        move_out(gathered, entry);
    gathered->notes =
        memory_room(gathered->notes, gathered->note_count, &gathered->note_cap, sizeof *gathered->notes);
    gathered->notes[gathered->note_count++] = (struct gathered_note){entry, kind, bucket};
    if (kind != HOUR_KINDS)
        entry->sums.counts[kind]++;
    if (bucket != HOUR_NO_ANSWER)
        ++*answers_of(&entry->sums, bucket);
}

static int by_id(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void round_begin(struct gathered *gathered)
{
    size_t count = gathered->entries.count, at = 0;
    gathered->round = memory_grow(gathered->round, count * sizeof *gathered->round);
    gathered->round_count = gathered->round_at = gathered->round_at_before = 0;
    for (const struct gathered_entry *entry; (entry = idmap_each(&gathered->entries, &at));)
        gathered->round[gathered->round_count++] = entry->id;
    qsort(gathered->round, count, sizeof *gathered->round, by_id);
    gathered->round_began_ms = gathered->now_ms;
}

/* As much as the time since it began asks for. */
static int64_t round_part(const struct gathered *gathered)
{
    int64_t due = gathered->round_count * (gathered->now_ms - gathered->round_began_ms) / GATHERED_EACH_MS -
                  gathered->round_at;
    int64_t over = (int64_t)gathered->entries.count - GATHERED_MAX;
    due = due > over ? due : over;
    return due < PART_MIN ? PART_MIN : due < PART_MAX ? due : PART_MAX;
}

void gathered_some(struct gathered *gathered)
{
    size_t count = gathered->entries.count;
    if (count == 0 || gathered->now_ms < gathered->rest_until_ms)
        return;
    if (gathered->round_at == gathered->round_count &&
        (gathered->now_ms - gathered->round_began_ms >= GATHERED_EACH_MS || count > GATHERED_MAX))
        round_begin(gathered);
    for (int64_t left = round_part(gathered); left > 0 && gathered->round_at < gathered->round_count;
         left--) {
        int64_t id = gathered->round[gathered->round_at++];
        struct gathered_entry *entry = idmap_get(&gathered->entries, id);
        if (entry)
            move_out(gathered, entry);
    }
}

void gathered_one(struct gathered *gathered, int64_t endpoint_id)
{
    struct gathered_entry *entry = idmap_get(&gathered->entries, endpoint_id);
    if (entry && gathered->now_ms >= gathered->rest_until_ms)
        move_out(gathered, entry);
}

bool gathered_rest(struct gathered *gathered)
{
    size_t at = 0;
    for (struct gathered_entry *entry;
         gathered->out_count < PART_MAX && (entry = idmap_each(&gathered->entries, &at));)
        move_out(gathered, entry);
    return gathered->out_count > 0;
}

void gathered_add(const struct gathered_out *out, struct hour *to)
{
    struct hour hour = {0};
    for (int i = 0; i < HOUR_KINDS; i++)
        hour.counts[i] = out->sums.counts[i];
    for (int i = 0; i < out->sums.answer_count; i++)
        hour.answers[out->sums.answers[i].bucket] = out->sums.answers[i].count;
    hour_add(to, &hour);
}

void gathered_drop(struct gathered *gathered, int64_t endpoint_id)
{
    struct gathered_entry *entry = idmap_get(&gathered->entries, endpoint_id);
    if (entry)
        move_out(gathered, entry);
    for (int i = 0; i < gathered->out_count; i++)
        if (gathered->outs[i].endpoint_id == endpoint_id)
            gathered->outs[i].done = true;
}

void gathered_commit(struct gathered *gathered)
{
    for (int i = 0; i < gathered->out_count; i++) {
        struct gathered_entry *entry = idmap_get(&gathered->entries, gathered->outs[i].endpoint_id);
        if (entry && is_empty(&entry->sums))
            entry_free(idmap_remove(&gathered->entries, entry->id));
        free(gathered->outs[i].sums.answers);
    }
    gathered->note_count = gathered->out_count = 0;
}

/* Backwards, so that an entry has its first hour again. Some numbers are below 0 in between, which wraps. */
void gathered_undo(struct gathered *gathered)
{
    for (int i = 0; i < gathered->note_count; i++) {
        const struct gathered_note *note = &gathered->notes[i];
        if (note->kind != HOUR_KINDS)
            note->entry->sums.counts[note->kind]--;
        if (note->bucket != HOUR_NO_ANSWER)
            --*answers_of(&note->entry->sums, note->bucket);
    }
    while (gathered->out_count > 0) {
        const struct gathered_out *out = &gathered->outs[--gathered->out_count];
        struct gathered_sums *sums = &out->entry->sums;
        sums->hour = out->sums.hour;
        for (int kind = 0; kind < HOUR_KINDS; kind++)
            sums->counts[kind] += out->sums.counts[kind];
        for (int i = 0; i < out->sums.answer_count; i++)
            *answers_of(sums, out->sums.answers[i].bucket) += out->sums.answers[i].count;
        free(out->sums.answers);
    }
    gathered->note_count = 0;
    gathered->round_at = gathered->round_at_before;
    gathered->rest_until_ms = gathered->now_ms + REST_MS;
}
