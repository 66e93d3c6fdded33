#include "page.h"
#include "cursor.h"

/* ---- reading what page is wanted ---- */

static bool read_size(struct call *call, struct page *page)
{
    int64_t size = PAGE_SIZE_DEFAULT;
    if (query_has(&call->query, QUERY_PAGE_SIZE) &&
        (!bytes_to_int64(call->query.values[QUERY_PAGE_SIZE], &size) || size < 1 || size > PAGE_SIZE_MAX))
        return call_fail(call, API_PARAMETER_INVALID, SOURCE_PARAMETER, "page[size]",
                         "page[size] must be a number from 1 to %d.", PAGE_SIZE_MAX);
    page->size = (int)size;
    return true;
}

static bool read_sort(struct call *call, struct page *page)
{
    struct bytes sort = call->query.values[QUERY_SORT];
    if (!query_has(&call->query, QUERY_SORT))
        return true;
    page->descending = bytes_equal_text(sort, "-id");
    return page->descending || bytes_equal_text(sort, "id") ||
           call_fail(call, API_PARAMETER_INVALID, SOURCE_PARAMETER, "sort",
                     "Lists can be sorted by id, or by -id for the newest first.");
}

static bool is_filter(int parameter)
{
    return parameter <= QUERY_UNDELIVERED;
}

/* The owner, name, filters and order of the list. Lengths keep neighbours apart. */
static bool make_scope(struct call *call, const char *list, struct page *page)
{
    struct text scope;
    text_init(&scope, &call->request->arena, CALL_ANSWER_LEN_MAX);
    text_printf(&scope, "%s %lld %c", list, (long long)call->caller.user_id, page->descending ? '-' : '+');
    for (int i = 0; i < QUERY_PARAMETER_COUNT; i++) {
        if (!is_filter(i) || !query_has(&call->query, (enum query_parameter)i))
            continue;
        text_printf(&scope, " %d:%zu:", i, call->query.values[i].len);
        text_put(&scope, call->query.values[i]);
    }
    page->scope = text_bytes(&scope);
    return !scope.overflow || call_too_large(call);
}

static bool read_cursor(struct call *call, struct page *page, enum query_parameter parameter)
{
    char id[MODEL_ID_LEN_MAX];
    size_t len;
    if (cursor_parse(call->query.values[parameter], page->scope, id, &len)) {
        page->cursor = arena_copy(&call->request->arena, bytes_make(id, len));
        return page->cursor.data || call_too_large(call);
    }
    return call_fail(
        call, API_CURSOR_INVALID, SOURCE_PARAMETER, query_name(parameter),
        "Copy %s unchanged from the links of a page or from meta.cursor, and keep the filters and the order.",
        query_name(parameter));
}

bool page_read(struct call *call, const char *list, struct page *page)
{
    bool after = query_has(&call->query, QUERY_PAGE_AFTER);
    page->before = query_has(&call->query, QUERY_PAGE_BEFORE);
    page->cursor = (struct bytes){0};
    if (!read_size(call, page) || !read_sort(call, page) || !make_scope(call, list, page))
        return false;
    if (after && page->before)
        return call_fail(call, API_PARAMETER_INVALID, SOURCE_PARAMETER, "page[before]",
                         "Give page[after] or page[before], not both.");
    if (!after && !page->before)
        return true;
    return read_cursor(call, page, after ? QUERY_PAGE_AFTER : QUERY_PAGE_BEFORE);
}

bool page_query(struct call *call, const struct page *page, struct store_query *query, bool keep,
                call_step *then)
{
    query->descending = page->descending != page->before;
    query->limit = page->size;
    if (query->kind == STORE_LIST_RESOURCES)
        query->after_resource_id = page->cursor;
    else if (!bytes_to_int64(page->cursor, &query->after_id))
        query->after_id = 0;
    return call_query(call, query, keep, then);
}

int page_row(const struct page *page, const struct store_answer *answer, int number)
{
    return page->before ? answer->count - 1 - number : number;
}

/* ---- its links ---- */

/* The list with the request's own parameters, at `cursor`, if it has data, in the place of the request's. */
static void put_link(struct text *out, struct call *call, const char *path, enum query_parameter place,
                     const char *cursor)
{
    char separator = '?';
    text_printf(out, "\"%s", path);
    query_put(out, &call->query, QUERY_BIT(QUERY_PAGE_AFTER) | QUERY_BIT(QUERY_PAGE_BEFORE), &separator);
    if (cursor)
        query_put_parameter(out, &separator, bytes_of(query_name(place)), bytes_of(cursor));
    text_putc(out, '"');
}

static void put_link_or_null(struct text *out, struct call *call, const char *path,
                             enum query_parameter place, const char *cursor)
{
    if (cursor)
        put_link(out, call, path, place, cursor);
    else
        text_puts(out, "null");
}

/* Where a list goes on behind its last row, and before its first: NULL, it does not. */
struct places {
    const char *first, *last;
};

/* Between the rows shown and the end of the scan there is nothing that matches, so a page that ended early
 * goes on there. */
static struct places places_of(struct call *call, const struct page *page, const struct page_rows *rows)
{
    struct bytes first = rows->first, last = rows->last;
    bool early = rows->scanned_to.len && !rows->cut;
    if (early && page->before)
        first = rows->scanned_to;
    else if (early)
        last = rows->scanned_to;
    char cursor[CURSOR_LEN_MAX + 1];
    struct places places = {0};
    if (first.len) {
        cursor_format(first, page->scope, cursor);
        places.first = call_printf(call, "%s", cursor);
    }
    if (last.len) {
        cursor_format(last, page->scope, cursor);
        places.last = call_printf(call, "%s", cursor);
    }
    return places;
}

void page_put_end(struct text *out, struct call *call, const char *path, const struct page *page,
                  const struct page_rows *rows)
{
    char here[CURSOR_LEN_MAX + 1] = "";
    if (page->cursor.len)
        cursor_format(page->cursor, page->scope, here);
    struct places at = places_of(call, page, rows);
    bool next = rows->cut || page->before || rows->more;
    bool prev = page->before ? rows->more : page->cursor.len > 0;
    text_puts(out, ",\"links\":{\"self\":");
    put_link(out, call, path, page->before ? QUERY_PAGE_BEFORE : QUERY_PAGE_AFTER, *here ? here : NULL);
    text_puts(out, ",\"first\":");
    put_link(out, call, path, QUERY_PAGE_AFTER, NULL);
    text_puts(out, ",\"prev\":");
    put_link_or_null(out, call, path, QUERY_PAGE_BEFORE, prev ? at.first : NULL);
    text_puts(out, ",\"next\":");
    put_link_or_null(out, call, path, QUERY_PAGE_AFTER, next ? at.last : NULL);
    text_puts(out, "}");
    /* Where a poller goes on when there is no next page yet. */
    const char *cursor = at.last ? at.last : *here ? here : NULL;
    const char *quote = cursor ? "\"" : "";
    const char *meta =
        arena_printf(&call->request->arena, "\"cursor\":%s%s%s%s%.*s", quote, cursor ? cursor : "null", quote,
                     rows->meta.len ? "," : "", BYTES_ARG(rows->meta));
    out->overflow = out->overflow || !meta;
    jsonapi_end(out, call, bytes_of(meta ? meta : ""));
}

struct page_rows page_rows_of(struct call *call, const struct store_answer *answer)
{
    struct page_rows rows = {.more = answer->more};
    if (answer->scanned_to)
        rows.scanned_to = bytes_of(call_printf(call, "%lld", (long long)answer->scanned_to));
    return rows;
}

void page_saw(struct call *call, struct page_rows *rows, int64_t id)
{
    struct bytes text = bytes_of(call_printf(call, "%lld", (long long)id));
    if (!rows->first.len)
        rows->first = text;
    rows->last = text;
}

void page_put_rows(struct text *out, struct call *call, const struct page *page, const struct shape *shape,
                   const void *rows, struct page_rows *seen)
{
    const struct store_answer *answer = &call->read.answer;
    *seen = page_rows_of(call, answer);
    text_puts(out, ",\"data\":[");
    for (int i = 0; i < answer->count; i++) {
        const char *row = (const char *)rows + (size_t)page_row(page, answer, i) * shape->size;
        text_puts(out, i ? "," : "");
        shape_put(out, call, shape, row);
        page_saw(call, seen, *(const int64_t *)(const void *)(row + shape->place));
    }
    text_putc(out, ']');
}

bool page_answer(struct call *call, const char *path, const struct page *page, const struct shape *shape,
                 const void *rows)
{
    struct page_rows seen;
    struct text out;
    jsonapi_begin(&out, &call->scratch);
    page_put_rows(&out, call, page, shape, rows, &seen);
    page_put_end(&out, call, path, page, &seen);
    return jsonapi_answer(call, 200, &out);
}
