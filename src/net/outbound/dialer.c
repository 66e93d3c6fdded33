#include "dialer.h"
#include "owner.h"

static void advance(struct dialer *dialer);

/* A failure of the receiver is more informative than a missing route to another of its addresses. */
static void note_failure(struct dialer *dialer, enum failure failure)
{
    if (dialer->failure == FAILURE_NONE || failure_class_of(failure) == FAILURE_CLASS_RECEIVER ||
        failure_class_of(dialer->failure) != FAILURE_CLASS_RECEIVER)
        dialer->failure = failure;
}

static void on_connected(struct connection *connection, enum failure failure)
{
    struct dialer *dialer = connection->owner;

    for (int i = 0; i < 2; i++)
        if (dialer->lanes[i].connection == connection)
            dialer->lanes[i].connection = NULL;
    if (failure == FAILURE_NONE) {
        dialer_stop(dialer);
        dialer->done(dialer, connection, FAILURE_NONE);
        return;
    }
    note_failure(dialer, failure);
    connection_close(connection);
    advance(dialer);
}

static const struct connection_handler handler = {.connected = on_connected};

/* Begins the lane's next address. False: it has none left. */
static bool lane_dial(struct dialer *dialer, struct dialer_lane *lane)
{
    while (lane->next < lane->count) {
        const union address *address = &lane->list[lane->next++];
        enum failure failure;
        dialer->address = *address;
        lane->connection =
            connection_dial(dialer->world, &address->any, dialer->peer, &handler, dialer, &failure);
        if (lane->connection)
            return true;
        note_failure(dialer, failure);
    }
    return false;
}

/* After a failure, dials the next address of an idle lane; of the second lane only after its start. */
static bool go_on(struct dialer *dialer)
{
    struct dialer_lane *first = &dialer->lanes[0], *second = &dialer->lanes[1];
    bool waiting = dialer->second.next != NULL;

    if (!first->connection && !lane_dial(dialer, first) && waiting) {
        deadline_lift(&dialer->second);
        waiting = false;
    }
    if (!second->connection && !waiting)
        lane_dial(dialer, second);
    return first->connection || second->connection;
}

static void advance(struct dialer *dialer)
{
    if (go_on(dialer))
        return;
    deadline_lift(&dialer->second);
    dialer->done(dialer, NULL, dialer->failure);
}

void dialer_second_passed(struct deadline *deadline)
{
    advance(OWNER_OF(deadline, struct dialer, second));
}

enum failure dialer_start(struct dialer *dialer, const struct addresses *addresses)
{
    dialer->failure = FAILURE_NONE;
    dialer->expires_ms = addresses->expires_ms;
    for (int i = 0; i < 2; i++) {
        dialer->lanes[i].connection = NULL;
        dialer->lanes[i].count = dialer->lanes[i].next = 0;
    }
    for (int i = 0; i < addresses->count; i++) {
        const union address *address = &addresses->list[i];
        struct dialer_lane *lane = &dialer->lanes[address->any.sa_family != addresses->list[0].any.sa_family];
        lane->list[lane->count++] = *address;
    }
    if (dialer->lanes[1].count > 0)
        deadline_set(&dialer->second, dialer->second_limit);
    return go_on(dialer) ? FAILURE_NONE : dialer->failure;
}

void dialer_stop(struct dialer *dialer)
{
    deadline_lift(&dialer->second);
    for (int i = 0; i < 2; i++) {
        if (dialer->lanes[i].connection)
            connection_close(dialer->lanes[i].connection);
        dialer->lanes[i].connection = NULL;
    }
}
