/*
 * The control of the power cuts, loaded in front of SQLite: whoever asks for some kind of synchronous gets
 * NORMAL, with which a commit is not synced. A test that does not see rows go missing then sees nothing.
 */
#include <dlfcn.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

typedef int exec_fn(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **);

__attribute__((visibility("default"))) int
sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **), void *ctx, char **error)
{
    exec_fn *exec = NULL;
    void *symbol = dlsym(RTLD_NEXT, "sqlite3_exec");

    if (!symbol)
        abort();
    memcpy(&exec, &symbol, sizeof exec);
    int rc = exec(db, sql, row, ctx, error);
    if (rc == SQLITE_OK && strcasestr(sql, "synchronous"))
        rc = exec(db, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL);
    return rc;
}
