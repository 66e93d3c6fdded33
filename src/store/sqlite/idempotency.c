#include "idempotency.h"
#include "memory.h"
#include "model.h"
#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

uint64_t idempotency_hash(const struct digest *digest, int64_t requester_id, struct bytes key)
{
    unsigned char text[sizeof requester_id + MODEL_KEY_LEN_MAX], out[DIGEST_LEN];
    uint64_t number = htole64((uint64_t)requester_id), hash;
    assert(key.len > 0 && key.len <= MODEL_KEY_LEN_MAX);
    memcpy(text, &number, sizeof number);
    memcpy(text + sizeof number, key.data, key.len);
    digest_sha256_by(digest, bytes_make((const char *)text, sizeof number + key.len), out);
    memcpy(&hash, out, sizeof hash);
    return le64toh(hash);
}

int64_t idempotency_bucket(uint64_t hash, int bits)
{
    return bits > 0 ? (int64_t)(hash >> (64 - bits)) : 0;
}

void idempotency_put(const struct idempotency_entry *entry, char out[IDEMPOTENCY_ENTRY_LEN])
{
    uint64_t numbers[] = {htole64(entry->hash), htole64((uint64_t)entry->event_id)};
    memcpy(out, numbers, IDEMPOTENCY_ENTRY_LEN);
}

struct idempotency_entry idempotency_get(const char stored[IDEMPOTENCY_ENTRY_LEN])
{
    uint64_t numbers[2];
    memcpy(numbers, stored, IDEMPOTENCY_ENTRY_LEN);
    return (struct idempotency_entry){.hash = le64toh(numbers[0]), .event_id = (int64_t)le64toh(numbers[1])};
}

/* ---- recent ---- */

enum { LISTS = 1 << 14, CAP_FIRST = 64 };

static int *head_of(const struct idempotency_recent *recent, uint64_t hash)
{
    return &recent->heads[hash % LISTS];
}

void idempotency_recent_fini(struct idempotency_recent *recent)
{
    free(recent->links);
    free(recent->heads);
    *recent = (struct idempotency_recent){0};
}

void idempotency_recent_add(struct idempotency_recent *recent, uint64_t hash, int64_t event_id)
{
    if (!recent->heads) {
        recent->heads = memory_alloc(LISTS * sizeof *recent->heads);
        memset(recent->heads, -1, LISTS * sizeof *recent->heads);
    }
    recent->links = memory_room(recent->links, recent->count, &recent->cap, sizeof *recent->links);
    int *head = head_of(recent, hash);
    recent->links[recent->count] = (struct idempotency_link){{hash, event_id}, *head};
    *head = recent->count++;
}

int idempotency_recent_find(const struct idempotency_recent *recent, uint64_t hash, int at)
{
    if (recent->count == 0)
        return -1;
    at = at < 0 ? *head_of(recent, hash) : recent->links[at].older;
    while (at >= 0 && recent->links[at].entry.hash != hash)
        at = recent->links[at].older;
    return at;
}

void idempotency_recent_cut(struct idempotency_recent *recent, int count)
{
    while (recent->count > count) {
        const struct idempotency_link *last = &recent->links[--recent->count];
        *head_of(recent, last->entry.hash) = last->older;
    }
}

/* ---- filter ---- */

/* A split block Bloom filter (Putze, Sanders, Singler; as in Parquet): a key has one bit in each word of one
 * block, so a look is a look at one place in memory. */
enum { WORDS = 8, KEYS_OF_BLOCK = 21 };

struct idempotency_filter {
    uint64_t block_count;
    uint32_t blocks[][WORDS];
};

int64_t idempotency_filter_size(int64_t keys)
{
    const struct idempotency_filter *filter = NULL;
    return (int64_t)sizeof *filter + (keys / KEYS_OF_BLOCK + 1) * (int64_t)sizeof *filter->blocks;
}

struct idempotency_filter *idempotency_filter_new(int64_t keys)
{
    struct idempotency_filter *filter = memory_zero(1, (size_t)idempotency_filter_size(keys));
    filter->block_count = (uint64_t)keys / KEYS_OF_BLOCK + 1;
    return filter;
}

void idempotency_filter_free(struct idempotency_filter *filter)
{
    free(filter);
}

/* The block by the upper half of the hash, the bits in it by the lower one. */
static uint64_t block_of(const struct idempotency_filter *filter, uint64_t hash)
{
    return (hash >> 32) * filter->block_count >> 32;
}

static uint32_t bit_of(uint64_t hash, int word)
{
    static const uint32_t odd[WORDS] = {0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d,
                                        0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};
    return 1u << ((uint32_t)hash * odd[word] >> 27);
}

void idempotency_filter_add(struct idempotency_filter *filter, uint64_t hash)
{
    uint32_t *block = filter->blocks[block_of(filter, hash)];
    for (int i = 0; i < WORDS; i++)
        block[i] |= bit_of(hash, i);
}

bool idempotency_filter_has(const struct idempotency_filter *filter, uint64_t hash)
{
    const uint32_t *block = filter->blocks[block_of(filter, hash)];
    uint32_t missing = 0;
    for (int i = 0; i < WORDS; i++)
        missing |= bit_of(hash, i) & ~block[i];
    return missing == 0;
}
