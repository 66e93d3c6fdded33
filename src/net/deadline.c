#include "deadline.h"
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

/* So many are judged before the loop polls the sockets again: one may take 50 us, and thousands may be due.
 */
enum { TURN_MAX = 64 };

static int64_t now_ms(const struct deadlines *deadlines)
{
    return (int64_t)uv_now(deadlines->timer.loop);
}

static void append(struct deadline *ring, struct deadline *deadline)
{
    deadline->prev = ring->prev;
    deadline->next = ring;
    deadline->prev->next = deadline->next->prev = deadline;
}

static void on_timer(uv_timer_t *timer);

static void arm(struct deadlines *deadlines, int64_t at_ms)
{
    int64_t now = now_ms(deadlines);
    if (at_ms >= deadlines->armed_ms || deadlines->judge_ms != 0)
        return;
    deadlines->armed_ms = at_ms;
    uv_timer_start(&deadlines->timer, on_timer, at_ms > now ? (uint64_t)(at_ms - now) : 0, 0);
}

/* Moves up to `max` due deadlines to a ring of their own, so that one that `passed` sets again waits for the
 * next turn. Returns their number. */
static int take_due(struct deadline_queue *queue, int64_t now, int max, struct deadline *due)
{
    int count = 0;
    due->prev = due->next = due;
    for (; count < max && queue->ring.next != &queue->ring && queue->ring.next->at_ms <= now; count++) {
        struct deadline *first = queue->ring.next;
        deadline_lift(first);
        append(due, first);
    }
    return count;
}

static bool is_due(const struct deadlines *deadlines, int64_t now)
{
    for (int i = 0; i < deadlines->queue_count; i++) {
        const struct deadline *ring = &deadlines->queues[i].ring;
        if (ring->next != ring && ring->next->at_ms <= now)
            return true;
    }
    return false;
}

static void on_timer(uv_timer_t *timer)
{
    struct deadlines *deadlines = timer->data;
    int64_t now = now_ms(deadlines);

    if (deadlines->judge_ms == 0 && is_due(deadlines, now)) {
        deadlines->judge_ms = now; /* timers come before the sockets in a turn of the loop */
        uv_timer_start(timer, on_timer, 1, 0);
        return;
    }
    int64_t judged_ms = deadlines->judge_ms;
    deadlines->judge_ms = 0;
    deadlines->armed_ms = INT64_MAX;
    for (int i = 0, left = TURN_MAX; i < deadlines->queue_count && judged_ms != 0; i++) {
        struct deadline due;
        left -= take_due(&deadlines->queues[i], judged_ms, left, &due);
        while (due.next != &due) {
            struct deadline *first = due.next;
            deadline_lift(first);
            deadlines->queues[i].passed(first);
        }
    }
    if (uv_is_closing((uv_handle_t *)timer))
        return;
    for (int i = 0; i < deadlines->queue_count; i++) {
        struct deadline *first = deadlines->queues[i].ring.next;
        if (first != &deadlines->queues[i].ring)
            arm(deadlines, first->at_ms);
    }
}

void deadlines_init(struct deadlines *deadlines, uv_loop_t *loop)
{
    uv_timer_init(loop, &deadlines->timer);
    deadlines->timer.data = deadlines;
    deadlines->armed_ms = INT64_MAX;
    deadlines->queue_count = 0;
    deadlines->judge_ms = 0;
}

void deadlines_close(struct deadlines *deadlines)
{
    uv_close((uv_handle_t *)&deadlines->timer, NULL);
}

struct deadline_queue *deadlines_queue(struct deadlines *deadlines, int64_t after_ms,
                                       void (*passed)(struct deadline *deadline))
{
    assert(deadlines->queue_count < DEADLINE_QUEUES_MAX);
    struct deadline_queue *queue = &deadlines->queues[deadlines->queue_count++];
    *queue = (struct deadline_queue){.after_ms = after_ms, .passed = passed, .deadlines = deadlines};
    queue->ring.prev = queue->ring.next = &queue->ring;
    return queue;
}

void deadline_set(struct deadline *deadline, struct deadline_queue *queue)
{
    deadline_lift(deadline);
    deadline->at_ms = now_ms(queue->deadlines) + queue->after_ms;
    assert(queue->ring.prev == &queue->ring || queue->ring.prev->at_ms <= deadline->at_ms);
    append(&queue->ring, deadline);
    arm(queue->deadlines, deadline->at_ms);
}

void deadline_lift(struct deadline *deadline)
{
    if (!deadline->next)
        return;
    deadline->prev->next = deadline->next;
    deadline->next->prev = deadline->prev;
    deadline->prev = deadline->next = NULL;
}
