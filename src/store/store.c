#include "store.h"
#include "body.h"

void store_work_clear(struct store_work *box)
{
    payload_drop(box->payload);
    box->payload = NULL;
    box->document = NULL;
    box->document_len = 0;
    arena_reset(&box->memory);
}

/* The document is the op's own, and is handed over to be stamped. */
void store_event_named(struct store_op *op, int64_t id)
{
    const struct bytes document = op->event.event.document;
    op->id = op->event.event.id = id;
    body_stamp_id((char *)document.data, document.len, id);
}

const char *store_status_sentence(enum store_status status)
{
    switch (status) {
    case STORE_OK:
        return "no error";
    case STORE_FULL:
        return "the disk is full: nothing was written";
    case STORE_DOWN:
        return "the store cannot be reached now";
    case STORE_BROKEN:
        return "the disk failed: nothing more is acknowledged";
    case STORE_DAMAGED:
        return "the database is damaged; `posthorn check` lists the damage, and docs/backup.md explains the "
               "repair";
    case STORE_REFUSED:
        return "the database cannot be opened";
    case STORE_LOCKED:
        return "another server has this data folder";
    case STORE_NEWER:
        return "the data was written by a newer version of posthorn";
    }
    return "unknown";
}

enum store_status store_write(struct store *store, struct store_batch *batch)
{
    return store_backend(store)->write(store, batch);
}

enum store_status store_read(struct store *store, int reader, const struct store_query *query,
                             struct arena *arena, struct store_answer *answer)
{
    return store_backend(store)->read(store, reader, query, arena, answer);
}

void store_close(struct store *store)
{
    store_backend(store)->close(store);
}
