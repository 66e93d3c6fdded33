/*
 * store: the cost of one event in the store alone: accepted, born leased (or claimed), its attempt recorded.
 *
 *   store DIR [--batch N] [--events N] [--users N] [--claimed] [--no-resources] [--kept N] [--keys] [--purge]
 *
 * One thread, one batch after the other, each with N new events and the N outcomes of the batch before, as
 * the queue does it under load. CPU is user and system time of this thread; `written` is what it wrote, log
 * and all. --kept: so many events were there before. --keys: those have a random Idempotency-Key each, and
 * then events without and with one are measured in turns, and what an open costs. With --purge all of it goes
 * then, and what that costs is a second line.
 */
#include "store.h"
#include "body.h"
#include "memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KEYED_RUNS = 6, BATCH_MAX = 4096, BODY_LEN = 500, PURGE_ROWS = 512 };

struct bench {
    struct store *store;
    int batch, users;
    bool claimed, no_resources, purge, keyed;
    char (*keys)[40];           /* one an op */
    struct resource *snapshots; /* one an op */
    char (*resource_ids)[24];
    int64_t id;
    struct store_op *ops, **op_list;
    struct store_work *boxes, **box_list;
    int filled;
    char *document;
    size_t document_len;
    uint32_t stamp_offset;
};

static void check(bool right, const char *what)
{
    if (right)
        return;
    fprintf(stderr, "store bench: %s\n", what);
    exit(1);
}

static void write_batch(struct bench *bench, int ops, int boxes)
{
    struct store_batch batch = {
        .ops = bench->op_list, .op_count = ops, .boxes = bench->box_list, .box_count = boxes};
    check(store_sqlite.write(bench->store, &batch) == STORE_OK, "a write failed");
    bench->filled = batch.filled_count;
}

static void make_users(struct bench *bench)
{
    for (int i = 0; i < bench->users; i++) {
        bench->ops[0] = (struct store_op){
            .kind = STORE_USER_CREATE,
            .user.user = {.id = MODEL_USER_ID_FIRST + i,
                          .name = bytes_of("bench"),
                          .endpoint.url = bytes_of("http://127.0.0.1:3000/webhooks/bench")}};
        bench->ops[1] =
            (struct store_op){.kind = STORE_KEY_CREATE, .key = {.user_id = MODEL_USER_ID_FIRST + i}};
        snprintf(bench->ops[1].key.digest, sizeof bench->ops[1].key.digest, "%064d", i);
        write_batch(bench, 2, 0);
    }
}

static void make_document(struct bench *bench)
{
    static struct arena arena;
    struct text text;
    char included[BODY_LEN + 64];
    snprintf(included, sizeof included,
             "{\"type\":\"payments\",\"id\":\"7\",\"attributes\":{\"note\":\"%0*d\"}}", BODY_LEN - 64, 0);
    arena_init(&arena, 1 << 16);
    text_init(&text, &arena, 1 << 15);
    struct body_parts parts = {.event_type = bytes_of("payment_updated"),
                               .resource_type = bytes_of("payments"),
                               .resource_id = bytes_of("7"),
                               .included = bytes_of(included)};
    body_render(&text, &parts, &bench->stamp_offset);
    bench->document = text.data;
    bench->document_len = text.len;
}

/* A resource of its own for every fourth event of a user, each with the same snapshot. */
static void put_snapshot(struct bench *bench, struct store_op *op, int64_t id)
{
    ptrdiff_t at = op - bench->ops;
    struct bytes document = op->event.event.document;
    const char *json = strstr(document.data, "\"included\":[");
    check(json != NULL, "the document includes nothing");
    snprintf(bench->resource_ids[at], sizeof bench->resource_ids[at], "%lld",
             (long long)(id / (bench->users * 4)) * bench->users + id % bench->users);
    op->event.event.resource_id = bytes_of(bench->resource_ids[at]);
    json += strlen("\"included\":[");
    bench->snapshots[at] =
        (struct resource){.type = op->event.event.resource_type,
                          .id = op->event.event.resource_id,
                          .json = bytes_make(json, document.len - (size_t)(json - document.data) - 2)};
    op->event.included = &bench->snapshots[at];
    op->event.included_count = 1;
}

static void put_event(struct bench *bench, struct store_op *op)
{
    int64_t id = bench->id++;
    *op = (struct store_op){.kind = STORE_EVENT,
                            .event.event = {.owner_id = MODEL_USER_ID_FIRST + id % bench->users,
                                            .event_type = bytes_of("payment_updated"),
                                            .resource_type = bytes_of("payments"),
                                            .resource_id = bytes_of("7"),
                                            .created_at_ms = 1700000000000,
                                            .received_at_ms = 1700000000000,
                                            .document = bytes_make(bench->document, bench->document_len),
                                            .stamp_offset = bench->stamp_offset}};
    if (!bench->no_resources)
        put_snapshot(bench, op, id);
    if (bench->keyed) {
        char *key = bench->keys[op - bench->ops];
        uint64_t mixed = (uint64_t)id * 0x9E3779B97F4A7C15u;
        mixed = (mixed ^ mixed >> 31) * 0xBF58476D1CE4E5B9u;
        snprintf(key, sizeof bench->keys[0], "%016llx-372b-4bb6-8cd8-%06d", (unsigned long long)mixed,
                 (int)(id % 1000000));
        op->event.idempotency_key = bytes_of(key);
        op->event.requester_id = MODEL_USER_ID_FIRST;
    }
}

static void put_outcome(const struct store_work *box, struct store_op *op)
{
    *op = (struct store_op){.kind = STORE_OUTCOME,
                            .outcome = {.delivery_id = box->delivery_id,
                                        .lease = box->lease,
                                        .decision = {.kind = DECISION_DELIVERED},
                                        .answered = true,
                                        .attempt = {.attempt = 1,
                                                    .started_at_ms = box->sent_at_ms,
                                                    .duration_ms = 3,
                                                    .status = 200,
                                                    .counted = true,
                                                    .reused_connection = true,
                                                    .address = bytes_of("127.0.0.1:3000"),
                                                    .response = bytes_of("{\"status\":\"success\"}")}}};
}

static void round_of(struct bench *bench)
{
    int ops = bench->filled;
    for (int i = 0; i < bench->filled; i++)
        put_outcome(&bench->boxes[i], &bench->ops[i]);
    for (int i = 0; i < bench->batch; i++)
        put_event(bench, &bench->ops[ops++]);
    write_batch(bench, ops, bench->claimed ? 0 : BATCH_MAX);
    if (bench->claimed)
        write_batch(bench, 0, BATCH_MAX);
    check(bench->filled <= 2 * bench->batch, "more boxes were filled than there are events");
}

/* Bytes that this process has written. */
static int64_t written_bytes(void)
{
    char line[64];
    long long bytes = 0;
    FILE *io = fopen("/proc/self/io", "r");
    while (io && fgets(line, sizeof line, io))
        if (sscanf(line, "wchar: %lld", &bytes) == 1)
            break;
    if (io)
        fclose(io);
    return bytes;
}

static void measure(struct bench *bench, int64_t events)
{
    struct clock clock = clock_system();
    int64_t first = bench->id, written = written_bytes(), started_ms = clock_mono_ms(&clock);
    int64_t cpu_us = clock_thread_cpu_us();
    while (bench->id - first < events)
        round_of(bench);
    cpu_us = clock_thread_cpu_us() - cpu_us;
    int64_t wall_ms = clock_mono_ms(&clock) - started_ms;
    events = bench->id - first;
    printf("{\"batch\":%d,\"claimed\":%s,\"keys\":%s,\"events\":%lld,\"cpu_us_per_event\":%.2f,"
           "\"written_per_event\":%.0f,\"events_per_s\":%.0f,\"document_bytes\":%zu}\n",
           bench->batch, bench->claimed ? "true" : "false", bench->keyed ? "true" : "false",
           (long long)events, (double)cpu_us / (double)events,
           (double)(written_bytes() - written) / (double)events,
           1000.0 * (double)events / (double)(wall_ms ? wall_ms : 1), bench->document_len);
}

static void reopen(struct bench *bench, const struct store_config *config)
{
    store_sqlite.close(bench->store);
    int64_t cpu_us = clock_thread_cpu_us();
    check(store_sqlite.open(config, &bench->store) == STORE_OK, "the store did not open again");
    printf("{\"open_cpu_ms\":%.1f}\n", (double)(clock_thread_cpu_us() - cpu_us) / 1000);
}

static void purge(struct bench *bench)
{
    int64_t cpu_us = clock_thread_cpu_us(), gone = 0;
    while (bench->filled > 0) { /* the last ones */
        int ops = bench->filled;
        for (int i = 0; i < ops; i++)
            put_outcome(&bench->boxes[i], &bench->ops[i]);
        write_batch(bench, ops, 0);
    }
    do {
        bench->ops[0] = (struct store_op){
            .kind = STORE_PURGE,
            .purge = {.before_ms = INT64_MAX, .resources_before_ms = 1, .rows_max = PURGE_ROWS}};
        write_batch(bench, 1, 0);
        gone += bench->ops[0].count;
    } while (bench->ops[0].purge.more);
    printf("{\"purged\":%lld,\"cpu_us_per_event\":%.2f}\n", (long long)gone,
           (double)(clock_thread_cpu_us() - cpu_us) / (double)(gone ? gone : 1));
}

int main(int argc, char **argv)
{
    check(argc >= 2,
          "usage: store DIR [--batch N] [--events N] [--users N] [--claimed] [--no-resources] [--kept N]"
          " [--keys] [--purge]");
    struct bench bench = {.batch = 256, .users = 50, .id = 1};
    int64_t events = 100000, kept = 0;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--claimed") == 0)
            bench.claimed = true;
        else if (strcmp(argv[i], "--no-resources") == 0)
            bench.no_resources = true;
        else if (strcmp(argv[i], "--purge") == 0)
            bench.purge = true;
        else if (strcmp(argv[i], "--users") == 0 && i + 1 < argc)
            bench.users = atoi(argv[++i]);
        else if (strcmp(argv[i], "--keys") == 0)
            bench.keyed = true;
        else if (strcmp(argv[i], "--kept") == 0 && i + 1 < argc)
            kept = atoll(argv[++i]);
        else if (strcmp(argv[i], "--batch") == 0 && i + 1 < argc)
            bench.batch = atoi(argv[++i]);
        else if (strcmp(argv[i], "--events") == 0 && i + 1 < argc)
            events = atoll(argv[++i]);
    }
    check(bench.batch > 0 && bench.batch <= BATCH_MAX / 2, "--batch: 1 to 2048");
    check(bench.users > 0, "--users: 1 or more");
    char path[1024];
    snprintf(path, sizeof path, "%s/store-bench.db", argv[1]);
    check(access(path, F_OK) != 0, "DIR/store-bench.db is there already");
    struct store_config config = {
        .path = path, .clock = clock_system(), .lease_ms = 120000, .pace = pace_default()};
    check(store_sqlite.open(&config, &bench.store) == STORE_OK, "the store did not open");
    bench.ops = memory_zero(2 * BATCH_MAX, sizeof *bench.ops);
    bench.op_list = memory_zero(2 * BATCH_MAX, sizeof *bench.op_list);
    bench.snapshots = memory_zero(2 * BATCH_MAX, sizeof *bench.snapshots);
    bench.keys = memory_zero(2 * BATCH_MAX, sizeof *bench.keys);
    bench.resource_ids = memory_zero(2 * BATCH_MAX, sizeof *bench.resource_ids);
    bench.boxes = memory_zero(BATCH_MAX, sizeof *bench.boxes);
    bench.box_list = memory_zero(BATCH_MAX, sizeof *bench.box_list);
    for (int i = 0; i < 2 * BATCH_MAX; i++)
        bench.op_list[i] = &bench.ops[i];
    for (int i = 0; i < BATCH_MAX; i++) {
        bench.box_list[i] = &bench.boxes[i];
        arena_init(&bench.boxes[i].memory, 1 << 16);
    }
    make_document(&bench);
    make_users(&bench);
    int batch = bench.batch;
    bench.batch = kept > 0 ? BATCH_MAX / 2 : batch;
    while (bench.id < kept)
        round_of(&bench);
    bench.batch = batch;
    for (int i = 0; i < 20; i++) /* warm: endpoints proven, caches filled */
        round_of(&bench);
    bool keyed = bench.keyed;
    for (int run = 0; run < (keyed ? KEYED_RUNS : 1); run++) {
        bench.keyed = run % 2;
        measure(&bench, events);
    }
    if (bench.purge)
        purge(&bench);
    if (keyed)
        reopen(&bench, &config);
    store_sqlite.close(bench.store);
    return 0;
}
