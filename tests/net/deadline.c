/* Time limits: each passes once, in its order, unless it was lifted; also when that happens in the middle of
 * another's passing. */
#include "deadline.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
/* after the above */
#include <cmocka.h>

struct entry {
    struct deadline deadline; /* first */
    char name;
    struct entry *lifts, *sets;
    struct deadline_queue *again;
};

static char passed_names[32];

static void on_passed(struct deadline *deadline)
{
    struct entry *entry = (struct entry *)(void *)deadline;
    size_t count = strlen(passed_names);

    assert_true(count < sizeof passed_names - 1);
    passed_names[count] = entry->name;
    assert_null(deadline->next);
    if (entry->lifts)
        deadline_lift(&entry->lifts->deadline);
    if (entry->sets)
        deadline_set(&entry->sets->deadline, entry->again);
    entry->sets = NULL;
}

struct clockwork {
    uv_loop_t loop;
    struct deadlines deadlines;
    struct deadline_queue *soon, *late, *at_once;
};

static void clockwork_open(struct clockwork *c)
{
    memset(passed_names, 0, sizeof passed_names);
    assert_int_equal(uv_loop_init(&c->loop), 0);
    deadlines_init(&c->deadlines, &c->loop);
    c->late = deadlines_queue(&c->deadlines, 30, on_passed);
    c->soon = deadlines_queue(&c->deadlines, 5, on_passed);
    c->at_once = deadlines_queue(&c->deadlines, 0, on_passed);
}

/* Runs until nothing is set any more. */
static void clockwork_run(struct clockwork *c, const char *expected)
{
    uv_run(&c->loop, UV_RUN_DEFAULT);
    assert_string_equal(passed_names, expected);
    deadlines_close(&c->deadlines);
    uv_run(&c->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&c->loop), 0);
}

static void test_order(void **state)
{
    struct clockwork c;
    struct entry a = {.name = 'a'}, b = {.name = 'b'}, d = {.name = 'd'}, e = {.name = 'e'};
    clockwork_open(&c);
    deadline_set(&a.deadline, c.late);
    deadline_set(&b.deadline, c.soon); /* earlier than what the timer waits for */
    deadline_set(&d.deadline, c.soon);
    deadline_set(&e.deadline, c.at_once);
    clockwork_run(&c, "ebda");
}

static void test_lift(void **state)
{
    struct clockwork c;
    struct entry a = {.name = 'a'}, b = {.name = 'b'}, d = {.name = 'd'};
    clockwork_open(&c);
    deadline_set(&a.deadline, c.soon);
    deadline_set(&b.deadline, c.soon);
    deadline_set(&d.deadline, c.soon);
    deadline_lift(&b.deadline);
    deadline_lift(&b.deadline);
    deadline_set(&a.deadline, c.soon); /* anew: behind the others */
    clockwork_run(&c, "da");
}

static void test_lifted_while_another_passes(void **state)
{
    struct clockwork c;
    struct entry b = {.name = 'b'}, a = {.name = 'a', .lifts = &b}, d = {.name = 'd'};
    clockwork_open(&c);
    deadline_set(&a.deadline, c.soon);
    deadline_set(&b.deadline, c.soon); /* due in the same turn */
    deadline_set(&d.deadline, c.soon);
    clockwork_run(&c, "ad");
}

static void test_set_while_it_passes(void **state)
{
    struct clockwork c;
    struct entry a = {.name = 'a'}, b = {.name = 'b'};
    clockwork_open(&c);
    a.sets = &a;
    a.again = c.at_once; /* waits for the next turn of the loop, so that others have theirs */
    b.sets = &a;
    b.again = c.soon;
    deadline_set(&a.deadline, c.at_once);
    deadline_set(&b.deadline, c.at_once);
    clockwork_run(&c, "aba");
}

/* 8.1: thousands pass together. The loop turns meanwhile, so that a socket waits for some of them at most. */
enum { MANY = 1000, MANY_AT_ONCE_MAX = 64 };
static int passed_in_turn, most_in_turn, passed_in_all;
static uv_check_t turn;

static void on_one_of_many(struct deadline *deadline)
{
    passed_in_turn++;
    if (++passed_in_all == MANY) /* no timer is left that would end the loop's sleep */
        uv_close((uv_handle_t *)&turn, NULL);
}

static void on_turn(uv_check_t *check)
{
    most_in_turn = passed_in_turn > most_in_turn ? passed_in_turn : most_in_turn;
    passed_in_turn = 0;
}

static void test_many_at_once(void **state)
{
    static struct deadline many[MANY];
    struct clockwork c;
    clockwork_open(&c);
    struct deadline_queue *queues[2] = {deadlines_queue(&c.deadlines, 2, on_one_of_many),
                                        deadlines_queue(&c.deadlines, 1, on_one_of_many)};
    for (int i = 0; i < MANY; i++)
        deadline_set(&many[i], queues[i % 2]);
    uv_check_init(&c.loop, &turn);
    uv_check_start(&turn, on_turn);
    clockwork_run(&c, "");
    assert_int_equal(passed_in_all, MANY);
    assert_in_range(most_in_turn, 1, MANY_AT_ONCE_MAX);
    assert_in_range(passed_in_turn, 0, MANY_AT_ONCE_MAX);
}

/* 8.1: the loop stalls past a limit; what came before the limit is read first, and lifts it. */
static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct entry *entry = poll->data;
    deadline_lift(&entry->deadline);
    uv_close((uv_handle_t *)poll, NULL);
}

static void stall(uv_timer_t *timer)
{
    uv_poll_start(timer->data, UV_READABLE, on_readable); /* it has come while the loop was busy */
    usleep(50000);
    uv_update_time(timer->loop);
    uv_close((uv_handle_t *)timer, NULL);
}

static void test_what_has_come_is_read_first(void **state)
{
    struct clockwork c;
    struct entry a = {.name = 'a'}, b = {.name = 'b'};
    uv_timer_t timer;
    uv_poll_t poll;
    int fd = eventfd(1, EFD_NONBLOCK);
    clockwork_open(&c);
    uv_poll_init(&c.loop, &poll, fd);
    uv_timer_init(&c.loop, &timer);
    poll.data = &a;
    timer.data = &poll;
    uv_timer_start(&timer, stall, 1, 0);
    deadline_set(&a.deadline, c.soon);
    deadline_set(&b.deadline, c.soon);
    clockwork_run(&c, "b");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_lift),
        cmocka_unit_test(test_lifted_while_another_passes),
        cmocka_unit_test(test_set_while_it_passes),
        cmocka_unit_test(test_what_has_come_is_read_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
