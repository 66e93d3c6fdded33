/*
 * listener_inbox: messages of other threads for a loop, and its wake-up. The loop's thread takes them; any
 * thread may call the other functions.
 */
#pragma once
#include "listener_parts.h"

/* False: no descriptor is left; call fini anyway. */
bool listener_inbox_init(struct listener_loop *loop);
void listener_inbox_fini(struct listener_loop *loop); /* drops its content */
struct listener_inbox listener_inbox_take(struct listener_loop *loop);

void listener_inbox_answered(struct listener_loop *loop, struct exchange *exchange);
void listener_inbox_arrived(struct listener_loop *loop, int fd, const struct sockaddr_storage *address);
void listener_inbox_quiesce(struct listener_loop *loop);
void listener_inbox_stop(struct listener_loop *loop);
/* For new connections. Holds it. */
void listener_inbox_secure(struct listener_loop *loop, struct tls *tls);
/* Asks other loops to free so many bytes, if one of their origins holds at least `weight`. Afterwards the
 * waiting clients of this loop continue. */
void listener_inbox_ask_room(struct listener_loop *loop, size_t more, size_t weight);
/* Gives this loop so many bytes of the budget. */
void listener_inbox_give_room(struct listener_loop *loop, size_t given);
