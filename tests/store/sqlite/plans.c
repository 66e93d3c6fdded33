/*
 * The cost of a statement must not depend on the number of rows: no plan scans a table that grows, and no
 * query's page takes more steps because there is more in the table.
 */
#include "fixture.h"
#include "sqlite_parts.h"
#include <stdio.h>
#include <stdlib.h>

#define SQL_TEXT(symbol, text) text,
static const char *const texts[SQL_COUNT] = {SQL_LIST(SQL_TEXT)};
#undef SQL_TEXT

/* The statements that may scan, each with its reason. */
static const struct {
    enum sql sql;
    const char *reason;
} scans[] = {
    {SQL_STATE_SAVE, "the table has one row"},
    {SQL_FINGERPRINT, "the table has one row"},
    {SQL_PURGE_LOAD, "the table has one row"},
    {SQL_PURGE_SAVE, "the table has one row"},
    {SQL_USAGE_LOAD, "at open"},
    {SQL_IDEMPOTENCY_RUN_LOAD, "at open, some dozens"},
    {SQL_FAILING_LIST, "at open: endpoints that fail"},
    {SQL_ROSTER_DEFAULT_ALL, "at open, and when a batch that changed users is undone"},
    {SQL_ROSTER_FURTHER_ALL, "the same"},
    {SQL_HOURS_FORGET, "its own subquery, of the hours that are kept"},
};
static const struct {
    enum store_query_kind kind;
    const char *reason;
} query_scans[] = {
    {STORE_GET_KEYRING, "at open"},
    {STORE_GET_STATS, "one row"},
    {STORE_LIST_HOURS, "its own subquery, of the hours that are asked for"},
    {STORE_LIST_RESOURCES, "its own subqueries, of a page"},
    {STORE_GET_RESOURCE, "its own subquery, of a row"},
};

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sqlite3_errmsg(db), sql);
    return statement;
}

/* The steps of a plan in one line. Other files of the store's folder are not opened for it. */
static void plan(const struct fixture *f, const char *sql, char out[2048])
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sql);
    sqlite3_stmt *statement = prepare(db, explain);
    out[0] = '\0';
    while (sqlite3_step(statement) == SQLITE_ROW) {
        size_t len = strlen(out);
        snprintf(out + len, 2048 - len, "%s; ", (const char *)sqlite3_column_text(statement, 3));
    }
    sqlite3_finalize(statement);
    sqlite3_free(explain);
    sqlite3_close(db);
}

/* Rows of a VALUES, of the subquery `o`, and the one row of `state` are no tables that grow. */
static bool scans_a_table(const char *steps)
{
    for (const char *at = strstr(steps, "SCAN "); at; at = strstr(at + 1, "SCAN "))
        if (strncmp(at, "SCAN o;", 7) != 0 && strncmp(at, "SCAN state;", 11) != 0 &&
            strncmp(at, "SCAN CONSTANT ROW", 17) != 0 && strncmp(at, "SCAN 16 CONSTANT ROWS", 21) != 0)
            return true;
    return false;
}

static void claims_use_the_index(void **state)
{
    struct fixture *f = *state;
    char steps[2048];
    plan(f, texts[SQL_DUE_GET], steps);
    assert_non_null(
        strstr(steps, "USING COVERING INDEX deliveries_queue (queue=? AND due_at>? AND due_at<?)"));
    assert_null(strstr(steps, "TEMP B-TREE")); /* in order as it comes */
    assert_non_null(
        strstr(steps, "SEARCH d USING INTEGER PRIMARY KEY")); /* and then the row, which is asked, too */
    plan(f, texts[SQL_DUE_NEXT], steps);
    assert_non_null(strstr(steps, "USING COVERING INDEX deliveries_queue (queue=? AND due_at>?)"));
    plan(f, texts[SQL_DELIVERY_UNCLAIM_ALL], steps);
    assert_non_null(strstr(steps, "deliveries_queue (queue=?)"));
    plan(f, texts[SQL_DELIVERY_UNCLAIM_BORN], steps);
    assert_non_null(strstr(steps, "INTEGER PRIMARY KEY (rowid>?)"));
}

static void no_statement_scans(void **state)
{
    char steps[2048];
    for (int sql = 0; sql < SQL_COUNT; sql++) {
        if (sql == SQL_BEGIN || sql == SQL_COMMIT || sql == SQL_ROLLBACK)
            continue;
        bool may = false;
        for (size_t i = 0; i < sizeof scans / sizeof *scans; i++)
            may = may || (int)scans[i].sql == sql;
        plan(*state, texts[sql], steps);
        if (!may && scans_a_table(steps))
            fail_msg("%s: %s", texts[sql], steps);
    }
}

static void no_query_scans(void **state)
{
    char steps[2048], text[SQLITE_QUERY_LEN_MAX];
    for (int kind = 0; kind <= STORE_GET_STATS; kind++) {
        bool may = false;
        for (size_t i = 0; i < sizeof query_scans / sizeof *query_scans; i++)
            may = may || (int)query_scans[i].kind == kind;
        for (int variant = 0; variant < SQLITE_VARIANTS; variant++) {
            sqlite_query_text((enum store_query_kind)kind, variant, text);
            plan(*state, text, steps);
            bool all_in_order = kind == STORE_LIST_EVENTS || kind == STORE_LIST_USERS;
            bool unscoped = all_in_order && variant < 2; /* by the primary key, and left after a page */
            if (strstr(steps, "SCAN e;") || (!may && !unscoped && scans_a_table(steps)))
                fail_msg("%s: %s", text, steps);
            if (!may && strstr(steps, "TEMP B-TREE"))
                fail_msg("%s: %s", text, steps);
        }
    }
}

/* ---- steps ---- */

enum { FEW = 300, MANY = 3000, PAGE = 10, STEPS_MAX = 2000 };

/* The steps that SQLite takes for a page of each variant, from the start or behind a cursor. */
static int64_t steps_of(const struct fixture *f, enum store_query_kind kind, int variant, int64_t id,
                        int64_t owner_id, int64_t after_id)
{
    char text[SQLITE_QUERY_LEN_MAX];
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    sqlite_query_text(kind, variant, text);
    sqlite3_stmt *statement = prepare(db, text);
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_int64(statement, 2, owner_id);
    sqlite3_bind_int64(statement, 3, after_id ? after_id : variant & 1 ? INT64_MAX : 0);
    sqlite3_bind_int(statement, 4, PAGE);
    sqlite3_bind_int64(statement, 12, owner_id);
    for (int i = 13; i <= 17; i++)
        sqlite3_bind_int64(statement, i, 0);
    sqlite3_bind_text(statement, 15, "", 0, SQLITE_STATIC);
    for (int i = 5; i <= 7; i++)
        sqlite3_bind_text(statement, i, "", 0, SQLITE_STATIC);
    int rows = 0;
    while (rows < PAGE && sqlite3_step(statement) == SQLITE_ROW)
        rows++;
    assert_true(rows > 0);
    int64_t steps = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return steps;
}

/* Those of the events from `event_id` on, which ends where they do: a page that is not full. */
static int64_t steps_of_recent(const struct fixture *f, int variant, int64_t event_id)
{
    char text[SQLITE_QUERY_LEN_MAX];
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    sqlite_query_text(STORE_FIND_DELIVERIES, variant, text);
    sqlite3_stmt *statement = prepare(db, text);
    sqlite3_bind_int64(statement, 3, variant & 1 ? INT64_MAX : 0);
    sqlite3_bind_int64(statement, 17, event_id);
    int rows = 0;
    while (sqlite3_step(statement) == SQLITE_ROW)
        rows++;
    assert_int_equal(rows, 1);
    int64_t steps = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return steps;
}

/* The id of the one in the middle and of the last. */
static void add_events(struct fixture *f, int64_t owner, int count, int64_t *middle, int64_t *last)
{
    struct store_op ops[100];
    for (int done = 0; done < count; done += 100) {
        for (int i = 0; i < 100; i++)
            ops[i] = fixture_event_op(f, owner);
        fixture_write(f, ops, 100, 0);
        if (done <= count / 2)
            *middle = ops[99].id;
    }
    *last = ops[99].id;
}

static void pages_cost_the_same(void **state)
{
    struct fixture *f = *state;
    int64_t master = fixture_user(f, "https://example.com/");
    for (int round = 0; round < 2; round++) {
        int64_t middle, last;
        add_events(f, master, round ? MANY - FEW : FEW, &middle, &last);
        for (int variant = 0; variant < SQLITE_VARIANTS; variant++) {
            int64_t owner = variant & 2 ? master : 0;
            const int64_t cursors[] = {0, middle};
            assert_in_range(steps_of(f, STORE_FIND_DELIVERIES, variant, 0, owner, 0), 1, STEPS_MAX);
            if (round) /* the last of many */
                assert_in_range(steps_of_recent(f, variant, last), 1, STEPS_MAX);
            for (int i = 0; i < 2; i++)
                assert_in_range(steps_of(f, STORE_LIST_EVENTS, variant, 0, owner, cursors[i]), 1, STEPS_MAX);
            /* A delivery an event, in their order. */
            assert_in_range(steps_of(f, STORE_LIST_DELIVERIES, variant, last, owner, 0), 1, STEPS_MAX);
            assert_in_range(steps_of(f, STORE_LIST_DELIVERIES, variant, middle, owner, 0), 1, STEPS_MAX);
        }
    }
}

/* Each look at the clock is 10 ms later. */
static int64_t hurried(void *ctx)
{
    return ((struct fixture *)ctx)->mono_ms += 10;
}

/* 9: on a disk that is slow, a page that finds nothing ends by the time it took, and the next one goes on
 * there. */
static void a_page_ends_in_time(void **state)
{
    struct fixture *f = *state;
    int64_t user = fixture_user(f, NULL);
    int64_t middle, last;
    add_events(f, user, FEW, &middle, &last);
    f->config.clock.mono_ms = hurried;
    fixture_reopen(f);
    static const enum store_query_kind kinds[] = {STORE_LIST_EVENTS, STORE_FIND_DELIVERIES};
    for (int i = 0; i < 2; i++) {
        struct store_query list = {
            .kind = kinds[i], .owner_id = user, .event_type = bytes_of("none"), .limit = PAGE};
        struct store_answer answer = {.more = true};
        int pages = 0;
        for (; answer.more; pages++) {
            answer = fixture_read(f, list);
            assert_int_equal(answer.count, 0);
            assert_true(!answer.more || answer.scanned_to > list.after_id);
            list.after_id = answer.scanned_to;
        }
        assert_in_range(pages, 2, FEW / 64);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SQLITE_TEST(claims_use_the_index), SQLITE_TEST(no_statement_scans),  SQLITE_TEST(no_query_scans),
        SQLITE_TEST(pages_cost_the_same),  SQLITE_TEST(a_page_ends_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
