#include "posthorn.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    char *event_type;
    posthorn_handler *handler;
    void *ctx;
};

struct posthorn_dispatcher {
    struct entry *entries; /* sorted by event_type */
    size_t count;
    posthorn_handler *otherwise;
    void *otherwise_ctx;
};

struct posthorn_dispatcher *posthorn_dispatcher_new(void)
{
    return calloc(1, sizeof(struct posthorn_dispatcher));
}

void posthorn_dispatcher_free(struct posthorn_dispatcher *dispatcher)
{
    if (!dispatcher)
        return;
    for (size_t i = 0; i < dispatcher->count; i++)
        free(dispatcher->entries[i].event_type);
    free(dispatcher->entries);
    free(dispatcher);
}

/* strcmp would take "x" for "x\0y". */
static int compare(const char *name, struct posthorn_text type)
{
    size_t len = strlen(name);
    int order = memcmp(name, type.data, len < type.len ? len : type.len);
    return order ? order : (len > type.len) - (len < type.len);
}

/* The index of the type, or of where it belongs. */
static size_t find(const struct posthorn_dispatcher *dispatcher, struct posthorn_text type, bool *found)
{
    size_t low = 0, high = dispatcher->count;

    *found = false;
    while (low < high && !*found) {
        size_t middle = low + (high - low) / 2;
        int order = compare(dispatcher->entries[middle].event_type, type);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
        if (order == 0) {
            *found = true;
            low = middle;
        }
    }
    return low;
}

enum posthorn_result posthorn_on(struct posthorn_dispatcher *dispatcher, const char *event_type,
                                 posthorn_handler *handler, void *ctx)
{
    if (!dispatcher || !handler || !event_type || !*event_type)
        return POSTHORN_BAD_ARGUMENT;
    bool found;
    size_t at = find(dispatcher, (struct posthorn_text){event_type, strlen(event_type)}, &found);
    if (!found) {
        char *copy = strdup(event_type);
        struct entry *grown =
            copy ? realloc(dispatcher->entries, (dispatcher->count + 1) * sizeof *grown) : NULL;
        if (!grown) {
            free(copy);
            return POSTHORN_NO_MEMORY;
        }
        dispatcher->entries = grown;
        memmove(grown + at + 1, grown + at, (dispatcher->count - at) * sizeof *grown);
        grown[at].event_type = copy;
        dispatcher->count++;
    }
    dispatcher->entries[at].handler = handler;
    dispatcher->entries[at].ctx = ctx;
    return POSTHORN_OK;
}

void posthorn_otherwise(struct posthorn_dispatcher *dispatcher, posthorn_handler *handler, void *ctx)
{
    dispatcher->otherwise = handler;
    dispatcher->otherwise_ctx = ctx;
}

enum posthorn_result posthorn_dispatch(const struct posthorn_dispatcher *dispatcher,
                                       const struct posthorn_event *event)
{
    bool found;
    size_t at = find(dispatcher, posthorn_event_type(event), &found);
    if (found)
        return dispatcher->entries[at].handler(dispatcher->entries[at].ctx, event);
    if (dispatcher->otherwise)
        return dispatcher->otherwise(dispatcher->otherwise_ctx, event);
    return POSTHORN_OK;
}

enum posthorn_result posthorn_handle(const struct posthorn_dispatcher *dispatcher,
                                     struct posthorn_store *store, const struct posthorn_event *event,
                                     char name[POSTHORN_NAME_LEN_MAX + 1])
{
    enum posthorn_result result = posthorn_store_look(store, event);

    if (result == POSTHORN_OK)
        result = posthorn_dispatch(dispatcher, event);
    else if (result == POSTHORN_DUPLICATE || result == POSTHORN_CONFLICT)
        result = POSTHORN_OK; /* put says which, and keeps what is to be kept */
    return result == POSTHORN_OK ? posthorn_store_put(store, event, name) : result;
}
