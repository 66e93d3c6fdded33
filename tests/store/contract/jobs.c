/* Recoveries, replays and backfills: their rows, and the effect of a step. */
#include "contract.h"

enum { AHEAD = 64, ROWS = 100 };

static struct job job_of(const struct fixture *f, enum job_kind kind, int64_t owner_id, int64_t endpoint_id)
{
    return (struct job){.owner_id = owner_id,
                        .endpoint_id = endpoint_id,
                        .kind = kind,
                        .delivery_state = kind == JOB_REPLAY ? DELIVERY_DELIVERED : DELIVERY_PENDING,
                        .total = -1,
                        .created_at_ms = f->wall_ms};
}

static struct job make(struct fixture *f, struct job job)
{
    int64_t id = fixture_do(f, (struct store_op){.kind = STORE_JOB_CREATE, .job = job}, STORE_DONE);
    return fixture_read(f, (struct store_query){.kind = STORE_GET_JOB, .id = id, .limit = 1}).jobs[0];
}

static struct job now_of(struct fixture *f, const struct job *job)
{
    struct store_query get = {.kind = STORE_GET_JOB, .id = job->id, .limit = 1};
    struct store_answer answer = fixture_read(f, get);
    assert_int_equal(answer.count, 1);
    return answer.jobs[0];
}

static struct store_answer rows_of(struct fixture *f, const struct job *job, int limit)
{
    return fixture_read(f, (struct store_query){.kind = STORE_JOB_ROWS, .job = job, .limit = limit});
}

/* `job` as it is now, and the rows behind its cursor. */
static struct store_op step_op(const struct job *job, const struct store_answer *rows)
{
    return (struct store_op){.kind = STORE_JOB_STEP,
                             .job_step = {.id = job->id,
                                          .from = job->cursor,
                                          .to = rows->to,
                                          .ids = rows->ids,
                                          .count = rows->count,
                                          .looked = rows->looked,
                                          .ahead_max = AHEAD,
                                          .finished = !rows->more}};
}

/* How many became due, in steps of `limit`. */
static int64_t run(struct fixture *f, struct job job, int limit)
{
    for (int steps = 0; job.state == JOB_RUNNING; steps++) {
        struct store_answer rows = rows_of(f, &job, limit);
        fixture_do(f, step_op(&job, &rows), STORE_DONE);
        job = now_of(f, &job);
        assert_true(steps < ROWS);
    }
    assert_int_equal(job.state, JOB_DONE);
    assert_int_equal(job.finished_at_ms, f->wall_ms);
    return job.made_due;
}

static int64_t accept(struct fixture *f, int64_t owner_id)
{
    struct store_op op = fixture_event_op(f, owner_id);
    fixture_accept(f, &op);
    return op.id;
}

static struct delivery delivery_of(struct fixture *f, int64_t event_id)
{
    struct store_query list = {.kind = STORE_LIST_DELIVERIES, .id = event_id, .limit = 9};
    struct store_answer answer = fixture_read(f, list);
    assert_int_equal(answer.count, 1);
    return answer.deliveries[0];
}

/* Accepts one whose delivery ends so; the id of the delivery. */
static int64_t ended(struct fixture *f, int64_t user, enum delivery_state state)
{
    int64_t id = delivery_of(f, accept(f, user)).id;
    if (state == DELIVERY_CANCELLED)
        fixture_do(f, (struct store_op){.kind = STORE_CANCEL, .delivery.delivery_id = id}, STORE_DONE);
    if (state == DELIVERY_GIVEN_UP || state == DELIVERY_DELIVERED) {
        fixture_claim(f, 1, 1);
        assert_int_equal(f->boxes[0].delivery_id, id);
        enum decision_kind kind = state == DELIVERY_DELIVERED ? DECISION_DELIVERED : DECISION_GIVE_UP;
        fixture_do(f, fixture_outcome_op(f, &f->boxes[0], kind, 0), STORE_DONE);
    }
    fixture_advance(f, 10);
    return id;
}

static void recover(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    fixture_prove(f, user);
    int64_t early = ended(f, user, DELIVERY_CANCELLED), since = f->wall_ms;
    int64_t delivered = ended(f, user, DELIVERY_DELIVERED), lost = ended(f, user, DELIVERY_GIVEN_UP);
    int64_t cancelled = ended(f, user, DELIVERY_CANCELLED);
    struct job job = job_of(f, JOB_RECOVER, user, user);
    job.since_ms = since;
    job = make(f, job);
    fixture_advance(f, 10);
    int64_t later = ended(f, user, DELIVERY_CANCELLED); /* after the job was made */
    struct store_answer rows = rows_of(f, &job, ROWS);
    assert_int_equal(rows.count, 2);
    assert_int_equal(rows.ids[0], lost);
    assert_int_equal(rows.ids[1], cancelled);
    assert_int_equal(run(f, job, 1), 2);
    assert_int_equal(fixture_delivery(f, lost).state, DELIVERY_PENDING);
    assert_int_equal(fixture_delivery(f, lost).attempt, 1); /* it never falls */
    assert_int_equal(fixture_delivery(f, cancelled).state, DELIVERY_PENDING);
    assert_int_equal(fixture_delivery(f, early).state, DELIVERY_CANCELLED);
    assert_int_equal(fixture_delivery(f, later).state, DELIVERY_CANCELLED);
    assert_int_equal(fixture_delivery(f, delivered).state, DELIVERY_DELIVERED);
    fixture_claim(f, 4, 2);
}

/* It stays delivered, and its bytes are those of the first time. */
static void replay(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    fixture_prove(f, user);
    int64_t event = accept(f, user), id = delivery_of(f, event).id;
    fixture_claim(f, 1, 1);
    int64_t sent_at = f->boxes[0].sent_at_ms;
    char *bytes = arena_alloc(&f->arena, f->boxes[0].document_len);
    memcpy(bytes, f->boxes[0].document, f->boxes[0].document_len);
    fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
    fixture_advance(f, 1000);
    struct job job = job_of(f, JOB_REPLAY, user, user);
    job.event_type = bytes_of("none");
    assert_int_equal(run(f, make(f, job), ROWS), 0);
    job.event_type = fixture_event(f, event).event_type;
    job.since_ms = f->wall_ms;
    assert_int_equal(run(f, make(f, job), ROWS), 0);
    job.since_ms = 0;
    job.delivery_state = DELIVERY_GIVEN_UP;
    assert_int_equal(run(f, make(f, job), ROWS), 0);
    job.delivery_state = DELIVERY_DELIVERED;
    int64_t after = accept(f, user);                 /* it waits: that is no matter of a job's */
    assert_int_equal(run(f, make(f, job), ROWS), 2); /* with that of fixture_prove */
    assert_true(fixture_delivery(f, id).resending);
    assert_int_equal(run(f, make(f, job), ROWS), 0); /* they are on their way */
    fixture_claim(f, 4, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(f->boxes[i].event_id == after || f->boxes[i].sent_at_ms < f->wall_ms);
        if (f->boxes[i].delivery_id != id)
            continue;
        assert_int_equal(f->boxes[i].sent_at_ms, sent_at);
        assert_memory_equal(f->boxes[i].document, bytes, f->boxes[i].document_len);
    }
}

static void backfill(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    int64_t first = accept(f, user), second = accept(f, user);
    struct store_op ping = fixture_event_op(f, user);
    ping.event.only_endpoint_id = user;
    fixture_accept(f, &ping);
    int64_t further = fixture_endpoint(f, user, "https://example.org/");
    int64_t after = accept(f, user);
    struct job job = make(f, job_of(f, JOB_BACKFILL, user, further));
    struct store_answer rows = rows_of(f, &job, ROWS);
    assert_int_equal(rows.count, 2);
    assert_int_equal(rows.ids[0], first);
    assert_int_equal(rows.ids[1], second);
    const int64_t ids[] = {first, first, after, 4711}; /* whatever a step is given, it is given once */
    struct store_op step = step_op(&job, &rows);
    step.job_step.ids = ids;
    step.job_step.count = 4;
    step.job_step.finished = false;
    fixture_write(f, &step, 1, 0);
    assert_int_equal(step.count, 1);
    job = now_of(f, &job);
    fixture_do(f, step, STORE_FENCED); /* once more */
    assert_int_equal(run(f, job, ROWS), 1);
    assert_int_equal(run(f, make(f, job_of(f, JOB_BACKFILL, user, further)), ROWS), 1);
    assert_int_equal(run(f, make(f, job_of(f, JOB_BACKFILL, user, further)), ROWS), 0);
    struct store_query list = {.kind = STORE_LIST_DELIVERIES, .id = first, .limit = 9};
    struct store_answer answer = fixture_read(f, list);
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.deliveries[1].endpoint_id, further);
    fixture_claim(f, 16, 7); /* also after all events: first, second, ping, after; and after, first, second */
    struct job own = make(f, job_of(f, JOB_BACKFILL, user, user));
    assert_int_equal(run(f, own, ROWS), 0); /* nothing was before it */
}

/* A Master's endpoint gets what its users' events were for. */
static void backfill_of_a_master(struct fixture *f)
{
    struct store_op user = {
        .kind = STORE_USER_CREATE,
        .user.user = {.role = USER_MASTER, .name = bytes_of("M"), .receives_users_events = true}};
    int64_t master = fixture_do(f, user, STORE_DONE);
    user.user.user = (struct user){.role = USER_REGULAR, .master_id = master, .name = bytes_of("R")};
    int64_t regular = fixture_do(f, user, STORE_DONE), stranger = fixture_user(f, NULL);
    int64_t one = accept(f, regular), own = accept(f, master);
    struct store_op alone = fixture_event_op(f, regular);
    alone.event.owner_only = true;
    fixture_accept(f, &alone);
    accept(f, stranger);
    int64_t to_master = fixture_endpoint(f, master, "https://example.org/");
    int64_t to_regular = fixture_endpoint(f, regular, "https://example.org/");
    struct job job = make(f, job_of(f, JOB_BACKFILL, master, to_master));
    struct store_answer rows = rows_of(f, &job, ROWS);
    assert_int_equal(rows.count, 2);
    assert_int_equal(rows.ids[0], one);
    assert_int_equal(rows.ids[1], own);
    job = make(f, job_of(f, JOB_BACKFILL, regular, to_regular));
    rows = rows_of(f, &job, ROWS);
    assert_int_equal(rows.count, 2);
    assert_int_equal(rows.ids[0], one);
    assert_int_equal(rows.ids[1], alone.id);
}

static void steps_wait(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    int64_t ids[6];
    for (int i = 0; i < 6; i++)
        ids[i] = ended(f, user, DELIVERY_CANCELLED);
    accept(f, user);
    struct job job = make(f, job_of(f, JOB_RECOVER, user, user));
    for (int i = 0; i < 2; i++) {
        struct store_answer rows = rows_of(f, &job, 2);
        struct store_op step = step_op(&job, &rows);
        step.job_step.ahead_max = 3;
        fixture_write(f, &step, 1, 0);
        assert_int_equal(step.job_step.held, i == 1); /* three are due by then */
        assert_int_equal(step.count, i == 1 ? 0 : 2);
        job = now_of(f, &job);
    }
    assert_int_equal(job.made_due, 2);
    fixture_reopen(f);
    assert_int_equal(now_of(f, &job).state, JOB_RUNNING);
    assert_int_equal(run(f, now_of(f, &job), 2), 6);
    /* What waits for its next try keeps its time. */
    fixture_claim(f, 1, 1);
    struct store_work box = f->boxes[0];
    fixture_do(f, fixture_outcome_op(f, &box, DECISION_RETRY, 90000), STORE_DONE);
    struct store_op step = {.kind = STORE_JOB_STEP};
    job = make(f, job_of(f, JOB_RECOVER, user, user));
    step.job_step.id = job.id;
    step.job_step.from = step.job_step.to = job.cursor;
    step.job_step.ids = ids;
    step.job_step.count = 6;
    step.job_step.ahead_max = AHEAD;
    fixture_write(f, &step, 1, 0);
    assert_int_equal(step.count, 0);
    assert_true(fixture_delivery(f, box.delivery_id).next_in_ms > 0);
}

static void jobs_run_and_end(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/"), other = fixture_user(f, NULL);
    int64_t further = fixture_endpoint(f, user, "https://example.org/");
    struct store_op op = {.kind = STORE_JOB_CREATE, .job = job_of(f, JOB_RECOVER, user, further)};
    struct job job = make(f, op.job);
    fixture_do(f, op, STORE_CONFLICT);
    struct job replaying = make(f, job_of(f, JOB_REPLAY, user, further));
    op.job.owner_id = other;
    fixture_do(f, op, STORE_NOT_FOUND);
    op.job.endpoint_id = 4711;
    fixture_do(f, op, STORE_NOT_FOUND);
    struct store_query list = {.kind = STORE_LIST_JOBS, .owner_id = user, .limit = 9};
    assert_int_equal(fixture_read(f, list).count, 2);
    list.owner_id = other;
    assert_int_equal(fixture_read(f, list).count, 0);
    list = (struct store_query){.kind = STORE_LIST_JOBS_RUNNING, .limit = 9};
    assert_int_equal(fixture_read(f, list).count, 2);
    struct store_op cancel = {.kind = STORE_JOB_CANCEL, .job.id = job.id};
    fixture_do(f, cancel, STORE_DONE);
    fixture_do(f, cancel, STORE_CONFLICT);
    struct store_answer rows = rows_of(f, &job, ROWS);
    fixture_do(f, step_op(&job, &rows), STORE_CONFLICT);
    cancel.job.id = 4711;
    fixture_do(f, cancel, STORE_NOT_FOUND);
    assert_int_equal(fixture_read(f, list).count, 1);
    fixture_do(
        f,
        (struct store_op){.kind = STORE_ENDPOINT_REMOVE,
                          .endpoint = {.endpoint = {.id = further, .owner_id = user}, .if_version = -1}},
        STORE_DONE);
    assert_int_equal(now_of(f, &replaying).state, JOB_CANCELLED);
    assert_int_equal(rows_of(f, &replaying, ROWS).count, 0);
    struct job running = make(f, job_of(f, JOB_RECOVER, user, user));
    fixture_advance(f, 10);
    struct store_op purge = {.kind = STORE_PURGE, .purge = {.before_ms = f->wall_ms, .rows_max = 10}};
    fixture_do(f, purge, STORE_DONE);
    struct store_query all = {.kind = STORE_LIST_JOBS, .limit = 9};
    assert_int_equal(fixture_read(f, all).count, 1);
    assert_int_equal(now_of(f, &running).state, JOB_RUNNING);
}

static void so_many_are_kept(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    for (int i = 0; i < STORE_JOBS_KEPT + 3; i++)
        run(f, make(f, job_of(f, JOB_REPLAY, user, user)), ROWS);
    struct store_query all = {.kind = STORE_LIST_JOBS, .limit = 99};
    assert_int_equal(fixture_read(f, all).count, STORE_JOBS_KEPT + 1);
}

/* A page looks at so many rows at most, whether they count or not. */
static void rows_come_in_pages(struct fixture *f)
{
    f->config.scan_rows_max = 4;
    fixture_reopen(f);
    int64_t user = fixture_user(f, "https://example.com/");
    for (int i = 0; i < 10; i++)
        accept(f, user);
    struct job job = make(f, job_of(f, JOB_REPLAY, user, user)); /* none is delivered */
    for (int i = 0; i < 3; i++) {
        struct store_answer rows = rows_of(f, &job, ROWS);
        assert_int_equal(rows.count, 0);
        assert_int_equal(rows.looked, i < 2 ? 4 : 2);
        assert_int_equal(rows.more, i < 2);
        fixture_do(f, step_op(&job, &rows), STORE_DONE);
        job = now_of(f, &job);
    }
    assert_int_equal(job.state, JOB_DONE);
    assert_int_equal(job.looked, 10);
}

const struct contract_test contract_jobs[] = {
    {"jobs: recover: given up or cancelled since a time, and before the job", recover},
    {"jobs: replay: delivered, by filter, with the same bytes", replay},
    {"jobs: backfill: from before the endpoint, once", backfill},
    {"jobs: backfill: a Master's", backfill_of_a_master},
    {"jobs: a step waits while much is due, and hurries nothing", steps_wait},
    {"jobs: one of a kind runs; they are cancelled and purged", jobs_run_and_end},
    {"jobs: so many that have ended are kept", so_many_are_kept},
    {"jobs: rows come in pages", rows_come_in_pages},
    {NULL, NULL},
};
