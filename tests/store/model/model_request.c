/* Requests with an Idempotency-Key that made something else than an event. */
#include "model_state.h"
#include <stdio.h>

static struct model_request *find(struct model_disk *disk, const struct store_request *request)
{
    for (int i = 0; i < disk->request_count; i++) {
        struct model_request *known = &disk->requests[i];
        if (known->requester_id == request->requester_id && bytes_equal(known->key, request->key))
            return known;
    }
    return NULL;
}

bool model_request_known(struct model_disk *disk, struct store_op *op)
{
    const struct model_request *known = op->request ? find(disk, op->request) : NULL;
    if (!known || known->at_ms < disk->keys_before_ms)
        return false;
    bool same = memcmp(known->digest, op->request->digest, sizeof known->digest) == 0;
    op->result = same ? STORE_REPLAYED : STORE_REUSED;
    if (same) {
        op->id = known->made_id;
        snprintf(op->request->made, sizeof op->request->made, "%s", known->made);
    }
    return true;
}

void model_request_keep(struct store *store, const struct store_op *op)
{
    struct model_disk *disk = store->disk;
    struct model_request *kept = find(disk, op->request);
    if (!kept) {
        disk->requests =
            model_room(disk->requests, disk->request_count, &disk->request_cap, sizeof *disk->requests);
        kept = &disk->requests[disk->request_count++];
        *kept = (struct model_request){.requester_id = op->request->requester_id,
                                       .key = model_copy(op->request->key)};
    }
    kept->made_id = op->id;
    kept->at_ms = clock_wall_ms(&store->config.clock);
    memcpy(kept->digest, op->request->digest, sizeof kept->digest);
    snprintf(kept->made, sizeof kept->made, "%s", op->request->made);
}
