#include "keyring.h"
#include "idmap.h"
#include "memory.h"
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum { SLOTS_MIN = 64 };

struct key_networks {
    int count;
    struct bytes text; /* behind the list */
    struct network list[];
};

struct key {
    int64_t key_id, user_id;
    int64_t rate_per_s;
    struct key_networks *networks; /* NULL: any address will do */
    struct rate_bucket bucket;     /* of a key with a pace of its own; under spend_lock */
    unsigned char digest[DIGEST_LEN];
};

struct key_user {
    int64_t user_id, master_id;
    int64_t user_count;        /* whose Master it is */
    struct rate_bucket bucket; /* of all its keys without a pace of their own; under spend_lock */
    enum user_role role;
};

/* The table of digests is open-addressed, with linear probing, and at most half full. */
struct keyring {
    pthread_rwlock_t lock;
    pthread_mutex_t spend_lock;
    struct digest *digest;
    struct key **keys; /* by digest; NULL: free */
    size_t key_cap;
    struct idmap ids, users; /* the same keys by id; struct key_user */
};

struct keyring *keyring_open(void)
{
    struct keyring *keyring = memory_zero(1, sizeof *keyring);
    int failed = pthread_rwlock_init(&keyring->lock, NULL);
    failed |= pthread_mutex_init(&keyring->spend_lock, NULL);
    assert(!failed);
    keyring->digest = digest_open();
    keyring->key_cap = SLOTS_MIN;
    keyring->keys = memory_zero(keyring->key_cap, sizeof *keyring->keys);
    return keyring;
}

static void key_free(struct key *key)
{
    free(key->networks);
    free(key);
}

void keyring_close(struct keyring *keyring)
{
    if (!keyring)
        return;
    digest_close(keyring->digest);
    pthread_rwlock_destroy(&keyring->lock);
    pthread_mutex_destroy(&keyring->spend_lock);
    size_t at = 0;
    for (struct key *key; (key = idmap_each(&keyring->ids, &at));)
        key_free(key);
    at = 0;
    for (struct key_user *user; (user = idmap_each(&keyring->users, &at));)
        free(user);
    free(keyring->keys);
    idmap_fini(&keyring->ids);
    idmap_fini(&keyring->users);
    free(keyring);
}

/* The digest is uniform already: its first bytes are the hash. */
static size_t key_home(const unsigned char digest[DIGEST_LEN], size_t cap)
{
    uint64_t hash;
    memcpy(&hash, digest, sizeof hash);
    return (size_t)hash & (cap - 1);
}

/* Where the key is, or the free place where it belongs. */
static struct key **key_place(struct key **keys, size_t cap, const unsigned char digest[DIGEST_LEN])
{
    size_t i = key_home(digest, cap);
    while (keys[i] &&
           !bytes_equal_secret(bytes_make(keys[i]->digest, DIGEST_LEN), bytes_make(digest, DIGEST_LEN)))
        i = (i + 1) & (cap - 1);
    return &keys[i];
}

/* NULL: there is no such key. */
static struct key *key_of(const struct keyring *keyring, const unsigned char digest[DIGEST_LEN])
{
    return *key_place(keyring->keys, keyring->key_cap, digest);
}

/* NULL: there is no such user. */
static struct key_user *user_of(const struct keyring *keyring, int64_t user_id)
{
    return user_id > 0 ? idmap_get(&keyring->users, user_id) : NULL;
}

static void grow(struct keyring *keyring)
{
    size_t cap = keyring->key_cap * 2, at = 0;
    struct key **keys = memory_zero(cap, sizeof *keys);
    for (struct key *key; (key = idmap_each(&keyring->ids, &at));)
        *key_place(keys, cap, key->digest) = key;
    free(keyring->keys);
    keyring->keys = keys;
    keyring->key_cap = cap;
}

/* Each user once: nobody's role or Master ever changes. */
void keyring_put_user(struct keyring *keyring, int64_t user_id, enum user_role role, int64_t master_id)
{
    if (user_id <= 0) /* a damaged row: nobody has this id */
        return;
    pthread_rwlock_wrlock(&keyring->lock);
    struct key_user *user = user_of(keyring, user_id), *master = user_of(keyring, master_id);
    if (!user) {
        user = memory_zero(1, sizeof *user);
        idmap_put(&keyring->users, user_id, user);
        if (master)
            master->user_count++;
    }
    user->user_id = user_id;
    user->master_id = master_id;
    user->role = role;
    pthread_rwlock_unlock(&keyring->lock);
}

int64_t keyring_user_count(struct keyring *keyring, int64_t master_id)
{
    pthread_rwlock_rdlock(&keyring->lock);
    const struct key_user *master = user_of(keyring, master_id);
    int64_t count = master ? master->user_count : 0;
    pthread_rwlock_unlock(&keyring->lock);
    return count;
}

int keyring_read_networks(struct bytes allow_from, struct network networks[KEYRING_NETWORKS_MAX])
{
    int count = 0;
    while (allow_from.len) {
        struct network *network = &networks[count];
        if (count++ == KEYRING_NETWORKS_MAX || !network_parse(bytes_cut(&allow_from, ' '), network) ||
            network->port || !network_is_exact(network))
            return -1;
    }
    return count;
}

static struct key_networks *copy_networks(const struct network *networks, int count, struct bytes text)
{
    if (count == 0)
        return NULL;
    size_t size = (size_t)count * sizeof *networks;
    struct key_networks *copy = memory_alloc(sizeof *copy + size + text.len);
    char *text_at = (char *)copy->list + size;
    copy->count = count;
    copy->text = bytes_make(text_at, text.len);
    memcpy(copy->list, networks, size);
    memcpy(text_at, text.data, text.len);
    return copy;
}

bool keyring_put_key(struct keyring *keyring, const struct api_key *key)
{
    if (key->id <= 0 || key->user_id <= 0)
        return false;
    struct key made = {.key_id = key->id, .user_id = key->user_id, .rate_per_s = key->rate_per_s};
    struct network networks[KEYRING_NETWORKS_MAX];
    int count = keyring_read_networks(key->allow_from, networks);
    if (count < 0 || strlen(key->digest) != DIGEST_HEX_LEN || !digest_from_hex(key->digest, made.digest))
        return false;
    made.networks = copy_networks(networks, count, key->allow_from);
    pthread_rwlock_wrlock(&keyring->lock);
    if ((keyring->ids.count + 1) * 2 > keyring->key_cap)
        grow(keyring);
    struct key **place = key_place(keyring->keys, keyring->key_cap, made.digest);
    if (*place) {
        idmap_remove(&keyring->ids, (*place)->key_id);
        free((*place)->networks);
        made.bucket = (*place)->bucket; /* new terms do not fill it */
    } else {
        *place = memory_alloc(sizeof made);
    }
    **place = made;
    idmap_put(&keyring->ids, key->id, *place);
    pthread_rwlock_unlock(&keyring->lock);
    return true;
}

/* Keys behind the gap move up, so that no search ends early and no tombstones are needed: all but those whose
 * home lies between the gap and their place. */
static void close_gap(struct keyring *keyring, size_t gap)
{
    size_t mask = keyring->key_cap - 1;
    struct key **keys = keyring->keys;
    for (size_t i = (gap + 1) & mask; keys[i]; i = (i + 1) & mask) {
        if (((i - key_home(keys[i]->digest, keyring->key_cap)) & mask) < ((i - gap) & mask))
            continue;
        keys[gap] = keys[i];
        gap = i;
    }
    keys[gap] = NULL;
}

static struct key *key_by_id(const struct keyring *keyring, int64_t key_id)
{
    return key_id > 0 ? idmap_get(&keyring->ids, key_id) : NULL;
}

void keyring_change_key(struct keyring *keyring, const struct api_key *key, unsigned changes)
{
    struct network networks[KEYRING_NETWORKS_MAX];
    struct key_networks *made = NULL;
    if (changes & STORE_KEY_ALLOW_FROM) {
        int count = keyring_read_networks(key->allow_from, networks);
        assert(count >= 0);
        made = copy_networks(networks, count, key->allow_from);
    }
    pthread_rwlock_wrlock(&keyring->lock);
    struct key *slot = key_by_id(keyring, key->id);
    if (slot && changes & STORE_KEY_ALLOW_FROM) {
        struct key_networks *before = slot->networks;
        slot->networks = made;
        made = before;
    }
    if (slot && changes & STORE_KEY_RATE)
        slot->rate_per_s = key->rate_per_s;
    pthread_rwlock_unlock(&keyring->lock);
    free(made);
}

void keyring_drop_key(struct keyring *keyring, int64_t key_id)
{
    pthread_rwlock_wrlock(&keyring->lock);
    struct key *key = key_by_id(keyring, key_id);
    if (key) {
        close_gap(keyring, (size_t)(key_place(keyring->keys, keyring->key_cap, key->digest) - keyring->keys));
        idmap_remove(&keyring->ids, key_id);
        key_free(key);
    }
    pthread_rwlock_unlock(&keyring->lock);
}

int64_t keyring_key_user(struct keyring *keyring, int64_t key_id)
{
    pthread_rwlock_rdlock(&keyring->lock);
    const struct key *key = key_by_id(keyring, key_id);
    int64_t user_id = key ? key->user_id : 0;
    pthread_rwlock_unlock(&keyring->lock);
    return user_id;
}

struct credentials {
    struct bytes key;
    int64_t as_user; /* 0: the key's own */
};

/* `Bearer KEY; user=600`, where everything but KEY may be missing. */
static bool read_credentials(struct bytes value, struct credentials *credentials)
{
    *credentials = (struct credentials){0};
    value = bytes_trim(value);
    const char *semicolon = value.len ? memchr(value.data, ';', value.len) : NULL;
    struct bytes key = value;
    if (semicolon) {
        key.len = (size_t)(semicolon - value.data);
        struct bytes parameter = bytes_trim(bytes_make(semicolon + 1, value.len - key.len - 1));
        static const char name[] = "user=";
        if (parameter.len < sizeof name || !bytes_equal_nocase(bytes_make(parameter.data, 5), name))
            return false;
        parameter = bytes_make(parameter.data + 5, parameter.len - 5);
        if (!bytes_to_int64(parameter, &credentials->as_user) || credentials->as_user == 0)
            return false;
        key = bytes_trim(key);
    }
    if (key.len > 7 && bytes_equal_nocase(bytes_make(key.data, 7), "bearer "))
        key = bytes_trim(bytes_make(key.data + 7, key.len - 7));
    credentials->key = key;
    return key.len > 0 && !memchr(key.data, ' ', key.len);
}

static enum keyring_verdict find_caller(struct keyring *keyring, const unsigned char digest[DIGEST_LEN],
                                        int64_t as_user, struct caller *caller)
{
    const struct key *key = key_of(keyring, digest);
    const struct key_user *owner = key ? user_of(keyring, key->user_id) : NULL;
    if (!owner)
        return KEYRING_UNKNOWN;
    *caller = (struct caller){.user_id = owner->user_id,
                              .role = owner->role,
                              .master_id = owner->master_id,
                              .key_user_id = owner->user_id,
                              .key_id = key->key_id,
                              .rate_per_s = key->rate_per_s,
                              .restricted = key->networks != NULL};
    memcpy(caller->digest, digest, DIGEST_LEN);
    if (!as_user)
        return KEYRING_OK;
    if (owner->role != USER_MASTER)
        return KEYRING_FORBIDDEN;
    const struct key_user *user = user_of(keyring, as_user);
    if (!user || (user != owner && user->master_id != owner->user_id))
        return KEYRING_NO_USER;
    caller->user_id = user->user_id;
    caller->role = user->role;
    caller->master_id = user->master_id;
    return KEYRING_OK;
}

enum keyring_verdict keyring_authenticate(struct keyring *keyring, struct bytes authorization,
                                          struct caller *caller)
{
    struct credentials credentials;
    unsigned char digest[DIGEST_LEN];
    if (!read_credentials(authorization, &credentials))
        return KEYRING_MALFORMED;
    digest_sha256_by(keyring->digest, credentials.key, digest);
    pthread_rwlock_rdlock(&keyring->lock);
    enum keyring_verdict verdict = find_caller(keyring, digest, credentials.as_user, caller);
    pthread_rwlock_unlock(&keyring->lock);
    return verdict;
}

bool keyring_admits(struct keyring *keyring, const struct caller *caller, const char *peer)
{
    struct network address;
    bool known = network_parse_address(bytes_of(peer), &address), admitted = false;
    pthread_rwlock_rdlock(&keyring->lock);
    const struct key *key = key_of(keyring, caller->digest);
    const struct key_networks *networks = key ? key->networks : NULL;
    for (int i = 0; known && networks && i < networks->count; i++)
        admitted |= network_holds(&networks->list[i], address.ipv6, address.address);
    admitted |= key && !networks; /* the list was taken away meanwhile */
    pthread_rwlock_unlock(&keyring->lock);
    return admitted;
}

struct bytes keyring_allow_from(struct keyring *keyring, const struct caller *caller, struct arena *arena)
{
    struct bytes text = bytes_of("");
    pthread_rwlock_rdlock(&keyring->lock);
    const struct key *key = key_of(keyring, caller->digest);
    if (key && key->networks)
        text = arena_copy(arena, key->networks->text);
    pthread_rwlock_unlock(&keyring->lock);
    return text;
}

struct rate_verdict keyring_spend(struct keyring *keyring, const struct caller *caller,
                                  const struct rate *rate, int64_t now_ms)
{
    struct rate_verdict verdict = {.allowed = true};
    pthread_rwlock_rdlock(&keyring->lock);
    struct key *key = key_of(keyring, caller->digest);
    struct key_user *user = key ? user_of(keyring, key->user_id) : NULL;
    if (user) {
        pthread_mutex_lock(&keyring->spend_lock);
        verdict = rate_take(key->rate_per_s > 0 ? &key->bucket : &user->bucket, rate, now_ms);
        pthread_mutex_unlock(&keyring->spend_lock);
    }
    pthread_rwlock_unlock(&keyring->lock);
    return verdict;
}

bool keyring_may_see(struct keyring *keyring, const struct caller *caller, int64_t user_id)
{
    if (user_id <= 0 || user_id == caller->user_id || caller->role != USER_MASTER)
        return user_id > 0 && user_id == caller->user_id;
    pthread_rwlock_rdlock(&keyring->lock);
    const struct key_user *user = user_of(keyring, user_id);
    bool mine = user && user->master_id == caller->user_id;
    pthread_rwlock_unlock(&keyring->lock);
    return mine;
}
