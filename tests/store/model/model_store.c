#include "model_store.h"
#include "memory.h"
#include "model_state.h"
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

/* ---- arrays and copies ---- */

void *model_room(void *array, int count, int *cap, size_t size)
{
    if (count < *cap)
        return array;
    *cap = *cap ? *cap * 2 : 16;
    return memory_grow(array, (size_t)*cap * size);
}

struct bytes model_copy(struct bytes source)
{
    if (source.len == 0)
        return (struct bytes){0};
    char *data = memory_alloc(source.len);
    memcpy(data, source.data, source.len);
    return bytes_make(data, source.len);
}

void model_drop(struct bytes owned)
{
    free((void *)owned.data);
}

struct user *model_find_user(struct model_disk *disk, int64_t id)
{
    for (int i = 0; i < disk->user_count; i++)
        if (disk->users[i].id == id)
            return &disk->users[i];
    return NULL;
}

struct model_row *model_find_endpoint(struct model_disk *disk, int64_t id)
{
    for (int i = 0; i < disk->endpoint_count; i++)
        if (disk->endpoints[i].endpoint.id == id)
            return &disk->endpoints[i];
    return NULL;
}

void model_touch(struct model_disk *disk, int64_t user_id)
{
    model_find_user(disk, user_id)->change = ++disk->last_change;
}

struct model_event *model_find_event(struct model_disk *disk, int64_t id)
{
    for (int i = 0; i < disk->event_count; i++)
        if (disk->events[i].event.id == id)
            return &disk->events[i];
    return NULL;
}

struct model_delivery *model_find_delivery(struct model_disk *disk, int64_t id)
{
    for (int i = 0; i < disk->delivery_count; i++)
        if (disk->deliveries[i].id == id)
            return &disk->deliveries[i];
    return NULL;
}

bool model_under_way(const struct model_delivery *delivery)
{
    return delivery->state == DELIVERY_PENDING || delivery->resending;
}

/* ---- the two clocks ---- */

int64_t model_due_now_ms(const struct store *store)
{
    const struct model_disk *disk = store->disk;
    return disk->due_base_ms + clock_mono_ms(&disk->clock) - disk->mono_base_ms;
}

int64_t model_service_now_ms(const struct store *store)
{
    const struct model_disk *disk = store->disk;
    int64_t mono = clock_mono_ms(&disk->clock);
    int64_t down = disk->down_ms + (disk->down ? mono - disk->down_since_ms : 0);
    return disk->service_base_ms + mono - disk->mono_base_ms - down;
}

int64_t model_age_clock_ms(const struct store *store)
{
    int64_t jumps = 0;
#ifdef PLANT_EXPIRY_BY_WALL
    jumps = clock_wall_ms(&store->config.clock) - clock_mono_ms(&store->config.clock);
#endif
    return model_service_now_ms(store) + jumps;
}

/* A store that went down or came up since the last look: its time of service stands or goes on. */
static void model_watch_down(struct model_disk *disk, bool down)
{
    int64_t mono = clock_mono_ms(&disk->clock);
    if (down && !disk->down)
        disk->down_since_ms = mono;
    if (!down && disk->down)
        disk->down_ms += mono - disk->down_since_ms;
}

/* ---- a batch ---- */

static void model_do_op(struct store *store, struct store_batch *batch, struct store_op *op)
{
    switch (op->kind) {
    case STORE_EVENT:
        model_event(store, batch, op);
        break;
    case STORE_OUTCOME:
        model_outcome(store, op);
        break;
    case STORE_USER_CREATE:
        model_user_create(store->disk, op);
        break;
    case STORE_USER_UPDATE:
        model_user_update(store->disk, op);
        break;
    case STORE_ENDPOINT_CREATE:
        model_endpoint_create(store, op);
        break;
    case STORE_ENDPOINT_UPDATE:
    case STORE_ENDPOINT_REMOVE:
        model_endpoint_change(store, op);
        break;
    case STORE_KEY_CREATE:
        model_key_create(store->disk, op);
        break;
    case STORE_KEY_UPDATE:
        model_key_update(store->disk, op);
        break;
    case STORE_KEY_REVOKE:
        model_key_revoke(store, op);
        break;
    case STORE_RESEND:
    case STORE_CANCEL:
        model_resend_or_cancel(store, op);
        break;
    case STORE_JOB_CREATE:
        model_job_create(store, op);
        break;
    case STORE_JOB_STEP:
        model_job_step(store, op);
        break;
    case STORE_JOB_CANCEL:
        model_job_cancel(store, op);
        break;
    case STORE_RESOURCE_PUT:
        model_resource_put(store, op);
        break;
    case STORE_RESOURCE_DELETE:
        model_resource_delete(store->disk, op);
        break;
    case STORE_FINGERPRINT:
        memcpy(store->disk->fingerprint, op->fingerprint, sizeof op->fingerprint);
        store->disk->has_fingerprint = true;
        break;
    case STORE_LOOK:
        model_look(store, op);
        break;
    case STORE_NOTICES:
        model_notices_due(store, op);
        break;
    case STORE_PURGE:
        model_purge(store, op);
        break;
    case STORE_OP_COUNT:
        assert(!"an op");
    }
}

static void model_do(struct store *store, struct store_batch *batch, struct store_op *op)
{
    op->result = STORE_DONE;
    op->id = op->count = 0;
    op->reached = (struct quota_reached){0};
    if (model_request_known(store->disk, op))
        return;
    if (op->request && op->request->only_known) {
        op->result = STORE_QUOTA;
        return;
    }
    model_do_op(store, batch, op);
    if (op->request && op->result == STORE_DONE)
        model_request_keep(store, op);
}

static enum store_status model_write_locked(struct store *store, struct store_batch *batch)
{
    struct model_disk *disk = store->disk;
    enum model_fault fault = disk->fault;
    disk->fault = MODEL_FAULT_NONE;
    batch->filled_count = 0;
    batch->next_due_in_ms = -1;
    for (int i = 0; i < batch->op_count && fault == MODEL_FAULT_LOST; i++)
        if (batch->ops[i]->kind == STORE_EVENT && !model_find_event(disk, batch->ops[i]->event.event.id))
            /* that far it came */
            store_event_named(batch->ops[i], ids_next(&store->ids, clock_wall_ms(&store->config.clock)));
    if (disk->down || fault == MODEL_FAULT_LOST)
        return STORE_DOWN;
    if (fault == MODEL_FAULT_FULL || fault == MODEL_FAULT_BROKEN)
        return fault == MODEL_FAULT_FULL ? STORE_FULL : STORE_BROKEN;
#ifdef PLANT_STALE_VIEW /* it reads what is new, and of the rest knows only its own changes */
    if (store->endpoint_count < disk->endpoint_count)
#endif
        model_view_refresh(store);
    for (int i = 0; i < batch->op_count; i++) {
        model_do(store, batch, batch->ops[i]);
        model_view_refresh(store);
    }
    model_claim(store, batch);
    disk->due_ms = model_due_now_ms(store);
    disk->service_ms = model_service_now_ms(store);
    if (fault != MODEL_FAULT_UNKNOWN)
        return STORE_OK;
    for (int i = 0; i < batch->filled_count; i++)
        batch->boxes[i]->filled = false;
    batch->filled_count = 0;
    return STORE_DOWN;
}

static enum store_status model_write(struct store *store, struct store_batch *batch)
{
    pthread_mutex_lock(&store->lock);
    enum store_status status = model_write_locked(store, batch);
    pthread_mutex_unlock(&store->lock);
    return status;
}

/* ---- opening and closing ---- */

struct model_disk *model_disk_new(void)
{
    struct model_disk *disk = memory_zero(1, sizeof *disk);
    memcpy(disk->path, "model", sizeof "model");
    return disk;
}

const char *model_disk_path(const struct model_disk *disk)
{
    return disk->path;
}

void model_disk_fault(struct model_disk *disk, enum model_fault fault)
{
    disk->fault = fault;
}

void model_disk_no_space(struct model_disk *disk, bool no_space)
{
    disk->no_space = no_space;
}

void model_disk_down(struct model_disk *disk, bool down)
{
    if (disk->handles > 0)
        model_watch_down(disk, down);
    disk->down = down;
}

void model_disk_free(struct model_disk *disk)
{
    assert(disk->handles == 0);
    while (disk->event_count > 0)
        model_event_drop(disk, disk->event_count - 1);
    for (int i = 0; i < disk->user_count; i++)
        model_user_drop(&disk->users[i]);
    for (int i = 0; i < disk->endpoint_count; i++)
        model_endpoint_drop(&disk->endpoints[i].endpoint);
    for (int i = 0; i < disk->key_count; i++) {
        model_drop(disk->keys[i].label);
        model_drop(disk->keys[i].allow_from);
    }
    model_resources_free(disk);
    model_jobs_free(disk);
    free(disk->hours);
    free(disk->users);
    free(disk->endpoints);
    free(disk->keys);
    free(disk->events);
    free(disk->deliveries);
    free(disk->attempts);
    free(disk->idempotency);
    for (int i = 0; i < disk->request_count; i++)
        model_drop(disk->requests[i].key);
    free(disk->requests);
    free(disk);
}

void model_disk_share(struct model_disk *disk, struct clock clock)
{
    disk->shared = true;
    disk->clock = clock;
}

/* The clocks go on, behind what the last write saw of them. */
static void model_disk_begin(struct model_disk *disk)
{
    int64_t wall = clock_wall_ms(&disk->clock);
    disk->due_base_ms = wall > disk->due_ms ? wall : disk->due_ms;
    disk->service_base_ms = disk->service_ms;
    disk->mono_base_ms = disk->down_since_ms = clock_mono_ms(&disk->clock);
    disk->down_ms = 0;
}

static enum store_status model_open(const struct store_config *config, struct store **opened)
{
    struct model_disk *disk = config->path ? (struct model_disk *)(void *)config->path : model_disk_new();
    if (disk->handles > 0 && !disk->shared)
        return STORE_LOCKED;
    struct store *store = memory_zero(1, sizeof *store);
    store->backend = &store_model;
    store->disk = disk;
    store->disk_own = !config->path;
    store->config = *config;
    store->ids.node = config->id_node;
    ids_floor(&store->ids, disk->last_event_id);
    if (!disk->shared)
        disk->clock = config->clock;
    if (disk->handles++ == 0)
        model_disk_begin(disk);
    pthread_mutex_init(&store->lock, NULL);
    model_view_open(store);
    *opened = store;
    return STORE_OK;
}

static enum store_status model_read_one(struct store *store, int reader, const struct store_query *query,
                                        struct arena *arena, struct store_answer *answer)
{
    assert(reader >= 0 && reader < store->config.readers);
    pthread_mutex_lock(&store->lock);
    enum store_status status = store->disk->down ? STORE_DOWN : model_read(store, query, arena, answer);
    pthread_mutex_unlock(&store->lock);
    return status;
}

static void model_close(struct store *store)
{
    store->disk->handles--;
    model_view_close(store);
    if (store->disk_own)
        model_disk_free(store->disk);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

const struct store_backend store_model = {
    .name = "model",
    .open = model_open,
    .write = model_write,
    .read = model_read_one,
    .close = model_close,
};
