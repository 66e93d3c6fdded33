/*
 * Runs of Idempotency-Keys: entries of a hash and an event, in buckets by the first bits of the hash, each
 * bucket a row and all rows of a run next to each other. A run is never changed. FAN_IN runs of a level are
 * merged into one of the next, a step at a time, so that a look asks few of them; most answer by a filter in
 * memory. A merged run is not read before it is whole, and those that it is made of are read until then; then
 * they are dead, and their rows are removed a step at a time.
 */
#include "memory.h"
#include "sqlite_parts.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUCKET_KEYS = 64,  /* about a KiB a row */
    FAN_IN = 16,       /* runs that are merged into one */
    STEP_BUCKETS = 16, /* that a step of a merge writes: 1,024 keys */
    STEP_ROWS = 256,   /* that a step removes */
    STORED_MAX = 144,  /* a server leaves 128 or so */
    LEVELS_MAX = 4,    /* a run of the last has a thousand million keys */
    BITS_MAX = 26,
    ENTRIES_LEN_MAX = 64 * 1024, /* of a row; more is damage */
    FORGOTTEN = -1               /* into: it goes, and into nothing */
};

static bool is_whole(const struct idempotency_run *run)
{
    return run->built == (int64_t)1 << run->bits;
}

static struct idempotency_run *run_of(struct store *store, int64_t id)
{
    for (int i = 0; i < store->idempotency.run_count; i++)
        if (store->idempotency.runs[i].id == id)
            return &store->idempotency.runs[i];
    return NULL;
}

static bool is_growing(const struct idempotency_run *run)
{
    return run->into == 0 && !is_whole(run);
}

/* Nobody reads it any more. Of what a merged run is made of: once that is whole, or gone by now. */
static bool is_dead(struct store *store, const struct idempotency_run *run)
{
    if (run->into <= 0)
        return run->into == FORGOTTEN;
    const struct idempotency_run *into = run_of(store, run->into);
    return !into || !is_growing(into);
}

/* After each change. */
static void settle(struct store *store)
{
    for (int i = 0; i < store->idempotency.run_count; i++) {
        struct idempotency_run *run = &store->idempotency.runs[i];
        run->is_read = !is_growing(run) && !is_dead(store, run);
    }
}

/* Before the first change of a batch, which may be undone. Filters that are given up go with the commit. */
static void touch(struct store *store)
{
    struct idempotency *idempotency = &store->idempotency;
    if (idempotency->touched)
        return;
    memcpy(idempotency->before, idempotency->runs,
           (size_t)idempotency->run_count * sizeof *idempotency->runs);
    idempotency->before_count = idempotency->run_count;
    idempotency->touched = true;
}

static void free_filters(const struct idempotency_run *runs, int count, const struct idempotency_run *kept,
                         int kept_count)
{
    for (int i = 0; i < count; i++) {
        bool keep = false;
        for (int j = 0; j < kept_count; j++)
            keep = keep || kept[j].filter == runs[i].filter;
        if (!keep)
            idempotency_filter_free(runs[i].filter);
    }
}

void sqlite_runs_committed(struct store *store)
{
    struct idempotency *idempotency = &store->idempotency;
    if (idempotency->touched)
        free_filters(idempotency->before, idempotency->before_count, idempotency->runs,
                     idempotency->run_count);
    idempotency->touched = false;
}

void sqlite_runs_undo(struct store *store)
{
    struct idempotency *idempotency = &store->idempotency;
    if (!idempotency->touched)
        return;
    free_filters(idempotency->runs, idempotency->run_count, idempotency->before, idempotency->before_count);
    memcpy(idempotency->runs, idempotency->before,
           (size_t)idempotency->before_count * sizeof *idempotency->runs);
    idempotency->run_count = idempotency->before_count;
    idempotency->touched = false;
}

/* A batch that broke the store was neither committed nor undone: filters that it gave up are still there. */
void sqlite_runs_fini(struct store *store)
{
    sqlite_runs_committed(store);
    free_filters(store->idempotency.runs, store->idempotency.run_count, NULL, 0);
}

/* At once, unless the batch could still be undone to where it is needed. */
static void drop_filter(struct store *store, struct idempotency_run *run)
{
    struct idempotency *idempotency = &store->idempotency;
    free_filters(run, 1, idempotency->before, idempotency->touched ? idempotency->before_count : 0);
    run->filter = NULL;
}

/* Memory for filters is bounded: the largest run does without, for it is one row to be read among many keys
 * that need none. */
static void give_filter(struct store *store, struct idempotency_run *run)
{
    struct idempotency *idempotency = &store->idempotency;
    for (;;) {
        struct idempotency_run *largest = run;
        int64_t size = idempotency_filter_size(run->keys);
        for (int i = 0; i < idempotency->run_count; i++) {
            struct idempotency_run *other = &idempotency->runs[i];
            size += other->filter ? idempotency_filter_size(other->keys) : 0;
            largest = other->filter && other->keys > largest->keys ? other : largest;
        }
        if (size <= idempotency->filters_size_max) {
            run->filter = idempotency_filter_new(run->keys);
            return;
        }
        if (largest == run)
            return;
        drop_filter(store, largest);
    }
}

static struct idempotency_run *add_run(struct store *store, int level, int64_t keys, int64_t received_last_ms)
{
    struct idempotency *idempotency = &store->idempotency;
    assert(idempotency->run_count < IDEMPOTENCY_RUNS_MAX);
    int64_t last_id = idempotency->run_count ? idempotency->runs[idempotency->run_count - 1].id : 0;
    struct idempotency_run *run = &idempotency->runs[idempotency->run_count++];
    *run = (struct idempotency_run){
        .id = last_id + 1, .level = level, .keys = keys, .received_last_ms = received_last_ms};
    while (((int64_t)BUCKET_KEYS << run->bits) < keys && run->bits < BITS_MAX)
        run->bits++;
    give_filter(store, run);
    return run;
}

static enum store_status insert_run(struct store *store, const struct idempotency_run *run)
{
    return sqlite_run_ints(
        store, SQL_IDEMPOTENCY_RUN_INSERT,
        SQLITE_INTS(run->id, run->level, run->bits, run->built, run->keys, run->received_last_ms, run->into));
}

static enum store_status update_run(struct store *store, const struct idempotency_run *run)
{
    return sqlite_run_ints(store, SQL_IDEMPOTENCY_RUN_UPDATE, SQLITE_INTS(run->id, run->built, run->into));
}

/* ---- entries ---- */

struct entries {
    struct idempotency_entry *list;
    int count, cap;
};

static void entries_add(struct entries *entries, const struct idempotency_entry *entry)
{
    entries->list = memory_room(entries->list, entries->count, &entries->cap, sizeof *entries->list);
    entries->list[entries->count++] = *entry;
}

/* Where the rows of this run's buckets are, from this one on. */
static int64_t row_of(const struct idempotency_run *run, int64_t bucket)
{
    return run->id << IDEMPOTENCY_RUN_SHIFT | bucket;
}

/* The row as it is stored. False: a damaged one, in which nothing is found. */
static bool row_entries(sqlite3_stmt *rows, struct bytes *stored)
{
    *stored = sqlite_text(rows, 1);
    return stored->len % IDEMPOTENCY_ENTRY_LEN == 0 && stored->len <= ENTRIES_LEN_MAX;
}

/* The entries of the next `count` buckets; each stays behind those that came before it. */
static enum store_status write_buckets(struct store *store, struct idempotency_run *run, int count,
                                       const struct entries *entries)
{
    sqlite3_stmt *insert = store->sql[SQL_IDEMPOTENCY_ENTRIES_INSERT];
    int *ends = memory_zero((size_t)count + 1, sizeof *ends);
    char *sorted = memory_alloc((size_t)entries->count * IDEMPOTENCY_ENTRY_LEN + 1);
    for (int i = 0; i < entries->count; i++)
        ends[idempotency_bucket(entries->list[i].hash, run->bits) - run->built + 1]++;
    for (int i = 1; i <= count; i++)
        ends[i] += ends[i - 1];
    for (int i = 0; i < entries->count; i++) { /* the start of each moves to its end */
        uint64_t hash = entries->list[i].hash;
        int at = ends[idempotency_bucket(hash, run->bits) - run->built]++;
        idempotency_put(&entries->list[i], sorted + (size_t)at * IDEMPOTENCY_ENTRY_LEN);
        if (run->filter)
            idempotency_filter_add(run->filter, hash);
    }
    enum store_status status = STORE_OK;
    for (int i = 0; i < count && status == STORE_OK; i++) {
        int start = i ? ends[i - 1] : 0;
        if (ends[i] == start)
            continue;
        sqlite3_bind_int64(insert, 1, row_of(run, run->built + i));
        sqlite3_bind_blob(insert, 2, sorted + (size_t)start * IDEMPOTENCY_ENTRY_LEN,
                          (ends[i] - start) * IDEMPOTENCY_ENTRY_LEN, SQLITE_STATIC);
        status = sqlite_run(store, SQL_IDEMPOTENCY_ENTRIES_INSERT);
    }
    run->built += count;
    free(ends);
    free(sorted);
    return status;
}

/* ---- looking and writing ---- */

enum store_status sqlite_runs_row(struct store *store, const struct idempotency_run *run, uint64_t hash,
                                  struct bytes *stored, bool *found)
{
    sqlite3_stmt *get = store->sql[SQL_IDEMPOTENCY_ENTRIES_GET];
    int64_t row = row_of(run, idempotency_bucket(hash, run->bits));
    sqlite_bind_ints(get, SQLITE_INTS(row, row));
    enum store_status status = sqlite_row(store, SQL_IDEMPOTENCY_ENTRIES_GET, found);
    if (*found && !row_entries(get, stored))
        *stored = (struct bytes){0};
    return status;
}

enum store_status sqlite_runs_write(struct store *store)
{
    struct idempotency *idempotency = &store->idempotency;
    struct entries entries = {0};
    touch(store);
    for (int i = 0; i < store->counts.idempotency_count; i++)
        entries_add(&entries, &idempotency->recent.links[i].entry);
    struct idempotency_run *run = add_run(store, 0, entries.count, idempotency->received_last_ms);
    enum store_status status = write_buckets(store, run, 1 << run->bits, &entries);
    free(entries.list);
    settle(store);
    return status ?: insert_run(store, run);
}

/* ---- steps ---- */

/* The rows of dead runs, from their ends. */
static enum store_status remove_dead(struct store *store, bool *worked)
{
    struct idempotency *idempotency = &store->idempotency;
    enum store_status status = STORE_OK;
    int64_t left = STEP_ROWS;
    for (int i = 0; i < idempotency->run_count && left > 0 && status == STORE_OK; i++) {
        struct idempotency_run *run = &idempotency->runs[i];
        if (!is_dead(store, run))
            continue;
        int64_t from = run->built > left ? run->built - left : 0;
        status = sqlite_run_ints(store, SQL_IDEMPOTENCY_ENTRIES_DELETE,
                                 SQLITE_INTS(row_of(run, from), row_of(run, run->built)));
        left -= run->built - from;
        run->built = from;
        *worked = true;
        if (status != STORE_OK)
            break;
        if (from > 0) {
            status = update_run(store, run);
            continue;
        }
        status = sqlite_run_ints(store, SQL_IDEMPOTENCY_RUN_DELETE, SQLITE_INTS(run->id));
        drop_filter(store, run);
        idempotency->run_count--;
        memmove(run, run + 1, (size_t)(idempotency->run_count - i) * sizeof *run);
        i--;
    }
    return status;
}

/* The FAN_IN oldest of this level. */
static enum store_status begin_merge(struct store *store, int level, struct idempotency_run **into)
{
    struct idempotency *idempotency = &store->idempotency;
    struct idempotency_run *sources[FAN_IN];
    int64_t keys = 0, received_last_ms = 0;
    int count = 0;
    for (int i = 0; i < idempotency->run_count && count < FAN_IN; i++) {
        struct idempotency_run *run = &idempotency->runs[i];
        if (run->level != level || run->into != 0 || !is_whole(run))
            continue;
        sources[count++] = run;
        keys += run->keys;
        received_last_ms =
            run->received_last_ms > received_last_ms ? run->received_last_ms : received_last_ms;
    }
    *into = add_run(store, level + 1, keys, received_last_ms);
    enum store_status status = insert_run(store, *into);
    for (int i = 0; i < count && status == STORE_OK; i++) {
        sources[i]->into = (*into)->id;
        status = update_run(store, sources[i]);
    }
    return status;
}

/* The run that is to grow: of the lowest level, so that a large merge does not hold up small ones. */
static enum store_status next_merge(struct store *store, struct idempotency_run **into)
{
    struct idempotency *idempotency = &store->idempotency;
    int merged[LEVELS_MAX + 1] = {0};
    struct idempotency_run *growing[LEVELS_MAX + 1] = {NULL};
    for (int i = 0; i < idempotency->run_count; i++) {
        struct idempotency_run *run = &idempotency->runs[i];
        if (is_growing(run))
            growing[run->level] = run;
        else
            merged[run->level] += run->into == 0;
    }
    *into = NULL;
    for (int level = 0; level < LEVELS_MAX; level++) {
        *into = growing[level + 1];
        if (*into)
            return STORE_OK;
        if (merged[level] >= FAN_IN)
            return begin_merge(store, level, into);
    }
    return STORE_OK;
}

/* The entries of a run whose hashes are in this range. */
static enum store_status read_range(struct store *store, const struct idempotency_run *run, uint64_t first,
                                    uint64_t last, struct entries *entries)
{
    sqlite3_stmt *get = store->sql[SQL_IDEMPOTENCY_ENTRIES_GET];
    struct bytes stored;
    sqlite_bind_ints(get, SQLITE_INTS(row_of(run, idempotency_bucket(first, run->bits)),
                                      row_of(run, idempotency_bucket(last, run->bits))));
    while (sqlite3_step(get) == SQLITE_ROW) {
        if (!row_entries(get, &stored))
            continue;
        for (size_t at = 0; at < stored.len; at += IDEMPOTENCY_ENTRY_LEN) {
            struct idempotency_entry entry = idempotency_get(stored.data + at);
            if (entry.hash >= first && entry.hash <= last)
                entries_add(entries, &entry);
        }
    }
    return sqlite_rows_end(store, get, STORE_OK);
}

/* The next buckets of a run that grows, from those that are merged into it, the oldest first. */
static enum store_status grow(struct store *store, struct idempotency_run *into)
{
    struct idempotency *idempotency = &store->idempotency;
    struct entries entries = {0};
    int count = into->bits < 4 ? 1 << into->bits : STEP_BUCKETS;
    int shift = 64 - into->bits;
    uint64_t first = into->bits ? (uint64_t)into->built << shift : 0;
    uint64_t last = into->built + count == (int64_t)1 << into->bits
                        ? UINT64_MAX
                        : ((uint64_t)(into->built + count) << shift) - 1;
    enum store_status status = STORE_OK;
    for (int i = 0; i < idempotency->run_count && status == STORE_OK; i++)
        if (idempotency->runs[i].into == into->id)
            status = read_range(store, &idempotency->runs[i], first, last, &entries);
    if (status == STORE_OK)
        status = write_buckets(store, into, count, &entries);
    free(entries.list);
    return status ?: update_run(store, into);
}

enum store_status sqlite_runs_step(struct store *store, bool *worked)
{
    struct idempotency_run *into = NULL;
    *worked = false;
    touch(store);
    enum store_status status = remove_dead(store, worked);
    if (status == STORE_OK && !*worked)
        status = next_merge(store, &into);
    if (status == STORE_OK && into) {
        status = grow(store, into);
        *worked = true;
    }
    settle(store);
    store->changed = store->changed || *worked;
    return status;
}

enum store_status sqlite_runs_forget(struct store *store, int64_t before_ms, bool *dead)
{
    struct idempotency *idempotency = &store->idempotency;
    enum store_status status = STORE_OK;
    *dead = false;
    for (int i = 0; i < idempotency->run_count && status == STORE_OK; i++) {
        struct idempotency_run *run = &idempotency->runs[i];
        if (run->into == 0 && run->received_last_ms < before_ms) {
            touch(store);
            run->into = FORGOTTEN;
            status = update_run(store, run);
        }
        *dead = *dead || is_dead(store, run);
    }
    settle(store);
    return status;
}

/* ---- open ---- */

/* False: no server wrote this row. */
static bool load_run(struct store *store, sqlite3_stmt *row)
{
    struct idempotency *idempotency = &store->idempotency;
    int64_t numbers[7];
    for (int i = 0; i < 7; i++) {
        if (sqlite3_column_type(row, i) != SQLITE_INTEGER)
            return false;
        numbers[i] = sqlite3_column_int64(row, i);
    }
    if (idempotency->run_count == STORED_MAX || numbers[0] <= 0 ||
        numbers[0] >> (62 - IDEMPOTENCY_RUN_SHIFT) || numbers[1] < 0 || numbers[1] > LEVELS_MAX ||
        numbers[2] < 0 || numbers[2] > BITS_MAX || numbers[3] < 0 || numbers[3] > (int64_t)1 << numbers[2] ||
        numbers[4] < 0 || numbers[4] > (int64_t)BUCKET_KEYS << numbers[2] || numbers[6] < FORGOTTEN ||
        numbers[6] == numbers[0])
        return false;
    struct idempotency_run *run = &idempotency->runs[idempotency->run_count++];
    *run = (struct idempotency_run){.id = numbers[0],
                                    .level = (int)numbers[1],
                                    .bits = (int)numbers[2],
                                    .built = numbers[3],
                                    .keys = numbers[4],
                                    .received_last_ms = numbers[5],
                                    .into = numbers[6]};
    return true;
}

/* The filter, from the entries. *sound: they are as they were written. */
static enum store_status load_filter(struct store *store, struct idempotency_run *run, bool *sound)
{
    sqlite3_stmt *get = store->sql[SQL_IDEMPOTENCY_ENTRIES_GET];
    int64_t keys = 0;
    struct bytes stored;
    give_filter(store, run);
    if (!run->filter)
        return STORE_OK;
    sqlite_bind_ints(get, SQLITE_INTS(row_of(run, 0), row_of(run, run->built) - 1));
    while (*sound && sqlite3_step(get) == SQLITE_ROW) {
        *sound = row_entries(get, &stored);
        keys += (int64_t)(stored.len / IDEMPOTENCY_ENTRY_LEN);
        for (size_t at = 0; *sound && at < stored.len; at += IDEMPOTENCY_ENTRY_LEN) {
            uint64_t hash = idempotency_get(stored.data + at).hash;
            *sound = row_of(run, idempotency_bucket(hash, run->bits)) == sqlite3_column_int64(get, 0);
            idempotency_filter_add(run->filter, hash);
        }
    }
    *sound = *sound && (is_growing(run) ? keys <= run->keys : keys == run->keys);
    return sqlite_rows_end(store, get, STORE_OK);
}

/* All that a run grows from is there. */
static bool has_sources(const struct store *store, const struct idempotency_run *run)
{
    int64_t keys = 0;
    for (int i = 0; i < store->idempotency.run_count; i++)
        if (store->idempotency.runs[i].into == run->id)
            keys += store->idempotency.runs[i].keys;
    return keys == run->keys && run->level > 0;
}

enum store_status sqlite_runs_load(struct store *store, bool *sound)
{
    struct idempotency *idempotency = &store->idempotency;
    sqlite3_stmt *load = store->sql[SQL_IDEMPOTENCY_RUN_LOAD];
    while (*sound && sqlite3_step(load) == SQLITE_ROW)
        *sound = load_run(store, load);
    enum store_status status = sqlite_rows_end(store, load, STORE_OK);
    for (int i = 0; i < idempotency->run_count && *sound; i++)
        *sound = !is_growing(&idempotency->runs[i]) || has_sources(store, &idempotency->runs[i]);
    settle(store);
    for (int i = 0; i < idempotency->run_count && status == STORE_OK && *sound; i++)
        if (!is_dead(store, &idempotency->runs[i]))
            status = load_filter(store, &idempotency->runs[i], sound);
    return status;
}

enum store_status sqlite_runs_clear(struct store *store)
{
    free_filters(store->idempotency.runs, store->idempotency.run_count, NULL, 0);
    store->idempotency.run_count = 0;
    return sqlite_run(store, SQL_IDEMPOTENCY_RUN_CLEAR) ?: sqlite_run(store, SQL_IDEMPOTENCY_ENTRIES_CLEAR);
}
