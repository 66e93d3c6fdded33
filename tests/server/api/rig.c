#include "rig.h"
#include "digest.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the listener's stand-in ---- */

struct exchange {
    struct listener_request request; /* first */
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool is_answered;
    struct reply reply;
};

struct bytes listener_header(const struct listener_request *request, const char *name, int *count)
{
    struct bytes first = {0};
    int found = 0;
    for (int i = 0; i < request->header_count; i++) {
        if (!bytes_equal_nocase(request->headers[i].name, name))
            continue;
        if (found++ == 0)
            first = request->headers[i].value;
    }
    if (count)
        *count = found;
    return first;
}

/* As the listener does, so that a late look is seen. */
void listener_forget_body(struct listener_request *request)
{
    memset(request->body, '?', request->body_len);
    request->body_len = 0;
}

void listener_answer(struct listener_request *request, const struct listener_reply *reply)
{
    struct exchange *exchange = (struct exchange *)request;
    char *headers = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&headers, &len);
    for (int i = 0; i < reply->header_count; i++)
        fprintf(out, "%.*s: %.*s\n", BYTES_ARG(reply->headers[i].name), BYTES_ARG(reply->headers[i].value));
    fclose(out);
    char *body = malloc(reply->body.len + 1);
    assert_non_null(body);
    if (reply->body.len)
        memcpy(body, reply->body.data, reply->body.len);
    body[reply->body.len] = '\0';
    arena_fini(&request->arena); /* as the listener does, so that a late touch is seen */
    pthread_mutex_lock(&exchange->lock);
    assert_false(exchange->is_answered);
    exchange->reply = (struct reply){
        .status = reply->status, .body = body, .body_len = reply->body.len, .headers = headers};
    exchange->is_answered = true;
    pthread_cond_signal(&exchange->answered);
    pthread_mutex_unlock(&exchange->lock);
}

/* ---- a store with faults ---- */

static atomic_int fault = STORE_OK;
static atomic_bool no_space;
static atomic_int event_writes;

/* 0: the writer is free; 1: it will stop; 2: it has stopped. */
static atomic_int held;

void rig_hold_writer(bool on)
{
    atomic_store(&held, on);
}

void rig_await_held(void)
{
    while (atomic_load(&held) != 2)
        usleep(200);
}

static void wait_while_held(void)
{
    int wished = 1;
    if (!atomic_compare_exchange_strong(&held, &wished, 2))
        return;
    while (atomic_load(&held))
        usleep(200);
}

static struct store_op meanwhile;
static atomic_int meanwhile_kind = STORE_OP_COUNT;

void rig_meanwhile(enum store_op_kind kind, struct store_op op)
{
    meanwhile = op;
    atomic_store(&meanwhile_kind, (int)kind);
}

static void write_meanwhile(struct store *store, const struct store_batch *batch)
{
    int kind = atomic_load(&meanwhile_kind);
    for (int i = 0; i < batch->op_count; i++)
        if ((int)batch->ops[i]->kind == kind) {
            struct store_op *op = &meanwhile;
            atomic_store(&meanwhile_kind, STORE_OP_COUNT);
            assert_int_equal(store_sqlite.write(store, &(struct store_batch){.ops = &op, .op_count = 1}),
                             STORE_OK);
            assert_int_equal(op->result, STORE_DONE);
            return;
        }
}

static enum store_status faulty_write(struct store *store, struct store_batch *batch)
{
    wait_while_held();
    write_meanwhile(store, batch);
    if (atomic_load(&fault) != STORE_OK)
        return (enum store_status)atomic_load(&fault);
    for (int i = 0; i < batch->op_count; i++)
        if (batch->ops[i]->kind == STORE_EVENT) {
            atomic_fetch_add(&event_writes, 1);
            break;
        }
    enum store_status status = store_sqlite.write(store, batch);
    for (int i = 0; atomic_load(&no_space) && i < batch->op_count; i++)
        batch->ops[i]->result = STORE_NO_SPACE;
    return status;
}

void rig_fault(enum store_status status)
{
    atomic_store(&fault, (int)status);
}

int rig_event_writes(void)
{
    return atomic_load(&event_writes);
}

void rig_no_space(bool on)
{
    atomic_store(&no_space, on);
}

static struct store_backend engine;

/* ---- a clock that can stand still ---- */

static atomic_llong clock_now_ms;

void rig_set_clock(int64_t now_ms)
{
    atomic_store(&clock_now_ms, now_ms);
}

static int64_t rig_mono_ms(void *ctx)
{
    const struct clock system = clock_system();
    return atomic_load(&clock_now_ms) ? atomic_load(&clock_now_ms) : clock_mono_ms(&system);
}

static int64_t rig_wall_ms(void *ctx)
{
    const struct clock system = clock_system();
    return atomic_load(&clock_now_ms) ? atomic_load(&clock_now_ms) : clock_wall_ms(&system);
}

/* ---- open and close ---- */

static void on_work(void *ctx, struct store_work **boxes, int count)
{
    struct rig *rig = ctx;
    for (int i = 0; i < count; i++)
        if (boxes[i]->filled)
            atomic_store(&rig->work, boxes[i]);
}

void rig_claim(struct rig *rig, struct store_work *box)
{
    atomic_store(&rig->work, NULL);
    queue_offer(rig->queue, &box, 1);
    while (!atomic_load(&rig->work))
        usleep(200);
}

static void on_broken(void *ctx, enum store_status status)
{
}

static void open_parts(struct rig *rig)
{
    engine = store_sqlite;
    engine.write = faulty_write;
    rig->backend = &engine;
    struct store_config store = {
        .path = rig->path, .clock = clock_system(), .lease_ms = 60000, .readers = 2, .pace = pace_default()};
    assert_int_equal(engine.open(&store, &rig->store), STORE_OK);
    rig->queue = queue_open(&(struct queue_config){.backend = rig->backend,
                                                   .store = rig->store,
                                                   .clock = clock_system(),
                                                   .batch_max = 64,
                                                   .waiting_max = 64,
                                                   .on_work = on_work,
                                                   .on_broken = on_broken,
                                                   .ctx = rig});
    rig->readers = readers_open(rig->backend, rig->store, 2, 64);
    assert_non_null(rig->queue);
    assert_non_null(rig->readers);
}

static void open_api(struct rig *rig)
{
    char key_file[160];
    snprintf(key_file, sizeof key_file, "%s/posthorn.key", rig->folder);
    if (vault_open(key_file, &rig->vault) == VAULT_ABSENT)
        assert_int_equal(vault_make(key_file, &rig->vault), VAULT_OK);
    struct api_config config = {.config = &rig->settings,
                                .vault = rig->vault,
                                .queue = rig->queue,
                                .readers = rig->readers,
                                .clock = {rig_wall_ms, rig_mono_ms, NULL}};
    guard_init(&config.guard);
    rig->api = api_open(&config);
    assert_non_null(rig->api);
}

/* The first Master and its key are init's to make, so they go to the store directly. */
static const char master_key[] = "your_api_key";

static void write_done(struct queue_job *job, enum store_status status)
{
    assert_int_equal(status, STORE_OK);
    atomic_store((atomic_bool *)job->ctx, true);
}

void rig_write(struct rig *rig, struct store_op op)
{
    atomic_bool done = false;
    struct queue_job job = {.op = op, .done = write_done, .ctx = &done};
    assert_true(queue_submit(rig->queue, &job));
    while (!atomic_load(&done))
        usleep(200);
    assert_int_equal(job.op.result, STORE_DONE);
}

static char keys[RIG_USERS + 1][65];
static int64_t ids[RIG_USERS + 1];

const char *rig_key(enum rig_user user)
{
    return user == RIG_NOBODY ? NULL : keys[user];
}

int64_t rig_id(enum rig_user user)
{
    return ids[user];
}

static void make_user(struct rig *rig, enum rig_user user, enum rig_user master, const char *role)
{
    char body[256];
    snprintf(body, sizeof body,
             "{\"data\":{\"type\":\"users\",\"attributes\":{\"name\":\"user %d\",\"role\":\"%s\"}}}",
             (int)user, role);
    struct ask ask = {"POST", "/api/users", master, body};
    struct reply reply = rig_ask(rig, &ask);
    assert_int_equal(reply.status, 201);
    snprintf(keys[user], sizeof keys[user], "%s", reply_text(&reply, "/meta/api_key"));
    ids[user] = atoll(reply_text(&reply, "/data/id"));
    assert_true(strlen(keys[user]) >= 32);
    reply_free(&reply);
}

void rig_open(struct rig *rig)
{
    *rig = (struct rig){.settings = {.mode = "sandbox", .regular_events = true}};
    snprintf(rig->folder, sizeof rig->folder, "/tmp/posthorn-api-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    snprintf(rig->path, sizeof rig->path, "%s/posthorn.db", rig->folder);
    open_parts(rig);
    rig_write(rig, (struct store_op){
                       .kind = STORE_USER_CREATE,
                       .user = {.user = {.role = USER_MASTER, .created_at_ms = 1, .updated_at_ms = 1}}});
    struct store_op key = {.kind = STORE_KEY_CREATE, .key = {.user_id = 5, .created_at_ms = 1}};
    digest_sha256_hex(bytes_of(master_key), key.key.digest);
    rig_write(rig, key);
    snprintf(keys[RIG_MASTER], sizeof keys[RIG_MASTER], "%s", master_key);
    ids[RIG_MASTER] = 5;
    open_api(rig);
    make_user(rig, RIG_REGULAR, RIG_MASTER, "regular");
    make_user(rig, RIG_OTHER, RIG_MASTER, "regular");
    make_user(rig, RIG_MASTER_2, RIG_MASTER, "master");
    make_user(rig, RIG_STRANGER, RIG_MASTER_2, "regular");
}

static void close_parts(struct rig *rig)
{
    api_close(rig->api);
    vault_close(rig->vault);
    readers_close(rig->readers);
    queue_close(rig->queue);
    rig->backend->close(rig->store);
}

void rig_restart(struct rig *rig)
{
    close_parts(rig);
    open_parts(rig);
    open_api(rig);
}

void rig_close(struct rig *rig)
{
    char command[128];
    close_parts(rig);
    snprintf(command, sizeof command, "rm -rf %s", rig->folder);
    assert_int_equal(system(command), 0);
}

/* ---- asking ---- */

static void add_header(struct listener_request *request, const char *name, const char *value)
{
    request->headers[request->header_count++] = (struct header){bytes_of(name), bytes_of(value)};
}

/* The answer in an allocation of its own, so that what points into the request is seen by the sanitizer. */
struct reply rig_ask(struct rig *rig, const struct ask *ask)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    struct listener_request *request = &exchange->request;
    assert_non_null(exchange);
    pthread_mutex_init(&exchange->lock, NULL);
    pthread_cond_init(&exchange->answered, NULL);
    arena_init(&request->arena, 8 << 20);
    request->method = bytes_of(ask->method);
    request->target = bytes_of(ask->target);
    const char *mark = strchr(ask->target, '?');
    request->path = bytes_make(ask->target, mark ? (size_t)(mark - ask->target) : strlen(ask->target));
    request->query = bytes_of(mark ? mark + 1 : "");
    snprintf(request->peer, sizeof request->peer, "%s", ask->peer ? ask->peer : "192.0.2.1");
    if (ask->as != RIG_NOBODY)
        add_header(request, "Authorization", keys[ask->as]);
    request->body_len = ask->body_len ? ask->body_len : ask->body ? strlen(ask->body) : 0;
    request->body = arena_alloc(&request->arena, request->body_len + 1);
    if (ask->body)
        memcpy(request->body, ask->body, request->body_len);
    request->body[request->body_len] = '\0';
    const char *type = ask->content_type ? ask->content_type : ask->body ? "application/json" : "";
    if (*type)
        add_header(request, "Content-Type", type);
    for (int i = 0; i < RIG_HEADERS_MAX && ask->headers[i][0]; i++)
        add_header(request, ask->headers[i][0], ask->headers[i][1]);
    api_handle(rig->api, request);
    pthread_mutex_lock(&exchange->lock);
    while (!exchange->is_answered)
        pthread_cond_wait(&exchange->answered, &exchange->lock);
    pthread_mutex_unlock(&exchange->lock);
    struct reply reply = exchange->reply;
    pthread_cond_destroy(&exchange->answered);
    pthread_mutex_destroy(&exchange->lock);
    free(exchange);
    reply.json = reply.body_len ? json_tokener_parse(reply.body) : NULL;
    return reply;
}

void reply_free(struct reply *reply)
{
    json_object_put(reply->json);
    free(reply->body);
    free(reply->headers);
    *reply = (struct reply){0};
}

const char *reply_header(const struct reply *reply, const char *name, size_t *len)
{
    for (const char *line = reply->headers; *line; line = strchr(line, '\n') + 1) {
        size_t name_len = strlen(name);
        if (strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
            continue;
        *len = (size_t)(strchr(line, '\n') - line) - name_len - 2;
        return line + name_len + 2;
    }
    return NULL;
}

bool reply_header_is(const struct reply *reply, const char *name, const char *value)
{
    size_t len;
    const char *found = reply_header(reply, name, &len);
    return found ? len == strlen(value) && memcmp(found, value, len) == 0 : value == NULL;
}

struct json_object *reply_get(const struct reply *reply, const char *pointer)
{
    struct json_object *value = NULL;
    return json_pointer_get(reply->json, pointer, &value) == 0 ? value : NULL;
}

const char *reply_text(const struct reply *reply, const char *pointer)
{
    struct json_object *value = reply_get(reply, pointer);
    return value ? json_object_get_string(value) : "";
}

static bool request_has(const struct ask *ask, const char *pointer)
{
    struct json_object *value = NULL;
    struct json_tokener *tokener = json_tokener_new(); /* lenient, comments and all */
    struct json_object *json = json_tokener_parse_ex(tokener, ask->body ? ask->body : "", -1);
    json_tokener_free(tokener);
    bool has = !*pointer || (json && json_pointer_get(json, pointer, &value) == 0);
    json_object_put(json);
    return has;
}

void reply_check(const struct reply *reply, const struct ask *ask)
{
    char status[8];
    if (!reply->body_len)
        return;
    assert_non_null(reply->json);
    assert_string_equal(reply_text(reply, "/jsonapi/version"), "1.1");
    if (reply->status < 400) {
        assert_null(reply_get(reply, "/errors"));
        return;
    }
    if (!reply_get(reply, "/errors"))
        return; /* /health says it in meta */
    assert_null(reply_get(reply, "/data"));
    snprintf(status, sizeof status, "%d", reply->status);
    assert_string_equal(reply_text(reply, "/errors/0/status"), status);
    assert_true(*reply_text(reply, "/errors/0/code"));
    assert_true(*reply_text(reply, "/errors/0/title"));
    assert_true(*reply_text(reply, "/errors/0/detail"));
    struct json_object *pointer = reply_get(reply, "/errors/0/source/pointer");
    if (pointer && !request_has(ask, json_object_get_string(pointer)))
        fail_msg("%s is not in %s", json_object_get_string(pointer), ask->body);
}

/* ---- refusals ---- */

static void check_refusal(struct rig *rig, const struct refusal *row)
{
    struct reply reply = rig_ask(rig, &row->ask);
    if (reply.status != row->status)
        fail_msg("%s %s %.200s: %d, not %d: %s", row->ask.method, row->ask.target,
                 row->ask.body ? row->ask.body : "", reply.status, row->status, reply.body);
    reply_check(&reply, &row->ask);
    if (strcmp(reply_text(&reply, "/errors/0/code"), row->code) != 0)
        fail_msg("%s %s %.200s: %s, not %s", row->ask.method, row->ask.target,
                 row->ask.body ? row->ask.body : "", reply.body, row->code);
    if (row->source) {
        char pointer[64];
        const char *space = strchr(row->source, ' ');
        snprintf(pointer, sizeof pointer, "/errors/0/source/%.*s", (int)(space - row->source), row->source);
        assert_non_null(reply_get(&reply, pointer));
        assert_string_equal(reply_text(&reply, pointer), space + 1);
    }
    reply_free(&reply);
}

static int events_in_store(struct rig *rig)
{
    struct ask ask = {"GET", "/metrics", RIG_NOBODY};
    struct reply reply = rig_ask(rig, &ask);
    assert_int_equal(reply.status, 200);
    const char *line = strstr(reply.body, "\nposthorn_events ");
    assert_non_null(line);
    int count = atoi(line + strlen("\nposthorn_events "));
    reply_free(&reply);
    return count;
}

void rig_refuses(struct rig *rig, const struct refusal *rows, size_t count)
{
    int before = events_in_store(rig);
    for (size_t i = 0; i < count; i++)
        check_refusal(rig, &rows[i]);
    assert_int_equal(events_in_store(rig), before);
}
