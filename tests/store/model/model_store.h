/*
 * model_store: a backend of store.h in memory: arrays, linear searches, obviously right rather than fast.
 * It is what the contract suite compares the others with, and what the simulator runs on. Tests only.
 *
 * Where store.h leaves a choice, this is the one:
 *   - The claim after the ops takes endpoints in turn by id, after the one served last; within one by
 *     (due, id). No box is kept back from born leases.
 *   - A lease ran out when now >= due. A repeated outcome is FENCED, as the lease has ended.
 *   - A key that is known (REPLAYED, CONFLICT) comes before an id that is known, and both before NO_SPACE.
 *   - sent_at belongs to the event and is stamped by the first claim of any of its deliveries.
 *   - Of pace only that an endpoint has ever answered is durable.
 *   - next_in_ms: -1 when ended or leased. `leased` is false once the lease ran out.
 *
 * A disk may be shared by handles, as the nodes of a database server share it. Then due and service clock are
 * the server's; what a node measures and keeps of endpoints and leases is the handle's own view. All on one
 * thread.
 *
 * PLANT_... are bugs on purpose, compiled in only by tests/sim to see that the simulator catches them.
 */
#pragma once
#include "store.h"

extern const struct store_backend store_model;

/* What is durable. It outlives close and open again, so close at any moment is a crash: nothing but
 * completed writes is there. */
struct model_disk;

struct model_disk *model_disk_new(void);
void model_disk_free(struct model_disk *disk);
/* For store_config.path. A path of NULL opens a disk of its own, freed by close. */
const char *model_disk_path(const struct model_disk *disk);

/* From now on any number of handles may be open, on this clock of the database server. */
void model_disk_share(struct model_disk *disk, struct clock clock);

enum model_fault {
    MODEL_FAULT_NONE,
    MODEL_FAULT_LOST,    /* DOWN, and nothing was written */
    MODEL_FAULT_UNKNOWN, /* DOWN, though all was written; filled boxes are lost to their owner */
    MODEL_FAULT_FULL,    /* FULL: nothing was written */
    MODEL_FAULT_BROKEN   /* BROKEN: nothing was written */
};
/* What the next write does, once. */
void model_disk_fault(struct model_disk *disk, enum model_fault fault);
/* Every write and read says DOWN, and the service clock stands, until it is up again. */
void model_disk_down(struct model_disk *disk, bool down);
/* The disk reserve is reached: EVENT says NO_SPACE, all else works. */
void model_disk_no_space(struct model_disk *disk, bool no_space);

/* For the oracle: the backend's two clocks as they are now. */
int64_t model_due_now_ms(const struct store *store);
int64_t model_service_now_ms(const struct store *store);
