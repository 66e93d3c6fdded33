/*
 * page: the lists of the API, page by page. A cursor stands behind a row, not at a number of rows, so a
 * poller misses nothing and sees nothing twice while rows come and go.
 */
#pragma once
#include "shape.h"

enum { PAGE_SIZE_DEFAULT = 20, PAGE_SIZE_MAX = 100 };

struct page {
    int size;
    struct bytes cursor; /* the id that it is after, or before; len 0: from the start */
    bool before;
    bool descending;
    struct bytes scope; /* what cursors are bound to */
};

/* page[size], page[after], page[before] and sort=id|-id; without a sort, page->descending stays as it is.
 * `list` is the list's name, for the cursors' scope. */
bool page_read(struct call *call, const char *list, struct page *page);
/* Reads the page: a call_query, of which all is set but order, start and limit. */
bool page_query(struct call *call, const struct page *page, struct store_query *query, bool keep,
                call_step *then);
/* The row of the answer that is shown as the number-th, from 0: a page before some place is read backwards.
 */
int page_row(const struct page *page, const struct store_answer *answer, int number);

struct page_rows {
    struct bytes first, last; /* ids of what is shown; len 0: nothing is */
    bool more;                /* the store has more in the direction of the query */
    bool cut;                 /* the answer has more than was shown */
    struct bytes meta;        /* more members of meta, as JSON; len 0: none */
    struct bytes scanned_to; /* the page ended early, having looked at all up to this id; len 0: it did not */
};
/* From the answer of the store. */
struct page_rows page_rows_of(struct call *call, const struct store_answer *answer);
void page_saw(struct call *call, struct page_rows *rows, int64_t id);
/* `,"data":[...]`: the rows that were read, which are as many structs of the shape. */
void page_put_rows(struct text *out, struct call *call, const struct page *page, const struct shape *shape,
                   const void *rows, struct page_rows *seen);
/* Answers with such a page, and nothing else. */
bool page_answer(struct call *call, const char *path, const struct page *page, const struct shape *shape,
                 const void *rows);
/* The links self, first, prev and next, and meta.cursor: the text between the data and the end. */
void page_put_end(struct text *out, struct call *call, const char *path, const struct page *page,
                  const struct page_rows *rows);
