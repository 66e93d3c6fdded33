/*
 * listener_client: one connection of a client, on its loop's thread. Bytes come in, a request is put together
 * and handed to the application, and its answer goes out; one request at a time, what is sent meanwhile is
 * held. Each stage but the application's own has an absolute deadline: however little comes how often, it
 * does not move.
 */
#pragma once
#include "listener_parts.h"

/* The one place where a stage changes; a move that its table does not have is a bug, and aborts. */
void listener_client_enter(struct listener_client *client, enum listener_client_stage stage);
void listener_client_welcome(struct listener_loop *loop, int fd, const struct sockaddr *address);
/* It takes too much memory, and others come: 503, or if that cannot be said, the end. */
void listener_client_give_way(struct listener_client *client);
void listener_client_room_made(struct listener_client *client);
/* Its exchange has been answered, on whatever thread. */
void listener_client_answered(struct listener_client *client);
void listener_client_close(struct listener_client *client);
/* The deadlines' `passed`. */
void listener_client_late_passed(struct deadline *deadline);
void listener_client_close_passed(struct deadline *deadline);
