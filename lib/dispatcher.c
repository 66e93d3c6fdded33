/* dispatcher: finds the handler of an event: by its type, then by its longest prefix, then the one for all
 * others. */
#include "store_parts.h"

#include <stdlib.h>
#include <string.h>

struct type_handler {
    char *name;
    posthorn_handler *handler;
    void *ctx;
};

struct table {
    struct type_handler *entries; /* sorted by name */
    size_t count;
};

struct posthorn_dispatcher {
    struct table types, prefixes;
    struct type_handler otherwise; /* without a handler: none */
};

struct posthorn_dispatcher *posthorn_dispatcher_new(void)
{
    return calloc(1, sizeof(struct posthorn_dispatcher));
}

static void table_free(struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->entries[i].name);
    free(table->entries);
}

void posthorn_dispatcher_free(struct posthorn_dispatcher *dispatcher)
{
    if (!dispatcher)
        return;
    table_free(&dispatcher->types);
    table_free(&dispatcher->prefixes);
    free(dispatcher);
}

/* strcmp would take "x" for "x\0y". */
static int compare(const char *name, struct posthorn_text type)
{
    size_t len = strlen(name);
    int order = memcmp(name, type.data, len < type.len ? len : type.len);
    return order ? order : (len > type.len) - (len < type.len);
}

/* The index of the name, or of its place if it is absent. */
static size_t find(const struct table *table, struct posthorn_text name, bool *found)
{
    size_t low = 0, high = table->count;

    *found = false;
    while (low < high && !*found) {
        size_t middle = low + (high - low) / 2;
        int order = compare(table->entries[middle].name, name);
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

static enum posthorn_result table_set(struct table *table, const char *name, posthorn_handler *handler,
                                      void *ctx)
{
    if (!handler || !name || !*name)
        return POSTHORN_BAD_ARGUMENT;
    bool found;
    size_t at = find(table, (struct posthorn_text){name, strlen(name)}, &found);
    if (!found) {
        char *copy = strdup(name);
        struct type_handler *grown =
            copy ? realloc(table->entries, (table->count + 1) * sizeof *grown) : NULL;
        if (!grown) {
            free(copy);
            return POSTHORN_NO_MEMORY;
        }
        table->entries = grown;
        memmove(grown + at + 1, grown + at, (table->count - at) * sizeof *grown);
        grown[at].name = copy;
        table->count++;
    }
    table->entries[at].handler = handler;
    table->entries[at].ctx = ctx;
    return POSTHORN_OK;
}

enum posthorn_result posthorn_on(struct posthorn_dispatcher *dispatcher, const char *event_type,
                                 posthorn_handler *handler, void *ctx)
{
    return dispatcher ? table_set(&dispatcher->types, event_type, handler, ctx) : POSTHORN_BAD_ARGUMENT;
}

enum posthorn_result posthorn_on_prefix(struct posthorn_dispatcher *dispatcher, const char *prefix,
                                        posthorn_handler *handler, void *ctx)
{
    return dispatcher ? table_set(&dispatcher->prefixes, prefix, handler, ctx) : POSTHORN_BAD_ARGUMENT;
}

void posthorn_otherwise(struct posthorn_dispatcher *dispatcher, posthorn_handler *handler, void *ctx)
{
    dispatcher->otherwise = (struct type_handler){.handler = handler, .ctx = ctx};
}

/* Of the prefixes of one type, the longer ones sort behind the shorter. */
static const struct type_handler *longest_prefix(const struct table *table, struct posthorn_text type)
{
    for (size_t i = table->count; i > 0; i--) {
        size_t len = strlen(table->entries[i - 1].name);
        if (len <= type.len && memcmp(table->entries[i - 1].name, type.data, len) == 0)
            return &table->entries[i - 1];
    }
    return NULL;
}

/* NULL: no handler. */
static const struct type_handler *handler_of(const struct posthorn_dispatcher *dispatcher,
                                             const struct posthorn_event *event)
{
    bool found;
    size_t at = find(&dispatcher->types, posthorn_event_type(event), &found);
    if (found)
        return &dispatcher->types.entries[at];
    const struct type_handler *entry = longest_prefix(&dispatcher->prefixes, posthorn_event_type(event));
    return entry ? entry : dispatcher->otherwise.handler ? &dispatcher->otherwise : NULL;
}

enum posthorn_result posthorn_dispatch(const struct posthorn_dispatcher *dispatcher,
                                       const struct posthorn_event *event)
{
    const struct type_handler *entry = handler_of(dispatcher, event);
    return entry ? entry->handler(entry->ctx, event) : POSTHORN_OK;
}

posthorn_handler *ph_dispatcher_find(const struct posthorn_dispatcher *dispatcher,
                                     const struct posthorn_event *event, void **ctx)
{
    const struct type_handler *entry = handler_of(dispatcher, event);
    *ctx = entry ? entry->ctx : NULL;
    return entry ? entry->handler : NULL;
}
