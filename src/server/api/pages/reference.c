#include "reference.h"
#include "arena.h"
#include "catalogue.h"
#include "docs.h"
#include "errors.h"
#include "memory.h"
#include "openapi.h"
#include "route.h"
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    DOCUMENT_LEN_MAX = 64 << 20, /* CATALOGUE_EXAMPLES_LEN_MAX, twice, every byte escaped */
    OPERATIONS_MAX = 128,
    PARAMETERS_MAX = OPERATIONS_MAX * 4
};

struct reference {
    pthread_mutex_t lock;
    bool is_made;
    struct bytes own_types;
    const char *mode;
    struct bytes openapi, docs; /* owned */
    struct arena arena;         /* of the types */
    struct reference_type *types;
    int type_count;
};

/* ---- the route table, as OpenAPI sees it --------------------------------------------------------------- */

struct operations {
    struct openapi_operation rows[OPERATIONS_MAX];
    const char *parameters[PARAMETERS_MAX];
    int count, parameter_count;
};

static void add_method(struct operations *operations, const struct route *route,
                       const struct route_method *method)
{
    const char **parameters = operations->parameters + operations->parameter_count;
    int count = 0;

    assert(operations->count < OPERATIONS_MAX);
    for (int i = 0; i < QUERY_PARAMETER_COUNT; i++) {
        if (!(method->query & QUERY_BIT(i)))
            continue;
        assert(operations->parameter_count + count < PARAMETERS_MAX);
        parameters[count++] = query_name((enum query_parameter)i);
    }
    operations->parameter_count += count;
    operations->rows[operations->count++] =
        (struct openapi_operation){.method = method->name,
                                   .path = route->pattern,
                                   .is_public = method->access < ROUTE_USER,
                                   .is_masters = method->access == ROUTE_MASTER,
                                   .parameters = parameters,
                                   .parameter_count = count};
}

static void list_operations(struct operations *operations)
{
    const struct route *route;

    operations->count = operations->parameter_count = 0;
    for (int i = 0; (route = route_at(i)); i++)
        for (int k = 0; k < ROUTE_METHODS_MAX && route->methods[k].name; k++)
            add_method(operations, route, &route->methods[k]);
}

static void list_errors(struct openapi_error errors[API_ERROR_COUNT])
{
    for (int i = 0; i < API_ERROR_COUNT; i++) {
        const struct api_error_row *row = api_error_row((enum api_error)i);
        errors[i] = (struct openapi_error){.status = row->status, .code = row->code, .title = row->title};
    }
}

/* ---- making ------------------------------------------------------------------------------------------- */

/* What was written, in a block of its own; the arena is for the next. */
static struct bytes keep(struct text *out)
{
    assert(!out->overflow);
    char *copy = memory_alloc(out->len + 1);
    memcpy(copy, out->data, out->len + 1);
    struct bytes kept = bytes_make(copy, out->len);
    arena_fini(out->arena);
    return kept;
}

static struct bytes make_openapi(const struct catalogue *catalogue)
{
    struct operations *operations = memory_zero(1, sizeof *operations);
    struct openapi_error errors[API_ERROR_COUNT];
    struct arena arena;
    struct text out;

    list_operations(operations);
    list_errors(errors);
    arena_init(&arena, 2 * (size_t)DOCUMENT_LEN_MAX);
    text_init(&out, &arena, DOCUMENT_LEN_MAX);
    openapi_put(&out, &(struct openapi){.catalogue = catalogue,
                                        .operations = operations->rows,
                                        .operation_count = operations->count,
                                        .errors = errors,
                                        .error_count = API_ERROR_COUNT,
                                        .version = POSTHORN_VERSION});
    free(operations);
    return keep(&out);
}

static struct bytes make_docs(const struct catalogue *catalogue, const char *mode)
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
        reference->types[i] = (struct reference_type){.name = copy(reference, type->name),
                                                      .section = copy(reference, type->section),
                                                      .resource = copy(reference, type->resource),
                                                      .status = bytes_of(catalogue_status_name(type->status)),
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

void reference_close(struct reference *reference)
{
    if (!reference)
        return;
    arena_fini(&reference->arena);
    free((void *)reference->openapi.data);
    free((void *)reference->docs.data);
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

/* Some milliseconds for whoever asks first; nobody who never asks pays with memory. */
static const struct reference *made(struct reference *reference)
{
    pthread_mutex_lock(&reference->lock);
    if (!reference->is_made)
        make(reference);
    pthread_mutex_unlock(&reference->lock);
    return reference;
}

struct bytes reference_openapi(struct reference *reference)
{
    return made(reference)->openapi;
}

struct bytes reference_docs(struct reference *reference)
{
    return made(reference)->docs;
}

const struct reference_type *reference_types(struct reference *reference, int *count)
{
    *count = made(reference)->type_count;
    return reference->types;
}
