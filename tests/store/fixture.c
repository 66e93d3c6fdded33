#include "fixture.h"
#include "body.h"
#include "model_store.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int64_t fixture_wall(void *ctx)
{
    return ((struct fixture *)ctx)->wall_ms;
}

static int64_t fixture_mono(void *ctx)
{
    return ((struct fixture *)ctx)->mono_ms;
}

static void open_store(struct fixture *fixture)
{
    assert_int_equal(fixture->backend->open(&fixture->config, &fixture->store), STORE_OK);
}

void fixture_open(struct fixture *fixture, const struct store_backend *backend)
{
    *fixture = (struct fixture){.backend = backend, .wall_ms = 1700000000000, .mono_ms = 5000};
    /* What a commit must survive is other tests' business; here a disk would only cost time. */
    const char *parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(fixture->folder, sizeof fixture->folder, "%s/posthorn-store-XXXXXX", parent);
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof fixture->path, "%s/posthorn.db", fixture->folder);
    fixture->config = (struct store_config){.path = fixture->path,
                                            .clock = {fixture_wall, fixture_mono, fixture},
                                            .pace = pace_default(),
                                            .lease_ms = 60000,
                                            .id_node = FIXTURE_NODE,
                                            .mark = FIXTURE_MARK,
                                            .readers = 2};
    fixture->config.pace.day_ms = FIXTURE_DAY_MS;
    fixture->config.pace.failing_per_s = RATE_PER_S_MAX; /* or who is first matters */
    if (backend == &store_model) {
        fixture->disk = model_disk_new();
        fixture->config.path = model_disk_path(fixture->disk);
    }
    arena_init(&fixture->arena, 256 << 20);
    for (int i = 0; i < FIXTURE_BOXES; i++) {
        arena_init(&fixture->boxes[i].memory, 2 << 20);
        fixture->box_list[i] = &fixture->boxes[i];
    }
    open_store(fixture);
}

void fixture_close(struct fixture *fixture)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    fixture->backend->close(fixture->store);
    if (fixture->disk)
        model_disk_free(fixture->disk);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", fixture->path, suffixes[i]);
        unlink(path);
    }
    rmdir(fixture->folder);
    for (int i = 0; i < FIXTURE_BOXES; i++) {
        store_work_clear(&fixture->boxes[i]);
        arena_fini(&fixture->boxes[i].memory);
    }
    arena_fini(&fixture->arena);
}

void fixture_reopen(struct fixture *fixture)
{
    fixture->backend->close(fixture->store);
    open_store(fixture);
}

void fixture_advance(struct fixture *fixture, int64_t ms)
{
    fixture->wall_ms += ms;
    fixture->mono_ms += ms;
}

void fixture_no_space(struct fixture *fixture, bool no_space)
{
    if (fixture->disk) {
        model_disk_no_space(fixture->disk, no_space);
        return;
    }
    fixture->config.disk_reserve_bytes = no_space ? INT64_MAX : 0;
    fixture_reopen(fixture);
}

void fixture_write(struct fixture *fixture, struct store_op *ops, int count, int boxes)
{
    struct store_op *list[256];
    assert_true(count <= 256 && boxes <= FIXTURE_BOXES);
    for (int i = 0; i < count; i++)
        list[i] = &ops[i];
    for (int i = 0; i < boxes; i++)
        fixture->boxes[i].filled = false;
    struct store_batch batch = {
        .ops = list, .op_count = count, .boxes = fixture->box_list, .box_count = boxes};
    assert_int_equal(fixture->backend->write(fixture->store, &batch), STORE_OK);
    fixture->filled = batch.filled_count;
    fixture->next_due_in_ms = batch.next_due_in_ms;
    for (int i = 0; i < boxes; i++)
        assert_int_equal(fixture->boxes[i].filled, i < fixture->filled);
}

int64_t fixture_do(struct fixture *fixture, struct store_op op, enum store_result result)
{
    fixture_write(fixture, &op, 1, 0);
    assert_int_equal(op.result, result);
    return op.id;
}

void fixture_accept(struct fixture *fixture, struct store_op *op)
{
    fixture_write(fixture, op, 1, 0);
    assert_int_equal(op->result, STORE_DONE);
}

void fixture_claim(struct fixture *fixture, int boxes, int filled)
{
    fixture_write(fixture, NULL, 0, boxes);
    assert_int_equal(fixture->filled, filled);
}

struct store_answer fixture_read(struct fixture *fixture, struct store_query query)
{
    struct store_answer answer;
    assert_int_equal(fixture->backend->read(fixture->store, 0, &query, &fixture->arena, &answer), STORE_OK);
    return answer;
}

struct delivery fixture_delivery(struct fixture *fixture, int64_t id)
{
    struct store_answer answer =
        fixture_read(fixture, (struct store_query){.kind = STORE_GET_DELIVERY, .id = id});
    assert_int_equal(answer.count, 1);
    return answer.deliveries[0];
}

struct event fixture_event(struct fixture *fixture, int64_t id)
{
    struct store_answer answer =
        fixture_read(fixture, (struct store_query){.kind = STORE_GET_EVENT, .id = id, .with_document = true});
    assert_int_equal(answer.count, 1);
    return answer.events[0];
}

struct store_op fixture_key_op(struct fixture *fixture, int64_t user_id)
{
    struct store_op op = {
        .kind = STORE_KEY_CREATE,
        .key = {.user_id = user_id, .label = bytes_of("a key"), .created_at_ms = fixture->wall_ms}};
    snprintf(op.key.digest, sizeof op.key.digest, "%064lld", (long long)++fixture->key_number);
    return op;
}

int64_t fixture_user(struct fixture *fixture, const char *url)
{
    struct store_op op = {.kind = STORE_USER_CREATE,
                          .user.user = {.name = bytes_of("Ana"),
                                        .email = bytes_of("ana@example.com"),
                                        .endpoint.url = bytes_of(url),
                                        .created_at_ms = fixture->wall_ms,
                                        .updated_at_ms = fixture->wall_ms}};
    int64_t id = fixture_do(fixture, op, STORE_DONE);
    fixture_do(fixture, fixture_key_op(fixture, id), STORE_DONE);
    return id;
}

int64_t fixture_endpoint(struct fixture *fixture, int64_t owner_id, const char *url)
{
    struct store_op op = {.kind = STORE_ENDPOINT_CREATE,
                          .endpoint.endpoint = {.owner_id = owner_id,
                                                .url = bytes_of(url),
                                                .created_at_ms = fixture->wall_ms,
                                                .updated_at_ms = fixture->wall_ms}};
    return fixture_do(fixture, op, STORE_DONE);
}

struct store_op fixture_endpoint_op(struct fixture *fixture, int64_t id)
{
    struct store_answer answer =
        fixture_read(fixture, (struct store_query){.kind = STORE_GET_ENDPOINT, .id = id});
    assert_int_equal(answer.count, 1);
    return (struct store_op){.kind = STORE_ENDPOINT_UPDATE,
                             .endpoint = {.endpoint = answer.endpoints[0], .if_version = -1}};
}

struct push_settings fixture_push_settings(void)
{
    struct push_settings push;
#define SOME_NUMBER(name, max) push.name = (max);
#define SOME_TEXT(name, max)   push.name = bytes_of(#name);
#define SOME_SEALED(name, max) push.name = bytes_make("\1" #name "\0\377", sizeof #name + 2);
    PUSH_SETTINGS_LIST(SOME_NUMBER, SOME_TEXT, SOME_SEALED)
    return push;
}

void fixture_wish(struct endpoint *endpoint, int number)
{
    static const char *const filters[] = {
        "{\"data\":{\"attributes\":{\"event_type\":[{\"prefix\":\"user\"}]}}}",
        "{\"data\":{\"relationships\":{\"resource\":{\"data\":{\"id\":[\"7\"]}}}}}"};
    static const char *const event_types[] = {"payment_updated", "user_* payment_gone", "payment_*",
                                              "endpoint_* delivery_given_up", "delivery_* payment_*"};
    static const char *const channels[] = {"eu", "us eu"};
    endpoint->event_types = bytes_of(number < 5 ? event_types[number] : "");
    endpoint->channels = bytes_of(number % 4 == 1 ? channels[number % 2] : "");
    endpoint->filter = bytes_of(number == 2 || number == 5 ? filters[number == 2] : "");
    endpoint->description = bytes_of(number == 6 ? "of a test" : "");
    endpoint->flow = (struct flow_settings){.ordered = number >= 10,
                                            .in_flight_max = number == 7   ? 1
                                                             : number == 9 ? 3
                                                                           : 0,
                                            .rate.count = number == 8   ? 2
                                                          : number == 9 ? 4000
                                                                        : 0,
                                            .rate.per = number == 8   ? FLOW_PER_SECOND
                                                        : number == 9 ? FLOW_PER_MINUTE
                                                                      : FLOW_PER_SECOND};
    endpoint->metadata = bytes_of(number == 6 ? "{\"a\":\"b\"}" : "");
}

struct bytes fixture_channels(int number)
{
    static const char *const channels[FIXTURE_CHANNELS] = {"", "us", "eu", "asia eu"};
    return bytes_of(channels[number]);
}

struct store_op fixture_event_op(struct fixture *fixture, int64_t owner_id)
{
    struct text text;
    uint32_t stamp_offset;
    struct body_parts parts = {.event_type = bytes_of("payment_updated"),
                               .created_at_ms = 946684800000,
                               .resource_type = bytes_of("payments"),
                               .resource_id = bytes_of("7")};
    text_init(&text, &fixture->arena, 1 << 20);
    body_render(&text, &parts, &stamp_offset);
    fixture->event_number++;
    return (struct store_op){.kind = STORE_EVENT,
                             .event = {.event = {.owner_id = owner_id,
                                                 .event_type = parts.event_type,
                                                 .resource_type = parts.resource_type,
                                                 .resource_id = parts.resource_id,
                                                 .created_at_ms = parts.created_at_ms,
                                                 .received_at_ms = fixture->wall_ms,
                                                 .document = text_bytes(&text),
                                                 .stamp_offset = stamp_offset},
                                       .requester_id = owner_id}};
}

struct store_op fixture_keyed_op(struct fixture *fixture, int64_t owner_id, int64_t number)
{
    struct store_op op = fixture_event_op(fixture, owner_id);
    op.event.idempotency_key = bytes_of(arena_printf(&fixture->arena, "key %lld", (long long)number));
    op.event.requester_id = owner_id;
    op.event.event.created_at_ms = number;
    return op;
}

void fixture_replayed(struct fixture *fixture, int64_t owner_id, int64_t number, int64_t event_id)
{
    int64_t id = fixture_do(fixture, fixture_keyed_op(fixture, owner_id, number), STORE_REPLAYED);
    assert_int_equal(id, event_id);
}

void fixture_event_replayed(struct fixture *fixture, int64_t owner_id, int64_t event_id)
{
    fixture_replayed(fixture, owner_id, fixture_event(fixture, event_id).created_at_ms, event_id);
}

struct store_op fixture_outcome_op(const struct fixture *fixture, const struct store_work *box,
                                   enum decision_kind kind, int64_t delay_ms)
{
    bool delivered = kind == DECISION_DELIVERED, counted = kind != DECISION_RELEASE;
    enum failure reason = delivered ? FAILURE_NONE : counted ? FAILURE_UNEXPECTED_STATUS : FAILURE_SHUTDOWN;
    return (struct store_op){.kind = STORE_OUTCOME,
                             .outcome = {.delivery_id = box->delivery_id,
                                         .lease = box->lease,
                                         .decision = {.kind = kind, .delay_ms = delay_ms, .reason = reason},
                                         .answered = delivered,
                                         .attempt = {.delivery_id = box->delivery_id,
                                                     .lease = box->lease,
                                                     .attempt = box->attempt + counted,
                                                     .started_at_ms = fixture->wall_ms,
                                                     .duration_ms = 40,
                                                     .status = delivered ? 200
                                                               : counted ? 500
                                                                         : 0,
                                                     .failure = counted ? FAILURE_NONE : FAILURE_SHUTDOWN,
                                                     .counted = counted,
                                                     .address = bytes_of("192.0.2.1:443"),
                                                     .response = bytes_of("{\"status\":\"success\"}")}}};
}

struct store_op fixture_update_op(struct fixture *fixture, int64_t user_id)
{
    struct store_answer answer =
        fixture_read(fixture, (struct store_query){.kind = STORE_GET_USER, .id = user_id});
    assert_int_equal(answer.count, 1);
    return (struct store_op){.kind = STORE_USER_UPDATE, .user = {.user = answer.users[0], .if_version = -1}};
}

void fixture_prove(struct fixture *fixture, int64_t user_id)
{
    struct store_op op = fixture_event_op(fixture, user_id);
    fixture_write(fixture, &op, 1, 1);
    assert_int_equal(fixture->filled, 1);
    fixture_do(fixture, fixture_outcome_op(fixture, &fixture->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
}

/* ---- SQLite's database, beside its store ---- */

int fixture_sqlite_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture_open(fixture, &store_sqlite);
    *state = fixture;
    return 0;
}

int fixture_sqlite_down(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

int64_t fixture_ask(const struct fixture *fixture, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

void fixture_say(const struct fixture *fixture, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(fixture->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}
