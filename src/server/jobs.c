#include "jobs.h"
#include "background.h"
#include "memory.h"
#include <stdlib.h>

/* Jobs that take turns; the wait while all of them are held doubles from MIN to MAX. */
enum { AT_ONCE_MAX = 64, HELD_MS_MIN = 5, HELD_MS_MAX = 500, ROWS_MEMORY_MAX = 4 << 20 };

/* The next deliveries of a job. They are kept while the job is held, so that they are read once. */
struct rows {
    int64_t job_id;
    struct job_cursor from, to;
    int64_t ids[JOBS_AHEAD_MAX];
    int count, looked;
    bool finished;
};

struct jobs {
    struct jobs_config config;
    struct background background;
    struct arena memory; /* of the list of jobs, and of one job's rows */
    struct arena rows_memory;
    struct rows rows[AT_ONCE_MAX]; /* of the job in this place of the list */
    int64_t listed_to;             /* the next turn begins behind this job */
    int held_ms;                   /* the last wait */
};

static bool find_rows(struct jobs *jobs, const struct job *job, struct rows *rows)
{
    if (rows->job_id == job->id && job_cursor_equal(rows->from, job->cursor))
        return true;
    struct store_query query = {.kind = STORE_JOB_ROWS, .job = job, .limit = JOBS_AHEAD_MAX};
    if (!background_read(&jobs->background, jobs->config.readers, query, &jobs->rows_memory))
        return false;
    const struct store_answer *answer = &jobs->background.read.answer;
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
    struct store_op wanted = {.kind = STORE_JOB_STEP,
                              .job_step = {.id = job->id,
                                           .from = rows->from,
                                           .to = rows->to,
                                           .ids = rows->ids,
                                           .count = rows->count,
                                           .looked = rows->looked,
                                           .ahead_max = JOBS_AHEAD_MAX,
                                           .finished = rows->finished}};
    if (!background_write(&jobs->background, jobs->config.queue, wanted))
        return false;
    const struct store_op *op = &jobs->background.write.op;
    if (op->result != STORE_DONE || op->job_step.held)
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
static int take_turns(void *ctx)
{
    struct jobs *jobs = ctx;
    int held_ms = jobs->held_ms;
    jobs->held_ms = 0;
    struct store_query list = {
        .kind = STORE_LIST_JOBS_RUNNING, .after_id = jobs->listed_to, .limit = AT_ONCE_MAX};
    bool went_on = false;
    if (!background_read(&jobs->background, jobs->config.readers, list, &jobs->memory))
        return jobs->config.period_ms;
    const struct store_answer running = jobs->background.read.answer;
    bool from_start = jobs->listed_to == 0;
    jobs->listed_to = running.more ? running.jobs[running.count - 1].id : 0;
    if (running.count == 0)
        return from_start ? jobs->config.period_ms : 0;
    for (int i = 0; i < running.count; i++)
        went_on = step(jobs, &running.jobs[i], &jobs->rows[i]) || went_on;
    if (went_on || running.more)
        return 0;
    held_ms = held_ms < HELD_MS_MIN ? HELD_MS_MIN : 2 * held_ms;
    return jobs->held_ms = held_ms < HELD_MS_MAX ? held_ms : HELD_MS_MAX;
}

struct jobs *jobs_open(const struct jobs_config *config)
{
    struct jobs *jobs = memory_zero(1, sizeof *jobs);
    jobs->config = *config;
    arena_init(&jobs->memory, ROWS_MEMORY_MAX);
    arena_init(&jobs->rows_memory, ROWS_MEMORY_MAX);
    background_start(&jobs->background, 0, take_turns, jobs);
    return jobs;
}

void jobs_close(struct jobs *jobs)
{
    if (!jobs)
        return;
    background_stop(&jobs->background);
    arena_fini(&jobs->memory);
    arena_fini(&jobs->rows_memory);
    free(jobs);
}
