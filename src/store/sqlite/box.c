/*
 * What a claim, an event and a tail have in common: a lease fills a box, sent_at is written, a lease ends.
 */
#include "sqlite_parts.h"
#include <assert.h>

static struct bytes box_copy(struct store_work *box, struct bytes sealed)
{
    if (sealed.len == 0)
        return (struct bytes){0};
    struct bytes copy = arena_copy(&box->memory, sealed);
    assert(copy.data);
    return copy;
}

static const struct push_settings *push_copy(struct store_work *box, const struct push_settings *push)
{
    if (!push)
        return NULL;
    void *memory = arena_alloc(&box->memory, push_settings_size(push));
    assert(memory);
    return push_settings_copy(push, memory);
}

void sqlite_fill(const struct store *store, struct store_work *box, const struct roster_entry *endpoint,
                 const struct lease *lease, struct payload *payload)
{
    store_work_clear(box);
    struct bytes url = arena_copy(&box->memory, bytes_of(endpoint->url));
    assert(url.data); /* a box has room for the largest of each */
    box->signing = box_copy(box, endpoint->signing);
    box->identity = box_copy(box, endpoint->identity);
    box->push = push_copy(box, endpoint->push);
    box->endpoint_version = endpoint->version;
    box->endpoint_created_at_ms = endpoint->created_at_ms;
    box->filled = true;
    box->delivery_id = lease->delivery_id;
    box->event_id = lease->event_id;
    box->endpoint_id = endpoint->id;
    box->user_id = endpoint->owner->id;
    box->lease = lease->row.lease;
    box->attempt = lease->row.attempt;
    box->lost = lease->row.lost - 1; /* but for this one */
    box->age_ms = ledger_age_ms(&lease->row, &store->now);
    box->url = url;
    memcpy(box->auth_digest, endpoint->owner->auth_digest, sizeof box->auth_digest);
    box->quick = roster_is_quick(&store->roster, endpoint);
    box->payload = payload_hold(payload);
    box->document = payload->data;
    box->document_len = payload->len;
}

void sqlite_unlease(struct store *store, struct lease *lease)
{
    store->counts.born_out -= lease->born;
    leases_end(&store->leases, lease);
    roster_unleased(&store->roster, lease->endpoint);
    roster_bytes(&store->roster, lease->endpoint, 0, lease->len);
}

/* Right after the document was read, while its pages are in the cache: SQLite reads them all once more. */
enum store_status sqlite_sent(struct store *store, struct store_work *box)
{
    if (box->sent_at_ms > 0)
        return STORE_OK;
    box->sent_at_ms = store->now.wall_ms;
    return sqlite_run_ints(store, SQL_EVENT_SENT, SQLITE_INTS(box->event_id, box->sent_at_ms));
}
