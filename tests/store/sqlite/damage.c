/*
 * 8.12: bytes from the disk are not trusted. Every stored column takes values that no server wrote: nothing
 * crashes or hangs, and a user whose rows are sound is served as before.
 */
#include "damage_life.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FAILED_MAX = 40 };

static const char *const values[] = {"NULL",
                                     "-1",
                                     "0",
                                     "9223372036854775807",
                                     "'nobody wrote this'",
                                     "x''",
                                     "randomblob(1048576)",
                                     "CAST(x'ff00fe80' AS TEXT)",
                                     "1.5e300"};

/* The rows that lead to the damaged user. */
static char *rows_of(const struct base *base, const char *table)
{
    static const struct {
        const char *table, *where;
    } places[] = {{"users", "id = ?"},
                  {"endpoints", "owner_id = ?"},
                  {"api_keys", "user_id = ?"},
                  {"events", "owner_id = ?"},
                  {"owned", "owner_id = ?"},
                  {"usage", "user_id = ?"},
                  {"requests", "requester_id = ?"},
                  {"jobs", "owner_id = ?"},
                  {"deliveries", "endpoint_id = ?"},
                  {"attempts", "id >> 24 IN (SELECT id >> 24 FROM deliveries WHERE endpoint_id = ?)"},
                  {"resources", "owner_id = ?"},
                  {"failing", "endpoint_id = ?"},
                  {"notices", "endpoint_id = ?"},
                  {"endpoint_hours", "endpoint_id = ?"},
                  {"added", "delivery_id IN (SELECT id FROM deliveries WHERE endpoint_id = ?)"},
                  {"ended_late", "event_id IN (SELECT id FROM events WHERE owner_id = ?)"}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strcmp(places[i].table, table) == 0) {
            const char *mark = strchr(places[i].where, '?');
            return sqlite3_mprintf("%.*s%lld%s", (int)(mark - places[i].where), places[i].where,
                                   base->damaged, mark + 1);
        }
    return sqlite3_mprintf("1");
}

/* The table's own checks do not stand in the way of a damaged byte. False: SQLite has no such row. */
static bool damage(const struct base *base, const struct column *column, const char *value, bool all)
{
    static const char off[] =
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql ="
        " replace(sql, ' NOT NULL', ' /*is*/') WHERE type = 'table'; PRAGMA writable_schema = RESET";
    static const char on[] =
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql ="
        " replace(sql, ' /*is*/', ' NOT NULL') WHERE type = 'table'; PRAGMA writable_schema = RESET";
    sqlite3 *db;
    char *where = all ? sqlite3_mprintf("1") : rows_of(base, column->table);
    char *sql = sqlite3_mprintf("UPDATE OR IGNORE %s SET %s = %s WHERE %s", column->table, column->name,
                                value, where);
    bool done = sqlite3_open(base->f->path, &db) == SQLITE_OK &&
                sqlite3_exec(db, "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF", NULL, NULL,
                             NULL) == SQLITE_OK &&
                sqlite3_exec(db, off, NULL, NULL, NULL) == SQLITE_OK;
    if (!done)
        life_wrong("the damage cannot be done", 0);
    done = sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK && sqlite3_changes(db) > 0;
    if (sqlite3_exec(db, on, NULL, NULL, NULL) != SQLITE_OK)
        life_wrong("the damage cannot be done", 1);
    sqlite3_close(db);
    sqlite3_free(where);
    sqlite3_free(sql);
    return done;
}

static void every_column(void **state)
{
    struct base *base = *state;
    int failed = 0, cases = 0, no_row = 0;
    const char *only = getenv("DAMAGE_COLUMN"); /* "table.column" */
    for (int i = 0; i < base->column_count; i++)
        for (size_t v = 0; v < sizeof values / sizeof *values; v++)
            for (int all = 0; all < 2; all += v == 0 ? 1 : 2) { /* of all rows, some */
                const struct column *column = &base->columns[i];
                char name[80];
                snprintf(name, sizeof name, "%s.%s", column->table, column->name);
                if (failed >= FAILED_MAX || (only && strcmp(only, name) != 0))
                    continue;
                fflush(stdout);
                pid_t child = fork();
                if (child == 0) {
                    alarm(HANG_S);
                    base_copy(base);
                    if (!damage(base, column, values[v], all))
                        _exit(EXIT_NO_ROW);
                    life_live(base, &(struct life){.strict = true, .sound = !all, .lives = v == 0 ? 2 : 1});
                }
                cases++;
                const char *how = life_ended(child, &no_row);
                if (how)
                    printf("%s = %s%s: %s\n", name, values[v], all ? ", all" : "", how);
                failed += how != NULL;
            }
    printf("%d cases, %d of them without a row\n", cases, no_row);
    assert_true(only || no_row < cases / 10);
    assert_int_equal(failed, 0);
}

int main(void)
{
    static struct base base;
    base_make(&base, 0);
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(every_column, &base)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    base_copy(&base);
    base_free(&base);
    return failed;
}
