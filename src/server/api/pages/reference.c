#include "reference.h"
#include "arena.h"
#include "catalogue.h"
#include "docs.h"
#include "gzip.h"
#include "memory.h"
#include "openapi.h"
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum { DOCUMENT_LEN_MAX = 64 << 20 /* CATALOGUE_EXAMPLES_LEN_MAX, twice, every byte escaped */ };

struct reference {
    pthread_mutex_t lock;
    bool is_made;
    struct bytes own_types;
    const char *mode;
    struct reference_page openapi, docs; /* owned */
    struct arena arena;                  /* of the types */
    struct reference_type *types;
    int type_count;
};

/* ---- making ------------------------------------------------------------------------------------------- */

/* A copy of the text in a block of its own. The arena is used again. */
static struct reference_page keep(struct text *out)
{
    assert(!out->overflow);
    char *copy = memory_alloc(out->len + 1);
    memcpy(copy, out->data, out->len + 1);
    struct bytes kept = bytes_make(copy, out->len);
    arena_fini(out->arena);
    return (struct reference_page){kept, gzip_make(kept)};
}

static struct reference_page make_openapi(const struct catalogue *catalogue)
{
    struct arena arena;
    struct text out;

    arena_init(&arena, 2 * (size_t)DOCUMENT_LEN_MAX);
    text_init(&out, &arena, DOCUMENT_LEN_MAX);
    openapi_put(&out, catalogue);
    return keep(&out);
}

static struct reference_page make_docs(const struct catalogue *catalogue, const char *mode)
{
    struct arena arena;
    struct text out;

    arena_init(&arena, 2 * (size_t)DOCUMENT_LEN_MAX);
    text_init(&out, &arena, DOCUMENT_LEN_MAX);
    docs_put(&out, catalogue, POSTHORN_VERSION, mode);
    return keep(&out);
}

/* NULL: none. */
static struct bytes copy(struct reference *reference, const char *text)
{
    struct bytes copied = text ? arena_copy(&reference->arena, bytes_of(text)) : (struct bytes){0};
    assert(copied.data || !text);
    return copied;
}

static struct bytes copy_example(struct reference *reference, const struct catalogue *catalogue,
                                 const struct catalogue_type *type)
{
    struct text out;
    text_init(&out, &reference->arena, DOCUMENT_LEN_MAX);
    catalogue_put_example(&out, catalogue, type);
    assert(!out.overflow);
    return text_bytes(&out);
}

static void make_types(struct reference *reference, const struct catalogue *catalogue)
{
    reference->type_count = catalogue_count(catalogue);
    reference->types = memory_zero((size_t)reference->type_count, sizeof *reference->types);
    for (int i = 0; i < reference->type_count; i++) {
        const struct catalogue_type *type = catalogue_at(catalogue, i);
        reference->types[i] =
            (struct reference_type){.name = copy(reference, type->name),
                                    .section = copy(reference, type->section),
                                    .resource = copy(reference, type->resource),
                                    .status = bytes_of(catalogue_status_names[type->status]),
                                    .state = copy(reference, type->state),
                                    .final = type->final,
                                    .en = copy(reference, type->en),
                                    .es = copy(reference, type->es),
                                    .note = copy(reference, type->note),
                                    .example = copy_example(reference, catalogue, type)};
    }
}

struct reference *reference_open(struct bytes own_types, const char *mode)
{
    struct reference *reference = memory_zero(1, sizeof *reference);

    reference->own_types = own_types;
    reference->mode = mode;
    pthread_mutex_init(&reference->lock, NULL);
    arena_init(&reference->arena, 4 * (size_t)DOCUMENT_LEN_MAX);
    return reference;
}

static void page_free(const struct reference_page *page)
{
    free((void *)page->text.data);
    free((void *)page->gzip.data);
}

void reference_close(struct reference *reference)
{
    if (!reference)
        return;
    arena_fini(&reference->arena);
    page_free(&reference->openapi);
    page_free(&reference->docs);
    free(reference->types);
    pthread_mutex_destroy(&reference->lock);
    free(reference);
}

static void add_own_types(struct catalogue *catalogue, struct bytes own_types)
{
    struct catalogue_problem problem;
    char *text = memory_alloc(own_types.len + 1);

    memcpy(text, own_types.data, own_types.len);
    text[own_types.len] = '\0';
    bool added = catalogue_add(catalogue, text, own_types.len, &problem);
    assert(added); /* it was checked before the server came up */
    free(text);
}

static void make(struct reference *reference)
{
    struct catalogue *catalogue = catalogue_open();

    if (reference->own_types.len)
        add_own_types(catalogue, reference->own_types);
    reference->openapi = make_openapi(catalogue);
    reference->docs = make_docs(catalogue, reference->mode);
    make_types(reference, catalogue);
    catalogue_close(catalogue);
    reference->is_made = true;
}

/* ---- asking -------------------------------------------------------------------------------------------- */

/* The first request makes the page, which takes some milliseconds. Without a request it takes no memory. */
static const struct reference *made(struct reference *reference)
{
    pthread_mutex_lock(&reference->lock);
    if (!reference->is_made)
        make(reference);
    pthread_mutex_unlock(&reference->lock);
    return reference;
}

const struct reference_page *reference_openapi(struct reference *reference)
{
    return &made(reference)->openapi;
}

const struct reference_page *reference_docs(struct reference *reference)
{
    return &made(reference)->docs;
}

const struct reference_type *reference_types(struct reference *reference, int *count)
{
    *count = made(reference)->type_count;
    return reference->types;
}
