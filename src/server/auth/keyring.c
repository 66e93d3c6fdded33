#include "keyring.h"
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

struct key_slot {
    int64_t key_id; /* 0: free */
    int64_t user_id;
    int64_t rate_per_s;
    struct key_networks *networks; /* NULL: any address will do */
    struct rate_bucket bucket;     /* of a key with a pace of its own; under spend_lock */
    unsigned char digest[DIGEST_LEN];
};

/* Where a key's digest is looked up by its id. */
struct id_slot {
    int64_t key_id; /* 0: free */
    unsigned char digest[DIGEST_LEN];
};

struct user_slot {
    int64_t user_id; /* 0: free */
    int64_t master_id;
    int64_t user_count;        /* whose Master it is */
    struct rate_bucket bucket; /* of all its keys without a pace of their own; under spend_lock */
    enum user_role role;
};

/* Three open-addressed tables with linear probing; all are at most half full. A key costs about 400 bytes of
 * memory with its share of them. */
struct keyring {
    pthread_rwlock_t lock;
    pthread_mutex_t spend_lock;
    struct digest *digest;
    struct key_slot *keys;
    struct id_slot *ids; /* key_cap of them, too */
    size_t key_cap, key_count;
    struct user_slot *users;
    size_t user_cap, user_count;
};

struct keyring *keyring_open(void)
{
    struct keyring *keyring = memory_zero(1, sizeof *keyring);
    int failed = pthread_rwlock_init(&keyring->lock, NULL);
    failed |= pthread_mutex_init(&keyring->spend_lock, NULL);
    assert(!failed);
    keyring->digest = digest_open();
    keyring->key_cap = keyring->user_cap = SLOTS_MIN;
    keyring->keys = memory_zero(keyring->key_cap, sizeof *keyring->keys);
    keyring->ids = memory_zero(keyring->key_cap, sizeof *keyring->ids);
    keyring->users = memory_zero(keyring->user_cap, sizeof *keyring->users);
    return keyring;
}

void keyring_close(struct keyring *keyring)
{
    if (!keyring)
        return;
    digest_close(keyring->digest);
    pthread_rwlock_destroy(&keyring->lock);
    pthread_mutex_destroy(&keyring->spend_lock);
    for (size_t i = 0; i < keyring->key_cap; i++)
        free(keyring->keys[i].networks);
    free(keyring->keys);
    free(keyring->ids);
    free(keyring->users);
    free(keyring);
}

/* The digest is uniform already: its first bytes are the hash. */
static size_t key_home(const unsigned char digest[DIGEST_LEN], size_t cap)
{
    uint64_t hash;
    memcpy(&hash, digest, sizeof hash);
    return (size_t)hash & (cap - 1);
}

static size_t id_home(int64_t id, size_t cap)
{
    uint64_t hash = (uint64_t)id * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(hash >> 32) & (cap - 1);
}

/* The key's slot, or the free one where it belongs. */
static struct key_slot *key_at(struct key_slot *keys, size_t cap, const unsigned char digest[DIGEST_LEN])
{
    size_t i = key_home(digest, cap);
    while (keys[i].key_id &&
           !bytes_equal_secret(bytes_make(keys[i].digest, DIGEST_LEN), bytes_make(digest, DIGEST_LEN)))
        i = (i + 1) & (cap - 1);
    return &keys[i];
}

static struct user_slot *user_at(struct user_slot *users, size_t cap, int64_t user_id)
{
    size_t i = id_home(user_id, cap);
    while (users[i].user_id && users[i].user_id != user_id)
        i = (i + 1) & (cap - 1);
    return &users[i];
}

static struct id_slot *id_at(struct id_slot *ids, size_t cap, int64_t key_id)
{
    size_t i = id_home(key_id, cap);
    while (ids[i].key_id && ids[i].key_id != key_id)
        i = (i + 1) & (cap - 1);
    return &ids[i];
}

static void grow_keys(struct keyring *keyring)
{
    size_t cap = keyring->key_cap * 2;
    struct key_slot *keys = memory_zero(cap, sizeof *keys);
    struct id_slot *ids = memory_zero(cap, sizeof *ids);
    for (size_t i = 0; i < keyring->key_cap; i++) {
        if (keyring->keys[i].key_id)
            *key_at(keys, cap, keyring->keys[i].digest) = keyring->keys[i];
        if (keyring->ids[i].key_id)
            *id_at(ids, cap, keyring->ids[i].key_id) = keyring->ids[i];
    }
    free(keyring->keys);
    free(keyring->ids);
    keyring->keys = keys;
    keyring->ids = ids;
    keyring->key_cap = cap;
}

static void grow_users(struct keyring *keyring)
{
    size_t cap = keyring->user_cap * 2;
    struct user_slot *users = memory_zero(cap, sizeof *users);
    for (size_t i = 0; i < keyring->user_cap; i++)
        if (keyring->users[i].user_id)
            *user_at(users, cap, keyring->users[i].user_id) = keyring->users[i];
    free(keyring->users);
    keyring->users = users;
    keyring->user_cap = cap;
}

/* Each user once: nobody's role or Master ever changes. */
void keyring_put_user(struct keyring *keyring, int64_t user_id, enum user_role role, int64_t master_id)
{
    if (user_id <= 0) /* a damaged row: nobody has this id */
        return;
    pthread_rwlock_wrlock(&keyring->lock);
    if ((keyring->user_count + 1) * 2 > keyring->user_cap)
        grow_users(keyring);
    struct user_slot *slot = user_at(keyring->users, keyring->user_cap, user_id);
    bool is_new = slot->user_id == 0;
    keyring->user_count += is_new;
    slot->user_id = user_id;
    slot->master_id = master_id;
    slot->role = role;
    struct user_slot *master = user_at(keyring->users, keyring->user_cap, master_id);
    if (is_new && master_id > 0 && master->user_id)
        master->user_count++;
    pthread_rwlock_unlock(&keyring->lock);
}

int64_t keyring_user_count(struct keyring *keyring, int64_t master_id)
{
    pthread_rwlock_rdlock(&keyring->lock);
    int64_t count = user_at(keyring->users, keyring->user_cap, master_id)->user_count;
    pthread_rwlock_unlock(&keyring->lock);
    return count;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool digest_from_hex(const char *hex, unsigned char digest[DIGEST_LEN])
{
    for (size_t i = 0; i < DIGEST_LEN; i++) {
        int high = hex_value(hex[2 * i]);
        int low = high < 0 ? -1 : hex_value(hex[2 * i + 1]);
        if (low < 0)
            return false;
        digest[i] = (unsigned char)(high << 4 | low);
    }
    return hex[DIGEST_HEX_LEN] == '\0';
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
    struct key_slot made = {.key_id = key->id, .user_id = key->user_id, .rate_per_s = key->rate_per_s};
    struct network networks[KEYRING_NETWORKS_MAX];
    int count = keyring_read_networks(key->allow_from, networks);
    if (count < 0 || !digest_from_hex(key->digest, made.digest))
        return false;
    made.networks = copy_networks(networks, count, key->allow_from);
    pthread_rwlock_wrlock(&keyring->lock);
    if ((keyring->key_count + 1) * 2 > keyring->key_cap)
        grow_keys(keyring);
    struct key_slot *slot = key_at(keyring->keys, keyring->key_cap, made.digest);
    keyring->key_count += slot->key_id == 0;
    free(slot->networks);
    made.bucket = slot->bucket; /* new terms do not fill it */
    *slot = made;
    struct id_slot *id = id_at(keyring->ids, keyring->key_cap, key->id);
    id->key_id = key->id;
    memcpy(id->digest, made.digest, DIGEST_LEN);
    pthread_rwlock_unlock(&keyring->lock);
    return true;
}

/* Is what stands at `i` not to move up into the gap? Its home lies between the two. */
static bool stays(size_t i, size_t gap, size_t home, size_t mask)
{
    return ((i - home) & mask) < ((i - gap) & mask);
}

/* Slots behind the gap move up, so that no search ends early and no tombstones are needed. */
static void close_key_gap(struct keyring *keyring, size_t gap)
{
    size_t mask = keyring->key_cap - 1;
    struct key_slot *keys = keyring->keys;
    for (size_t i = (gap + 1) & mask; keys[i].key_id; i = (i + 1) & mask) {
        if (stays(i, gap, key_home(keys[i].digest, keyring->key_cap), mask))
            continue;
        keys[gap] = keys[i];
        gap = i;
    }
    keys[gap] = (struct key_slot){0};
}

static void close_id_gap(struct keyring *keyring, size_t gap)
{
    size_t mask = keyring->key_cap - 1;
    struct id_slot *ids = keyring->ids;
    for (size_t i = (gap + 1) & mask; ids[i].key_id; i = (i + 1) & mask) {
        if (stays(i, gap, id_home(ids[i].key_id, keyring->key_cap), mask))
            continue;
        ids[gap] = ids[i];
        gap = i;
    }
    ids[gap] = (struct id_slot){0};
}

static struct key_slot *key_by_id(struct keyring *keyring, int64_t key_id)
{
    const struct id_slot *id = key_id > 0 ? id_at(keyring->ids, keyring->key_cap, key_id) : NULL;
    return id && id->key_id ? key_at(keyring->keys, keyring->key_cap, id->digest) : NULL;
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
    struct key_slot *slot = key_by_id(keyring, key->id);
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
    struct key_slot *slot = key_by_id(keyring, key_id);
    if (slot) {
        free(slot->networks);
        close_key_gap(keyring, (size_t)(slot - keyring->keys));
        close_id_gap(keyring, (size_t)(id_at(keyring->ids, keyring->key_cap, key_id) - keyring->ids));
        keyring->key_count--;
    }
    pthread_rwlock_unlock(&keyring->lock);
}

int64_t keyring_key_user(struct keyring *keyring, int64_t key_id)
{
    pthread_rwlock_rdlock(&keyring->lock);
    const struct key_slot *slot = key_by_id(keyring, key_id);
    int64_t user_id = slot ? slot->user_id : 0;
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
    const struct key_slot *key = key_at(keyring->keys, keyring->key_cap, digest);
    if (!key->key_id)
        return KEYRING_UNKNOWN;
    const struct user_slot *owner = user_at(keyring->users, keyring->user_cap, key->user_id);
    if (!owner->user_id)
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
    const struct user_slot *user = user_at(keyring->users, keyring->user_cap, as_user);
    if (!user->user_id || (user != owner && user->master_id != owner->user_id))
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
    const struct key_slot *key = key_at(keyring->keys, keyring->key_cap, caller->digest);
    const struct key_networks *networks = key->networks;
    for (int i = 0; known && networks && i < networks->count; i++)
        admitted |= network_holds(&networks->list[i], address.ipv6, address.address);
    admitted |= key->key_id && !networks; /* the list was taken away meanwhile */
    pthread_rwlock_unlock(&keyring->lock);
    return admitted;
}

struct bytes keyring_allow_from(struct keyring *keyring, const struct caller *caller, struct arena *arena)
{
    struct bytes text = bytes_of("");
    pthread_rwlock_rdlock(&keyring->lock);
    const struct key_slot *key = key_at(keyring->keys, keyring->key_cap, caller->digest);
    if (key->key_id && key->networks)
        text = arena_copy(arena, key->networks->text);
    pthread_rwlock_unlock(&keyring->lock);
    return text;
}

struct rate_verdict keyring_spend(struct keyring *keyring, const struct caller *caller,
                                  const struct rate *rate, int64_t now_ms)
{
    struct rate_verdict verdict = {.allowed = true};
    pthread_rwlock_rdlock(&keyring->lock);
    struct key_slot *key = key_at(keyring->keys, keyring->key_cap, caller->digest);
    if (key->key_id) {
        struct user_slot *user = user_at(keyring->users, keyring->user_cap, key->user_id);
        pthread_mutex_lock(&keyring->spend_lock);
        verdict = rate_take(key->rate_per_s > 0 ? &key->bucket : &user->bucket, rate, now_ms);
        pthread_mutex_unlock(&keyring->spend_lock);
    }
    pthread_rwlock_unlock(&keyring->lock);
    return verdict;
}

bool keyring_may_see(struct keyring *keyring, const struct caller *caller, int64_t user_id)
{
    if (user_id <= 0)
        return false;
    if (user_id == caller->user_id)
        return true;
    if (caller->role != USER_MASTER)
        return false;
    pthread_rwlock_rdlock(&keyring->lock);
    const struct user_slot *user = user_at(keyring->users, keyring->user_cap, user_id);
    bool mine = user->user_id && user->master_id == caller->user_id;
    pthread_rwlock_unlock(&keyring->lock);
    return mine;
}
