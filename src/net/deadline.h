/*
 * deadline: time limits that are cheap to set and to lift.
 *
 * All limits of one kind last equally long, so a queue is always sorted: to set or lift a limit changes a few
 * pointers. One libuv timer serves all queues. It is only moved to an earlier time; if it finds nothing due,
 * it sleeps again.
 *
 * After a stall of the loop, bytes that came in time are still unread. So a passed limit is judged only after
 * one more poll of the sockets. After some limits the loop polls again, so that thousands that pass together
 * do not delay the rest.
 */
#pragma once
#include <stdint.h>
#include <uv.h>

struct deadline {
    struct deadline *prev, *next; /* NULL: not set */
    int64_t at_ms;
};

struct deadline_queue {
    struct deadline ring;
    int64_t after_ms;
    void (*passed)(struct deadline *deadline); /* called with a lifted deadline */
    struct deadlines *deadlines;
};

enum { DEADLINE_QUEUES_MAX = 80 };

struct deadlines {
    uv_timer_t timer;
    int64_t armed_ms; /* when the timer fires; INT64_MAX: it sleeps */
    int64_t judge_ms; /* after the next poll, limits due at this time are judged. 0: none */
    int queue_count;
    struct deadline_queue queues[DEADLINE_QUEUES_MAX];
};

void deadlines_init(struct deadlines *deadlines, uv_loop_t *loop);
/* The owners have lifted their deadlines. The memory must live until the loop has run the close. */
void deadlines_close(struct deadlines *deadlines);
struct deadline_queue *deadlines_queue(struct deadlines *deadlines, int64_t after_ms,
                                       void (*passed)(struct deadline *deadline));

/* Sets it, or sets it again. Zeroed memory: a deadline that is not set. */
void deadline_set(struct deadline *deadline, struct deadline_queue *queue);
void deadline_lift(struct deadline *deadline);
