#include "listener_inbox.h"
#include "budget.h"
#include "memory.h"
#include <assert.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

bool listener_inbox_init(struct listener_loop *loop)
{
    pthread_mutex_init(&loop->lock, NULL);
    loop->inbox.answered_end = &loop->inbox.answered;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return loop->wake_fd >= 0;
}

void listener_inbox_fini(struct listener_loop *loop)
{
    struct listener_inbox *inbox = &loop->inbox;
    assert(!inbox->answered);
    while (loop->telling > 0) /* a thread has not finished its wake-up, though this loop already saw it */
        sched_yield();
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    while (inbox->arrivals) { /* sockets that came during the stop */
        struct accepted_socket *arrival = inbox->arrivals;
        inbox->arrivals = arrival->next;
        close(arrival->fd);
        free(arrival);
    }
    if (inbox->room_given > 0)
        budget_give(loop->listener->config.budget, BUDGET_IN, inbox->room_given);
    tls_free(inbox->next_tls);
    pthread_mutex_destroy(&loop->lock);
}

struct listener_inbox listener_inbox_take(struct listener_loop *loop)
{
    eventfd_t ignored;
    eventfd_read(loop->wake_fd, &ignored);
    pthread_mutex_lock(&loop->lock);
    struct listener_inbox taken = loop->inbox;
    loop->inbox = (struct listener_inbox){.answered_end = &loop->inbox.answered};
    loop->woken = false;
    pthread_mutex_unlock(&loop->lock);
    return taken;
}

/* Unlocks, and then wakes the loop, unless that is done. After the unlock, because the loop takes the lock
 * first and may run on this CPU at once. */
static void unlock_and_wake(struct listener_loop *loop)
{
    bool tell = !loop->woken;
    loop->woken = true;
    loop->telling += tell;
    pthread_mutex_unlock(&loop->lock);
    if (tell) {
        eventfd_write(loop->wake_fd, 1);
        loop->telling--;
    }
}

void listener_inbox_answered(struct listener_loop *loop, struct exchange *exchange)
{
    pthread_mutex_lock(&loop->lock);
    exchange->next = NULL;
    *loop->inbox.answered_end = exchange;
    loop->inbox.answered_end = &exchange->next;
    unlock_and_wake(loop);
}

void listener_inbox_quiesce(struct listener_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->inbox.quiesce = true;
    unlock_and_wake(loop);
}

void listener_inbox_secure(struct listener_loop *loop, struct tls *tls)
{
    pthread_mutex_lock(&loop->lock);
    struct tls *former = loop->inbox.next_tls;
    loop->inbox.next_tls = tls_hold(tls);
    unlock_and_wake(loop);
    tls_free(former);
}

/* One loop asks at a time; others try again after its answer. */
void listener_inbox_ask_room(struct listener_loop *loop, size_t more, size_t weight)
{
    struct listener *listener = loop->listener;
    for (int i = 0; i < listener->loop_count; i++) {
        struct listener_loop *other = &listener->loops[i];
        if (other == loop)
            continue;
        pthread_mutex_lock(&other->lock);
        if (other->inbox.room_asked) {
            other->inbox.room_asked_again = true;
        } else {
            other->inbox.room_asked = true;
            other->inbox.room_more = more;
            other->inbox.room_weight = weight;
            other->inbox.room_for = loop;
        }
        unlock_and_wake(other);
    }
}

void listener_inbox_give_room(struct listener_loop *loop, size_t given)
{
    pthread_mutex_lock(&loop->lock);
    loop->inbox.room_given += given;
    loop->inbox.room_made = true;
    unlock_and_wake(loop);
}

void listener_inbox_stop(struct listener_loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->inbox.stop = true;
    unlock_and_wake(loop);
}

void listener_inbox_arrived(struct listener_loop *loop, int fd, const struct sockaddr_storage *address)
{
    struct accepted_socket *arrival = memory_alloc(sizeof *arrival);
    arrival->fd = fd;
    arrival->address = *address;
    pthread_mutex_lock(&loop->lock);
    arrival->next = loop->inbox.arrivals;
    loop->inbox.arrivals = arrival;
    unlock_and_wake(loop);
}
