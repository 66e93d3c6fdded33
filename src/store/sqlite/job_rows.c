/*
 * JOB_ROWS: what a job may make due next, found by a reader, so that the writer has only the rows that count.
 */
#include "sqlite_parts.h"

/* The same numbers everywhere: ?1 endpoint, ?2 its owner, ?3 and ?4 the cursor's id and time, ?5 to ?7
 * filters, ?8 the state of deliveries (-1: any), ?9 with document. */
#define EVENT_FILTERS                                                                                        \
    "(?5 = '' OR e.event_type = ?5) AND (?6 = '' OR e.resource_type = ?6)"                                   \
    " AND (?7 = '' OR e.resource_id = ?7)"
/* A delivery that was delivered and waits is being sent again already. */
#define EVENT_COLUMNS                                                                                        \
    "SELECT e.id, 0, " EVENT_FILTERS ", ifnull(" SQL_DELIVERY_TO(                                            \
        "?1",                                                                                                \
        " AND (?8 < 0 OR d.state = ?8 AND (d.state <> 1 OR d.queue IS NULL))") ", 0)"                        \
                                                                               ", e.owner_id, (SELECT "      \
                                                                               "u.master_id FROM users u "   \
                                                                               "WHERE u.id = e.owner_id), "  \
                                                                               "ifnull(e.audience, 0),"      \
                                                                               " e.event_type, e.channels, " \
                                                                               "CASE WHEN ?9 THEN "          \
                                                                               "e.document END FROM "
enum {
    COLUMN_ID,
    COLUMN_AT,
    COLUMN_FITS,
    COLUMN_DELIVERY, /* of an event: its delivery to the endpoint; 0: none */
    COLUMN_OWNER,
    COLUMN_MASTER,
    COLUMN_AUDIENCE,
    COLUMN_TYPE,
    COLUMN_CHANNELS,
    COLUMN_DOCUMENT
};

enum { FAILED, EVENTS, EVENTS_OF_ONE, ENDPOINT };
const char *const sqlite_job_rows_texts[SQLITE_VARIANTS] = {
    [FAILED] = "SELECT d.id, d.finished_at, e.id IS NOT NULL AND " EVENT_FILTERS
               ", d.id FROM deliveries d LEFT JOIN events e ON e.id = d.event_id WHERE d.endpoint_id = ?1"
               " AND d.state IN (2, 3) AND (d.finished_at, d.id) > (?4, ?3) ORDER BY d.finished_at, d.id",
    [EVENTS] = EVENT_COLUMNS "events e WHERE e.id > ?3 ORDER BY e.id",
    /* See LIST_EVENTS. */
    [EVENTS_OF_ONE] =
        EVENT_COLUMNS "(SELECT event_id AS id FROM owned WHERE owner_id = ?2 AND event_id > ?3"
                      " UNION ALL SELECT id FROM events WHERE owner_id = ?2"
                      " AND id > max(?3, (SELECT followed_to FROM state)) ORDER BY 1 LIMIT -1) o"
                      " CROSS JOIN events e ON e.id = o.id",
    [ENDPOINT] = "SELECT u.id, u.role, u.receives_users_events, e.event_types, e.channels, e.filter"
                 " FROM endpoints e CROSS JOIN users u ON u.id = e.owner_id"
                 " WHERE e.id = ?1 AND e.removed_after IS NULL"};

/* The job's endpoint, as it is now. */
struct job_target {
    struct routing_endpoint endpoint;
    struct wishes *wishes;
    bool found, is_masters;
};

static int read_target(sqlite3_stmt *row, const struct job *job, struct job_target *target)
{
    sqlite3_bind_int64(row, 1, job->endpoint_id);
    target->found = sqlite3_step(row) == SQLITE_ROW;
    if (target->found) {
        wishes_set(&target->wishes, sqlite_text(row, 3), sqlite_text(row, 4), sqlite_text(row, 5));
        target->is_masters = sqlite3_column_int(row, 1) == USER_MASTER;
        target->endpoint = (struct routing_endpoint){.user_id = sqlite3_column_int64(row, 0),
                                                     .has_url = true,
                                                     .receives_users_events = sqlite3_column_int(row, 2),
                                                     .wishes = wishes_of(target->wishes)};
    }
    return sqlite3_reset(row);
}

static int variant_of(const struct job *job, const struct job_target *target)
{
    if (job->kind == JOB_RECOVER)
        return FAILED;
    bool of_users = job->kind == JOB_REPLAY || target->endpoint.receives_users_events;
    return target->is_masters && of_users ? EVENTS : EVENTS_OF_ONE;
}

static void bind(sqlite3_stmt *rows, const struct job *job, const struct job_target *target)
{
    sqlite_bind_ints(
        rows, SQLITE_INTS(job->endpoint_id, target->endpoint.user_id, job->cursor.id, job->cursor.at_ms));
    sqlite_bind_text(rows, 5, job->event_type);
    sqlite_bind_text(rows, 6, job->resource_type);
    sqlite_bind_text(rows, 7, job->resource_id);
    sqlite3_bind_int(rows, 8, job->kind == JOB_REPLAY ? (int)job->delivery_state : -1);
    sqlite3_bind_int(rows, 9, target->endpoint.wishes && target->endpoint.wishes->filter);
}

/* Would the endpoint get this event today? */
static bool would_get(sqlite3_stmt *row, const struct job_target *target)
{
    struct routing_event event = {.owner_id = sqlite3_column_int64(row, COLUMN_OWNER),
                                  .master_id = sqlite3_column_int64(row, COLUMN_MASTER),
                                  .owner_only = sqlite3_column_int(row, COLUMN_AUDIENCE) == AUDIENCE_OWNER,
                                  .event_type = sqlite_text(row, COLUMN_TYPE),
                                  .channels = sqlite_text(row, COLUMN_CHANNELS),
                                  .document = sqlite_text(row, COLUMN_DOCUMENT),
                                  .steps = FILTER_STEPS_MAX};
    return sqlite3_column_int(row, COLUMN_AUDIENCE) != AUDIENCE_CHOSEN &&
           routing_judge(&event, &target->endpoint) == ROUTING_SENT;
}

/* The id that the row stands for; 0: the job does not take it. */
static int64_t taken(sqlite3_stmt *row, const struct job *job, const struct job_target *target)
{
    if (!sqlite3_column_int(row, COLUMN_FITS))
        return 0;
    int64_t delivery_id = sqlite3_column_int64(row, COLUMN_DELIVERY);
    if (job->kind != JOB_BACKFILL)
        return delivery_id;
    return delivery_id == 0 && would_get(row, target) ? sqlite3_column_int64(row, COLUMN_ID) : 0;
}

static int collect(const struct store *store, sqlite3_stmt *rows, const struct store_query *query,
                   const struct job_target *target, struct store_answer *answer)
{
    const struct job *job = query->job;
    int looks_max = store->config.scan_rows_max > 0 ? store->config.scan_rows_max : SCAN_EVENTS_MAX;
    int64_t until_ms = clock_mono_ms(&store->config.clock) + SCAN_MS_MAX;
    while (sqlite3_step(rows) == SQLITE_ROW) {
        struct job_cursor at = {sqlite3_column_int64(rows, COLUMN_AT), sqlite3_column_int64(rows, COLUMN_ID)};
        if (job_is_past(job, at))
            break;
        answer->more = answer->count == query->limit || answer->looked == looks_max ||
                       (answer->looked > 0 && answer->looked % SCAN_ROWS_EACH == 0 &&
                        clock_mono_ms(&store->config.clock) >= until_ms);
        if (answer->more)
            break;
        answer->to = at;
        answer->looked++;
        int64_t id = taken(rows, job, target);
        if (id)
            answer->ids[answer->count++] = id;
    }
    return sqlite3_reset(rows);
}

int sqlite_job_rows(const struct store *store, sqlite3_stmt *const statements[SQLITE_VARIANTS],
                    const struct store_query *query, struct arena *arena, struct store_answer *answer)
{
    struct job_target target = {0};
    answer->to = query->job->cursor;
    answer->ids = arena_alloc(arena, (size_t)query->limit * sizeof *answer->ids);
    int rc = answer->ids ? read_target(statements[ENDPOINT], query->job, &target) : SQLITE_NOMEM;
    if (rc == SQLITE_OK && target.found) {
        sqlite3_stmt *rows = statements[variant_of(query->job, &target)];
        bind(rows, query->job, &target);
        rc = collect(store, rows, query, &target, answer);
    }
    wishes_free(target.wishes);
    return rc;
}
