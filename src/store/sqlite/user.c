/*
 * Users and keys. A user is written together with its default endpoint.
 */
#include "sqlite_parts.h"

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
    int64_t one;
    if (!op->user.first_key)
        return STORE_OK;
    sqlite3_bind_text(store->sql[SQL_KEY_KNOWN], 1, op->user.first_key->digest, -1, SQLITE_STATIC);
    return sqlite_number(store, SQL_KEY_KNOWN, &one, taken);
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

/* They are one: its times are the user's. */
static struct endpoint default_endpoint(const struct user *user, int64_t id)
{
    struct endpoint endpoint = user->endpoint;
    endpoint.id = endpoint.owner_id = id;
    endpoint.created_at_ms = user->created_at_ms;
    endpoint.updated_at_ms = user->updated_at_ms;
    return endpoint;
}

static enum store_status user_insert(struct store *store, struct store_op *op)
{
    const struct user *user = &op->user.user;
    sqlite3_stmt *insert = store->sql[SQL_USER_INSERT];
    sqlite_bind_time(insert, 1, user->id); /* 0 is NULL is the next one */
    sqlite3_bind_int(insert, 2, (int)user->role);
    sqlite3_bind_int64(insert, 3, user->master_id);
    sqlite_bind_text(insert, 4, user->name);
    sqlite_bind_text(insert, 5, user->email);
    sqlite3_bind_int(insert, 6, user->receives_users_events);
    sqlite_bind_time(insert, 7, user->created_at_ms);
    sqlite_bind_time(insert, 8, user->updated_at_ms);
    sqlite3_bind_int64(insert, 9, user_ids_from(store));
    enum store_status status = sqlite_run(store, SQL_USER_INSERT);
    op->id = status == STORE_OK ? sqlite3_last_insert_rowid(store->db) : 0;
    struct endpoint endpoint = default_endpoint(user, op->id);
    return status ?: sqlite_endpoint_insert(store, &endpoint);
}

enum store_status sqlite_user_create(struct store *store, struct store_op *op)
{
    const struct user *user = &op->user.user;
    /* The id of a user, or of a further endpoint. */
    bool taken = user->id && roster_get(&store->roster, user->id);
    if (user->master_id && !roster_owner(&store->roster, user->master_id))
        return sqlite_result(op, STORE_NOT_FOUND);
    enum store_status status = taken ? STORE_OK : first_key_taken(store, op, &taken);
    if (taken)
        return sqlite_result(op, STORE_CONFLICT);
    status = status ?: user_insert(store, op) ?: first_key_insert(store, op);
    return status ?: sqlite_user_changed(store, op->id);
}

enum store_status sqlite_user_update(struct store *store, struct store_op *op)
{
    const struct user *user = &op->user.user;
    sqlite3_bind_int64(store->sql[SQL_USER_GET], 1, user->id);
    int64_t version = 0;
    bool found = false;
    enum store_status status = sqlite_number(store, SQL_USER_GET, &version, &found);
    if (status != STORE_OK)
        return status;
    if (!found || (op->user.if_version != -1 && op->user.if_version != version))
        return sqlite_result(op, found ? STORE_CONFLICT : STORE_NOT_FOUND);
    op->id = user->id;
    sqlite3_stmt *update = store->sql[SQL_USER_UPDATE];
    sqlite3_bind_int64(update, 1, user->id);
    sqlite_bind_text(update, 2, user->name);
    sqlite_bind_text(update, 3, user->email);
    sqlite3_bind_int(update, 4, user->receives_users_events);
    sqlite_bind_time(update, 5, user->updated_at_ms);
    struct endpoint endpoint = default_endpoint(user, user->id);
    status = sqlite_run(store, SQL_USER_UPDATE) ?: sqlite_endpoint_set(store, &endpoint, &found);
    if (status == STORE_OK && !found) /* the table was damaged */
        status = sqlite_endpoint_insert(store, &endpoint);
    return status ?: sqlite_user_changed(store, user->id);
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
    int64_t count = 0;
    bool found = false;
    *full = false;
    if (op->keys_max <= 0)
        return STORE_OK;
    sqlite3_bind_int64(store->sql[SQL_KEY_COUNT], 1, op->key.user_id);
    enum store_status status = sqlite_number(store, SQL_KEY_COUNT, &count, &found);
    *full = count >= op->keys_max;
    return status;
}

enum store_status sqlite_key_create(struct store *store, struct store_op *op)
{
    const struct api_key *key = &op->key;
    if (!roster_owner(&store->roster, key->user_id))
        return sqlite_result(op, STORE_NOT_FOUND);
    bool full, taken = false;
    enum store_status status = keys_full(store, op, &full);
    if (status == STORE_OK && !full)
        status = key_insert(store, key, key->user_id, &taken);
    if (status != STORE_OK)
        return status;
    if (full || taken)
        return sqlite_result(op, full ? STORE_QUOTA : STORE_CONFLICT);
    op->id = sqlite3_last_insert_rowid(store->db);
    return sqlite_user_changed(store, key->user_id);
}

/* The bits that SQL_KEY_GET returns for the op's key. */
enum { KEY_REVOKED = 1, KEY_OTHER_VERSION = 2, KEY_LAST = 4 };

static enum store_status key_state(struct store *store, const struct store_op *op, int64_t *state,
                                   bool *found)
{
    sqlite_bind_ints(store->sql[SQL_KEY_GET], SQLITE_INTS(op->key.id, op->key.user_id, op->key_if_version));
    return sqlite_number(store, SQL_KEY_GET, state, found);
}

/* An unchanged column is bound as NULL, and stays. */
enum store_status sqlite_key_update(struct store *store, struct store_op *op)
{
    const struct api_key *key = &op->key;
    int64_t state = 0;
    bool found = false;
    enum store_status status = key_state(store, op, &state, &found);
    if (status != STORE_OK)
        return status;
    if (!found || state & (KEY_REVOKED | KEY_OTHER_VERSION))
        return sqlite_result(op, found && !(state & KEY_REVOKED) ? STORE_CONFLICT : STORE_NOT_FOUND);
    sqlite3_stmt *update = store->sql[SQL_KEY_UPDATE];
    sqlite3_clear_bindings(update);
    sqlite_bind_ints(update, SQLITE_INTS(key->id, key->user_id));
    if (op->key_changes & STORE_KEY_LABEL)
        sqlite_bind_text(update, 3, key->label);
    if (op->key_changes & STORE_KEY_ALLOW_FROM)
        sqlite_bind_text(update, 4, key->allow_from);
    if (op->key_changes & STORE_KEY_RATE)
        sqlite3_bind_int64(update, 5, key->rate_per_s);
    status = sqlite_run(store, SQL_KEY_UPDATE);
    if (status != STORE_OK)
        return status;
    op->id = key->id;
    return sqlite_user_changed(store, key->user_id);
}

enum store_status sqlite_key_revoke(struct store *store, struct store_op *op)
{
    int64_t state = 0;
    bool found = false;
    enum store_status status = key_state(store, op, &state, &found);
    if (status != STORE_OK)
        return status;
    if (!found || state)
        return sqlite_result(op, found ? STORE_CONFLICT : STORE_NOT_FOUND);
    op->id = op->key.id;
    return sqlite_run_ints(store, SQL_KEY_REVOKE, SQLITE_INTS(op->key.id, store->now.wall_ms))
               ?: sqlite_run_ints(store, SQL_KEY_FORGET, SQLITE_INTS(op->key.user_id, STORE_REVOKED_KEPT))
               ?: sqlite_user_changed(store, op->key.user_id);
}
