/*
 * deadline: time limits, cheap to set and to lift.
 *
 * Every limit of one kind lasts equally long, so a queue in the order of starting is a queue in the order of
 * ending: setting and lifting one are a few pointers, and one libuv timer serves all queues. The timer is
 * only ever moved to an earlier time; when it finds nothing due it sleeps again.
 *
 * After a stall of the loop what has come in time is still to be read: so the sockets are looked at once more
 * before a limit that has passed is judged; and again after some, so that thousands which pass together, as
 * when many receivers hang, hold up nothing else.
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
    void (*passed)(struct deadline *deadline); /* it is lifted before this is called */
    struct deadlines *deadlines;
};

enum { DEADLINE_QUEUES_MAX = 16 };

struct deadlines {
    uv_timer_t timer;
    int64_t armed_ms; /* when the timer fires; INT64_MAX: it sleeps */
    int64_t judge_ms; /* the sockets are being looked at; then what was due at this time is judged. 0: no */
    int queue_count;
    struct deadline_queue queues[DEADLINE_QUEUES_MAX];
};

void deadlines_init(struct deadlines *deadlines, uv_loop_t *loop);
/* Lifts nothing: owners have lifted theirs. The memory must stay until the loop has run the close. */
void deadlines_close(struct deadlines *deadlines);
struct deadline_queue *deadlines_queue(struct deadlines *deadlines, int64_t after_ms,
                                       void (*passed)(struct deadline *deadline));

/* Sets it, or sets it anew. Zeroed memory is a deadline that is not set. */
void deadline_set(struct deadline *deadline, struct deadline_queue *queue);
void deadline_lift(struct deadline *deadline);
