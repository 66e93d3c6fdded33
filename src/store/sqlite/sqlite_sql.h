/*
 * sqlite_sql: every statement of the writer, prepared once at open. What they read and write is in
 * schema.c.
 */
#pragma once

/* The settings of push_settings.h, as columns: behind the others of a SELECT, and as parameters with names.
 */
#define SQL_PUSH_COLUMN(name, max) ", e." #name
#define SQL_PUSH_NAME(name, max)   ", " #name
#define SQL_PUSH_VALUE(name, max)  ", :" #name
#define SQL_PUSH_SET(name, max)    ", " #name " = :" #name
#define SQL_PUSH_ZERO(name, max)   ", " #name " = 0"
#define SQL_PUSH_NULL(name, max)   ", " #name " = NULL"
#define SQL_PUSH_EACH(as)          PUSH_SETTINGS_LIST(as, as, as)
#define SQL_PUSH_COLUMNS           SQL_PUSH_EACH(SQL_PUSH_COLUMN)

/* Rows of a statement that inserts many. More than 16 brought nothing. */
enum { SQL_MANY = 16 };
#define SQL_FOUR_OF(row) row "," row "," row "," row
#define SQL_MANY_OF(row) SQL_FOUR_OF(row) "," SQL_FOUR_OF(row) "," SQL_FOUR_OF(row) "," SQL_FOUR_OF(row)

/* A resource that stands in its event. updated_at, of no other use in such a row, says what became of the
 * row: NULL, it is new; else the bytes of the snapshot that was replaced, negative. */
#define SQL_RESOURCE_NAMED(rows)                                                                             \
    "INSERT INTO resources (owner_id, type, id, version) VALUES " rows " ON CONFLICT DO UPDATE SET"          \
    " version = excluded.version, updated_at = -ifnull(length(json), 0), json = NULL, put = NULL"            \
    " RETURNING owner_id, updated_at"

/* An event's deliveries are those that were made with it, and those that were added (schema.c). Behind the
 * former, the next one may have a lower mark than theirs (model.h). */
#define SQL_MADE_WITH_EVENT                                                                                  \
    "d.id >= e.delivery_first AND d.id < ((e.delivery_first >> 24) + e.delivery_count << 24) AND "           \
    "d.event_id = e.id"
/* The delivery of event e to endpoint `to`, with a condition. */
#define SQL_DELIVERY_TO(to, condition)                                                                       \
    "coalesce((SELECT d.id FROM deliveries d WHERE " SQL_MADE_WITH_EVENT                                     \
    " AND d.endpoint_id = " to condition                                                                     \
    "), (SELECT d.id FROM added a CROSS JOIN deliveries d ON d.id = a.delivery_id"                           \
    " WHERE a.event_id = e.id AND d.event_id = e.id AND d.endpoint_id = " to condition "))"

#define SQL_PURGE_COLUMNS                                                                                    \
    "SELECT id, received_at, delivery_first, delivery_count, owner_id, snapshot_len FROM events"

/* A user and an endpoint of it. A user whose default endpoint is missing, as only a damaged table has it, has
 * one without a URL. */
#define SQL_ROSTER_COLUMNS                                                                                   \
    "SELECT coalesce(e.id, u.id), u.id, u.master_id, u.receives_users_events, (SELECT k.digest FROM"         \
    " api_keys k WHERE k.user_id = u.id AND k.revoked_at IS NULL ORDER BY k.id LIMIT 1), e.url,"             \
    " e.paused, e.answered, e.version, e.created_at, e.signing, e.identity,"                                 \
    " e.removed_after IS NOT NULL, e.event_types, e.channels, e.filter,"                                     \
    " e.in_flight_max, e.rate_count, e.rate_per, e.ordered" SQL_PUSH_COLUMNS
enum { SQL_ROSTER_PUSH = 20 }; /* the first of SQL_PUSH_COLUMNS */
#define SQL_ROSTER_DEFAULT SQL_ROSTER_COLUMNS " FROM users u LEFT JOIN endpoints e ON e.id = u.id"
#define SQL_ROSTER_FURTHER                                                                                   \
    SQL_ROSTER_COLUMNS " FROM endpoints e CROSS JOIN users u ON u.id = e.owner_id WHERE e.id <> e.owner_id"

/* NULL, which is the highest id and 1, if that is above it anyway. */
#define SQL_ID_ABOVE(from, table)                                                                            \
    "(SELECT " from " + 1 WHERE NOT EXISTS (SELECT 1 FROM " table " WHERE id > " from "))"

/* A row of the ledger. finished_at goes with the state. */
#define SQL_DELIVERY_ROW                                                                                     \
    "UPDATE deliveries SET queue = ?2, due_at = ?3, state = ?4, attempt = ?5, lost = ?6, aged_from = ?7,"    \
    " earlier = ?8, finished_at = CASE state WHEN ?4 THEN finished_at ELSE ?9 END, not_before = ?13, "       \
    "resumes_at = ?14"

/* DUE_GET: w is the index alone, d the row itself, which may say something else if either is damaged.
 * deliveries.queue: the endpoint it waits for; 0, claimed; NULL, ended or out since it was born. */
#define SQL_LIST(X)                                                                                          \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                              \
    X(COMMIT, "COMMIT")                                                                                      \
    X(ROLLBACK, "ROLLBACK")                                                                                  \
    X(STATE_SAVE, "UPDATE state SET due_clock_ms = ?1, service_clock_ms = ?2, delivery_id_max = ?3,"         \
                  " event_id_max = ?4, events = ?5, pending = ?6, delivered = ?7, given_up = ?8,"            \
                  " born_from = ?9, followed_to = ?10, cancelled = ?11, endpoints = ?12, born_out = ?13,"    \
                  " skipped = ?14, idempotency_to = ?15, idempotency_before = ?16")                          \
    X(STATE_EVENTS, "SELECT count(*), max(id) FILTER (WHERE id >> 62 = 0) FROM events WHERE id > ?1")        \
    X(STATE_DELIVERIES, "SELECT total(state = 0), total(state = 1), total(state = 2), max(id)"               \
                        " FILTER (WHERE id >> 61 = 0), total(state = 4) FROM deliveries WHERE id > ?1")      \
    X(STATE_BORN_OUT,                                                                                        \
      "SELECT count(*) FROM deliveries WHERE id >= ?1 AND id <= ?2 AND state = 0 AND queue IS NULL")         \
                                                                                                             \
    X(FINGERPRINT, "UPDATE state SET fingerprint = ?1")                                                      \
                                                                                                             \
    X(EVENT_INSERT,                                                                                          \
      "INSERT INTO events (id, owner_id, received_at, created_at, sent_at, delivery_first,"                  \
      " delivery_count, stamp_offset, event_type, resource_type, resource_id, document,"                     \
      " snapshot_at, snapshot_len, requester_id, idempotency_key, request_digest, channels, unmatched, "     \
      "audience)"                                                                                            \
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)") \
    X(EVENT_KNOWN, "SELECT id FROM events WHERE id = ?1")                                                    \
    X(EVENT_SENT, "UPDATE events SET sent_at = ?2 WHERE id = ?1")                                            \
    X(EVENT_RECIPIENTS,                                                                                      \
      "SELECT e.delivery_count, (SELECT d.id FROM deliveries d WHERE d.id = e.delivery_first"                \
      " AND d.state = 4 AND e.delivery_count = 1) FROM events e WHERE e.id = ?1")                            \
                                                                                                             \
    X(IDEMPOTENCY_EVENT, "SELECT requester_id, idempotency_key, request_digest, received_at FROM events"     \
                         " WHERE id = ?1")                                                                   \
    X(IDEMPOTENCY_AHEAD, "SELECT id, requester_id, idempotency_key, received_at FROM events"                 \
                         " WHERE id > ?1 AND id >> 62 = 0 ORDER BY id")                                      \
    X(IDEMPOTENCY_RUN_LOAD, "SELECT id, level, bits, built, keys, received_last, into_run"                   \
                            " FROM idempotency_runs ORDER BY id")                                            \
    X(IDEMPOTENCY_RUN_INSERT, "INSERT INTO idempotency_runs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")            \
    X(IDEMPOTENCY_RUN_UPDATE, "UPDATE idempotency_runs SET built = ?2, into_run = ?3 WHERE id = ?1")         \
    X(IDEMPOTENCY_RUN_DELETE, "DELETE FROM idempotency_runs WHERE id = ?1")                                  \
    X(IDEMPOTENCY_RUN_CLEAR, "DELETE FROM idempotency_runs")                                                 \
    X(IDEMPOTENCY_ENTRIES_GET, "SELECT id, entries FROM idempotency_entries WHERE id BETWEEN ?1 AND ?2"      \
                               " ORDER BY id")                                                               \
    X(IDEMPOTENCY_ENTRIES_INSERT, "INSERT OR REPLACE INTO idempotency_entries VALUES (?1, ?2)")              \
    X(IDEMPOTENCY_ENTRIES_DELETE, "DELETE FROM idempotency_entries WHERE id >= ?1 AND id < ?2")              \
    X(IDEMPOTENCY_ENTRIES_CLEAR, "DELETE FROM idempotency_entries")                                          \
                                                                                                             \
    X(DELIVERY_INSERT,                                                                                       \
      "INSERT INTO deliveries (id, event_id, endpoint_id, queue, due_at, lease, lost, room)"                 \
      " VALUES (?1, ?2, ?3, ?6, ?4, ?5, ?5, x'0000000000000000000000000000')")                               \
    X(DELIVERY_SKIP, "INSERT INTO deliveries (id, event_id, endpoint_id, state, lease, lost, finished_at)"   \
                     " VALUES (?1, ?2, ?3, 4, 0, 0, ?4)")                                                    \
                                                                                                             \
    X(DUE_GET,                                                                                               \
      "SELECT w.id, d.lease, d.lost, d.attempt, d.aged_from, e.id, max(e.sent_at, 0), e.stamp_offset,"       \
      " e.document, e.delivery_count, d.state, d.earlier, d.queue, w.due_at, d.not_before, d.resumes_at "    \
      "FROM deliveries w"                                                                                    \
      " LEFT JOIN deliveries d ON d.id = w.id LEFT JOIN events e ON e.id = d.event_id"                       \
      " WHERE w.queue = ?1 AND w.due_at <= ?2 AND (w.due_at, w.id) > (?4, ?5)"                               \
      " ORDER BY w.due_at, w.id LIMIT ?3")                                                                   \
    X(DUE_NEXT,                                                                                              \
      "SELECT due_at FROM deliveries WHERE queue = ?1 AND due_at NOT NULL ORDER BY due_at LIMIT 1")          \
    X(LINE_FIRST, "SELECT max(due_at, ifnull(not_before, due_at)) FROM deliveries WHERE queue = ?1"          \
                  " AND due_at < 0 ORDER BY due_at LIMIT 1")                                                 \
    X(LINE_HELD_BY, "SELECT id FROM deliveries WHERE queue = ?1 AND due_at < 0 ORDER BY due_at LIMIT 1")     \
    X(LINE_BESIDE, "SELECT due_at FROM deliveries WHERE queue = ?1 AND due_at >= 0 ORDER BY due_at LIMIT 1") \
    X(LINE_JOIN, "UPDATE deliveries SET not_before = CASE WHEN due_at > ?2 THEN due_at END,"                 \
                 " due_at = (id >> 24) - (1 << 40) WHERE id IN (SELECT id FROM deliveries"                   \
                 " WHERE queue = ?1 AND due_at >= 0 AND state = 0 LIMIT ?3)")                                \
    X(LINE_LEAVE,                                                                                            \
      "UPDATE deliveries SET due_at = CASE WHEN not_before > ?2 THEN not_before ELSE due_at END,"            \
      " not_before = NULL WHERE id IN (SELECT id FROM deliveries"                                            \
      " WHERE queue = ?1 AND due_at < 0 AND not_before NOT NULL LIMIT ?3)")                                  \
    X(DELIVERY_CLAIM, "UPDATE deliveries SET queue = 0, due_at = ?2, lease = ?3, lost = ?4 WHERE id = ?1")   \
    X(DELIVERY_UNCLAIM, "UPDATE deliveries SET queue = endpoint_id, due_at = ?2 WHERE id = ?1")              \
    X(DELIVERY_UNCLAIM_ALL, "UPDATE deliveries SET queue = endpoint_id, due_at = min(due_at, ?1)"            \
                            " WHERE queue = 0")                                                              \
    X(DUE_MEND,                                                                                              \
      "UPDATE deliveries SET due_at = ?1 WHERE id = ?2 AND queue > 0 AND typeof(due_at) <> 'integer'")       \
    X(DELIVERY_UNCLAIM_BORN,                                                                                 \
      "UPDATE deliveries SET queue = endpoint_id, due_at = min(due_at, ?1),"                                 \
      " (lease, lost) = (SELECT lease * ifnull(max(e.sent_at > 0), 1), lost * ifnull(max(e.sent_at > 0), 1)" \
      " FROM events e WHERE e.id = event_id)"                                                                \
      " WHERE id >= ?2 AND state = 0 AND queue IS NULL")                                                     \
                                                                                                             \
    X(DELIVERY_WAITS, "UPDATE deliveries SET queue = endpoint_id, due_at = ?2, lease = 0, lost = 0"          \
                      " WHERE id = ?1")                                                                      \
    X(DELIVERY_GET, "SELECT d.event_id, d.endpoint_id, d.state, d.lease, d.attempt, d.aged_from,"            \
                    " d.lost, d.queue IS NOT NULL, d.earlier, max(d.due_at, ifnull(d.not_before, "           \
                    "d.due_at)), d.resumes_at, d.finished_at FROM deliveries d WHERE d.id = ?1")             \
    X(DELIVERY_SAVE, SQL_DELIVERY_ROW " WHERE id = ?1")                                                      \
    X(DELIVERY_RECORD, SQL_DELIVERY_ROW ", first_attempt_at = coalesce(first_attempt_at, ?10),"              \
                                        " last_status = ?11, last_reason = ?12, room = NULL WHERE id = ?1")  \
    X(DELIVERY_DELIVERED, "UPDATE deliveries SET state = 1, attempt = 1, lost = 0, first_attempt_at = ?4,"   \
                          " finished_at = ?2, last_status = ?3, room = NULL WHERE id = ?1")                  \
    X(DELIVERY_DAMAGED, "UPDATE deliveries SET queue = NULL, due_at = NULL, lost = 0, state = ?4,"           \
                        " finished_at = CASE state WHEN ?4 THEN finished_at ELSE ?2 END,"                    \
                        " last_reason = 'damaged' WHERE id = ?1 AND queue = ?3")                             \
    X(DELIVERY_AGAIN,                                                                                        \
      "UPDATE deliveries SET due_at = CASE WHEN ?4 AND state <> 0 THEN 0 ELSE ?3 END, not_before = NULL"     \
      " WHERE id = ?1 AND queue = ?2")                                                                       \
    X(ATTEMPT_TRIM,                                                                                          \
      "UPDATE attempts SET response = substr(response, 1, ?3) WHERE id ="                                    \
      " (SELECT max(id) FROM attempts WHERE id >= ?1 >> 24 << 24 AND id < ?1 >> 24 << 24 | ?2)"              \
      " AND length(response) > ?3")                                                                          \
    X(ATTEMPT_LAST, "SELECT failure FROM attempts WHERE id >= ?1 >> 24 << 24 AND id < (?1 >> 24 << 24 | ?2)" \
                    " ORDER BY id DESC LIMIT 1")                                                             \
    X(ATTEMPT_GET, "SELECT 1 FROM attempts WHERE id = (?1 >> 24 << 24 | ?2)")                                \
    X(ATTEMPT_INSERT, "INSERT OR REPLACE INTO attempts (id, attempt, started_at, duration_ms, status,"       \
                      " failure, flags, address, detail, response)"                                          \
                      " VALUES (?1, ?2, ?6, ?3, ?4, ?7, ?5, ?8, ?9, ?10)")                                   \
                                                                                                             \
    X(USER_INSERT,                                                                                           \
      "INSERT INTO users (id, role, master_id, name, email, receives_users_events, version, created_at,"     \
      " updated_at) VALUES (coalesce(?1, " SQL_ID_ABOVE("?9", "users") "), ?2, ?3, ?4, ?5, ?6, 1, ?7, ?8)")  \
    X(USER_GET, "SELECT version FROM users WHERE id = ?1")                                                   \
    X(USER_UPDATE, "UPDATE users SET name = ?2, email = ?3, receives_users_events = ?4, updated_at = ?5,"    \
                   " version = ifnull(version, 0) + 1 WHERE id = ?1")                                        \
    X(USER_TOUCH, "UPDATE users SET version = ifnull(version, 0) + 1 WHERE id = ?1")                         \
    X(USER_CHANGE, "UPDATE users SET change = (SELECT ifnull(max(change), 0) FROM users) + 1 WHERE id = ?1") \
    X(ENDPOINT_INSERT,                                                                                       \
      "INSERT INTO endpoints (id, owner_id, url, disable_on_410, paused,"                                    \
      " signing, identity, created_at, updated_at, event_types, channels, filter, "                          \
      "description, metadata, in_flight_max, rate_count, rate_per, ordered, disabled, "                      \
      "version, disable_after, paused_at" SQL_PUSH_EACH(                                                     \
          SQL_PUSH_NAME) ")"                                                                                 \
                         " VALUES (?1, ?2, ?3, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, "      \
                         "?17, ?18, ?19, ?20, 1, :disable_after, :paused_at" SQL_PUSH_EACH(                  \
                             SQL_PUSH_VALUE) ")")                                                            \
    X(ENDPOINT_UPDATE,                                                                                       \
      "UPDATE endpoints SET answered = answered AND url IS ?3, url = ?3,"                                    \
      " disable_on_410 = ?5, paused = ?6, signing = ?7, identity = ?8, updated_at = ?10, "                   \
      "event_types = ?11, channels = ?12, filter = ?13, description = ?14, metadata = ?15,"                  \
      " in_flight_max = ?16, rate_count = ?17, rate_per = ?18, ordered = ?19, disabled = ?20,"               \
      " version = ifnull(version, 0) + 1, disable_after = :disable_after, paused_at = "                      \
      ":paused_at" SQL_PUSH_EACH(SQL_PUSH_SET) " WHERE id = ?1")                                             \
    X(ENDPOINT_GET, "SELECT version FROM endpoints WHERE id = ?1 AND owner_id = ?2"                          \
                    " AND removed_after IS NULL")                                                            \
    X(ENDPOINT_REMOVE, "UPDATE endpoints SET url = NULL, signing = x'', identity = x'', filter = NULL, "     \
                       "metadata = NULL, removed_after = ?2" PUSH_SETTINGS_LIST(                             \
                           SQL_PUSH_ZERO, SQL_PUSH_NULL, SQL_PUSH_NULL) " WHERE id = ?1")                    \
    X(ENDPOINT_FORGET, "DELETE FROM endpoints WHERE removed_after < (SELECT ifnull(min(id), 1 << 62)"        \
                       " FROM events) RETURNING id")                                                         \
    X(REMOVED_LIST, "SELECT id FROM endpoints WHERE removed_after >= 0")                                     \
    X(REMOVED_WAITING, "SELECT id FROM deliveries WHERE queue = ?1 LIMIT 1")                                 \
    X(ENDPOINT_DISABLE,                                                                                      \
      "UPDATE endpoints SET paused = 1, paused_at = ?3, disabled = ?2, version = ifnull(version, 0) + 1"     \
      " WHERE id = ?1")                                                                                      \
    X(FAILING_GET,                                                                                           \
      "SELECT e.disable_on_410, e.disable_after, f.since, f.outage_from, e.disabled FROM endpoints e"        \
      " LEFT JOIN failing f ON f.endpoint_id = e.id WHERE e.id = ?1")                                        \
    X(FAILING_PUT, "INSERT OR REPLACE INTO failing (endpoint_id, since, outage_from) VALUES (?1, ?2, ?3)")   \
    X(NOTICE_GET, "SELECT count, due_at, told FROM notices WHERE endpoint_id = ?1 AND kind = ?2")            \
    X(NOTICE_PUT, "INSERT OR REPLACE INTO notices (endpoint_id, kind, count, due_at, told)"                  \
                  " VALUES (?1, ?2, ?3, ?4, ?5)")                                                            \
    X(NOTICE_END, "DELETE FROM notices WHERE endpoint_id = ?1 AND kind = ?2")                                \
    X(NOTICES_FORGET, "DELETE FROM notices WHERE endpoint_id = ?1")                                          \
    X(NOTICES_DUE, "SELECT endpoint_id, kind, count FROM notices WHERE count > 0 AND due_at <= ?1"           \
                   " AND EXISTS (SELECT 1 FROM endpoints WHERE id = endpoint_id) ORDER BY due_at LIMIT ?2")  \
    X(HOUR_GET, "SELECT hour, accepted, delivered, failed, given_up, cancelled, answers"                     \
                " FROM endpoint_hours WHERE hour = ?1 AND endpoint_id = ?2")                                 \
    X(HOUR_PUT, "INSERT OR REPLACE INTO endpoint_hours (hour, endpoint_id, accepted, delivered, failed,"     \
                " given_up, cancelled, answers) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")                    \
    X(HOURS_FORGET, /* from each hour to the next one that has a row */                                      \
      "WITH RECURSIVE h (hour) AS (SELECT min(hour) FROM endpoint_hours UNION ALL"                           \
      " SELECT (SELECT min(hour) FROM endpoint_hours WHERE hour > h.hour) FROM h WHERE hour IS NOT NULL)"    \
      " DELETE FROM endpoint_hours WHERE hour IN (SELECT hour FROM h) AND endpoint_id = ?1")                 \
    X(HOURS_ENDS, "SELECT (SELECT min(hour) FROM endpoint_hours), (SELECT max(hour) FROM endpoint_hours)")   \
    X(HOURS_PART, "SELECT endpoint_id FROM endpoint_hours WHERE hour = ?1 ORDER BY endpoint_id"              \
                  " LIMIT 1 OFFSET ?2")                                                                      \
    X(HOURS_PURGE, "DELETE FROM endpoint_hours WHERE hour = ?1 AND endpoint_id <= ?2")                       \
    X(WAITING_FIRST, "SELECT id, event_id FROM deliveries WHERE queue = ?1 AND queue > 0"                    \
                     " ORDER BY id LIMIT 1")                                                                 \
    X(EVENT_RECEIVED, "SELECT received_at FROM events WHERE id = ?1")                                        \
    X(FAILING_END, "DELETE FROM failing WHERE endpoint_id = ?1")                                             \
    X(FAILING_LIST, "SELECT endpoint_id FROM failing")                                                       \
    X(ENDPOINT_ANSWERED, "UPDATE endpoints SET answered = 1 WHERE id = ?1")                                  \
    X(REQUEST_GET, "SELECT digest, made_id, made FROM requests WHERE requester_id = ?1 AND key = ?2"         \
                   " AND created_at >= ?3")                                                                  \
    X(REQUEST_PUT, "INSERT OR REPLACE INTO requests (requester_id, key, digest, made_id, made, created_at)"  \
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6)")                                                       \
    X(REQUEST_FORGET,                                                                                        \
      "DELETE FROM requests WHERE id < (SELECT min(id) FROM requests) + ?2 AND created_at < ?1")             \
    X(JOB_INSERT, "INSERT INTO jobs VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 0, "  \
                  "0, ?14, ?15, 0)")                                                                         \
    X(JOB_RUNS, "SELECT 1 FROM jobs WHERE endpoint_id = ?1 AND kind = ?2 AND state = 0")                     \
    X(JOB_GET, "SELECT kind, state, endpoint_id, delivery_state, cursor_at, cursor_id, below_id FROM jobs "  \
               "WHERE id = ?1")                                                                              \
    X(JOB_SAVE, "UPDATE jobs SET cursor_at = ?2, cursor_id = ?3, looked = ifnull(looked, 0) + ?4,"           \
                " made_due = ifnull(made_due, 0) + ?5 WHERE id = ?1")                                        \
    X(JOB_END, "UPDATE jobs SET state = ?2, finished_at = ?3 WHERE id = ?1 AND state = 0")                   \
    X(JOBS_CANCEL, "UPDATE jobs SET state = 2, finished_at = ?2 WHERE endpoint_id = ?1 AND state = 0")       \
    X(JOBS_FORGET, "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE endpoint_id = ?1"                \
                   " AND state <> 0 ORDER BY id DESC LIMIT -1 OFFSET ?2)")                                   \
    X(JOBS_PURGE, "DELETE FROM jobs WHERE state <> 0 AND finished_at < ?1")                                  \
    X(JOB_EVENT, "SELECT 1 FROM events e WHERE e.id = ?1 AND " SQL_DELIVERY_TO("?2", "") " IS NULL")         \
    X(ADDED_INSERT, "INSERT INTO added VALUES (?1, ?2)")                                                     \
    X(DUE_COUNT,                                                                                             \
      "SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE queue = ?1 AND due_at <= ?2 LIMIT ?3) o")        \
    X(KEY_INSERT,                                                                                            \
      "INSERT INTO api_keys (id, user_id, digest, label, created_at, allow_from, rate_per_s,"                \
      " version) VALUES (coalesce(?1, " SQL_ID_ABOVE("?8", "api_keys") "), ?2, ?3, ?4, ?5, ?6, ?7, 1)")      \
    X(KEY_KNOWN, "SELECT 1 FROM api_keys WHERE digest = ?1")                                                 \
    X(KEY_COUNT, "SELECT count(*) FROM api_keys WHERE user_id = ?1 AND revoked_at IS NULL")                  \
    X(KEY_FORGET, "DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys WHERE user_id = ?1"             \
                  " AND revoked_at IS NOT NULL ORDER BY id DESC LIMIT -1 OFFSET ?2)")                        \
    X(KEY_GET, "SELECT (revoked_at IS NOT NULL) + 2 * (?3 <> 0 AND version <> ?3) + 4 * ((SELECT count(*)"   \
               " FROM api_keys o WHERE o.user_id = k.user_id AND o.revoked_at IS NULL) <= 1)"                \
               " FROM api_keys k WHERE id = ?1 AND user_id = ?2")                                            \
    X(KEY_UPDATE, "UPDATE api_keys SET label = coalesce(?3, label),"                                         \
                  " allow_from = coalesce(?4, allow_from), rate_per_s = coalesce(?5, rate_per_s),"           \
                  " version = ifnull(version, 0) + 1"                                                        \
                  " WHERE id = ?1 AND user_id = ?2 AND revoked_at IS NULL")                                  \
    X(KEY_REVOKE, "UPDATE api_keys SET revoked_at = ?2, version = ifnull(version, 0) + 1 WHERE id = ?1")     \
    X(ROSTER_DEFAULT_ALL, SQL_ROSTER_DEFAULT)                                                                \
    X(ROSTER_DEFAULT_OF, SQL_ROSTER_DEFAULT " WHERE u.id = ?1")                                              \
    X(ROSTER_FURTHER_ALL, SQL_ROSTER_FURTHER)                                                                \
    X(ROSTER_FURTHER_OF, SQL_ROSTER_FURTHER " AND e.owner_id = ?1")                                          \
                                                                                                             \
    X(AHEAD_GET,                                                                                             \
      "SELECT owner_id, id, snapshot_len, resource_type, resource_id, length(document) FROM events"          \
      " WHERE id > ?1")                                                                                      \
    X(OWNED_INSERT, "INSERT OR IGNORE INTO owned VALUES (?, ?, ?)")                                          \
    X(OWNED_INSERT_MANY, "INSERT OR IGNORE INTO owned VALUES " SQL_MANY_OF("(?, ?, ?)"))                     \
    X(RESOURCE_NAME, SQL_RESOURCE_NAMED("(?, ?, ?, ?)"))                                                     \
    X(RESOURCE_NAME_MANY, SQL_RESOURCE_NAMED(SQL_MANY_OF("(?, ?, ?, ?)")))                                   \
    X(RESOURCE_SIZE,                                                                                         \
      "SELECT ifnull(length(json), 0) FROM resources WHERE owner_id = ?1 AND type = ?2 AND id = ?3")         \
    X(RESOURCE_PUT, "INSERT OR REPLACE INTO resources (owner_id, type, id, version, updated_at, json, put)"  \
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")                                                  \
    X(RESOURCE_GET, "SELECT version FROM resources WHERE owner_id = ?1 AND type = ?2 AND id = ?3")           \
    X(RESOURCE_DELETE, "DELETE FROM resources WHERE owner_id = ?1 AND type = ?2 AND id = ?3"                 \
                       " RETURNING ifnull(length(json), 0)")                                                 \
    X(RESOURCE_KEEP, "UPDATE resources SET updated_at = e.received_at,"                                      \
                     " json = substr(e.document, e.snapshot_at + 1, e.snapshot_len) FROM events e"           \
                     " WHERE e.id BETWEEN ?1 AND ?2 AND e.snapshot_len > 0 AND e.received_at >= ?3"          \
                     " AND resources.owner_id = e.owner_id AND resources.type = e.resource_type"             \
                     " AND resources.id = e.resource_id AND resources.version = e.id"                        \
                     " AND resources.json IS NULL RETURNING owner_id, length(json), 0")                      \
    X(RESOURCE_PURGE, "DELETE FROM resources WHERE (owner_id, type, id) IN (SELECT owner_id, resource_type," \
                      " resource_id FROM events WHERE id BETWEEN ?1 AND ?2 AND snapshot_len > 0"             \
                      " AND received_at < ?3) AND version BETWEEN ?1 AND ?2 AND json IS NULL"                \
                      " RETURNING owner_id, 0, -1")                                                          \
                                                                                                             \
    X(PURGE_LOAD, "SELECT purged_to, attempts_to FROM state")                                                \
    X(PURGE_SAVE, "UPDATE state SET purged_to = ?1, attempts_to = ?2")                                       \
    X(PURGE_SCAN, SQL_PURGE_COLUMNS " WHERE id > ?1 ORDER BY id LIMIT ?2")                                   \
    X(PURGE_GET, SQL_PURGE_COLUMNS " WHERE id = ?1")                                                         \
    X(PURGE_ENDED, "SELECT id, event_id, state, queue IS NOT NULL, finished_at FROM deliveries"              \
                   " WHERE id >= ?1 ORDER BY id")                                                            \
    X(PURGE_ADDED, "SELECT d.id, d.event_id, d.state, d.queue IS NOT NULL, d.finished_at FROM added a"       \
                   " CROSS JOIN deliveries d ON d.id = a.delivery_id WHERE a.event_id = ?1")                 \
    X(PURGE_ANY_ADDED, "SELECT 1 FROM added WHERE event_id > 0 LIMIT 1")                                     \
    X(PURGE_ADDED_DONE, "DELETE FROM added WHERE event_id BETWEEN ?1 AND ?2")                                \
    X(PURGE_LATER, "INSERT OR IGNORE INTO ended_late VALUES (?1, ?2)")                                       \
    X(PURGE_LATE, "SELECT ended_at, event_id FROM ended_late WHERE ended_at < ?1"                            \
                  " ORDER BY ended_at, event_id LIMIT ?2")                                                   \
    X(PURGE_LATE_DONE, "DELETE FROM ended_late WHERE ended_at = ?1 AND event_id = ?2")                       \
    X(PURGE_ATTEMPTS, "DELETE FROM attempts WHERE id >= ?1 >> 24 << 24 AND id < ?2 >> 24 << 24")             \
    X(PURGE_DELIVERIES, "DELETE FROM deliveries WHERE id >= ?1 AND id < ?2")                                 \
    X(PURGE_EVENTS, "DELETE FROM events WHERE id BETWEEN ?1 AND ?2")                                         \
    X(SWEEP_NEXT, "SELECT owner_id FROM owned WHERE owner_id > ?1 ORDER BY owner_id LIMIT 1")                \
    X(SWEEP_ROWS, "SELECT event_id, bytes FROM owned WHERE owner_id = ?1 AND event_id > ?2"                  \
                  " AND event_id <= ?3 ORDER BY event_id LIMIT ?4")                                          \
    X(SWEEP_THERE, "SELECT id FROM events WHERE id >= ?1 ORDER BY id LIMIT 1")                               \
    X(SWEEP_RUN, "DELETE FROM owned WHERE owner_id = ?1 AND event_id BETWEEN ?2 AND ?3")                     \
    X(SWEEP_ONE, "DELETE FROM owned WHERE owner_id = ?1 AND event_id = ?2 RETURNING bytes")                  \
    X(SWEEP_RESOURCES, "SELECT owner_id, type, id, put IS NULL AND json IS NOT NULL AND updated_at < ?5"     \
                       " FROM resources WHERE (owner_id, type, id) > (?1, ?2, ?3)"                           \
                       " ORDER BY owner_id, type, id LIMIT ?4")                                              \
                                                                                                             \
    X(USAGE_ADD, "INSERT INTO usage VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET"                           \
                 " stored_bytes = ifnull(stored_bytes, 0) + excluded.stored_bytes,"                          \
                 " resources = ifnull(resources, 0) + excluded.resources")                                   \
    X(USAGE_LOAD, "SELECT user_id, stored_bytes, resources FROM usage")

#define SQL_ENUM(symbol, text) SQL_##symbol,
enum sql { SQL_LIST(SQL_ENUM) SQL_COUNT };
#undef SQL_ENUM
