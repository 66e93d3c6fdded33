/*
 * listener_client: one connection of a client, on its loop's thread. It assembles a request, passes it to
 * the application, and sends the answer. One request at a time; bytes that come meanwhile are held. Each
 * stage but the application's has an absolute deadline, which slow bytes do not extend.
 */
#pragma once
#include "listener_parts.h"

/* The only function that changes a stage. A move that is not in the table aborts. */
void listener_client_enter(struct listener_client *client, enum listener_client_stage stage);
void listener_client_welcome(struct listener_loop *loop, int fd, const struct sockaddr *address);
/* Frees its memory for others: answers 503, or closes if it cannot answer. */
void listener_client_give_way(struct listener_client *client);
void listener_client_room_made(struct listener_client *client);
/* The application has answered its exchange. */
void listener_client_answered(struct listener_client *client);
void listener_client_close(struct listener_client *client);
/* The deadlines' `passed`. */
void listener_client_late_passed(struct deadline *deadline);
void listener_client_close_passed(struct deadline *deadline);
