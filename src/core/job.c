#include "job.h"
#include "ids.h"

const char *const job_kind_names[] = {"recover", "replay", "backfill", NULL};
const char *const job_state_names[] = {"running", "done", "cancelled", NULL};

struct job_cursor job_begin(const struct job *job)
{
    if (job->kind == JOB_RECOVER)
        return (struct job_cursor){job->since_ms, 0};
    return (struct job_cursor){0, ids_first_at(job->since_ms) - 1};
}

bool job_is_past(const struct job *job, struct job_cursor cursor)
{
    if (job->kind == JOB_RECOVER)
        return cursor.at_ms >= job->created_at_ms || (job->until_ms && cursor.at_ms >= job->until_ms);
    return cursor.id >= job->below_id || (job->until_ms && cursor.id >= ids_first_at(job->until_ms));
}

bool job_cursor_equal(struct job_cursor a, struct job_cursor b)
{
    return a.at_ms == b.at_ms && a.id == b.id;
}

bool job_takes_delivery(const struct job *job, enum delivery_state state, bool under_way)
{
    if (under_way || state == DELIVERY_PENDING || job->kind == JOB_BACKFILL)
        return false;
    if (job->kind == JOB_REPLAY)
        return state == job->delivery_state;
    return state == DELIVERY_GIVEN_UP || state == DELIVERY_CANCELLED;
}
