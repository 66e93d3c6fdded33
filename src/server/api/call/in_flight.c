#include "in_flight.h"
#include <assert.h>
#include <string.h>

void in_flight_init(struct in_flight *keys)
{
    *keys = (struct in_flight){0};
    pthread_mutex_init(&keys->lock, NULL);
}

void in_flight_fini(struct in_flight *keys)
{
    for (int i = 0; i < IN_FLIGHT_BUCKETS; i++)
        assert(!keys->buckets[i]);
    pthread_mutex_destroy(&keys->lock);
}

/* The digest is uniform already: its first bytes are the hash. Where the key stands in its bucket, or could
 * stand. */
static struct in_flight_key **find(struct in_flight *keys, const struct in_flight_key *key)
{
    size_t hash;
    memcpy(&hash, key->digest, sizeof hash);
    struct in_flight_key **at = &keys->buckets[hash % IN_FLIGHT_BUCKETS];
    while (*at && memcmp((*at)->digest, key->digest, sizeof key->digest) != 0)
        at = &(*at)->next;
    return at;
}

enum in_flight_entry in_flight_enter(struct in_flight *keys, struct in_flight_key *key)
{
    enum in_flight_entry entry = IN_FLIGHT_ENTERED;
    pthread_mutex_lock(&keys->lock);
    struct in_flight_key **at = find(keys, key);
    if (*at)
        entry = (*at)->request == key->request ? IN_FLIGHT_OWN : IN_FLIGHT_TAKEN;
    else
        *at = key;
    pthread_mutex_unlock(&keys->lock);
    return entry;
}

void in_flight_leave(struct in_flight *keys, struct in_flight_key *key)
{
    pthread_mutex_lock(&keys->lock);
    struct in_flight_key **at = find(keys, key);
    assert(*at == key);
    *at = key->next;
    pthread_mutex_unlock(&keys->lock);
}
