/*
 * Users and keys. Every user has an entry in the roster, with a URL or without.
 */
#include "memory.h"
#include "sqlite_parts.h"
#include <stdio.h>
#include <stdlib.h>

/* ---- the roster ---- */

enum store_status sqlite_roster_due(struct store *store, struct roster_entry *endpoint)
{
    sqlite3_stmt *next = store->sql[SQL_DUE_NEXT];
    sqlite3_bind_int64(next, 1, endpoint->id);
    bool found = false;
    enum store_status status = sqlite_row(store, SQL_DUE_NEXT, &found);
    if (status != STORE_OK)
        return status;
    bool waits = found && sqlite3_column_type(next, 0) != SQLITE_NULL;
    roster_waits_first(&store->roster, endpoint, waits ? sqlite3_column_int64(next, 0) : ROSTER_NEVER);
    sqlite3_reset(next);
    return STORE_OK;
}

static void replace(struct bytes *owned, struct bytes by)
{
    free((void *)owned->data);
    char *copy = by.len ? memory_alloc(by.len) : NULL;
    if (copy)
        memcpy(copy, by.data, by.len);
    *owned = bytes_make(copy, by.len);
}

/* A box has room for so much; more was never accepted. */
enum { URL_TEXT_LEN_MAX = 2048 };
static struct bytes kept(sqlite3_stmt *row, int column, size_t len_max)
{
    struct bytes sealed = sqlite_text(row, column);
    return sealed.len <= len_max ? sealed : (struct bytes){0};
}

static void roster_take(struct store *store, sqlite3_stmt *row)
{
    int64_t id = sqlite3_column_int64(row, 0);
    if (id <= 0) {
        log_write(store->config.log, LOG_LEVEL_ERROR, "store", "a user is damaged and left out id=%lld",
                  (long long)id);
        return;
    }
    struct roster_entry *endpoint = roster_get(&store->roster, id);
    bool is_new = !endpoint;
    if (is_new)
        endpoint = roster_add(&store->roster, id);
    endpoint->seen = true;
    endpoint->master_id = sqlite3_column_int64(row, 1);
    const char *url = (const char *)sqlite3_column_text(row, 2);
    bool url_changed = !is_new && url && (!endpoint->url || strcmp(url, endpoint->url) != 0);
    free(endpoint->url);
    endpoint->url = url && strlen(url) <= URL_TEXT_LEN_MAX ? memory_copy_text(url) : NULL;
    endpoint->success_2xx = sqlite3_column_int(row, 3);
    endpoint->paused = sqlite3_column_int(row, 4);
    endpoint->receives_users_events = sqlite3_column_int(row, 5);
    endpoint->version = sqlite3_column_int64(row, 7);
    endpoint->created_at_ms = sqlite3_column_int64(row, 11);
    replace(&endpoint->signing, kept(row, 8, MODEL_SIGNING_LEN_MAX));
    replace(&endpoint->identity, kept(row, 9, MODEL_IDENTITY_LEN_MAX));
    const char *digest = (const char *)sqlite3_column_text(row, 10);
    snprintf(endpoint->auth_digest, sizeof endpoint->auth_digest, "%s", digest ? digest : "");
    if (is_new && sqlite3_column_int(row, 6))
        roster_proven(&store->roster, endpoint);
    else if (url_changed)
        roster_renew(&store->roster, endpoint);
    roster_changed(&store->roster, endpoint);
}

static void roster_sweep(struct store *store)
{
    size_t at = 0;
    struct roster_entry *endpoint = idmap_each(&store->roster.endpoints, &at);
    while (endpoint) {
        struct roster_entry *next = idmap_each(&store->roster.endpoints, &at);
        if (!endpoint->seen)
            roster_drop(&store->roster, endpoint);
        else
            endpoint->seen = false;
        endpoint = next;
    }
}

enum store_status sqlite_roster_load(struct store *store, int64_t id)
{
    sqlite3_stmt *load = store->sql[id ? SQL_ROSTER_LOAD_ONE : SQL_ROSTER_LOAD_ALL];
    if (id)
        sqlite3_bind_int64(load, 1, id);
    while (sqlite3_step(load) == SQLITE_ROW)
        roster_take(store, load);
    int rc = sqlite3_reset(load);
    if (rc != SQLITE_OK)
        return sqlite_fault(store, rc);
    if (id == 0)
        roster_sweep(store);
    else if (roster_get(&store->roster, id))
        roster_get(&store->roster, id)->seen = false;
    return STORE_OK;
}

static enum store_status user_changed(struct store *store, int64_t id)
{
    store->users_changed = store->changed = true;
    return sqlite_roster_load(store, id);
}

/* ---- users ---- */

static void bind_url(sqlite3_stmt *statement, int at, struct bytes url)
{
    if (url.len > 0)
        sqlite_bind_text(statement, at, url);
    else
        sqlite3_bind_null(statement, at);
}

static int64_t user_ids_from(const struct store *store)
{
    return store->ids_from >= MODEL_USER_ID_FIRST ? store->ids_from : MODEL_USER_ID_FIRST - 1;
}

/* *taken: a key of this digest is there. */
static enum store_status key_insert(struct store *store, const struct api_key *key, int64_t user_id,
                                    bool *taken)
{
    sqlite3_stmt *insert = store->sql[SQL_KEY_INSERT];
    sqlite_bind_time(insert, 1, key->id);
    sqlite3_bind_int64(insert, 2, user_id);
    sqlite3_bind_text(insert, 3, key->digest, -1, SQLITE_STATIC);
    sqlite_bind_text(insert, 4, key->label);
    sqlite_bind_time(insert, 5, key->created_at_ms);
    sqlite_bind_text(insert, 6, key->allow_from);
    sqlite3_bind_int64(insert, 7, key->rate_per_s);
    sqlite3_bind_int64(insert, 8, store->ids_from);
    sqlite3_step(insert);
    int rc = sqlite3_reset(insert);
    *taken = (rc & 0xff) == SQLITE_CONSTRAINT;
    return rc == SQLITE_OK || *taken ? STORE_OK : sqlite_fault(store, rc);
}

/* Asked first, for a user whose key cannot be made is not made either. */
static enum store_status first_key_taken(struct store *store, const struct store_op *op, bool *taken)
{
    if (!op->user.first_key)
        return STORE_OK;
    sqlite3_bind_text(store->sql[SQL_KEY_KNOWN], 1, op->user.first_key->digest, -1, SQLITE_STATIC);
    enum store_status status = sqlite_row(store, SQL_KEY_KNOWN, taken);
    if (*taken)
        sqlite3_reset(store->sql[SQL_KEY_KNOWN]);
    return status;
}

static enum store_status first_key_insert(struct store *store, struct store_op *op)
{
    struct api_key *key = op->user.first_key;
    bool taken = false;
    if (!key)
        return STORE_OK;
    enum store_status status = key_insert(store, key, op->id, &taken);
    if (taken) /* its digest is not: the table is damaged */
        return sqlite_fault(store, SQLITE_CONSTRAINT);
    key->user_id = op->id;
    key->id = sqlite3_last_insert_rowid(store->db);
    return status;
}

enum store_status sqlite_user_create(struct store *store, struct store_op *op)
{
    const struct user *user = &op->user.user;
    bool taken = false;
    if (user->master_id && !roster_get(&store->roster, user->master_id)) {
        op->result = STORE_NOT_FOUND;
        return STORE_OK;
    }
    enum store_status status = first_key_taken(store, op, &taken);
    if (status != STORE_OK || taken) {
        op->result = taken ? STORE_CONFLICT : op->result;
        return status;
    }
    sqlite3_stmt *insert = store->sql[SQL_USER_INSERT];
    sqlite_bind_time(insert, 1, user->id); /* 0 is NULL is the next one */
    sqlite3_bind_int(insert, 2, (int)user->role);
    sqlite3_bind_int64(insert, 3, user->master_id);
    sqlite_bind_text(insert, 4, user->name);
    sqlite_bind_text(insert, 5, user->email);
    bind_url(insert, 6, user->webhook_url);
    sqlite3_bind_int(insert, 7, user->receives_users_events);
    sqlite3_bind_int(insert, 8, user->success_2xx);
    sqlite3_bind_int(insert, 9, user->disable_on_410);
    sqlite3_bind_int(insert, 10, user->paused);
    sqlite_bind_time(insert, 11, user->created_at_ms);
    sqlite_bind_time(insert, 12, user->updated_at_ms);
    sqlite_bind_blob(insert, 13, user->signing);
    sqlite_bind_blob(insert, 14, user->identity);
    sqlite3_bind_int64(insert, 15, user_ids_from(store));
    sqlite3_step(insert);
    int rc = sqlite3_reset(insert);
    if ((rc & 0xff) == SQLITE_CONSTRAINT) {
        op->result = STORE_CONFLICT;
        return STORE_OK;
    }
    if (rc != SQLITE_OK)
        return sqlite_fault(store, rc);
    op->id = sqlite3_last_insert_rowid(store->db);
    store->counts.endpoints += user->webhook_url.len > 0;
    status = first_key_insert(store, op);
    return status == STORE_OK ? user_changed(store, op->id) : status;
}

enum store_status sqlite_user_update(struct store *store, struct store_op *op)
{
    const struct user *user = &op->user.user;
    sqlite3_stmt *get = store->sql[SQL_USER_GET];
    sqlite3_bind_int64(get, 1, user->id);
    bool found = false;
    enum store_status status = sqlite_row(store, SQL_USER_GET, &found);
    if (status != STORE_OK)
        return status;
    if (!found) {
        op->result = STORE_NOT_FOUND;
        return STORE_OK;
    }
    int64_t version = sqlite3_column_int64(get, 0);
    sqlite3_reset(get);
    if (op->user.if_version != -1 && op->user.if_version != version) {
        op->result = STORE_CONFLICT;
        return STORE_OK;
    }
    sqlite3_stmt *update = store->sql[SQL_USER_UPDATE];
    sqlite3_bind_int64(update, 1, user->id);
    sqlite_bind_text(update, 2, user->name);
    sqlite_bind_text(update, 3, user->email);
    bind_url(update, 4, user->webhook_url);
    sqlite3_bind_int(update, 5, user->receives_users_events);
    sqlite3_bind_int(update, 6, user->success_2xx);
    sqlite3_bind_int(update, 7, user->disable_on_410);
    sqlite3_bind_int(update, 8, user->paused);
    sqlite_bind_time(update, 9, user->updated_at_ms);
    sqlite_bind_blob(update, 10, user->signing);
    sqlite_bind_blob(update, 11, user->identity);
    status = sqlite_run(store, SQL_USER_UPDATE);
    store->counts.endpoints +=
        (user->webhook_url.len > 0) - (roster_get(&store->roster, user->id)->url != NULL);
    op->id = user->id;
    return status == STORE_OK ? user_changed(store, user->id) : status;
}

enum store_status sqlite_user_gone(struct store *store, int64_t id, int64_t *paused)
{
    sqlite3_bind_int64(store->sql[SQL_USER_GONE], 1, id);
    enum store_status status = sqlite_run(store, SQL_USER_GONE);
    *paused = status == STORE_OK && sqlite3_changes(store->db) > 0;
    return *paused ? user_changed(store, id) : status;
}

/* ---- the key file ---- */

enum store_status sqlite_fingerprint(struct store *store, struct store_op *op)
{
    sqlite_bind_blob(store->sql[SQL_FINGERPRINT], 1, bytes_make(op->fingerprint, sizeof op->fingerprint));
    store->changed = true;
    return sqlite_run(store, SQL_FINGERPRINT);
}

/* ---- keys ---- */

/* *full: there are keys_max of them. */
static enum store_status keys_full(struct store *store, const struct store_op *op, bool *full)
{
    *full = false;
    if (op->keys_max <= 0)
        return STORE_OK;
    sqlite3_stmt *count = store->sql[SQL_KEY_COUNT];
    sqlite3_bind_int64(count, 1, op->key.user_id);
    bool found = false;
    enum store_status status = sqlite_row(store, SQL_KEY_COUNT, &found);
    if (status != STORE_OK)
        return status;
    *full = found && sqlite3_column_int64(count, 0) >= op->keys_max;
    sqlite3_reset(count);
    return STORE_OK;
}

enum store_status sqlite_key_create(struct store *store, struct store_op *op)
{
    const struct api_key *key = &op->key;
    if (!roster_get(&store->roster, key->user_id)) {
        op->result = STORE_NOT_FOUND;
        return STORE_OK;
    }
    bool full;
    enum store_status status = keys_full(store, op, &full);
    if (status != STORE_OK || full) {
        op->result = full ? STORE_QUOTA : op->result;
        return status;
    }
    bool taken = false;
    status = key_insert(store, key, key->user_id, &taken);
    if (status != STORE_OK || taken) {
        op->result = taken ? STORE_CONFLICT : op->result;
        return status;
    }
    op->id = sqlite3_last_insert_rowid(store->db);
    return user_changed(store, key->user_id);
}

/* What is not changed is bound as NULL, and stays. What signs and who is in the roster stay as they are. */
enum store_status sqlite_key_update(struct store *store, struct store_op *op)
{
    const struct api_key *key = &op->key;
    sqlite3_stmt *update = store->sql[SQL_KEY_UPDATE];
    sqlite3_clear_bindings(update);
    sqlite3_bind_int64(update, 1, key->id);
    sqlite3_bind_int64(update, 2, key->user_id);
    if (op->key_changes & STORE_KEY_LABEL)
        sqlite_bind_text(update, 3, key->label);
    if (op->key_changes & STORE_KEY_ALLOW_FROM)
        sqlite_bind_text(update, 4, key->allow_from);
    if (op->key_changes & STORE_KEY_RATE)
        sqlite3_bind_int64(update, 5, key->rate_per_s);
    enum store_status status = sqlite_run(store, SQL_KEY_UPDATE);
    if (status != STORE_OK)
        return status;
    if (sqlite3_changes(store->db) == 0) {
        op->result = STORE_NOT_FOUND;
        return STORE_OK;
    }
    store->changed = true;
    op->id = key->id;
    return STORE_OK;
}

enum store_status sqlite_key_revoke(struct store *store, struct store_op *op)
{
    sqlite3_stmt *get = store->sql[SQL_KEY_GET];
    sqlite3_bind_int64(get, 1, op->key.id);
    sqlite3_bind_int64(get, 2, op->key.user_id);
    bool found = false;
    enum store_status status = sqlite_row(store, SQL_KEY_GET, &found);
    if (status != STORE_OK)
        return status;
    if (!found) {
        op->result = STORE_NOT_FOUND;
        return STORE_OK;
    }
    bool refused = sqlite3_column_int(get, 0) || sqlite3_column_int64(get, 1) <= 1;
    sqlite3_reset(get);
    if (refused) {
        op->result = STORE_CONFLICT;
        return STORE_OK;
    }
    sqlite3_bind_int64(store->sql[SQL_KEY_REVOKE], 1, op->key.id);
    sqlite3_bind_int64(store->sql[SQL_KEY_REVOKE], 2, store->now.wall_ms);
    status = sqlite_run(store, SQL_KEY_REVOKE);
    op->id = op->key.id;
    sqlite3_bind_int64(store->sql[SQL_KEY_FORGET], 1, op->key.user_id);
    sqlite3_bind_int(store->sql[SQL_KEY_FORGET], 2, STORE_REVOKED_KEPT);
    if (status == STORE_OK)
        status = sqlite_run(store, SQL_KEY_FORGET);
    return status == STORE_OK ? user_changed(store, op->key.user_id) : status;
}
