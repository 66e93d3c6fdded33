/* The store under the nodes: the model with its own faults, on which each has a handle, as on a database
 * server; or SQLite with faults put around it, which only one node can have. */
#include "ids.h"
#include "sim.h"
#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int64_t world_wall(void *ctx)
{
    return sim_wall_ms(ctx);
}

static int64_t world_mono(void *ctx)
{
    return ((struct sim *)ctx)->now_ms;
}

static int64_t node_wall(void *ctx)
{
    return node_wall_ms(ctx);
}

static int64_t node_mono(void *ctx)
{
    return ((struct node *)ctx)->sim->now_ms;
}

static void folder_drop(const char *folder)
{
    DIR *dir = opendir(folder);
    char path[sizeof((struct sim *)0)->folder + 300];
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path); /* not the dots */
    }
    if (dir)
        closedir(dir);
    rmdir(folder);
}

void disk_init(struct sim *sim, bool sqlite)
{
    sim->backend = sqlite ? &store_sqlite : &store_model;
    if (!sqlite) {
        sim->disk = model_disk_new();
        model_disk_share(sim->disk, (struct clock){world_wall, world_mono, sim});
        return;
    }
    /* In memory where there is such a folder: how the disk syncs is not what is tried here. */
    const char *under = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(sim->folder, sizeof sim->folder, "%s/posthorn-sim-XXXXXX", under);
    char *made = mkdtemp(sim->folder);
    assert(made);
    (void)made;
}

void disk_fini(struct sim *sim)
{
    if (sim->disk)
        model_disk_free(sim->disk);
    else
        folder_drop(sim->folder);
}

struct store *disk_store(const struct sim *sim)
{
    for (int i = 0; i < sim->node_count; i++)
        if (sim->nodes[i].store)
            return sim->nodes[i].store;
    return NULL;
}

void disk_open(struct sim *sim, struct node *node)
{
    char path[sizeof sim->folder + 16];
    snprintf(path, sizeof path, "%s/posthorn.db", sim->folder);
    struct store_config config = {.path = sim->disk ? model_disk_path(sim->disk) : path,
                                  .clock = {node_wall, node_mono, node},
                                  .pace = sim->pace,
                                  .lease_ms = sim->lease_ms,
                                  .id_node = (int)sim_pick(sim, IDS_NODE_MAX),
                                  .mark = 9 + node->number,
                                  .readers = 1};
    sim->store_life += disk_store(sim) == NULL;
    enum store_status status = sim->backend->open(&config, &node->store);
    assert(status == STORE_OK);
    (void)status;
}

void disk_close(struct sim *sim, struct node *node)
{
    sim->backend->close(node->store);
    node->store = NULL;
}

void disk_down(struct sim *sim, bool down)
{
    sim->store_down = down;
    sim->store_was_down |= down;
    if (sim->disk)
        model_disk_down(sim->disk, down);
}

void disk_reserve(struct sim *sim, bool reached)
{
    if (sim->disk)
        model_disk_no_space(sim->disk, reached);
}

/* As an engine over a network would be left by a lost connection: all was written, and nobody knows. */
static enum store_status write_unknown(struct sim *sim, struct node *node, struct store_batch *batch)
{
    enum store_status status = sim->backend->write(node->store, batch);
    for (int i = 0; i < batch->filled_count; i++)
        batch->boxes[i]->filled = false;
    batch->filled_count = 0;
    return status == STORE_OK ? STORE_DOWN : status;
}

enum store_status disk_write(struct sim *sim, struct node *node, struct store_batch *batch,
                             enum model_fault fault)
{
    static const enum store_status refusals[] = {[MODEL_FAULT_LOST] = STORE_DOWN,
                                                 [MODEL_FAULT_FULL] = STORE_FULL,
                                                 [MODEL_FAULT_BROKEN] = STORE_BROKEN};
    if (sim->disk) {
        model_disk_fault(sim->disk, fault);
        return sim->backend->write(node->store, batch);
    }
    if (fault == MODEL_FAULT_UNKNOWN)
        return write_unknown(sim, node, batch);
    batch->filled_count = 0;
    return fault == MODEL_FAULT_NONE ? sim->backend->write(node->store, batch) : refusals[fault];
}

bool disk_write_op(struct sim *sim, struct node *node, struct store_op *op)
{
    struct store_batch batch = {.ops = &op, .op_count = 1};
    return disk_write(sim, node, &batch, sim->disk_full ? MODEL_FAULT_FULL : MODEL_FAULT_NONE) == STORE_OK;
}
