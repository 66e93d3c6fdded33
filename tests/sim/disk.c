/* The store under the nodes: the model with its own faults, or SQLite with faults put around it. */
#include "sim.h"
#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int64_t clock_wall(void *ctx)
{
    return sim_wall_ms(ctx);
}

static int64_t clock_mono(void *ctx)
{
    return ((struct sim *)ctx)->now_ms;
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

void disk_open(struct sim *sim)
{
    char path[sizeof sim->folder + 16];
    snprintf(path, sizeof path, "%s/posthorn.db", sim->folder);
    struct store_config config = {.path = sim->disk ? model_disk_path(sim->disk) : path,
                                  .clock = {clock_wall, clock_mono, sim},
                                  .pace = sim->pace,
                                  .lease_ms = sim->lease_ms,
                                  .mark = 9,
                                  .readers = 1};
    enum store_status status = sim->backend->open(&config, &sim->store);
    assert(status == STORE_OK);
    (void)status;
    sim->store_life++;
}

void disk_close(struct sim *sim)
{
    sim->backend->close(sim->store);
    sim->store = NULL;
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
static enum store_status write_unknown(struct sim *sim, struct store_batch *batch)
{
    enum store_status status = sim->backend->write(sim->store, batch);
    for (int i = 0; i < batch->filled_count; i++)
        batch->boxes[i]->filled = false;
    batch->filled_count = 0;
    return status == STORE_OK ? STORE_DOWN : status;
}

enum store_status disk_write(struct sim *sim, struct store_batch *batch, enum model_fault fault)
{
    static const enum store_status refusals[] = {[MODEL_FAULT_LOST] = STORE_DOWN,
                                                 [MODEL_FAULT_FULL] = STORE_FULL,
                                                 [MODEL_FAULT_BROKEN] = STORE_BROKEN};
    if (sim->disk) {
        model_disk_fault(sim->disk, fault);
        return sim->backend->write(sim->store, batch);
    }
    if (fault == MODEL_FAULT_UNKNOWN)
        return write_unknown(sim, batch);
    batch->filled_count = 0;
    return fault == MODEL_FAULT_NONE ? sim->backend->write(sim->store, batch) : refusals[fault];
}
