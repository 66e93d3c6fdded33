/*
 * Queries. Each reader thread has a read-only connection of its own, so that it sees a consistent, committed
 * state and never waits for the writer.
 */
#include "memory.h"
#include "rate.h"
#include "sqlite_parts.h"
#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { QUERY_COUNT = STORE_GET_STATS + 1, DESCENDING = 1, SCOPED = 2 };
enum {
    ATTEMPT_COUNTED = 1,
    ATTEMPT_INCOMPLETE = 2,
    ATTEMPT_REUSED = 4,
    ATTEMPT_MIXED = 8,
    ATTEMPT_UNREAD = 16
};
/* An event has its id after it was received. So of what was received since a time all ids are above those of
 * that time; the hour is for a clock that was set back in between. */
enum { RECEIVED_MARGIN_MS = 3600000 };

struct sqlite_reader {
    sqlite3 *db;
    sqlite3_stmt *statements[QUERY_COUNT][SQLITE_VARIANTS];
};

/* The same numbers everywhere: ?1 id, ?2 whose, ?3 cursor, ?4 rows, ?5 to ?7 filters, ?8 undelivered,
 * ?9 with document, ?10 due clock, ?11 cursor that is text, ?12 who sees it, ?13 to ?17 filters of
 * deliveries. ~ is the cursor's comparison, @ the order.
 *
 * SQLite walks from one bound of an id. Where there are two on the same side (the cursor and the event's own
 * deliveries, say), both are in one expression: given two terms it takes the first, and reads the table up
 * to the second. */
#define ENDPOINT_SETTINGS                                                                                    \
    " e.url, e.disable_on_410, e.paused, e.version, e.created_at, e.updated_at, e.signing,"                  \
    " e.identity, e.event_types, e.channels, e.filter, e.description, e.metadata,"                           \
    " e.in_flight_max, e.rate_count, e.rate_per, e.ordered, e.disabled, e.disable_after, "                   \
    "e.paused_at" SQL_PUSH_COLUMNS
#define ENDPOINT_COLUMNS "SELECT e.id, e.owner_id," ENDPOINT_SETTINGS " FROM endpoints e WHERE"
#define USER_COLUMNS                                                                                         \
    "SELECT u.id, u.role, u.master_id, u.name, u.email, u.receives_users_events, u.version, u.created_at,"   \
    " u.updated_at, u.change, u.id, u.id," ENDPOINT_SETTINGS " FROM "
#define USERS_AND_ENDPOINTS "users u LEFT JOIN endpoints e ON e.id = u.id"
#define KEY_COLUMNS                                                                                          \
    "SELECT id, user_id, digest, label, created_at, revoked_at, allow_from, rate_per_s, version"             \
    " FROM api_keys"
#define EVENT_COLUMNS                                                                                        \
    "SELECT e.id, e.owner_id, e.event_type, e.resource_type, e.resource_id, e.created_at, e.received_at,"    \
    " max(e.sent_at, 0), e.stamp_offset, CASE WHEN ?9 THEN e.document END, e.channels, e.unmatched"
#define DELIVERY_SEEN                                                                                        \
    "(?12 = 0 OR d.endpoint_id = ?12"                                                                        \
    " OR EXISTS (SELECT 1 FROM endpoints n JOIN users u ON u.id = n.owner_id"                                \
    " WHERE n.id = d.endpoint_id AND (u.id = ?12 OR u.master_id = ?12)))"
#define UNDELIVERED "d.state IN (0, 2, 4) AND " DELIVERY_SEEN
/* Looked at row by row, as most may not match. */
#define EVENT_MATCHES                                                                                        \
    "SELECT e.id, (?5 = '' OR e.event_type = ?5) AND (?6 = '' OR e.resource_type = ?6)"                      \
    " AND (?7 = '' OR e.resource_id = ?7)"                                                                   \
    " AND (NOT ?8 OR EXISTS (SELECT 1 FROM deliveries d WHERE " SQL_MADE_WITH_EVENT " AND " UNDELIVERED ")"  \
    " OR EXISTS (SELECT 1 FROM added a CROSS JOIN deliveries d ON d.id = a.delivery_id"                      \
    " WHERE a.event_id = e.id AND d.event_id = e.id AND " UNDELIVERED "))"
/* A resource's row, or the events behind those that have theirs (schema.c); the latest counts. */
#define RESOURCE_COLUMNS                                                                                     \
    "SELECT ?2, ?6, k.id, k.version, ifnull(e.id, 0), ifnull(e.received_at, k.updated_at),"                  \
    " ifnull(k.json, substr(e.document, e.snapshot_at + 1, e.snapshot_len)) FROM ("
#define RESOURCE_END                                                                                         \
    ") k LEFT JOIN events e ON k.json IS NULL AND e.id = k.version"                                          \
    " WHERE k.json IS NOT NULL OR e.snapshot_len > 0"
#define RESOURCE_BEHIND                                                                                      \
    " FROM events WHERE owner_id = ?2 AND id > (SELECT followed_to FROM state)"                              \
    " AND snapshot_len <> 0 AND resource_type = ?6"
/* One that waits in memory (tail.c) is in no queue, as if it were out, but its event is not sent yet. Once it
 * is out, its row still has the end of a lease that would have begun when it was accepted: so of what is in
 * no queue the writer alone knows the end, and takes it back into the queue then. */
#define DELIVERY_IN_TAIL "(d.queue IS NULL AND d.state = 0 AND e.sent_at < 0)"
#define DELIVERY_COLUMNS                                                                                     \
    "SELECT d.id, d.event_id, d.endpoint_id, d.state,"                                                       \
    " (d.queue = 0 AND d.due_at > ?10) OR (d.queue IS NULL AND NOT " DELIVERY_IN_TAIL "),"                   \
    " CASE WHEN " DELIVERY_IN_TAIL                                                                           \
    " THEN 0 ELSE max(d.due_at, ifnull(d.not_before, d.due_at)) - ?10 END, d.attempt + d.earlier,"           \
    " CASE WHEN " DELIVERY_IN_TAIL " THEN 0 ELSE d.lease END, d.last_reason, d.last_status, e.received_at,"  \
    " d.first_attempt_at, d.finished_at, d.queue IS NOT NULL,"                                               \
    " ifnull((SELECT n.owner_id FROM endpoints n WHERE n.id = d.endpoint_id), 0)"
#define DELIVERIES_OF(low, high)                                                                             \
    DELIVERY_COLUMNS " FROM (SELECT m.id FROM events v CROSS JOIN deliveries m ON m.id >= " low              \
                     " AND m.id < " high " WHERE v.id = ?1 UNION ALL SELECT delivery_id FROM added"          \
                     " WHERE event_id = ?1 AND delivery_id ~ ?3 ORDER BY 1 @ LIMIT -1) o"                    \
                     " CROSS JOIN deliveries d ON d.id = o.id CROSS JOIN events e ON e.id = d.event_id"      \
                     " WHERE e.id = ?1 AND " DELIVERY_SEEN " LIMIT ?4"
#define DELIVERIES_END "((v.delivery_first >> 24) + v.delivery_count << 24)"
/* Looked at row by row like events: what needs the row alone comes first. */
#define DELIVERY_MATCHES                                                                                     \
    "SELECT d.id, CASE WHEN (?13 = 0 OR ?13 >> d.state & 1) AND (?14 = 0 OR d.endpoint_id = ?14)"            \
    " AND (?15 = '' OR d.last_reason = ?15)"                                                                 \
    " AND (?2 = 0 OR EXISTS (SELECT 1 FROM endpoints n WHERE n.id = d.endpoint_id AND n.owner_id = ?2))"     \
    " AND (?5 = '' AND ?16 = 0 OR EXISTS (SELECT 1 FROM events e WHERE e.id = d.event_id"                    \
    " AND (?5 = '' OR e.event_type = ?5) AND e.received_at >= ?16))"                                         \
    " AND " DELIVERY_SEEN " THEN 1 ELSE 0 END FROM deliveries d WHERE d.id "
/* No delivery before it is one of an event from ?17 on. */
#define DELIVERY_FROM                                                                                        \
    "CASE ?17 WHEN 0 THEN 0 ELSE (SELECT delivery_first FROM events WHERE id >= ?17 ORDER BY id LIMIT 1) "   \
    "END"
#define JOB_COLUMNS "SELECT * FROM jobs"
#define ATTEMPTS_OF(low, high)                                                                               \
    "SELECT ?1, id & 0xffffff, attempt, started_at, duration_ms, status, failure, flags, address,"           \
    " detail, response FROM attempts WHERE id > " low " AND id < " high                                      \
    " AND EXISTS (SELECT 1 FROM deliveries WHERE id = ?1) ORDER BY id @ LIMIT ?4"

/* By variant; NULL: made of another (query_text). */
static const char *const query_texts[QUERY_COUNT][SQLITE_VARIANTS] = {
    [STORE_GET_USER] = {USER_COLUMNS USERS_AND_ENDPOINTS
                        " WHERE (?2 = 0 OR u.id = ?2 OR u.master_id = ?2) AND u.id = ?1"},
    [STORE_LIST_USERS] = {USER_COLUMNS USERS_AND_ENDPOINTS " WHERE u.id ~ ?3 ORDER BY u.id @ LIMIT ?4",
                          [SCOPED] =
                              USER_COLUMNS "(SELECT id FROM users WHERE id = ?2 AND id ~ ?3 UNION ALL"
                                           " SELECT id FROM users WHERE master_id = ?2 AND id ~ ?3"
                                           " ORDER BY 1 @ LIMIT -1) o CROSS JOIN users u ON u.id = o.id"
                                           " LEFT JOIN endpoints e ON e.id = u.id"
                                           " LIMIT ?4"},
    [STORE_LIST_CHANGED] = {USER_COLUMNS USERS_AND_ENDPOINTS
                            " WHERE u.change > ?3 ORDER BY u.change LIMIT ?4"},
    [STORE_GET_ENDPOINT] = {ENDPOINT_COLUMNS " e.id = ?1 AND (?2 = 0 OR e.owner_id = ?2)"
                                             " AND e.removed_after IS NULL"},
    [STORE_LIST_ENDPOINTS] = {ENDPOINT_COLUMNS " e.id ~ ?3 AND e.removed_after IS NULL"
                                               " ORDER BY e.id @ LIMIT ?4",
                              [SCOPED] = ENDPOINT_COLUMNS
                              " e.owner_id = ?2 AND e.id ~ ?3 AND e.removed_after IS NULL"
                              " ORDER BY e.id @ LIMIT ?4"},
    [STORE_GET_KEYRING] = {KEY_COLUMNS " WHERE revoked_at IS NULL AND id > ?3 ORDER BY id LIMIT ?4"},
    [STORE_LIST_KEYS] = {KEY_COLUMNS " WHERE user_id = ?1 AND id ~ ?3 ORDER BY id @ LIMIT ?4"},
    [STORE_GET_EVENT] = {EVENT_COLUMNS " FROM events e WHERE e.id = ?1 AND (?2 = 0 OR e.owner_id = ?2)"},
    /* Of one user: by the table of ids, and the events behind it (late_rows.c). Both parts come in order
     * and are merged row by row, so that a page reads no more than a page; `LIMIT -1` keeps SQLite from
     * leaving the order to a statement further out, which would have to sort all of it. */
    [STORE_LIST_EVENTS] = {EVENT_MATCHES " FROM events e WHERE e.id ~ ?3 ORDER BY e.id @",
                           [SCOPED] = EVENT_MATCHES
                           " FROM (SELECT event_id AS id FROM owned WHERE owner_id = ?2 AND event_id ~ ?3"
                           " UNION ALL SELECT id FROM events WHERE owner_id = ?2"
                           " AND id > max(?3, (SELECT followed_to FROM state)) ORDER BY 1 @ LIMIT -1) o"
                           " CROSS JOIN events e ON e.id = o.id",
                           [SCOPED | DESCENDING] = EVENT_MATCHES
                           " FROM (SELECT event_id AS id FROM owned WHERE owner_id = ?2 AND event_id ~ ?3"
                           " UNION ALL SELECT id FROM events WHERE owner_id = ?2 AND id ~ ?3"
                           " AND id > (SELECT followed_to FROM state) ORDER BY 1 @ LIMIT -1) o"
                           " CROSS JOIN events e ON e.id = o.id"},
    [STORE_LIST_DELIVERIES] =
        {DELIVERIES_OF("max(v.delivery_first, ?3 + 1)", DELIVERIES_END), [DESCENDING] = DELIVERIES_OF(
                                                                             "v.delivery_first",
                                                                             "min(?3, " DELIVERIES_END ")")},
    [STORE_FIND_DELIVERIES] =
        {DELIVERY_MATCHES "> max(?3, " DELIVERY_FROM " - 1) ORDER BY d.id", [DESCENDING] = DELIVERY_MATCHES
                                                                            "< ?3 AND d.id >= " DELIVERY_FROM
                                                                            " ORDER BY d.id DESC"},
    [STORE_GET_DELIVERY] = {DELIVERY_COLUMNS " FROM deliveries d JOIN events e ON e.id = d.event_id"
                                             " WHERE d.id = ?1 AND " DELIVERY_SEEN},
    [STORE_GET_JOB] = {JOB_COLUMNS " WHERE id = ?1 AND (?2 = 0 OR owner_id = ?2)"},
    [STORE_LIST_JOBS] = {JOB_COLUMNS " WHERE id ~ ?3 ORDER BY id @ LIMIT ?4",
                         [SCOPED] = JOB_COLUMNS " WHERE owner_id = ?2 AND id ~ ?3 ORDER BY id @ LIMIT ?4"},
    [STORE_LIST_HOURS] =
        {"WITH RECURSIVE h (hour) AS (SELECT ?3 + 1 UNION ALL SELECT hour + 1 FROM h"
         " LIMIT max(?4 - 1, 0)) SELECT h.hour, e.accepted, e.delivered, e.failed, e.given_up,"
         " e.cancelled, e.answers FROM h CROSS JOIN endpoint_hours e"
         " ON e.hour = h.hour AND e.endpoint_id = ?1"},
    [STORE_LIST_JOBS_RUNNING] = {JOB_COLUMNS " WHERE state = 0 AND id > ?3 ORDER BY id LIMIT ?4"},
    [STORE_LIST_ATTEMPTS] = {ATTEMPTS_OF("(?1 >> 24 << 24) + ?3", "(?1 >> 24) + 1 << 24"),
                             [DESCENDING] =
                                 ATTEMPTS_OF("?1 >> 24 << 24", "(?1 >> 24 << 24) + min(?3, 1 << 24)")},
    [STORE_GET_RESOURCE] = {RESOURCE_COLUMNS
                            "SELECT id, version, updated_at, json FROM resources WHERE owner_id = ?2"
                            " AND type = ?6 AND id = ?7"
                            " UNION ALL SELECT resource_id, id, NULL, NULL" RESOURCE_BEHIND
                            " AND resource_id = ?7 ORDER BY version DESC LIMIT 1" RESOURCE_END},
    /* More rows than the page has, as some of them may be destroyed by the events behind. */
    [STORE_LIST_RESOURCES] = {RESOURCE_COLUMNS
                              "SELECT id, max(version) AS version, updated_at, json FROM (SELECT * FROM ("
                              "SELECT id, version, updated_at, json FROM resources"
                              " WHERE owner_id = ?2 AND type = ?6 AND id ~ ?11 ORDER BY id @ LIMIT ?4 + "
                              "(SELECT count(*)" RESOURCE_BEHIND "))"
                              " UNION ALL SELECT resource_id, id, NULL, NULL" RESOURCE_BEHIND
                              " AND resource_id ~ ?11) GROUP BY id" RESOURCE_END " ORDER BY k.id @ LIMIT ?4"},
    [STORE_GET_STATS] = {"SELECT 0, 0, 0, 0, 0, endpoints, 0, fingerprint FROM state"}, /* take_published */
};

static int64_t number(sqlite3_stmt *row, int column)
{
    return sqlite3_column_int64(row, column);
}

/* False: the arena is full. */
static bool copy_text(struct arena *arena, sqlite3_stmt *row, int column, struct bytes *text)
{
    struct bytes stored = sqlite_text(row, column);
    *text = arena_copy(arena, stored);
    return text->data != NULL;
}

/* The same of what is text: an answer may hold UTF-8 only, whatever a damaged row has. */
static bool copy_words(struct arena *arena, sqlite3_stmt *row, int column, struct bytes *text)
{
    if (!copy_text(arena, row, column, text))
        return false;
    if (!bytes_are_utf8(*text))
        for (size_t i = 0; i < text->len; i++)
            if ((unsigned char)text->data[i] >= 0x80)
                ((char *)text->data)[i] = '?';
    return true;
}

/* Of a row that may be damaged. */
static int64_t within(int64_t value, int64_t min, int64_t max)
{
    return value < min ? min : value > max ? max : value;
}

static bool take_push(sqlite3_stmt *row, int at, struct arena *arena, struct push_settings *push)
{
    struct push_settings stored = sqlite_push_of(row, at);
    size_t size = push_settings_size(&stored);
    void *memory = size ? arena_alloc(arena, size) : NULL;
    if (memory)
        *push = *push_settings_copy(&stored, memory);
    return memory || size == 0;
}

static bool take_endpoint(sqlite3_stmt *row, int at, struct arena *arena, struct endpoint *endpoint)
{
    *endpoint =
        (struct endpoint){.id = number(row, at),
                          .owner_id = number(row, at + 1),
                          .disable_on_410 = number(row, at + 3),
                          .paused = number(row, at + 4),
                          .paused_at_ms = number(row, at + 21),
                          .disabled = within(number(row, at + 19), ENDPOINT_ENABLED, ENDPOINT_FAILING),
                          .disable_after = (int32_t)within(number(row, at + 20), 0, MODEL_DISABLE_AFTER_MAX),
                          .version = number(row, at + 5),
                          .created_at_ms = number(row, at + 6),
                          .updated_at_ms = number(row, at + 7),
                          .flow = flow_settings_of(number(row, at + 15), number(row, at + 16),
                                                   number(row, at + 17), number(row, at + 18))};
    return copy_words(arena, row, at + 2, &endpoint->url) &&
           copy_text(arena, row, at + 8, &endpoint->signing) &&
           copy_text(arena, row, at + 9, &endpoint->identity) &&
           copy_words(arena, row, at + 10, &endpoint->event_types) &&
           copy_words(arena, row, at + 11, &endpoint->channels) &&
           copy_words(arena, row, at + 12, &endpoint->filter) &&
           copy_words(arena, row, at + 13, &endpoint->description) &&
           copy_words(arena, row, at + 14, &endpoint->metadata) &&
           take_push(row, at + 22, arena, &endpoint->push);
}

static bool take_further_endpoint(sqlite3_stmt *row, struct arena *arena, void *out)
{
    return take_endpoint(row, 0, arena, out);
}

static bool take_user(sqlite3_stmt *row, struct arena *arena, void *out)
{
    struct user *user = out;
    *user = (struct user){.id = number(row, 0),
                          .role = number(row, 1) == USER_MASTER ? USER_MASTER : USER_REGULAR,
                          .master_id = number(row, 2),
                          .receives_users_events = number(row, 5),
                          .version = number(row, 6),
                          .created_at_ms = number(row, 7),
                          .updated_at_ms = number(row, 8),
                          .change = number(row, 9)};
    return copy_words(arena, row, 3, &user->name) && copy_words(arena, row, 4, &user->email) &&
           take_endpoint(row, 10, arena, &user->endpoint);
}

static bool take_key(sqlite3_stmt *row, struct arena *arena, void *out)
{
    struct api_key *key = out;
    *key = (struct api_key){.id = number(row, 0),
                            .user_id = number(row, 1),
                            .created_at_ms = number(row, 4),
                            .revoked_at_ms = number(row, 5),
                            .rate_per_s = within(number(row, 7), -1, RATE_PER_S_MAX),
                            .version = number(row, 8)};
    const char *digest = (const char *)sqlite3_column_text(row, 2);
    snprintf(key->digest, sizeof key->digest, "%s", digest ? digest : "");
    return copy_words(arena, row, 3, &key->label) && copy_words(arena, row, 6, &key->allow_from);
}

static bool take_event(sqlite3_stmt *row, struct arena *arena, void *out)
{
    struct event *event = out;
    *event = (struct event){.id = number(row, 0),
                            .owner_id = number(row, 1),
                            .created_at_ms = number(row, 5),
                            .received_at_ms = number(row, 6),
                            .sent_at_ms = number(row, 7),
                            .stamp_offset = (uint32_t)within(number(row, 8), 0, UINT32_MAX)};
    return copy_words(arena, row, 2, &event->event_type) &&
           copy_words(arena, row, 3, &event->resource_type) &&
           copy_words(arena, row, 4, &event->resource_id) && copy_text(arena, row, 9, &event->document) &&
           copy_words(arena, row, 10, &event->channels) && copy_words(arena, row, 11, &event->unmatched);
}

static bool take_delivery(sqlite3_stmt *row, struct arena *arena, void *out)
{
    struct delivery *delivery = out;
    *delivery = (struct delivery){
        .id = number(row, 0),
        .event_id = number(row, 1),
        .endpoint_id = number(row, 2),
        .user_id = number(row, 14),
        .state = (enum delivery_state)within(number(row, 3), DELIVERY_PENDING, DELIVERY_SKIPPED),
        .resending = number(row, 3) == DELIVERY_DELIVERED && number(row, 13),
        .attempt = (int32_t)within(number(row, 6), 0, INT32_MAX),
        .lease = number(row, 7),
        .next_in_ms = -1,
        .last_status = (int)number(row, 9),
        .created_at_ms = number(row, 10),
        .first_attempt_at_ms = number(row, 11),
        .finished_at_ms = number(row, 12)};
    bool under_way = delivery->state == DELIVERY_PENDING || delivery->resending;
    delivery->leased = under_way && number(row, 4);
    if (under_way && !delivery->leased)
        delivery->next_in_ms = number(row, 5) > 0 ? number(row, 5) : 0;
    return copy_words(arena, row, 8, &delivery->last_reason);
}

int sqlite_attempt_flags(const struct attempt *attempt)
{
    return (attempt->counted ? ATTEMPT_COUNTED : 0) | (attempt->body_incomplete ? ATTEMPT_INCOMPLETE : 0) |
           (attempt->reused_connection ? ATTEMPT_REUSED : 0) | (attempt->mixed_answer ? ATTEMPT_MIXED : 0) |
           (attempt->request_unread ? ATTEMPT_UNREAD : 0);
}

/* A name of no failure, as a damaged row may have it, is that of one that nobody knows any more. */
static enum failure failure_kept(const char *name)
{
    enum failure failure = name ? failure_parse(name) : FAILURE_NONE;
    return failure == FAILURE_COUNT ? FAILURE_DAMAGED : failure;
}

static bool take_attempt(sqlite3_stmt *row, struct arena *arena, void *out)
{
    struct attempt *attempt = out;
    int flags = sqlite3_column_int(row, 7);
    const char *failure = (const char *)sqlite3_column_text(row, 6);
    *attempt = (struct attempt){.delivery_id = number(row, 0),
                                .lease = number(row, 1),
                                .attempt = (int32_t)number(row, 2),
                                .started_at_ms = number(row, 3),
                                .duration_ms = (int32_t)number(row, 4),
                                .status = (int)number(row, 5),
                                .failure = failure_kept(failure),
                                .counted = flags & ATTEMPT_COUNTED,
                                .body_incomplete = flags & ATTEMPT_INCOMPLETE,
                                .reused_connection = flags & ATTEMPT_REUSED,
                                .mixed_answer = flags & ATTEMPT_MIXED,
                                .request_unread = flags & ATTEMPT_UNREAD};
    return copy_words(arena, row, 8, &attempt->address) && copy_words(arena, row, 9, &attempt->detail) &&
           copy_text(arena, row, 10, &attempt->response);
}

static bool take_job(sqlite3_stmt *row, struct arena *arena, void *out)
{
    struct job *job = out;
    *job = (struct job){.id = number(row, 0),
                        .owner_id = number(row, 1),
                        .endpoint_id = number(row, 2),
                        .kind = (enum job_kind)within(number(row, 3), 0, JOB_KINDS - 1),
                        .state = (enum job_state)within(number(row, 4), 0, JOB_STATES - 1),
                        .since_ms = number(row, 5),
                        .until_ms = number(row, 6),
                        .delivery_state = (enum delivery_state)within(number(row, 7), 0, DELIVERY_SKIPPED),
                        .cursor = {number(row, 11), number(row, 12)},
                        .below_id = number(row, 13),
                        .looked = number(row, 14),
                        .made_due = number(row, 15),
                        .total = number(row, 16),
                        .created_at_ms = number(row, 17),
                        .finished_at_ms = number(row, 18)};
    return copy_words(arena, row, 8, &job->event_type) && copy_words(arena, row, 9, &job->resource_type) &&
           copy_words(arena, row, 10, &job->resource_id);
}

static bool take_resource(sqlite3_stmt *row, struct arena *arena, void *out)
{
    struct resource *resource = out;
    *resource = (struct resource){.owner_id = number(row, 0),
                                  .version = number(row, 3),
                                  .event_id = number(row, 4),
                                  .updated_at_ms = number(row, 5)};
    return copy_words(arena, row, 1, &resource->type) && copy_words(arena, row, 2, &resource->id) &&
           copy_text(arena, row, 6, &resource->json);
}

static bool take_stats(sqlite3_stmt *row, struct arena *arena, void *out)
{
    struct store_stats *stats = out;
    *stats = (struct store_stats){.events = number(row, 0),
                                  .deliveries_pending = number(row, 1),
                                  .deliveries_delivered = number(row, 2),
                                  .deliveries_given_up = number(row, 3),
                                  .endpoints = number(row, 5),
                                  .deliveries_cancelled = number(row, 6)};
    struct bytes fingerprint = sqlite_text(row, 7);
    stats->has_fingerprint = fingerprint.len == sizeof stats->fingerprint;
    if (stats->has_fingerprint)
        memcpy(stats->fingerprint, fingerprint.data, fingerprint.len);
    return true;
}

/* The rows of an answer: in which array of it, how large, and how one is read. */
#define ROWS(array, take)                                                                                    \
    {                                                                                                        \
        offsetof(struct store_answer, array), sizeof *((struct store_answer *)0)->array, take                \
    }
static const struct {
    size_t array, size;
    bool (*take)(sqlite3_stmt *row, struct arena *arena, void *out);
} rows_of[QUERY_COUNT] = {
    [STORE_GET_USER] = ROWS(users, take_user),
    [STORE_LIST_USERS] = ROWS(users, take_user),
    [STORE_LIST_CHANGED] = ROWS(users, take_user),
    [STORE_GET_ENDPOINT] = ROWS(endpoints, take_further_endpoint),
    [STORE_LIST_ENDPOINTS] = ROWS(endpoints, take_further_endpoint),
    [STORE_GET_KEYRING] = ROWS(keys, take_key),
    [STORE_LIST_KEYS] = ROWS(keys, take_key),
    [STORE_GET_EVENT] = ROWS(events, take_event),
    [STORE_LIST_EVENTS] = ROWS(events, take_event),
    [STORE_LIST_DELIVERIES] = ROWS(deliveries, take_delivery),
    [STORE_FIND_DELIVERIES] = ROWS(deliveries, take_delivery),
    [STORE_GET_DELIVERY] = ROWS(deliveries, take_delivery),
    [STORE_LIST_ATTEMPTS] = ROWS(attempts, take_attempt),
    [STORE_GET_JOB] = ROWS(jobs, take_job),
    [STORE_LIST_JOBS] = ROWS(jobs, take_job),
    [STORE_LIST_JOBS_RUNNING] = ROWS(jobs, take_job),
    [STORE_LIST_HOURS] = ROWS(hours, sqlite_take_hour),
    [STORE_GET_RESOURCE] = ROWS(resources, take_resource),
    [STORE_LIST_RESOURCES] = ROWS(resources, take_resource),
    [STORE_GET_STATS] = ROWS(stats, take_stats),
};
#undef ROWS

size_t sqlite_query_text(enum store_query_kind kind, int variant, char out[SQLITE_QUERY_LEN_MAX])
{
    const int sources[] = {variant, variant & ~DESCENDING, variant & ~SCOPED, 0};
    const char *text = NULL;
    for (int i = 0; !text; i++)
        text = kind == STORE_JOB_ROWS ? sqlite_job_rows_texts[variant] : query_texts[kind][sources[i]];
    size_t len = 0;
    for (; *text; text++) {
        char plain[] = {*text, '\0'};
        const char *piece = plain;
        if (*text == '~')
            piece = variant & DESCENDING ? "<" : ">";
        else if (*text == '@')
            piece = variant & DESCENDING ? "DESC" : "ASC";
        assert(len + strlen(piece) < SQLITE_QUERY_LEN_MAX);
        memcpy(out + len, piece, strlen(piece));
        len += strlen(piece);
    }
    out[len] = '\0';
    return len;
}

static sqlite3_stmt *statement_for(struct sqlite_reader *reader, enum store_query_kind kind, int variant)
{
    sqlite3_stmt **statement = &reader->statements[kind][variant];
    char text[SQLITE_QUERY_LEN_MAX];
    if (!*statement) {
        size_t len = sqlite_query_text(kind, variant, text);
        sqlite3_prepare_v3(reader->db, text, (int)len, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    }
    return *statement;
}

static int variant_of(const struct store_query *query)
{
    bool users = query->kind == STORE_GET_USER || query->kind == STORE_LIST_USERS;
    bool scoped = users ? query->master_id != 0 : query->owner_id != 0;
    return (query->descending ? DESCENDING : 0) | (scoped ? SCOPED : 0);
}

/* Numbers that a statement does not have are ignored (SQLITE_RANGE). */
static void bind(const struct store *store, sqlite3_stmt *statement, const struct store_query *query)
{
    int64_t start = query->after_id ? query->after_id : query->descending ? INT64_MAX : 0;
    sqlite3_bind_int64(statement, 1, query->id);
    bool users = query->kind == STORE_GET_USER || query->kind == STORE_LIST_USERS;
    sqlite3_bind_int64(statement, 2, users ? query->master_id : query->owner_id);
    sqlite3_bind_int64(statement, 3, start);
    sqlite3_bind_int(statement, 4, query->limit > 0 ? query->limit + 1 : -1); /* one more: a page follows */
    sqlite_bind_text(statement, 5, query->event_type);
    sqlite_bind_text(statement, 6, query->resource_type);
    sqlite_bind_text(statement, 7, query->resource_id);
    sqlite3_bind_int(statement, 8, query->undelivered);
    sqlite3_bind_int(statement, 9, query->with_document);
    sqlite3_bind_int64(statement, 10, sqlite_now(store).due_ms);
    sqlite3_bind_int64(statement, 12, query->master_id);
    sqlite3_bind_int64(statement, 13, query->states);
    sqlite3_bind_int64(statement, 14, query->endpoint_id);
    sqlite_bind_text(statement, 15, query->reason);
    sqlite3_bind_int64(statement, 16, query->received_from_ms);
    int64_t margin_ms = query->received_from_ms - RECEIVED_MARGIN_MS;
    sqlite3_bind_int64(statement, 17, margin_ms > 0 ? ids_from(margin_ms) : 0);
    bool from_end = query->descending && query->after_resource_id.len == 0;
    sqlite_bind_text(statement, 11,
                     from_end ? bytes_of("\xff") : query->after_resource_id); /* above all UTF-8 */
}

/* Rows on the arena, twice as many whenever they run out. NULL: it is full. */
static void *rows_grow(struct arena *arena, void *rows, size_t size, int count)
{
    if (count >= 4 && (count & (count - 1)) != 0)
        return rows;
    if (count != 0 && count < 4)
        return rows;
    void *grown = arena_alloc(arena, size * (size_t)(count ? 2 * count : 4));
    if (grown && count)
        memcpy(grown, rows, size * (size_t)count);
    return grown;
}

/* One row to the answer. False: the page is full, or the arena. */
static bool take(sqlite3_stmt *row, const struct store_query *query, struct arena *arena,
                 struct store_answer *answer)
{
    size_t size = rows_of[query->kind].size;
    void **rows = (void **)((char *)answer + rows_of[query->kind].array);
    bool room = query->limit <= 0 || answer->count < query->limit;
    void *grown = room ? rows_grow(arena, *rows, size, answer->count) : NULL;
    if (grown)
        *rows = grown;
    if (grown && rows_of[query->kind].take(row, arena, (char *)grown + size * (size_t)answer->count))
        answer->count++;
    else
        answer->more = true;
    return !answer->more;
}

static int collect(sqlite3_stmt *statement, const struct store_query *query, struct arena *arena,
                   struct store_answer *answer)
{
    while (sqlite3_step(statement) == SQLITE_ROW && take(statement, query, arena, answer))
        ;
    return sqlite3_reset(statement);
}

static bool is_scan(const struct store_query *query)
{
    return query->kind == STORE_LIST_EVENTS || query->kind == STORE_FIND_DELIVERIES;
}

static int scan_rows_max(const struct store *store, const struct store_query *query)
{
    int rows_max = query->kind == STORE_LIST_EVENTS ? SCAN_EVENTS_MAX : SCAN_DELIVERIES_MAX;
    if (query->limit <= 0)
        return INT_MAX;
    return store->config.scan_rows_max > 0 ? store->config.scan_rows_max : rows_max;
}

/* The rows that match, by their ids: a page looks at so many at most, and for so long, whatever comes. */
static int collect_scan(const struct store *store, struct sqlite_reader *reader, sqlite3_stmt *scan,
                        const struct store_query *query, struct arena *arena, struct store_answer *answer)
{
    bool events = query->kind == STORE_LIST_EVENTS;
    sqlite3_stmt *get = statement_for(reader, events ? STORE_GET_EVENT : STORE_GET_DELIVERY, 0);
    int looks_left = scan_rows_max(store, query);
    int64_t until_ms = clock_mono_ms(&store->config.clock) + SCAN_MS_MAX;
    int rc = get ? SQLITE_OK : sqlite3_errcode(reader->db);
    bool room = true;
    int looked = 0;
    while (rc == SQLITE_OK && room && sqlite3_step(scan) == SQLITE_ROW) {
        if (query->limit > 0 && ++looked % SCAN_ROWS_EACH == 0 &&
            clock_mono_ms(&store->config.clock) >= until_ms)
            looks_left = 0;
        answer->more = looks_left-- == 0;
        if (answer->more)
            break;
        answer->scanned_to = number(scan, 0);
        if (!number(scan, 1))
            continue;
        bind(store, get, &(struct store_query){.id = number(scan, 0), .with_document = query->with_document});
        if (sqlite3_step(get) == SQLITE_ROW)
            room = take(get, query, arena, answer);
        rc = sqlite3_reset(get);
    }
    if (!answer->more || !room)
        answer->scanned_to = 0; /* the page is whole */
    int end = sqlite3_reset(scan);
    return rc == SQLITE_OK ? end : rc;
}

/* The row of `state` may be late. */
static void take_published(struct store *store, struct store_stats *stats)
{
    pthread_mutex_lock(&store->published_lock);
    const struct sqlite_counts *counts = &store->published;
    stats->events = counts->events;
    stats->deliveries_pending = counts->states[DELIVERY_PENDING];
    stats->deliveries_delivered = counts->states[DELIVERY_DELIVERED];
    stats->deliveries_given_up = counts->states[DELIVERY_GIVEN_UP];
    stats->deliveries_cancelled = counts->states[DELIVERY_CANCELLED];
    stats->deliveries_skipped = counts->states[DELIVERY_SKIPPED];
    stats->endpoints_failing = counts->failing;
    stats->log_bytes = counts->log_frames * STORE_PAGE_BYTES;
    stats->oldest_waiting_at_ms = store->oldest_at_ms;
    pthread_mutex_unlock(&store->published_lock);
}

/* It has to look through the index of all that waits: 50 ms for a million. So it is looked up for one reader
 * at a time, each second at most and at a hundredth of that reader's time, and the others have what was found
 * last. */
static int find_oldest(struct store *store, sqlite3 *db)
{
    static const char sql[] =
        "SELECT received_at FROM events WHERE id = (SELECT event_id FROM deliveries"
        " WHERE id = min(?1, (SELECT ifnull(min(id), ?1) FROM deliveries WHERE queue IS NOT NULL)))";
    int64_t began_ms = clock_mono_ms(&store->config.clock), at_ms = 0;
    pthread_mutex_lock(&store->published_lock);
    bool mine = began_ms >= store->oldest_again_ms;
    store->oldest_again_ms = mine ? INT64_MAX : store->oldest_again_ms;
    int64_t oldest_born = store->published.oldest_born;
    pthread_mutex_unlock(&store->published_lock);
    if (!mine)
        return SQLITE_OK;
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK)
        sqlite3_bind_int64(statement, 1, oldest_born);
    if (rc == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        at_ms = sqlite3_column_int64(statement, 0);
    int end = sqlite3_finalize(statement);
    int64_t ended_ms = clock_mono_ms(&store->config.clock);
    pthread_mutex_lock(&store->published_lock);
    store->oldest_at_ms = at_ms;
    store->oldest_again_ms = ended_ms + 1000 + 100 * (ended_ms - began_ms);
    pthread_mutex_unlock(&store->published_lock);
    return rc == SQLITE_OK ? end : rc;
}

static int read_job_rows(const struct store *store, struct sqlite_reader *reader,
                         const struct store_query *query, struct arena *arena, struct store_answer *answer)
{
    sqlite3_stmt *statements[SQLITE_VARIANTS];
    for (int i = 0; i < SQLITE_VARIANTS; i++)
        if (!(statements[i] = statement_for(reader, STORE_JOB_ROWS, i)))
            return sqlite3_errcode(reader->db);
    return sqlite_job_rows(store, statements, query, arena, answer);
}

enum store_status sqlite_read(struct store *store, int reader_number, const struct store_query *query,
                              struct arena *arena, struct store_answer *answer)
{
    assert(reader_number >= 0 && reader_number < store->config.readers);
    struct sqlite_reader *reader = &store->readers[reader_number];
    *answer = (struct store_answer){0};
    sqlite3_stmt *statement =
        query->kind == STORE_JOB_ROWS ? NULL : statement_for(reader, query->kind, variant_of(query));
    int rc = query->kind == STORE_JOB_ROWS ? read_job_rows(store, reader, query, arena, answer)
             : statement                   ? SQLITE_OK
                                           : sqlite3_errcode(reader->db);
    if (statement) {
        bind(store, statement, query);
        rc = is_scan(query) ? collect_scan(store, reader, statement, query, arena, answer)
                            : collect(statement, query, arena, answer);
    }
    if (rc == SQLITE_OK && query->kind == STORE_GET_STATS)
        rc = find_oldest(store, reader->db);
    if (rc == SQLITE_OK && query->kind == STORE_GET_STATS && answer->count == 1)
        take_published(store, answer->stats);
    if (rc == SQLITE_OK)
        return STORE_OK;
    return sqlite_fault_of_reader(store, reader->db, rc);
}

enum store_status sqlite_readers_open(struct store *store)
{
    if (store->config.readers <= 0)
        return STORE_OK;
    store->readers = memory_zero((size_t)store->config.readers, sizeof *store->readers);
    enum store_status status = STORE_OK;
    for (int i = 0; i < store->config.readers && status == STORE_OK; i++) {
        int rc = sqlite_connect(store->path, NULL, &store->readers[i].db);
        status = rc == SQLITE_OK ? STORE_OK : sqlite_fault(store, rc);
    }
    return status;
}

void sqlite_readers_close(struct store *store)
{
    for (int i = 0; store->readers && i < store->config.readers; i++) {
        for (int kind = 0; kind < QUERY_COUNT; kind++)
            for (int variant = 0; variant < SQLITE_VARIANTS; variant++)
                sqlite3_finalize(store->readers[i].statements[kind][variant]);
        sqlite3_close(store->readers[i].db);
    }
    free(store->readers);
}
