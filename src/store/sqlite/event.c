/*
 * EVENT: the event and its deliveries. With boxes at hand deliveries are born leased:
 * the box is filled from the op's own memory, so that the happy path is never read back.
 */
#include "body.h"
#include "sqlite_parts.h"
#include <assert.h>
#include <sys/statvfs.h>

enum { RECIPIENTS_MAX = 2 * MODEL_ENDPOINTS_MAX, DISK_ASK_MS = 100 };

struct recipients {
    struct roster_entry *endpoints[RECIPIENTS_MAX];
    bool leased[RECIPIENTS_MAX];
    bool tailed; /* the only one, which is not leased, waits in memory */
    int count, leased_count;
    bool skipped; /* there is none: the one endpoint is the owner's, without a URL */
    char unmatched[ROUTING_UNMATCHED_LEN_MAX]; /* those that did not want it */
    size_t unmatched_len;
    struct payload *payload; /* for those that are leased or wait in memory; NULL: nobody does */
};

/* The file may still grow by all that stands in the log: that space is not free any more. */
static bool disk_low(struct store *store)
{
    if (store->config.disk_reserve_bytes <= 0)
        return false;
    if (store->disk_asked_ms == INT64_MIN || store->now.mono_ms - store->disk_asked_ms >= DISK_ASK_MS) {
        struct statvfs disk;
        store->disk_asked_ms = store->now.mono_ms;
        int64_t spoken_for = (int64_t)(store->log_frames - store->log_moved) * STORE_PAGE_BYTES;
        store->disk_low =
            statvfs(store->path, &disk) == 0 &&
            (int64_t)(disk.f_bavail * disk.f_frsize) - spoken_for < store->config.disk_reserve_bytes;
    }
    return store->disk_low;
}

/* The stamped document, made for the first who needs it. False: there is no memory for it now. */
static bool recipients_payload(struct store *store, const struct store_op *op, struct recipients *recipients)
{
    struct payload *own = op->event.payload;
    if (recipients->payload)
        return true;
    if (!own)
        recipients->payload = payload_make(store->config.budget, op->event.event.document.len);
    else if (payload_count(own, store->config.budget))
        recipients->payload = payload_hold(own);
    return recipients->payload != NULL;
}

static void recipients_put(struct store *store, const struct store_op *op, struct roster_entry *endpoint,
                           int boxes, struct recipients *recipients)
{
    size_t len = op->event.event.document.len;
    bool leased = recipients->leased_count < boxes && roster_can_lease(&store->roster, endpoint) &&
                  payload_fits(store->config.budget, endpoint->work->counts.bytes, len) &&
                  recipients_payload(store, op, recipients);
    assert(recipients->count < RECIPIENTS_MAX);
    recipients->endpoints[recipients->count] = endpoint;
    recipients->leased[recipients->count++] = leased;
    recipients->leased_count += leased;
}

/* The one that it is for. NULL: it cannot go there. */
static struct roster_entry *only_recipient(const struct store *store, const struct store_op *op)
{
    struct roster_entry *only = roster_get(&store->roster, op->event.only_endpoint_id);
    bool fits = only && only->owner->id == op->event.event.owner_id && only->url && !only->removed;
    return fits ? only : NULL;
}

/* To those of the user's endpoints that the rules of core name. */
static void recipients_add(struct store *store, const struct store_op *op, struct routing_event *event,
                           const struct roster_owner *user, int boxes, struct recipients *recipients)
{
    struct roster_entry *endpoint;
    TAILQ_FOREACH(endpoint, &user->endpoints, sibling)
    {
        struct routing_endpoint to = {user->id, endpoint->url != NULL, user->receives_users_events,
                                      wishes_of(endpoint->wishes), endpoint->id};
        enum routing_verdict verdict = routing_judge(event, &to);
        if (routing_is_unmatched(verdict))
            recipients->unmatched_len += routing_put_unmatched(
                recipients->unmatched + recipients->unmatched_len, recipients->unmatched_len == 0,
                (struct routing_unmatched){endpoint->id, verdict, user->id != event->owner_id});
        if (verdict == ROUTING_SENT)
            recipients_put(store, op, endpoint, boxes, recipients);
    }
}

static void recipients_choose(struct store *store, const struct store_op *op, struct roster_owner *owner,
                              int boxes, struct recipients *recipients)
{
    const struct event *event = &op->event.event;
    struct roster_owner *master = owner->master_id ? roster_owner(&store->roster, owner->master_id) : NULL;
    const struct store_notice *notice = op->event.notice;
    struct routing_notice about = {notice ? notice->endpoint_id : 0,
                                   notice && sqlite_asks_for_notices(store, notice->endpoint_id)};
    struct routing_event routed = {owner->id,
                                   owner->master_id,
                                   op->event.owner_only,
                                   event->event_type,
                                   event->channels,
                                   event->document,
                                   FILTER_STEPS_MAX,
                                   NULL,
                                   notice ? &about : NULL};
    recipients->count = recipients->leased_count = 0;
    recipients->unmatched_len = 0;
    recipients->payload = NULL;
    if (op->event.only_endpoint_id)
        recipients_put(store, op, only_recipient(store, op), boxes, recipients);
    else
        recipients_add(store, op, &routed, owner, boxes, recipients);
    if (!op->event.only_endpoint_id && master && master != owner)
        recipients_add(store, op, &routed, master, boxes, recipients);
    recipients->tailed = recipients->count == 1 && recipients->leased_count == 0 &&
                         sqlite_tail_takes(store, recipients->endpoints[0], event->document.len) &&
                         recipients_payload(store, op, recipients);
    recipients->skipped = recipients->count == 0 && recipients->unmatched_len == 0 && !op->event.notice;
    if (recipients->skipped) {
        recipients->endpoints[0] = TAILQ_FIRST(&owner->endpoints);
        recipients->count = 1;
    }
}

enum { KEY_FIRST = 15, KEY_LAST = 17 };
static void bind_key(sqlite3_stmt *insert, const struct store_op *op)
{
    const struct bytes key = op->event.idempotency_key;
    sqlite3_bind_int64(insert, KEY_FIRST, op->event.requester_id);
    sqlite3_bind_blob(insert, 16, key.data, (int)key.len, SQLITE_STATIC);
    sqlite3_bind_blob(insert, KEY_LAST, op->event.request_digest, sizeof op->event.request_digest,
                      SQLITE_STATIC);
}

static enum store_status event_insert(struct store *store, const struct store_op *op,
                                      const struct recipients *recipients)
{
    const struct event *event = &op->event.event;
    const struct resource *own = sqlite_resource_own(op);
    sqlite3_stmt *insert = store->sql[SQL_EVENT_INSERT];
    sqlite3_bind_int64(insert, 1, event->id);
    sqlite3_bind_int64(insert, 2, event->owner_id);
    sqlite_bind_time(insert, 3, event->received_at_ms);
    sqlite_bind_time(insert, 4, event->created_at_ms);
    /* Not sent yet: negative, and as long as the time that will stand there, so that the claim changes these
     * bytes in their place instead of writing the whole row, document and all, once more. */
    sqlite3_bind_int64(insert, 5, recipients->leased_count ? store->now.wall_ms : -store->now.wall_ms);
    sqlite3_bind_int64(insert, 6, model_delivery_next(store->counts.delivery_id_max, store->config.mark));
    sqlite3_bind_int(insert, 7, recipients->count);
    sqlite3_bind_int64(insert, 8, event->stamp_offset);
    sqlite_bind_text(insert, 9, event->event_type);
    sqlite_bind_text(insert, 10, event->resource_type);
    sqlite_bind_text(insert, 11, event->resource_id);
    sqlite3_bind_blob(insert, 12, event->document.data, (int)event->document.len, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 13, own ? own->json.data - event->document.data : 0);
    sqlite3_bind_int64(insert, 14, op->event.destroyed ? -1 : own ? (int64_t)own->json.len : 0);
    if (op->event.idempotency_key.len > 0)
        bind_key(insert, op);
    sqlite_bind_optional(insert, 18, event->channels);
    sqlite_bind_optional(insert, 19, bytes_make(recipients->unmatched, recipients->unmatched_len));
    sqlite_bind_time(insert, 20,
                     op->event.only_endpoint_id || op->event.notice ? AUDIENCE_CHOSEN
                     : op->event.owner_only                         ? AUDIENCE_OWNER
                                                                    : 0);
    enum store_status status = sqlite_run(store, SQL_EVENT_INSERT);
    for (int at = KEY_FIRST; op->event.idempotency_key.len > 0 && at <= KEY_LAST; at++)
        sqlite3_bind_null(insert, at); /* as they are for the others */
    return status;
}

static enum store_status delivery_insert(struct store *store, struct store_batch *batch,
                                         const struct event *event, const struct recipients *recipients,
                                         int number)
{
    struct roster_entry *endpoint = recipients->endpoints[number];
    bool leased = recipients->leased[number], queued = !leased && !recipients->tailed;
    int64_t id = model_delivery_next(store->counts.delivery_id_max, store->config.mark);
    store->counts.delivery_id_max = id;
    struct ledger_row row = ledger_accepted(store->now.due_ms);
    if (!queued)
        ledger_lease(&row, store->now.due_ms, store->config.lease_ms);
    if (queued && roster_is_ordered(endpoint))
        row.due_at_ms = ledger_missed_due_at(id);
    sqlite3_stmt *insert = store->sql[SQL_DELIVERY_INSERT];
    /* `lost` and `lease` are still the same */
    sqlite_bind_ints(insert, SQLITE_INTS(id, event->id, endpoint->id, row.due_at_ms, row.lost));
    sqlite_bind_time(insert, 6, queued ? endpoint->id : 0);
    sqlite_count(store, endpoint, NULL, &row);
    if (leased) {
        struct lease *lease = leases_begin(&store->leases, id, store->now.due_ms, row.due_at_ms, true,
                                           &roster_work(endpoint)->out);
        lease->row = row;
        lease->event_id = event->id;
        lease->endpoint = endpoint;
        lease->len = event->document.len;
        store->counts.born_out++;
        if (recipients->count > 1)
            leases_share(&store->leases, lease, recipients->payload);
        roster_leased(&store->roster, endpoint);
        roster_bytes(&store->roster, endpoint, lease->len, 0);
        struct store_work *box = batch->boxes[batch->filled_count++];
        sqlite_fill(store, box, endpoint, lease, recipients->payload);
        box->sent_at_ms = store->now.wall_ms;
    } else if (recipients->tailed) {
        sqlite_tail_put(store, event, id, row, endpoint, recipients->payload);
    }
    enum store_status status = sqlite_run(store, SQL_DELIVERY_INSERT);
    return status == STORE_OK && queued ? sqlite_waits(store, endpoint, row.due_at_ms) : status;
}

/* It ended when its event was received, so that the purge sees an event that nobody waits for. */
static enum store_status delivery_skip(struct store *store, struct store_op *op, int64_t endpoint_id)
{
    const struct event *event = &op->event.event;
    int64_t id = model_delivery_next(store->counts.delivery_id_max, store->config.mark);
    store->counts.delivery_id_max = op->event.skipped = id;
    store->counts.states[DELIVERY_SKIPPED]++;
    sqlite3_stmt *skip = store->sql[SQL_DELIVERY_SKIP];
    sqlite_bind_ints(skip, SQLITE_INTS(id, event->id, endpoint_id));
    sqlite_bind_time(skip, 4, event->received_at_ms);
    return sqlite_run(store, SQL_DELIVERY_SKIP);
}

/* Of an event that was accepted before. */
static enum store_status find_recipients(struct store *store, struct store_op *op)
{
    bool found = false;
    sqlite3_stmt *get = store->sql[SQL_EVENT_RECIPIENTS];
    sqlite3_bind_int64(get, 1, op->id);
    enum store_status status = sqlite_row(store, SQL_EVENT_RECIPIENTS, &found);
    if (found) {
        op->event.skipped = sqlite3_column_int64(get, 1);
        op->count = op->event.skipped ? 0 : sqlite3_column_int64(get, 0);
        sqlite3_reset(get);
    }
    return status;
}

static enum store_status deliveries_insert(struct store *store, struct store_batch *batch,
                                           const struct event *event, const struct recipients *recipients)
{
    enum store_status status = STORE_OK;
    if (recipients->payload) {
        if (recipients->payload->data != event->document.data)
            memcpy(recipients->payload->data, event->document.data, event->document.len);
        body_stamp(recipients->payload->data, event->document.len, event->stamp_offset, store->now.wall_ms);
    }
    for (int i = 0; i < recipients->count && status == STORE_OK; i++)
        status = delivery_insert(store, batch, event, recipients, i);
    return status;
}

/* All that an event brings along, once it is in the table. */
static enum store_status event_follow(struct store *store, struct store_batch *batch, struct store_op *op,
                                      struct roster_owner *owner, const struct recipients *recipients)
{
    const struct event *event = &op->event.event;
    store->changed = true;
    store->counts.events++;
    store->counts.idempotency_ahead++;
    enum store_status status = STORE_OK;
    enum snapshot snapshot = op->event.destroyed       ? SNAPSHOT_DESTROYED
                             : sqlite_resource_own(op) ? SNAPSHOT_CARRIED
                                                       : SNAPSHOT_NONE;
    roster_use(&store->roster, owner, (int64_t)event->document.len, 0);
    sqlite_ahead_add(store, event, snapshot);
    if (op->event.included_count > 0)
        status = sqlite_resources_take(store, op);
    if (status == STORE_OK)
        status = recipients->skipped ? delivery_skip(store, op, owner->id)
                                     : deliveries_insert(store, batch, event, recipients);
    op->count = recipients->skipped ? 0 : recipients->count;
    return status;
}

/* By its key; or by the id that it was given when its fate became unknown. */
static enum store_status find_known(struct store *store, struct store_op *op, uint64_t *hash, bool *known)
{
    enum store_status status = STORE_OK;
    if (op->event.idempotency_key.len > 0)
        status = sqlite_idempotency_find(store, op, hash, known);
    if (status == STORE_OK && !*known && op->event.event.id) {
        sqlite3_bind_int64(store->sql[SQL_EVENT_KNOWN], 1, op->event.event.id);
        status = sqlite_number(store, SQL_EVENT_KNOWN, &op->id, known);
    }
    return status == STORE_OK && op->id ? find_recipients(store, op) : status;
}

/* No quota holds it, and without recipients nothing is stored. It is settled either way. */
static enum store_status notice_event(struct store *store, struct store_batch *batch, struct store_op *op,
                                      struct roster_owner *owner)
{
    struct recipients recipients;
    bool waits = false;
    enum store_status status = sqlite_notice_settle(store, op->event.notice, &waits);
    if (status != STORE_OK || !waits)
        return status ?: sqlite_result(op, STORE_NOT_FOUND);
    store->changed = true;
    store->plain = false;
    recipients_choose(store, op, owner, batch->box_count - batch->filled_count - store->boxes_kept,
                      &recipients);
    if (recipients.count == 0)
        return sqlite_result(op, STORE_NOT_FOUND);
    store_event_named(op, sqlite_next_id(store));
    status = event_insert(store, op, &recipients) ?: event_follow(store, batch, op, owner, &recipients);
    payload_drop(recipients.payload);
    return status;
}

enum store_status sqlite_event(struct store *store, struct store_batch *batch, struct store_op *op)
{
    const struct event *event = &op->event.event;
    bool known = false;
    uint64_t hash = 0;
    op->event.skipped = 0;
    enum store_status status = find_known(store, op, &hash, &known);
    if (status != STORE_OK || known)
        return status;
    struct roster_owner *owner = roster_owner(&store->roster, event->owner_id);
    if (!owner || disk_low(store))
        return sqlite_result(op, owner ? STORE_NO_SPACE : STORE_NOT_FOUND);
    if (op->event.only_endpoint_id && !only_recipient(store, op))
        return sqlite_result(op, STORE_NOT_FOUND);
    if (op->event.notice)
        return notice_event(store, batch, op, owner);
    status = sqlite_usage_weigh(store, op, owner);
    if (status != STORE_OK || op->result != STORE_DONE)
        return status;
    struct recipients recipients;
    store_event_named(op, sqlite_next_id(store));
    recipients_choose(store, op, owner, batch->box_count - batch->filled_count - store->boxes_kept,
                      &recipients);
    status = event_insert(store, op, &recipients) ?: event_follow(store, batch, op, owner, &recipients);
    if (status == STORE_OK && op->event.idempotency_key.len > 0)
        sqlite_idempotency_add(store, event, hash);
    payload_drop(recipients.payload);
    return status;
}
