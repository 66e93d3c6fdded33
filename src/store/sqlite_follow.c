/*
 * Rows that follow their events. The tables `owned` and `resources` are in an order of their own, by owner,
 * so the rows of one batch would be spread over as many pages, each of them written to the log for a few
 * bytes: more than all the rest of a batch of 64. So both are brought up to date for many events at once,
 * from what the events say themselves, and a reader looks through the events that are ahead of them.
 */
#include "sqlite_parts.h"

enum store_status sqlite_follow(struct store *store)
{
    struct tally *tally = &store->tally;
    sqlite3_bind_int64(store->sql[SQL_OWNED_FOLLOW], 1, tally->followed_to);
    sqlite3_bind_int64(store->sql[SQL_RESOURCES_FOLLOW], 1, tally->followed_to);
    enum store_status status = sqlite_run(store, SQL_OWNED_FOLLOW);
    if (status == STORE_OK)
        status = sqlite_run(store, SQL_RESOURCES_FOLLOW);
    tally->followed_to = tally->event_id_max;
    tally->ahead = 0;
    return status;
}

enum store_status sqlite_follow_late(struct store *store, const struct event *event)
{
    if (event->id > store->tally.followed_to)
        return STORE_OK;
    sqlite3_bind_int64(store->sql[SQL_OWNED_INSERT], 1, event->owner_id);
    sqlite3_bind_int64(store->sql[SQL_OWNED_INSERT], 2, event->id);
    return sqlite_run(store, SQL_OWNED_INSERT);
}
