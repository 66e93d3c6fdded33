/* The settings of pushes as columns of the table `endpoints` (push_settings.h). */
#include "sqlite_parts.h"

static int place(sqlite3_stmt *statement, const char *parameter)
{
    return sqlite3_bind_parameter_index(statement, parameter);
}

static inline void bind_sealed(sqlite3_stmt *statement, int at, struct bytes sealed)
{
    if (sealed.len > 0)
        sqlite_bind_blob(statement, at, sealed);
    else
        sqlite3_bind_null(statement, at);
}

void sqlite_bind_push(sqlite3_stmt *statement, const struct push_settings *push)
{
#define BIND_NUMBER(name, max) sqlite3_bind_int(statement, place(statement, ":" #name), push->name);
#define BIND_TEXT(name, max)   sqlite_bind_optional(statement, place(statement, ":" #name), push->name);
#define BIND_SEALED(name, max) bind_sealed(statement, place(statement, ":" #name), push->name);
    PUSH_SETTINGS_LIST(BIND_NUMBER, BIND_TEXT, BIND_SEALED)
}

static int32_t number(sqlite3_stmt *row, int column, int64_t max)
{
    int64_t stored = sqlite3_column_int64(row, column);
    return stored >= 0 && stored <= max ? (int32_t)stored : 0;
}

static inline struct bytes sealed(sqlite3_stmt *row, int column, size_t len_max)
{
    struct bytes stored = sqlite_text(row, column);
    return stored.len <= len_max ? stored : (struct bytes){0};
}

static inline struct bytes text(sqlite3_stmt *row, int column, size_t len_max)
{
    struct bytes stored = sealed(row, column, len_max);
    return bytes_are_utf8(stored) ? stored : (struct bytes){0};
}

struct push_settings sqlite_push_of(sqlite3_stmt *row, int column)
{
    struct push_settings push;
#define READ_NUMBER(name, max) push.name = number(row, column++, max);
#define READ_TEXT(name, max)   push.name = text(row, column++, max);
#define READ_SEALED(name, max) push.name = sealed(row, column++, max);
    PUSH_SETTINGS_LIST(READ_NUMBER, READ_TEXT, READ_SEALED)
    return push;
}
