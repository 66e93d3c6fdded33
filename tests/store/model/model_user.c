/* The model's users and keys. */
#include "model_state.h"
#include <assert.h>
#include <stdlib.h>

void model_user_drop(const struct user *user)
{
    model_drop(user->name);
    model_drop(user->email);
}

static bool model_digest_taken(const struct model_disk *disk, const struct api_key *key)
{
    for (int i = 0; i < disk->key_count; i++)
        if (memcmp(disk->keys[i].digest, key->digest, sizeof key->digest) == 0)
            return true;
    return false;
}

static int64_t model_key_add(struct model_disk *disk, const struct api_key *from, int64_t user_id)
{
    disk->keys = model_room(disk->keys, disk->key_count, &disk->key_cap, sizeof *disk->keys);
    struct api_key *key = &disk->keys[disk->key_count++];
    *key = *from;
    key->id = ++disk->last_key_id;
    key->user_id = user_id;
    key->label = model_copy(from->label);
    key->allow_from = model_copy(from->allow_from);
    key->revoked_at_ms = 0;
    key->version = 1;
    model_touch(disk, user_id);
    return key->id;
}

void model_user_create(struct model_disk *disk, struct store_op *op)
{
    const struct user *from = &op->user.user;
    if (from->master_id && !model_find_user(disk, from->master_id)) {
        op->result = STORE_NOT_FOUND;
        return;
    }
    bool key_taken = op->user.first_key && model_digest_taken(disk, op->user.first_key);
    bool id_taken = from->id && (model_find_user(disk, from->id) || model_find_endpoint(disk, from->id));
    if (key_taken || id_taken) {
        op->result = STORE_CONFLICT;
        return;
    }
    disk->users = model_room(disk->users, disk->user_count, &disk->user_cap, sizeof *disk->users);
    struct user *user = &disk->users[disk->user_count++];
    *user = *from;
    if (user->id == 0)
        user->id = disk->last_user_id ? disk->last_user_id + 1 : MODEL_USER_ID_FIRST;
    if (user->id > disk->last_user_id)
        disk->last_user_id = user->id;
    user->name = model_copy(from->name);
    user->email = model_copy(from->email);
    user->endpoint = (struct endpoint){0};
    user->version = 1;
    struct endpoint endpoint = from->endpoint;
    endpoint.created_at_ms = from->created_at_ms;
    endpoint.updated_at_ms = from->updated_at_ms;
    model_endpoint_add(disk, user->id, user->id, &endpoint);
    op->id = user->id;
    if (!op->user.first_key)
        return;
    op->user.first_key->id = model_key_add(disk, op->user.first_key, op->id);
    op->user.first_key->user_id = op->id;
}

/* All settings at once; who it is (id, role, master, created_at) stays. */
void model_user_update(struct model_disk *disk, struct store_op *op)
{
    const struct user *from = &op->user.user;
    struct user *user = model_find_user(disk, from->id);
    if (!user) {
        op->result = STORE_NOT_FOUND;
        return;
    }
    if (op->user.if_version != -1 && op->user.if_version != user->version) {
        op->result = STORE_CONFLICT;
        return;
    }
    struct user old = *user;
    *user = *from;
    user->role = old.role;
    user->master_id = old.master_id;
    user->created_at_ms = old.created_at_ms;
    user->version = old.version;
    user->change = old.change;
    user->name = model_copy(from->name);
    user->email = model_copy(from->email);
    user->endpoint = (struct endpoint){0};
    model_user_drop(&old);
    struct endpoint endpoint = from->endpoint;
    endpoint.updated_at_ms = from->updated_at_ms;
    model_endpoint_set(disk, model_find_endpoint(disk, from->id), &endpoint);
    op->id = from->id;
}

void model_key_create(struct model_disk *disk, struct store_op *op)
{
    if (!model_find_user(disk, op->key.user_id)) {
        op->result = STORE_NOT_FOUND;
        return;
    }
    if (model_digest_taken(disk, &op->key)) {
        op->result = STORE_CONFLICT;
        return;
    }
    int active = 0;
    for (int i = 0; i < disk->key_count; i++)
        active += disk->keys[i].user_id == op->key.user_id && !disk->keys[i].revoked_at_ms;
    if (op->keys_max > 0 && active >= op->keys_max) {
        op->result = STORE_QUOTA;
        return;
    }
    op->id = model_key_add(disk, &op->key, op->key.user_id);
}

static void model_replace(struct bytes *owned, struct bytes by)
{
    free((char *)owned->data);
    *owned = model_copy(by);
}

void model_key_update(struct model_disk *disk, struct store_op *op)
{
    op->result = STORE_NOT_FOUND;
    for (int i = 0; i < disk->key_count; i++) {
        struct api_key *key = &disk->keys[i];
        if (key->id != op->key.id || key->user_id != op->key.user_id || key->revoked_at_ms)
            continue;
        if (op->key_if_version && op->key_if_version != key->version) {
            op->result = STORE_CONFLICT;
            return;
        }
        key->version++;
        if (op->key_changes & STORE_KEY_LABEL)
            model_replace(&key->label, op->key.label);
        if (op->key_changes & STORE_KEY_ALLOW_FROM)
            model_replace(&key->allow_from, op->key.allow_from);
        if (op->key_changes & STORE_KEY_RATE)
            key->rate_per_s = op->key.rate_per_s;
        model_touch(disk, key->user_id);
        op->id = key->id;
        op->result = STORE_DONE;
    }
}

/* Keys are in the order of their ids. */
static void model_forget_keys(struct model_disk *disk, int64_t user_id)
{
    int kept = 0;
    for (int i = disk->key_count - 1; i >= 0; i--) {
        struct api_key *key = &disk->keys[i];
        if (key->user_id != user_id || !key->revoked_at_ms || kept++ < STORE_REVOKED_KEPT)
            continue;
        free((char *)key->label.data);
        free((char *)key->allow_from.data);
        memmove(key, key + 1, sizeof *key * (size_t)(disk->key_count - i - 1));
        disk->key_count--;
    }
}

void model_key_revoke(struct store *store, struct store_op *op)
{
    struct model_disk *disk = store->disk;
    struct api_key *key = NULL;
    int active = 0;
    for (int i = 0; i < disk->key_count; i++) {
        if (disk->keys[i].user_id != op->key.user_id)
            continue;
        active += disk->keys[i].revoked_at_ms == 0;
        if (disk->keys[i].id == op->key.id)
            key = &disk->keys[i];
    }
    bool other = key && op->key_if_version && op->key_if_version != key->version;
    if (!key || key->revoked_at_ms || active == 1 || other) {
        op->result = key ? STORE_CONFLICT : STORE_NOT_FOUND;
        return;
    }
    key->revoked_at_ms = clock_wall_ms(&store->config.clock);
    key->version++;
#ifndef PLANT_UNSAID
    model_touch(disk, op->key.user_id);
#endif
    op->id = key->id;
    model_forget_keys(disk, op->key.user_id);
}
