/*
 * Disk faults: the n-th call fails, then the n-th + 1, until none fails any more. A full disk leaves nothing
 * of the batch, in the file and in memory, and goes on when there is room; an error of writing or syncing
 * ends it all, and what was acknowledged is there afterwards. The model store, which gets what was
 * acknowledged, tells what must be there.
 */
#include "fixture.h"
#include "model_store.h"
#include "shim_vfs.h"
#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 20, EVENTS_EACH = 3, BOXES = 4 };

struct pair {
    struct fixture model, sqlite;
    struct shim_fault fault;
    int64_t user;
    bool broken;
    int full;
};

/* What SQLite acknowledged goes to the model, and both must say the same. */
static void write_pair(struct pair *p, struct store_op *ops, int count, int boxes, bool again)
{
    struct store_op twins[8], *list[8];
    if (p->broken)
        return;
    for (;;) {
        memcpy(twins, ops, (size_t)count * sizeof *ops);
        for (int i = 0; i < count; i++)
            list[i] = &twins[i];
        struct store_batch batch = {
            .ops = list, .op_count = count, .boxes = p->sqlite.box_list, .box_count = boxes};
        enum store_status status = p->sqlite.backend->write(p->sqlite.store, &batch);
        p->sqlite.filled = batch.filled_count;
        if (status == STORE_OK)
            break;
        assert_int_equal(p->sqlite.filled, 0);
        p->broken = status == STORE_BROKEN;
        if (p->broken) {
            assert_int_equal(p->sqlite.backend->write(p->sqlite.store, &batch), STORE_BROKEN); /* for good */
            return;
        }
        assert_int_equal(status, STORE_FULL);
        p->full++;
        p->fault.at = 0; /* somebody made room, after a while: ids that were given do not come again */
        fixture_advance(&p->model, 1);
        fixture_advance(&p->sqlite, 1);
        if (!again)
            return;
    }
    fixture_write(&p->model, ops, count, boxes);
    assert_int_equal(p->model.filled, p->sqlite.filled);
    for (int i = 0; i < p->model.filled; i++) {
        assert_int_equal(p->model.boxes[i].delivery_id, p->sqlite.boxes[i].delivery_id);
        assert_int_equal(p->model.boxes[i].lease, p->sqlite.boxes[i].lease);
        assert_int_equal(p->model.boxes[i].age_ms, p->sqlite.boxes[i].age_ms);
        assert_true(bytes_equal(p->model.boxes[i].url, p->sqlite.boxes[i].url));
        assert_string_equal(p->model.boxes[i].auth_digest, p->sqlite.boxes[i].auth_digest);
    }
    for (int i = 0; i < count; i++) {
        assert_int_equal(ops[i].result, twins[i].result);
        assert_int_equal(ops[i].id, twins[i].id);
    }
}

static void step(struct pair *p, int number)
{
    static const enum decision_kind kinds[] = {DECISION_DELIVERED, DECISION_RETRY, DECISION_DELIVERED,
                                               DECISION_RELEASE};
    struct store_op ops[EVENTS_EACH + BOXES + 1];
    struct store_figures figures = {.id = p->user};
    int count = 0;
    for (; count < p->model.filled; count++)
        ops[count] = fixture_outcome_op(&p->model, &p->model.boxes[count], kinds[(count + number) % 4], 500);
    for (int i = 0; i < EVENTS_EACH; i++)
        ops[count++] = fixture_keyed_op(&p->model, p->user, p->model.event_number + 1);
    if (number % 4 == 2) /* writes what was gathered */
        ops[count++] = (struct store_op){.kind = STORE_LOOK, .look = {&figures, 1, true}};
    /* With a box alone, more waits, in memory, than the next batch can claim. */
    write_pair(p, ops, count, number % 3 == 1 ? 1 : BOXES, true);
    if (number == 5 && !p->broken) { /* a change of users is undone too, and perhaps not done again */
        struct store_op move = fixture_update_op(&p->model, p->user);
        move.user.user.endpoint.url = bytes_of("https://new.example/");
        struct store_op both[2] = {move, fixture_key_op(&p->model, p->user)};
        p->model.filled = 0;
        write_pair(p, both, 2, BOXES, false);
    }
    fixture_advance(&p->model, 400);
    fixture_advance(&p->sqlite, 400);
}

/* What was acknowledged is known by its key. */
static void all_replayed(struct pair *p)
{
    struct store_query list = {.kind = STORE_LIST_EVENTS, .limit = 0};
    struct store_answer events = fixture_read(&p->model, list);
    for (int i = 0; i < events.count; i++)
        fixture_event_replayed(&p->sqlite, p->user, events.events[i].id);
}

/* No batch counts twice, and none that was undone. */
static void compare_hours(struct pair *p)
{
    struct store_query hours = {.kind = STORE_LIST_HOURS,
                                .id = p->user,
                                .after_id = hour_of(p->model.wall_ms) - HOURS_KEPT,
                                .limit = HOURS_KEPT};
    struct store_answer a = fixture_read(&p->model, hours), b = fixture_read(&p->sqlite, hours);
    assert_int_equal(a.count, b.count);
    for (int i = 0; i < a.count; i++)
        assert_memory_equal(&a.hours[i], &b.hours[i], sizeof *a.hours);
}

/* After a restart on a sound disk: all that was acknowledged, and if nothing broke nothing else. */
static void compare(struct pair *p)
{
    p->fault.at = 0;
    if (!p->broken)
        all_replayed(p);
    fixture_reopen(&p->sqlite);
    if (!p->broken)
        compare_hours(p);
    all_replayed(p);
    struct store_query list = {.kind = STORE_LIST_EVENTS, .limit = 0, .with_document = true};
    struct store_answer a = fixture_read(&p->model, list), b = fixture_read(&p->sqlite, list);
    assert_in_range(b.count, a.count, p->broken ? a.count + EVENTS_EACH : a.count);
    for (int i = 0; i < a.count; i++) {
        assert_int_equal(a.events[i].id, b.events[i].id);
        assert_true(bytes_equal(a.events[i].document, b.events[i].document));
        list = (struct store_query){.kind = STORE_LIST_DELIVERIES, .id = a.events[i].id};
        struct store_answer c = fixture_read(&p->model, list), d = fixture_read(&p->sqlite, list);
        assert_int_equal(c.count, d.count);
        if (c.deliveries[0].state != DELIVERY_PENDING || !p->broken)
            assert_int_equal(c.deliveries[0].state, d.deliveries[0].state);
        if (!p->broken)
            assert_int_equal(c.deliveries[0].attempt, d.deliveries[0].attempt);
    }
}

/* True: the fault happened. */
static bool run(struct shim_fault fault, int keys_ahead_max)
{
    struct pair *p = calloc(1, sizeof *p);
    assert_non_null(p);
    shim_install(&p->fault, false);
    fixture_open(&p->model, &store_model);
    fixture_open(&p->sqlite, &store_sqlite);
    p->sqlite.config.keys_ahead_max = keys_ahead_max;
    fixture_reopen(&p->sqlite);
    p->user = fixture_user(&p->model, "https://example.com/");
    fixture_user(&p->sqlite, "https://example.com/");
    p->fault = fault;
    for (int i = 0; i < STEPS; i++)
        step(p, i);
    bool failed = p->fault.failed > 0;
    assert_int_equal(failed, p->broken || p->full > 0);
    assert_int_equal(p->broken, failed && fault.code != SQLITE_FULL);
    compare(p);
    fixture_close(&p->model);
    fixture_close(&p->sqlite);
    shim_remove();
    free(p);
    return failed;
}

/* With a run of keys from each batch, and with keys that are in memory alone for some batches. */
static void every_call(struct shim_fault fault)
{
    for (int batches = 1; batches <= 4; batches += 3) {
        int at = 1;
        for (fault.at = at; run(fault, batches * EVENTS_EACH); fault.at = at)
            at += at < 40 ? 1 : 7; /* the later ones are much the same */
        assert_true(at > STEPS);
    }
}

static void disk_full(void **state)
{
    every_call((struct shim_fault){.call = SHIM_WRITE, .code = SQLITE_FULL});
}

static void write_error(void **state)
{
    every_call((struct shim_fault){.call = SHIM_WRITE, .code = SQLITE_IOERR_WRITE});
}

static void sync_error(void **state)
{
    every_call((struct shim_fault){.call = SHIM_SYNC, .code = SQLITE_IOERR_FSYNC});
}

/* A sync that fails in a checkpoint must not be tried again either. */
static void checkpoint_sync_error(void **state)
{
    struct shim_fault fault = {0};
    struct fixture *f = calloc(1, sizeof *f);
    shim_install(&fault, false);
    fixture_open(f, &store_sqlite);
    int64_t user = fixture_user(f, NULL);
    char *large = arena_alloc(&f->arena, MODEL_BODY_LEN_MAX);
    memset(large, 'x', MODEL_BODY_LEN_MAX);
    fault = (struct shim_fault){
        .call = SHIM_SYNC, .file = SQLITE_OPEN_MAIN_DB, .at = 1, .code = SQLITE_IOERR_FSYNC};
    enum store_status status = STORE_OK;
    int written = 0;
    while (status == STORE_OK && written < 200) {
        struct store_op op = fixture_event_op(f, user), *list = &op;
        memcpy(large, op.event.event.document.data, op.event.event.document.len);
        op.event.event.document = bytes_make(large, MODEL_BODY_LEN_MAX);
        struct store_batch batch = {.ops = &list, .op_count = 1};
        status = f->backend->write(f->store, &batch);
        written += status == STORE_OK;
    }
    assert_int_equal(status, STORE_BROKEN);
    assert_int_equal(fault.failed, 1);
    int seen = fault.seen;
    f->backend->close(f->store);
    assert_int_equal(fault.seen, seen); /* not even at the end */
    fault.at = 0;
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
    struct store_query list = {.kind = STORE_LIST_EVENTS};
    assert_int_equal(fixture_read(f, list).count, written);
    fixture_close(f);
    shim_remove();
    free(f);
}

/* 9: what waits in memory (tail.c) and was claimed, hurried or cancelled by a batch that is not
 * written, waits as before. */
static void a_tail_is_undone(void **state)
{
    struct shim_fault fault = {0};
    struct fixture f;
    shim_install(&fault, false);
    fixture_open(&f, &store_sqlite);
    int64_t user = fixture_user(&f, "https://example.com/");
    fixture_prove(&f, user);
    struct store_op ops[EVENTS_EACH], cancel = {.kind = STORE_CANCEL}, *list = &cancel;
    for (int i = 0; i < EVENTS_EACH; i++)
        ops[i] = fixture_event_op(&f, user);
    fixture_write(&f, ops, EVENTS_EACH, 0);
    struct store_query query = {.kind = STORE_LIST_DELIVERIES, .id = ops[1].id};
    cancel.delivery.delivery_id = fixture_read(&f, query).deliveries[0].id;
    for (int boxes = 0; boxes < EVENTS_EACH; boxes++) {
        struct store_batch batch = {.ops = &list, .op_count = 1, .boxes = f.box_list, .box_count = boxes};
        fault = (struct shim_fault){.call = SHIM_WRITE, .at = 1, .code = SQLITE_FULL};
        assert_int_equal(f.backend->write(f.store, &batch), STORE_FULL);
        assert_int_equal(batch.filled_count, 0);
        fault.at = 0;
    }
    for (int i = 0; i < EVENTS_EACH; i++) {
        fixture_claim(&f, 1, 1);
        assert_int_equal(f.boxes[0].event_id, ops[i].id);
    }
    fixture_claim(&f, 1, 0);
    fixture_close(&f);
    shim_remove();
}

static enum store_status claim_on_full(struct fixture *f, struct shim_fault *fault, struct store_op *op)
{
    struct store_batch batch = {.ops = &op, .op_count = 1, .boxes = f->box_list, .box_count = BOXES};
    *fault = (struct shim_fault){.call = SHIM_WRITE, .at = 1, .code = SQLITE_FULL};
    enum store_status status = f->backend->write(f->store, &batch);
    fault->at = 0;
    return status;
}

/* A lease that was not written counts for no rate, and an endpoint that did not become ordered is not. */
static void limits_are_undone(void **state)
{
    struct shim_fault fault = {0};
    struct fixture f;
    shim_install(&fault, false);
    fixture_open(&f, &store_sqlite);
    int64_t user = fixture_user(&f, "https://example.com/");
    fixture_prove(&f, user);
    struct store_op op = fixture_endpoint_op(&f, user);
    op.endpoint.endpoint.flow.rate = (struct endpoint_rate){1, FLOW_PER_HOUR};
    fixture_do(&f, op, STORE_DONE);
    for (int i = 0; i < EVENTS_EACH; i++)
        fixture_do(&f, fixture_event_op(&f, user), STORE_DONE);
    op.endpoint.endpoint.disable_on_410 = true;
    for (int i = 0; i < 3; i++)
        assert_int_equal(claim_on_full(&f, &fault, &op), STORE_FULL);
    fixture_claim(&f, BOXES, 1);
    fixture_claim(&f, BOXES, 0);
    fixture_do(&f, fixture_outcome_op(&f, &f.boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    op.endpoint.endpoint.flow = (struct flow_settings){.ordered = true};
    assert_int_equal(claim_on_full(&f, &fault, &op), STORE_FULL);
    fixture_claim(&f, BOXES, 0); /* the rate is still there */
    op.endpoint.endpoint.flow = (struct flow_settings){0};
    fixture_do(&f, op, STORE_DONE);
    fixture_claim(&f, BOXES, EVENTS_EACH - 1);
    fixture_close(&f);
    shim_remove();
}

/* Nothing was written then, so the disk is not given up: but nothing more is, and reads go on. */
static void read_error(void **state)
{
    struct shim_fault fault = {0};
    struct fixture *f = calloc(1, sizeof *f);
    shim_install(&fault, false);
    fixture_open(f, &store_sqlite);
    int64_t user = fixture_user(f, "https://example.com/");
    for (int i = 0; i < STEPS; i++)
        fixture_do(f, fixture_event_op(f, user), STORE_DONE);
    fixture_reopen(f);
    struct store_query list = {.kind = STORE_LIST_EVENTS};
    assert_int_equal(fixture_read(f, list).count, STEPS);
    fault = (struct shim_fault){.call = SHIM_READ, .at = 1, .lasting = true, .code = SQLITE_IOERR_READ};
    struct store_op op = {.kind = STORE_PURGE, .purge = {.before_ms = INT64_MAX, .rows_max = 100}},
                    *ops = &op;
    struct store_batch batch = {.ops = &ops, .op_count = 1, .boxes = f->box_list, .box_count = BOXES};
    assert_int_equal(f->backend->write(f->store, &batch), STORE_DAMAGED);
    assert_true(fault.failed > 0);
    assert_int_equal(batch.filled_count, 0);
    fault.at = 0;
    assert_int_equal(f->backend->write(f->store, &batch), STORE_DAMAGED); /* for good */
    assert_int_equal(fixture_read(f, list).count, STEPS);
    fixture_reopen(f);
    fixture_claim(f, BOXES, BOXES);
    fixture_close(f);
    shim_remove();
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tail_is_undone), cmocka_unit_test(limits_are_undone),
        cmocka_unit_test(disk_full),        cmocka_unit_test(write_error),
        cmocka_unit_test(sync_error),       cmocka_unit_test(checkpoint_sync_error),
        cmocka_unit_test(read_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
