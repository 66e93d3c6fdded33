/*
 * Tails: what is accepted for an endpoint that is busy, and will be served in some milliseconds, waits for
 * its first lease in memory, document and all. Its row looks like that of a delivery that was born leased, so
 * a claim reads nothing and touches no index; and after a crash it waits in the table (take_over), as those
 * do. A tail is bounded in number and by the budget for documents; what is beyond waits in the table, and so
 * does all that comes behind it, until that is claimed: the order stays that of acceptance.
 */
#include "body.h"
#include "sqlite_parts.h"

enum { TAILS_LEN_MAX = 8192 /* of all; one endpoint alone may have a seventh (pace_share) */ };

bool sqlite_tail_takes(const struct store *store, const struct roster_entry *endpoint, size_t len)
{
    const struct roster_counts *counts = &endpoint->work->counts;
    return counts->due_at_ms > store->now.due_ms && roster_tails(&store->roster, endpoint) &&
           endpoint->work->tail.count < pace_share(TAILS_LEN_MAX, store->leases.waiting, PACE_QUICK) &&
           payload_fits(store->config.budget, counts->bytes, len);
}

void sqlite_tail_put(struct store *store, const struct event *event, int64_t delivery_id,
                     struct ledger_row row, struct roster_entry *endpoint, struct payload *payload)
{
    struct lease *lease =
        leases_wait(&store->leases, delivery_id, store->now.due_ms, &roster_work(endpoint)->tail);
    lease->row = row;
    lease->event_id = event->id;
    lease->endpoint = endpoint;
    lease->len = event->document.len;
    lease->stamp_offset = event->stamp_offset;
    leases_share(&store->leases, lease, payload);
    store->counts.born_out++;
    roster_bytes(&store->roster, endpoint, lease->len, 0);
    roster_tailed(&store->roster, endpoint);
}

enum store_status sqlite_tail_claim(struct store *store, struct store_batch *batch,
                                    struct roster_entry *endpoint, int max)
{
    enum store_status status = STORE_OK;
    for (struct lease *lease; max > 0 && status == STORE_OK && (lease = roster_tail_first(endpoint)); max--) {
        struct store_work *box = batch->boxes[batch->filled_count++];
        leases_take(&store->leases, lease, store->now.due_ms, store->now.due_ms + store->config.lease_ms,
                    &roster_work(endpoint)->out);
        body_stamp(lease->payload->data, lease->len, lease->stamp_offset, store->now.wall_ms);
        roster_leased(&store->roster, endpoint);
        sqlite_fill(store, box, endpoint, lease, lease->payload);
        box->sent_at_ms = 0;
        status = sqlite_sent(store, box);
        store->changed = true;
    }
    return status;
}

static void forget(struct store *store, struct lease *lease)
{
    store->counts.born_out--;
    store->changed = true;
    store->plain = false;
    leases_end(&store->leases, lease);
    roster_bytes(&store->roster, lease->endpoint, 0, lease->len);
    roster_tailed(&store->roster, lease->endpoint);
}

static enum store_status leave(struct store *store, struct lease *lease)
{
    struct roster_entry *endpoint = lease->endpoint;
    int64_t due_at_ms =
        roster_is_ordered(endpoint) ? ledger_missed_due_at(lease->delivery_id) : lease->begun_at_ms;
    sqlite_bind_ints(store->sql[SQL_DELIVERY_WAITS], SQLITE_INTS(lease->delivery_id, due_at_ms));
    forget(store, lease);
    return sqlite_run(store, SQL_DELIVERY_WAITS) ?: sqlite_waits(store, endpoint, due_at_ms);
}

bool sqlite_tail_forget(struct store *store, int64_t delivery_id)
{
    struct lease *lease = leases_get_waiting(&store->leases, delivery_id);
    if (lease && lease->begun)
        return false;
    if (lease)
        forget(store, lease);
    return true;
}

enum store_status sqlite_tail_leave(struct store *store, int64_t delivery_id)
{
    struct lease *lease = leases_get_waiting(&store->leases, delivery_id);
    return lease ? leave(store, lease) : STORE_OK;
}

enum store_status sqlite_tail_settle(struct store *store, struct roster_entry *endpoint)
{
    enum store_status status = STORE_OK;
    for (struct lease *lease; status == STORE_OK && (lease = TAILQ_FIRST(&endpoint->work->tail.list));)
        status = leave(store, lease);
    return status;
}

enum store_status sqlite_tails_settle(struct store *store)
{
    enum store_status status = STORE_OK;
    struct roster_entry *endpoint;
    LIST_FOREACH(endpoint, &store->roster.tailed, work->tailed)
    {
        if (status == STORE_OK && !roster_tails(&store->roster, endpoint))
            status = sqlite_tail_settle(store, endpoint);
    }
    return status;
}
