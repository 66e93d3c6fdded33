#include "damage_life.h"
#include "body.h"
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PURGES_MAX = 100, BULK_EACH = 8 };

/* ---- a database with some of everything ---- */

/* About payments/ID; `included` says its state, and one quote more. */
static struct store_op event_op(struct fixture *f, int64_t owner_id, const char *id, const char *key)
{
    static const char own[] = "{\"type\":\"payments\",\"id\":\"%s\",\"attributes\":{\"state\":\"new\"}}";
    static const char other[] = "{\"type\":\"quotes\",\"id\":\"%s\",\"attributes\":{\"state\":\"new\"}}";
    struct text text, included;
    uint32_t stamp_offset;
    struct store_op op = fixture_event_op(f, owner_id);
    struct resource *resources = arena_zero(&f->arena, 2 * sizeof *resources);
    text_init(&included, &f->arena, 4096);
    text_printf(&included, own, id);
    size_t own_len = included.len;
    text_printf(&included, ",");
    text_printf(&included, other, id);
    struct body_parts parts = {.event_type = op.event.event.event_type,
                               .resource_type = bytes_of("payments"),
                               .resource_id = bytes_of(id),
                               .included = text_bytes(&included)};
    text_init(&text, &f->arena, 8192);
    body_render(&text, &parts, &stamp_offset);
    const char *start = text.data + text.len - 2 - included.len;
    resources[0] = (struct resource){
        .type = bytes_of("payments"), .id = bytes_of(id), .json = bytes_make(start, own_len)};
    resources[1] = (struct resource){.type = bytes_of("quotes"),
                                     .id = bytes_of(id),
                                     .json = bytes_make(start + own_len + 1, included.len - own_len - 1)};
    op.event.event.resource_id = bytes_of(id);
    op.event.event.document = text_bytes(&text);
    op.event.event.stamp_offset = stamp_offset;
    op.event.included = resources;
    op.event.included_count = 2;
    op.event.idempotency_key = bytes_of(key);
    return op;
}

static struct store_op put_op(struct fixture *f, int64_t owner_id, const char *id)
{
    return (struct store_op){
        .kind = STORE_RESOURCE_PUT,
        .resource = {.resource = {.owner_id = owner_id,
                                  .type = bytes_of("payments"),
                                  .id = bytes_of(id),
                                  .json = bytes_of("{\"type\":\"payments\",\"id\":\"put\"}"),
                                  .updated_at_ms = f->wall_ms},
                     .if_version = -1}};
}

static struct store_op purge_op(int64_t before_ms)
{
    return (struct store_op){
        .kind = STORE_PURGE,
        .purge = {.before_ms = before_ms, .resources_before_ms = before_ms, .rows_max = 100}};
}

static int64_t user_of(struct fixture *f, int64_t master_id, int64_t number)
{
    struct store_op op = {.kind = STORE_USER_CREATE,
                          .user.user = {.role = master_id ? USER_REGULAR : USER_MASTER,
                                        .master_id = master_id,
                                        .name = bytes_of("Ana"),
                                        .email = bytes_of("ana@example.com"),
                                        .endpoint.url = bytes_of("https://example.com/hook"),
                                        .receives_users_events = !master_id,
                                        .endpoint.disable_on_410 = number == 1,
                                        .endpoint.signing = bytes_of("sealed, as far as the store knows"),
                                        .endpoint.identity = bytes_of("sealed, too"),
                                        .created_at_ms = f->wall_ms,
                                        .updated_at_ms = f->wall_ms}};
    int64_t id = fixture_do(f, op, STORE_DONE);
    for (int i = 0; i < 3; i++) {
        struct store_op key = fixture_key_op(f, id);
        key.key.allow_from = bytes_of(i ? "" : "192.0.2.0/24 ::1");
        key.key.rate_per_s = i;
        key.key.id = fixture_do(f, key, STORE_DONE);
        key.kind = STORE_KEY_REVOKE;
        if (i == 2)
            fixture_do(f, key, STORE_DONE);
    }
    return id;
}

/* Accepted, and its deliveries ended so; RELEASE: left leased. */
static void event_ends(struct base *base, int64_t owner_id, const char *id, const char *key,
                       enum decision_kind kind)
{
    struct fixture *f = base->f;
    struct store_op op = event_op(f, owner_id, id, key), ends[FIXTURE_BOXES];
    fixture_write(f, &op, 1, 8);
    base->events[base->event_count++] = op.id;
    int count = f->filled;
    for (int i = 0; i < count; i++)
        ends[i] = fixture_outcome_op(f, &f->boxes[i], kind, 60000);
    if (kind != DECISION_RELEASE)
        fixture_write(f, ends, count, 0);
}

/* Events that are delivered, all but the last few. */
static void add_bulk(struct base *base, int count)
{
    struct fixture *f = base->f;
    for (; count > 0; count -= BULK_EACH) {
        struct store_op ops[BULK_EACH], ends[FIXTURE_BOXES];
        char *names = arena_zero(&f->arena, BULK_EACH * 16);
        for (int i = 0; i < BULK_EACH; i++) {
            snprintf(names + i * 16, 16, "bulk%d", count + i);
            ops[i] = event_op(f, base->damaged, names + i * 16, names + i * 16);
            ops[i].event.idempotency_key = bytes_make((const char *)&ops[i].event.event.id, 8);
        }
        fixture_write(f, ops, BULK_EACH, 4 * BULK_EACH);
        for (int i = 0; i < f->filled; i++)
            ends[i] = fixture_outcome_op(f, &f->boxes[i], DECISION_DELIVERED, 0);
        fixture_write(f, ends, f->filled, 0);
    }
}

static void purge_bulk(struct base *base)
{
    struct store_op op = purge_op(base->f->wall_ms);
    do
        fixture_write(base->f, &op, 1, 0);
    while (op.purge.more);
}

static void fill(struct base *base, int bulk)
{
    struct fixture *f = base->f;
    unsigned char fingerprint[STORE_FINGERPRINT_LEN] = {1};
    struct store_op mark = {.kind = STORE_FINGERPRINT};
    memcpy(mark.fingerprint, fingerprint, sizeof fingerprint);
    fixture_do(f, mark, STORE_DONE);
    base->master = user_of(f, 0, 0);
    base->damaged = user_of(f, base->master, 1);
    base->sound = user_of(f, base->master, 2);
    fixture_prove(f, base->sound);
    if (bulk > 0) {
        add_bulk(base, bulk);
        fixture_advance(f, 1000);
        purge_bulk(base);
        add_bulk(base, bulk / 4);
    }
    event_ends(base, base->sound, "sound", "a key", DECISION_DELIVERED);
    for (int i = 0; i < 2; i++) {
        event_ends(base, base->damaged, "delivered", i ? "k1" : "k2", DECISION_DELIVERED);
        event_ends(base, base->damaged, "retried", "", DECISION_RETRY);
        event_ends(base, base->damaged, "given_up", i ? "k3" : "k4", DECISION_GIVE_UP);
    }
    fixture_advance(f, 1000);
    fixture_do(f, purge_op(f->wall_ms - 1001), STORE_DONE); /* of nothing: those are not older */
    fixture_do(f, put_op(f, base->damaged, "put"), STORE_DONE);
    fixture_do(f, put_op(f, base->sound, "put"), STORE_DONE);
    for (int i = 0; i < 3; i++) /* without a box: they wait */
        base->events[base->event_count++] =
            fixture_do(f, event_op(f, base->damaged, i ? "w1" : "w2", ""), STORE_DONE);
    base->sound_event = fixture_do(f, event_op(f, base->sound, "waits", ""), STORE_DONE);
    base->events[base->event_count++] = base->sound_event;
    fixture_claim(f, 1, 1); /* and is left leased */
}

/* Passed over by the purge, and ended since: a row of ended_late. The purge removes what had ended. */
static void end_late(struct base *base)
{
    struct fixture *f = base->f;
    struct store_op op = event_op(f, base->damaged, "late", "late"), ends[8];
    fixture_write(f, &op, 1, 2);
    base->events[base->event_count++] = op.id;
    int count = f->filled;
    fixture_advance(f, 1);
    for (int i = 0; i < count; i++)
        ends[i] = fixture_outcome_op(f, &f->boxes[i], DECISION_DELIVERED, 0);
    struct store_op look = purge_op(f->wall_ms);
    look.purge.before_ms = f->wall_ms - 100000;
    fixture_do(f, look, STORE_DONE);
    fixture_write(f, ends, count, 0);
}

static void run_sql(sqlite3 *db, const char *sql)
{
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static int take_column(void *ctx, int count, char **values, char **names)
{
    struct base *base = ctx;
    struct column *column = &base->columns[base->column_count++];
    snprintf(column->table, sizeof column->table, "%s", values[0]);
    snprintf(column->name, sizeof column->name, "%s", values[1]);
    return base->column_count == COLUMNS_MAX;
}

static int take_delivery(void *ctx, int count, char **values, char **names)
{
    struct base *base = ctx;
    base->deliveries[base->delivery_count++] = atoll(values[0]);
    return base->delivery_count == 2 * EVENTS_MAX;
}

static int take_number(void *ctx, int count, char **values, char **names)
{
    *(int64_t *)ctx = atoll(values[0]);
    return 0;
}

static void keep_bytes(struct base *base)
{
    FILE *file = fopen(base->f->path, "rb");
    fseek(file, 0, SEEK_END);
    base->len = (size_t)ftell(file);
    rewind(file);
    base->bytes = malloc(base->len);
    assert_int_equal(fread(base->bytes, 1, base->len, file), base->len);
    fclose(file);
}

void base_make(struct base *base, int bulk)
{
    sqlite3 *db;
    base->f = calloc(1, sizeof *base->f);
    fixture_open(base->f, &store_sqlite);
    base->f->config.keys_ahead_max = 4; /* runs of few keys */
    fixture_reopen(base->f);
    fill(base, bulk);
    end_late(base);
    base->f->backend->close(base->f->store);
    assert_int_equal(sqlite3_open(base->f->path, &db), SQLITE_OK);
    char *late = sqlite3_mprintf(
        "INSERT OR IGNORE INTO ended_late VALUES (%lld, %lld);"
        "INSERT INTO added SELECT event_id, id FROM deliveries;"
        "INSERT OR IGNORE INTO failing SELECT id, 1, 2 FROM endpoints;"
        "INSERT OR IGNORE INTO notices SELECT id, 0, 1, 0, 1 FROM endpoints;"
        "INSERT OR IGNORE INTO endpoint_hours SELECT %lld, id, 1, 1, 1, 1, 1, x'0301' FROM endpoints;"
        "INSERT INTO requests SELECT id, id, x'6b', zeroblob(32), id, '', %lld FROM users;"
        "INSERT INTO jobs SELECT 2 * id + state, owner_id, id, state, 2 * state, 0, 0, state, '', '',"
        " '', 0, 0, 1 << 62, 0, 0, -1, %lld, %lld * state FROM endpoints, (SELECT 0 AS state"
        " UNION ALL SELECT 1)",
        base->f->wall_ms, base->events[1], base->f->wall_ms / HOUR_MS, base->f->wall_ms, base->f->wall_ms,
        base->f->wall_ms);
    run_sql(db, late);
    sqlite3_free(late);
    sqlite3_exec(db,
                 "SELECT m.name, p.name FROM sqlite_schema m JOIN pragma_table_info(m.name) p"
                 " WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY 1, p.cid",
                 take_column, base, NULL);
    sqlite3_exec(db, "SELECT id FROM deliveries ORDER BY id", take_delivery, base, NULL);
    char *waits = sqlite3_mprintf("SELECT id FROM deliveries WHERE event_id = %lld AND endpoint_id = %lld",
                                  base->sound_event, base->sound);
    sqlite3_exec(db, waits, take_number, &base->sound_waits, NULL);
    sqlite3_free(waits);
    run_sql(db, "PRAGMA wal_checkpoint(TRUNCATE)");
    sqlite3_close(db);
    keep_bytes(base);
    assert_true(base->column_count > 80 && base->delivery_count > 10 && base->sound_waits > 0);
}

void base_free(struct base *base)
{
    assert_int_equal(base->f->backend->open(&base->f->config, &base->f->store), STORE_OK);
    fixture_close(base->f);
    free(base->f);
    free(base->bytes);
}

/* ---- one case, in a process of its own: no assertion of cmocka here ---- */

struct run {
    const struct base *base;
    struct fixture *f;
    bool strict;
    bool waits_filled;
    enum store_status stopped; /* by what the first batch that was not written met */
};

void life_wrong(const char *what, int number)
{
    printf("    %s %d\n", what, number);
    fflush(stdout);
    _exit(1);
}

void base_copy(const struct base *base)
{
    char path[128];
    snprintf(path, sizeof path, "%s-wal", base->f->path);
    unlink(path);
    snprintf(path, sizeof path, "%s-shm", base->f->path);
    unlink(path);
    FILE *file = fopen(base->f->path, "wb");
    if (!file || fwrite(base->bytes, 1, base->len, file) != base->len || fclose(file) != 0)
        life_wrong("the copy", 0);
}

/* False: the store is damaged, and takes no more. */
static bool write_ops(struct run *run, struct store_op *ops, int count, int boxes)
{
    struct fixture *f = run->f;
    struct store_op *list[FIXTURE_BOXES];
    for (int i = 0; i < count; i++)
        list[i] = &ops[i];
    for (int i = 0; i < boxes; i++)
        f->boxes[i].filled = false;
    struct store_batch batch = {.ops = list, .op_count = count, .boxes = f->box_list, .box_count = boxes};
    enum store_status status = f->backend->write(f->store, &batch);
    if (run->strict && status != STORE_OK)
        life_wrong(count ? "a batch is not written: op, status" : "a claim is not written: status",
                   (count ? (int)ops[0].kind * 100 : 0) + (int)status);
    if (run->stopped && status != run->stopped)
        life_wrong("a store that had stopped goes on: status", (int)status);
    if (status != STORE_OK && status != STORE_DAMAGED && status != STORE_REFUSED)
        life_wrong("a server would end: status", (int)status);
    run->stopped = status;
    f->filled = status == STORE_OK ? batch.filled_count : 0;
    for (int i = 0; i < f->filled; i++)
        run->waits_filled = run->waits_filled || f->boxes[i].delivery_id == run->base->sound_waits;
    if (status == STORE_OK && boxes > f->filled && batch.next_due_in_ms == 0 && !batch.leases_scarce)
        life_wrong("something is due, and a box does not help", f->filled);
    return status == STORE_OK;
}

static bool write_op(struct run *run, struct store_op op)
{
    return write_ops(run, &op, 1, 0);
}

static struct store_answer ask(struct run *run, struct store_query query)
{
    struct store_answer answer;
    enum store_status status = run->f->backend->read(run->f->store, 0, &query, &run->f->arena, &answer);
    if (run->strict && status != STORE_OK)
        life_wrong("a query is not answered: kind, status", (int)query.kind * 100 + (int)status);
    if (status == STORE_BROKEN)
        life_wrong("a query is answered by a disk that failed: kind", (int)query.kind);
    if (status != STORE_OK)
        answer = (struct store_answer){0};
    return answer;
}

static void ask_all(struct run *run)
{
    const struct base *base = run->base;
    const int64_t whose[] = {0, base->master, base->damaged, base->sound};
    struct store_query query = {.resource_type = bytes_of("payments"), .resource_id = bytes_of("retried")};
    for (int variant = 0; variant < 16; variant += 3) {
        query.descending = variant & 1;
        query.owner_id = query.master_id = whose[variant >> 1 & 3];
        query.limit = variant & 8 ? 2 : 0;
        query.with_document = query.undelivered = variant & 8;
        const struct job job = {.kind = (enum job_kind)(variant % (JOB_BACKFILL + 1)),
                                .owner_id = base->damaged,
                                .endpoint_id = base->damaged,
                                .delivery_state = DELIVERY_DELIVERED,
                                .below_id = INT64_MAX,
                                .created_at_ms = INT64_MAX};
        query.job = &job;
        for (query.kind = STORE_GET_USER; query.kind <= STORE_GET_STATS; query.kind++) {
            query.id = query.kind == STORE_GET_EVENT || query.kind == STORE_LIST_DELIVERIES ? base->events[1]
                       : query.kind == STORE_GET_DELIVERY || query.kind == STORE_LIST_ATTEMPTS
                           ? base->deliveries[3]
                           : base->damaged;
            ask(run, query);
        }
    }
    ask(run, (struct store_query){.kind = STORE_LIST_HOURS,
                                  .id = base->damaged,
                                  .after_id = run->f->wall_ms / HOUR_MS - 24,
                                  .limit = 25});
    for (int i = 0; i < base->event_count; i++)
        ask(run, (struct store_query){.kind = STORE_GET_EVENT, .id = base->events[i], .with_document = true});
    for (int i = 0; i < base->delivery_count; i++)
        ask(run, (struct store_query){.kind = STORE_GET_DELIVERY, .id = base->deliveries[i]});
    arena_reset(&run->f->arena);
}

/* All that is due, and what becomes of it. */
static bool send_all(struct run *run)
{
    static const enum decision_kind kinds[] = {DECISION_DELIVERED, DECISION_RETRY, DECISION_GIVE_UP,
                                               DECISION_RELEASE};
    struct store_op ends[FIXTURE_BOXES];
    for (int round = 0; round < 2; round++) {
        fixture_advance(run->f, 61000);
        if (!write_ops(run, NULL, 0, 64))
            return false;
        int count = run->f->filled;
        for (int i = 0; i < count; i++)
            ends[i] = fixture_outcome_op(run->f, &run->f->boxes[i], kinds[(i + round) % 4], 1000);
        for (int i = 0; i < count; i++)
            store_work_clear(&run->f->boxes[i]);
        if (!write_ops(run, ends, count, 64))
            return false;
    }
    return true;
}

static bool change_users(struct run *run)
{
    int64_t id = run->base->damaged;
    struct store_answer answer = ask(run, (struct store_query){.kind = STORE_GET_USER, .id = id});
    struct store_op update = {.kind = STORE_USER_UPDATE, .user.if_version = -1};
    if (answer.count == 1) {
        update.user.user = answer.users[0];
        if (!write_op(run, update))
            return false;
        update.user.user.endpoint.url = bytes_of("https://example.org/");
        if (!write_op(run, update))
            return false;
    }
    answer = ask(run, (struct store_query){.kind = STORE_LIST_KEYS, .id = id});
    for (int i = 0; i < answer.count; i++) {
        struct store_op key = {.kind = STORE_KEY_UPDATE, .key = answer.keys[i], .key_changes = 7};
        if (!write_op(run, key))
            return false;
        key.kind = STORE_KEY_REVOKE;
        if (!write_op(run, key))
            return false;
    }
    struct store_op created = fixture_key_op(run->f, id);
    created.keys_max = 50;
    return write_op(run, created);
}

static bool change_rest(struct run *run)
{
    const struct base *base = run->base;
    struct store_op ops[] = {event_op(run->f, base->damaged, "retried", "k1"),
                             event_op(run->f, base->damaged, "put", "fresh"),
                             event_op(run->f, base->sound, "sound", "fresh")};
    ops[1].event.destroyed = true;
    if (!write_ops(run, ops, 3, 8))
        return false;
    if (run->strict && ops[2].result != STORE_DONE && ops[2].result != STORE_REPLAYED)
        life_wrong("an event of the sound user has the result", (int)ops[2].result);
    for (int i = 0; i < base->delivery_count; i++) {
        struct store_op word = {.kind = i % 2 ? STORE_CANCEL : STORE_RESEND,
                                .delivery = {.delivery_id = base->deliveries[i]}};
        if (base->deliveries[i] != base->sound_waits && !write_op(run, word))
            return false;
    }
    struct store_figures figures = {.id = base->damaged};
    if (!write_op(run, (struct store_op){.kind = STORE_LOOK, .look = {&figures, 1, true}}))
        return false;
    struct store_op put = put_op(run->f, base->damaged, "put");
    if (!write_op(run, put) || !write_op(run, put_op(run->f, base->damaged, "w1")))
        return false;
    put.kind = STORE_RESOURCE_DELETE;
    return write_op(run, put);
}

/* A step of each job that runs. */
static bool step_jobs(struct run *run)
{
    enum { JOBS_MAX = 8 };
    struct store_answer running =
        ask(run, (struct store_query){.kind = STORE_LIST_JOBS_RUNNING, .limit = JOBS_MAX});
    for (int i = 0; i < running.count; i++) {
        const struct job *job = &running.jobs[i];
        struct store_answer rows =
            ask(run, (struct store_query){.kind = STORE_JOB_ROWS, .job = job, .limit = JOBS_MAX});
        struct store_op step = {.kind = STORE_JOB_STEP,
                                .job_step = {.id = job->id,
                                             .from = job->cursor,
                                             .to = rows.to,
                                             .ids = rows.ids,
                                             .count = rows.count,
                                             .looked = rows.looked,
                                             .ahead_max = JOBS_MAX,
                                             .finished = !rows.more}};
        if (!write_op(run, step))
            return false;
    }
    return true;
}

static bool purge_all(struct run *run)
{
    fixture_advance(run->f, 1000);
    for (int i = 0;; i++) {
        struct store_op op = purge_op(run->f->wall_ms);
        op.purge.attempts_before_ms = op.purge.idempotency_before_ms = op.purge.before_ms + 1;
        if (!write_ops(run, &op, 1, 0))
            return false;
        if (!op.purge.more)
            return true;
        if (i == PURGES_MAX)
            life_wrong("the purge has no end", i);
    }
}

/* What is the sound user's is there. */
static void sound_is_served(struct run *run)
{
    const struct base *base = run->base;
    struct body_view view;
    struct store_answer answer = ask(run, (struct store_query){.kind = STORE_GET_EVENT,
                                                               .id = base->sound_event,
                                                               .owner_id = base->sound,
                                                               .with_document = true});
    if (answer.count != 1 || !body_read(answer.events[0].document, answer.events[0].stamp_offset, &view))
        life_wrong("the sound user's event is not there", answer.count);
    answer = ask(run, (struct store_query){.kind = STORE_LIST_EVENTS, .owner_id = base->sound});
    if (answer.count != 3)
        life_wrong("of three events of the sound user there are", answer.count);
    answer = ask(run, (struct store_query){.kind = STORE_LIST_RESOURCES,
                                           .owner_id = base->sound,
                                           .resource_type = bytes_of("payments")});
    if (answer.count != 3)
        life_wrong("of three payments of the sound user there are", answer.count);
    answer = ask(run, (struct store_query){.kind = STORE_LIST_KEYS, .id = base->sound});
    if (answer.count != 3)
        life_wrong("of three keys of the sound user there are", answer.count);
    if (ask(run, (struct store_query){.kind = STORE_GET_KEYRING}).count < 2)
        life_wrong("the sound user's keys are not in the ring", 0);
}

static void live_once(struct run *run, const struct life *life, bool first)
{
    ask_all(run);
    if (life->sound && first)
        sound_is_served(run);
    bool whole = send_all(run);
    if (life->sound && first && !run->waits_filled)
        life_wrong("the sound user's delivery was not claimed", 0);
    if (life->midway && first)
        life->midway(run->base, life->seed);
    if (whole && change_users(run) && change_rest(run) && step_jobs(run) && send_all(run) && purge_all(run))
        ask_all(run);
    if (run->stopped) { /* it stays so, and reads */
        write_ops(run, NULL, 0, 8);
        ask_all(run);
    }
}

void life_live(const struct base *base, const struct life *life)
{
    for (int i = 0; i < life->lives; i++) {
        struct run run = {.base = base, .f = base->f, .strict = life->strict};
        enum store_status status = run.f->backend->open(&run.f->config, &run.f->store);
        if (life->strict && status != STORE_OK)
            life_wrong("it does not open: status", (int)status);
        if (status == STORE_BROKEN)
            life_wrong("it does not open, as if the disk had failed", 0);
        if (status != STORE_OK)
            _exit(0);
        live_once(&run, life, i == 0);
        if (!life->killed)
            run.f->backend->close(run.f->store);
    }
    _exit(0);
}

const char *life_ended(pid_t child, int *no_row)
{
    int status;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status));
    *no_row = *no_row + (WEXITSTATUS(status) == EXIT_NO_ROW);
    return WEXITSTATUS(status) == 1 ? "wrong" : NULL;
}
