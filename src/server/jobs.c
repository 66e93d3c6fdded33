#include "jobs.h"
#include "memory.h"
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Jobs that take turns; the wait while all of them are held doubles from MIN to MAX. */
enum { AT_ONCE_MAX = 64, HELD_MS_MIN = 5, HELD_MS_MAX = 500, ROWS_MEMORY_MAX = 4 << 20 };

/* What a job may make due next. It is kept while the job is held, so that it is read once. */
struct rows {
    int64_t job_id;
    struct job_cursor from, to;
    int64_t ids[JOBS_AHEAD_MAX];
    int count, looked;
    bool finished;
};

struct jobs {
    struct jobs_config config;
    pthread_t thread;
    int stop_fd, done_fd; /* eventfds */
    struct readers_job read;
    struct queue_job write;
    enum store_status status; /* of `write`, before done_fd */
    struct arena memory;      /* of the list of jobs, and of one job's rows */
    struct arena rows_memory;
    struct rows rows[AT_ONCE_MAX]; /* of the job in this place of the list */
    int64_t listed_to;             /* the next turn begins behind this job */
};

static void read_done(struct readers_job *read)
{
    struct jobs *jobs = read->ctx;
    eventfd_write(jobs->done_fd, 1);
}

static void write_done(struct queue_job *write, enum store_status status)
{
    struct jobs *jobs = write->ctx;
    jobs->status = status;
    eventfd_write(jobs->done_fd, 1);
}

/* False: the readers are busy, or the store could not. */
static bool read_now(struct jobs *jobs, struct store_query query, struct arena *memory)
{
    arena_reset(memory);
    jobs->read = (struct readers_job){.query = query, .arena = memory, .done = read_done, .ctx = jobs};
    if (!readers_submit(jobs->config.readers, &jobs->read))
        return false;
    eventfd_t ignored;
    eventfd_read(jobs->done_fd, &ignored);
    return jobs->read.status == STORE_OK;
}

static bool find_rows(struct jobs *jobs, const struct job *job, struct rows *rows)
{
    if (rows->job_id == job->id && job_cursor_equal(rows->from, job->cursor))
        return true;
    struct store_query query = {.kind = STORE_JOB_ROWS, .job = job, .limit = JOBS_AHEAD_MAX};
    if (!read_now(jobs, query, &jobs->rows_memory))
        return false;
    const struct store_answer *answer = &jobs->read.answer;
    *rows = (struct rows){.job_id = job->id,
                          .from = job->cursor,
                          .to = answer->to,
                          .count = answer->count,
                          .looked = answer->looked,
                          .finished = !answer->more};
    if (answer->count > 0)
        memcpy(rows->ids, answer->ids, (size_t)answer->count * sizeof *rows->ids);
    return true;
}

/* True: the job went on. */
static bool step(struct jobs *jobs, const struct job *job, struct rows *rows)
{
    if (!find_rows(jobs, job, rows))
        return false;
    jobs->write = (struct queue_job){.op = {.kind = STORE_JOB_STEP,
                                            .job_step = {.id = job->id,
                                                         .from = rows->from,
                                                         .to = rows->to,
                                                         .ids = rows->ids,
                                                         .count = rows->count,
                                                         .looked = rows->looked,
                                                         .ahead_max = JOBS_AHEAD_MAX,
                                                         .finished = rows->finished}},
                                     .done = write_done,
                                     .ctx = jobs};
    if (!queue_submit(jobs->config.queue, &jobs->write))
        return false; /* the queue is full: producers first */
    eventfd_t ignored;
    eventfd_read(jobs->done_fd, &ignored);
    const struct store_op *op = &jobs->write.op;
    if (jobs->status != STORE_OK || op->result != STORE_DONE || op->job_step.held)
        return false;
    rows->job_id = 0;
    if (op->job_step.finished)
        log_write(jobs->config.log, LOG_LEVEL_INFO, "jobs",
                  "done job=%lld kind=%s endpoint=%lld made_due=%lld", (long long)job->id,
                  job_kind_names[job->kind], (long long)job->endpoint_id,
                  (long long)(job->made_due + op->count));
    return true;
}

/* A step of each job whose turn it is. How long to sleep then. */
static int take_turns(struct jobs *jobs, int held_ms)
{
    struct store_query list = {
        .kind = STORE_LIST_JOBS_RUNNING, .after_id = jobs->listed_to, .limit = AT_ONCE_MAX};
    bool went_on = false;
    if (!read_now(jobs, list, &jobs->memory))
        return jobs->config.period_ms;
    const struct store_answer running = jobs->read.answer;
    bool from_start = jobs->listed_to == 0;
    jobs->listed_to = running.more ? running.jobs[running.count - 1].id : 0;
    if (running.count == 0)
        return from_start ? jobs->config.period_ms : 0;
    for (int i = 0; i < running.count; i++)
        went_on = step(jobs, &running.jobs[i], &jobs->rows[i]) || went_on;
    if (went_on || running.more)
        return 0;
    held_ms = held_ms < HELD_MS_MIN ? HELD_MS_MIN : 2 * held_ms;
    return held_ms < HELD_MS_MAX ? held_ms : HELD_MS_MAX;
}

static void *jobs_main(void *argument)
{
    struct jobs *jobs = argument;
    struct pollfd stop = {.fd = jobs->stop_fd, .events = POLLIN};
    int wait_ms = 0;
    do {
        wait_ms = take_turns(jobs, wait_ms);
    } while (poll(&stop, 1, wait_ms) <= 0);
    return NULL;
}

struct jobs *jobs_open(const struct jobs_config *config)
{
    struct jobs *jobs = memory_zero(1, sizeof *jobs);
    jobs->config = *config;
    arena_init(&jobs->memory, ROWS_MEMORY_MAX);
    arena_init(&jobs->rows_memory, ROWS_MEMORY_MAX);
    jobs->stop_fd = eventfd(0, EFD_CLOEXEC);
    jobs->done_fd = eventfd(0, EFD_CLOEXEC);
    int error = pthread_create(&jobs->thread, NULL, jobs_main, jobs);
    assert(jobs->stop_fd >= 0 && jobs->done_fd >= 0 && error == 0);
    return jobs;
}

void jobs_close(struct jobs *jobs)
{
    if (!jobs)
        return;
    eventfd_write(jobs->stop_fd, 1);
    pthread_join(jobs->thread, NULL);
    arena_fini(&jobs->memory);
    arena_fini(&jobs->rows_memory);
    close(jobs->stop_fd);
    close(jobs->done_fd);
    free(jobs);
}
