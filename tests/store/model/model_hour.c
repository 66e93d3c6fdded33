/* The model's hours: counted in the row at once. */
#include "model_state.h"
#include <stdlib.h>
#include <string.h>

void model_hour_count(struct store *store, int64_t endpoint_id, enum hour_kind kind, int bucket)
{
    struct model_disk *disk = store->disk;
    const struct model_row *endpoint = model_find_endpoint(disk, endpoint_id);
    int64_t now = clock_wall_ms(&store->config.clock) / HOUR_MS;
    struct model_hour *row = NULL;
    if (!endpoint || endpoint->removed)
        return;
    for (int i = 0; i < disk->hour_count; i++)
        if (disk->hours[i].endpoint_id == endpoint_id && disk->hours[i].hour.hour == now)
            row = &disk->hours[i];
    if (!row) {
        disk->hours = model_room(disk->hours, disk->hour_count, &disk->hour_cap, sizeof *disk->hours);
        row = &disk->hours[disk->hour_count++];
        *row = (struct model_hour){.endpoint_id = endpoint_id, .hour.hour = now};
    }
    row->hour.counts[kind]++;
    if (bucket != HOUR_NO_ANSWER)
        row->hour.answers[bucket]++;
}

void model_hour_attempt(struct store *store, int64_t endpoint_id, const struct ledger_outcome *outcome)
{
    const struct attempt *attempt = &outcome->attempt;
    int bucket = attempt->status > 0 ? hour_bucket(attempt->duration_ms) : HOUR_NO_ANSWER;
    if (outcome->decision.kind != DECISION_RELEASE)
        model_hour_count(store, endpoint_id,
                         outcome->decision.kind == DECISION_DELIVERED ? HOUR_DELIVERED : HOUR_FAILED, bucket);
}

static void drop(struct model_disk *disk, int at)
{
    memmove(&disk->hours[at], &disk->hours[at + 1],
            (size_t)(disk->hour_count - at - 1) * sizeof *disk->hours);
    disk->hour_count--;
}

void model_hours_forget(struct model_disk *disk, int64_t endpoint_id)
{
    for (int i = disk->hour_count - 1; i >= 0; i--)
        if (disk->hours[i].endpoint_id == endpoint_id)
            drop(disk, i);
}

void model_hours_purge(struct store *store)
{
    int64_t now = clock_wall_ms(&store->config.clock) / HOUR_MS;
    for (int i = store->disk->hour_count - 1; i >= 0; i--) {
        int64_t ahead = store->disk->hours[i].hour.hour - now;
        if (ahead <= -HOURS_KEPT || ahead > HOURS_KEPT)
            drop(store->disk, i);
    }
}

void model_read_hours(const struct store *store, const struct store_query *query, struct arena *arena,
                      struct store_answer *answer)
{
    answer->hours = arena_zero(arena, ((size_t)query->limit + 1) * sizeof *answer->hours);
    for (int64_t hour = query->after_id + 1; hour <= query->after_id + query->limit; hour++)
        for (int i = 0; i < store->disk->hour_count; i++)
            if (store->disk->hours[i].endpoint_id == query->id && store->disk->hours[i].hour.hour == hour)
                answer->hours[answer->count++] = store->disk->hours[i].hour;
}

int64_t model_oldest_waiting(const struct store *store, int64_t endpoint_id)
{
    const struct model_delivery *first = NULL;
    for (int i = 0; i < store->disk->delivery_count; i++) {
        const struct model_delivery *delivery = &store->disk->deliveries[i];
        if (delivery->endpoint_id == endpoint_id && model_under_way(delivery) &&
            (!first || delivery->id < first->id))
            first = delivery;
    }
    return first ? model_find_event(store->disk, first->event_id)->event.received_at_ms : 0;
}
