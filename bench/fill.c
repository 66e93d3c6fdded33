/*
 * fill: puts events into a store while no server runs, through the store's own contract, so that a bench need
 * not wait for a million POSTs.
 *
 *   fill --data DIR --user ID --count N [--body-bytes 700]
 */
#include "bench.h"
#include "body.h"
#include "store.h"
#include <string.h>
#include <unistd.h>

enum { BATCH = 1000 };

struct fill {
    struct store *store;
    struct clock clock;
    int64_t user_id;
    struct bytes included;
    struct arena arena; /* the documents of one batch */
    struct store_op ops[BATCH];
    struct store_op *pointers[BATCH];
};

static void one_event(struct fill *fill, int i)
{
    struct event *event = &fill->ops[i].event.event;
    struct body_parts parts = {.event_type = bytes_of("user_enabled"),
                               .created_at_ms = clock_wall_ms(&fill->clock),
                               .resource_type = bytes_of("users"),
                               .resource_id = bytes_of("7"),
                               .included = fill->included};
    struct text document;
    uint32_t stamp_offset;
    text_init(&document, &fill->arena, MODEL_BODY_LEN_MAX);
    body_render(&document, &parts, &stamp_offset);
    fill->ops[i].kind = STORE_EVENT;
    *event = (struct event){.owner_id = fill->user_id,
                            .event_type = parts.event_type,
                            .resource_type = parts.resource_type,
                            .resource_id = parts.resource_id,
                            .created_at_ms = parts.created_at_ms,
                            .received_at_ms = parts.created_at_ms,
                            .document = text_bytes(&document),
                            .stamp_offset = stamp_offset};
    fill->pointers[i] = &fill->ops[i];
}

static void one_batch(struct fill *fill, int count)
{
    memset(fill->ops, 0, sizeof fill->ops);
    arena_reset(&fill->arena);
    for (int i = 0; i < count; i++)
        one_event(fill, i);
    struct store_batch batch = {.ops = fill->pointers, .op_count = count};
    enum store_status status = store_sqlite.write(fill->store, &batch);
    if (status != STORE_OK || fill->ops[count - 1].result != STORE_DONE) {
        fprintf(stderr, "fill: %s\n", store_status_sentence(status));
        _exit(1);
    }
}

/* A snapshot that makes the document about `size` bytes long. */
static struct bytes snapshot(int64_t size)
{
    char *json = bench_alloc((size_t)size + 64);
    int len = sprintf(json, "{\"type\":\"users\",\"id\":\"7\",\"attributes\":{\"note\":\"");
    int64_t filler = size > 320 ? size - 320 : 0;
    memset(json + len, 'x', (size_t)filler);
    memcpy(json + len + filler, "\"}}", 4);
    return bytes_of(json);
}

int main(int argc, char **argv)
{
    const char *data = bench_option(argc, argv, "--data", NULL);
    int64_t count = bench_number(argc, argv, "--count", 1000);
    if (!data) {
        fputs("usage: fill --data DIR --user ID --count N [--body-bytes 700]\n", stderr);
        return 2;
    }
    char path[4096];
    snprintf(path, sizeof path, "%s/posthorn.db", data);
    struct fill *fill = bench_alloc(sizeof *fill);
    fill->clock = clock_system();
    fill->user_id = bench_number(argc, argv, "--user", MODEL_USER_ID_FIRST);
    fill->included = snapshot(bench_number(argc, argv, "--body-bytes", 700));
    arena_init(&fill->arena, (size_t)BATCH * 4096 + ((size_t)BATCH * fill->included.len * 4));
    struct store_config config = {
        .path = path, .clock = fill->clock, .lease_ms = 60000, .readers = 1, .pace = pace_default()};
    enum store_status status = store_sqlite.open(&config, &fill->store);
    if (status != STORE_OK) {
        fprintf(stderr, "fill: %s\n", store_status_sentence(status));
        return 1;
    }
    int64_t begun_ns = bench_now_ns();
    for (int64_t done = 0; done < count; done += BATCH)
        one_batch(fill, count - done < BATCH ? (int)(count - done) : BATCH);
    store_sqlite.close(fill->store);
    printf("{\"events\":%lld,\"seconds\":%.3f}\n", (long long)count,
           (double)(bench_now_ns() - begun_ns) / 1e9);
    return 0;
}
