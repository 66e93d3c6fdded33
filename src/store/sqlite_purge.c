/*
 * PURGE: a few old events at a time. The scan goes on where the last one stopped, so that old events with
 * pending deliveries are not looked at again each time; at the end it starts over.
 */
#include "memory.h"
#include "sqlite_parts.h"
#include <stdlib.h>

enum { PURGE_ROWS_MAX = 1000 };

struct purged {
    int64_t id, delivery_first, delivery_count;
    bool has_snapshot;
};

static enum store_status purge_one(struct store *store, const struct purged *event)
{
    int64_t end = event->delivery_first + event->delivery_count * MODEL_DELIVERY_STEP;
    if (event->id > store->tally.followed_to && sqlite_follow(store) != STORE_OK)
        return STORE_BROKEN;
    sqlite3_bind_int64(store->sql[SQL_PURGE_ATTEMPTS], 1, event->delivery_first);
    sqlite3_bind_int64(store->sql[SQL_PURGE_ATTEMPTS], 2, end);
    sqlite3_bind_int64(store->sql[SQL_PURGE_IDEMPOTENCY], 1, event->id);
    sqlite3_bind_int64(store->sql[SQL_PURGE_OWNED], 1, event->id);
    sqlite3_bind_int64(store->sql[SQL_PURGE_EVENT], 1, event->id);
    enum store_status status = sqlite_run(store, SQL_PURGE_ATTEMPTS);
    sqlite3_stmt *deliveries = store->sql[SQL_PURGE_DELIVERIES];
    sqlite3_bind_int64(deliveries, 1, event->delivery_first);
    sqlite3_bind_int64(deliveries, 2, end);
    while (status == STORE_OK && sqlite3_step(deliveries) == SQLITE_ROW) {
        store->tally.delivered -= sqlite3_column_int(deliveries, 0) == DELIVERY_DELIVERED;
        store->tally.given_up -= sqlite3_column_int(deliveries, 0) == DELIVERY_GIVEN_UP;
        store->tally.cancelled -= sqlite3_column_int(deliveries, 0) == DELIVERY_CANCELLED;
    }
    int rc = sqlite3_reset(deliveries);
    if (status == STORE_OK && rc != SQLITE_OK)
        status = sqlite_fault(store, rc);
    if (status == STORE_OK)
        status = sqlite_run(store, SQL_PURGE_IDEMPOTENCY);
    if (status == STORE_OK && event->has_snapshot)
        status = sqlite_resource_keep(store, event->id);
    sqlite3_stmt *owned = store->sql[SQL_PURGE_OWNED];
    bool found = false;
    if (status == STORE_OK)
        status = sqlite_row(store, SQL_PURGE_OWNED, &found);
    if (status == STORE_OK && found) {
        int64_t owner_id = sqlite3_column_int64(owned, 0);
        struct usage less = {.stored_bytes = -sqlite3_column_int64(owned, 1)};
        sqlite3_reset(owned);
        status = sqlite_usage_change(store, owner_id, less);
    }
    if (status == STORE_OK)
        status = sqlite_run(store, SQL_PURGE_EVENT);
    store->tally.events--;
    return status;
}

/* What may go, of the next events by id. */
static enum store_status scan(struct store *store, const struct store_op *op, int max, struct purged *events,
                              int *count)
{
    sqlite3_stmt *scan = store->sql[SQL_PURGE_SCAN];
    sqlite3_bind_int64(scan, 1, store->purged_to);
    sqlite3_bind_int(scan, 2, max);
    int seen = 0;
    bool young = false;
    while (!young && sqlite3_step(scan) == SQLITE_ROW) {
        young = sqlite3_column_int64(scan, 1) >= op->purge.before_ms;
        seen += !young;
        if (young)
            break;
        store->purged_to = sqlite3_column_int64(scan, 0);
        if (!sqlite3_column_int(scan, 4))
            events[(*count)++] = (struct purged){.id = store->purged_to,
                                                 .delivery_first = sqlite3_column_int64(scan, 2),
                                                 .delivery_count = sqlite3_column_int64(scan, 3),
                                                 .has_snapshot = sqlite3_column_int(scan, 5) != 0};
    }
    int rc = sqlite3_reset(scan);
    if (seen < max)
        store->purged_to = 0;
    return rc == SQLITE_OK ? STORE_OK : sqlite_fault(store, rc);
}

enum store_status sqlite_purge(struct store *store, struct store_op *op)
{
    int max = op->purge.rows_max < PURGE_ROWS_MAX ? op->purge.rows_max : PURGE_ROWS_MAX;
    if (max <= 0)
        return STORE_OK;
    struct purged *events = memory_zero((size_t)max, sizeof *events);
    int count = 0;
    enum store_status status = scan(store, op, max, events, &count);
    for (int i = 0; i < count && status == STORE_OK; i++)
        status = purge_one(store, &events[i]);
    free(events);
    store->changed = store->changed || count > 0;
    op->count = count;
    return status;
}
