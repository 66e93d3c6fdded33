/* The purge of the model. */
#include "model_state.h"
#include <assert.h>
#include <stdlib.h>

static bool model_event_ended(const struct model_disk *disk, int64_t event_id, int64_t before_ms)
{
    for (int i = 0; i < disk->delivery_count; i++)
        if (disk->deliveries[i].event_id == event_id &&
            (model_under_way(&disk->deliveries[i]) || disk->deliveries[i].finished_at_ms >= before_ms))
            return false;
    return true;
}

static void model_keys_purge(struct model_disk *disk, int64_t event_id)
{
    int keys = 0;
    for (int i = 0; i < disk->idempotency_count; i++) {
        if (disk->idempotency[i].event_id != event_id)
            disk->idempotency[keys++] = disk->idempotency[i];
        else
            model_drop(disk->idempotency[i].key);
    }
    disk->idempotency_count = keys;
}

static void model_attempts_purge(struct model_disk *disk, int64_t event_id)
{
    int lines = 0;
    for (int i = 0; i < disk->attempt_count; i++) {
        struct attempt line = disk->attempts[i];
        if (model_find_delivery(disk, line.delivery_id)->event_id != event_id) {
            disk->attempts[lines++] = line;
            continue;
        }
        model_drop(line.address);
        model_drop(line.detail);
        model_drop(line.response);
    }
    disk->attempt_count = lines;
}

void model_event_drop(struct model_disk *disk, int at)
{
    struct event event = disk->events[at].event;
    int kept = 0;
    model_attempts_purge(disk, event.id);
    model_keys_purge(disk, event.id);
    for (int i = 0; i < disk->delivery_count; i++)
        if (disk->deliveries[i].event_id != event.id)
            disk->deliveries[kept++] = disk->deliveries[i];
    disk->delivery_count = kept;
    for (int i = 0; i < disk->resource_count; i++)
        if (disk->resources[i].event_id == event.id)
            disk->resources[i].event_id = 0; /* the snapshot stays */
    model_drop(event.event_type);
    model_drop(event.resource_type);
    model_drop(event.resource_id);
    model_drop(event.document);
    model_drop(event.channels);
    model_drop(event.unmatched);
    memmove(&disk->events[at], &disk->events[at + 1],
            (size_t)(disk->event_count - at - 1) * sizeof *disk->events);
    disk->event_count--;
}

void model_purge(struct store *store, struct store_op *op)
{
    struct model_disk *disk = store->disk;
    int64_t before_ms =
        op->purge.idempotency_before_ms ? op->purge.idempotency_before_ms : op->purge.before_ms;
    if (before_ms > disk->keys_before_ms)
        disk->keys_before_ms = before_ms;
    for (int i = 0; i < disk->event_count && op->count < op->purge.rows_max;) {
        const struct event *event = &disk->events[i].event;
        if (event->received_at_ms < op->purge.attempts_before_ms &&
            model_event_ended(disk, event->id, op->purge.attempts_before_ms))
            model_attempts_purge(disk, event->id);
        if (event->received_at_ms >= op->purge.before_ms ||
            !model_event_ended(disk, event->id, op->purge.before_ms)) {
            i++;
            continue;
        }
        model_event_drop(disk, i);
        op->count++;
    }
    op->purge.more = op->count == op->purge.rows_max;
    model_hours_purge(store);
    model_jobs_purge(disk, op->purge.before_ms);
    model_cancel_removed(store, 0);
    model_resources_purge(disk, op->purge.resources_before_ms);
}
