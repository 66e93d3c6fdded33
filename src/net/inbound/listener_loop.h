/*
 * listener_loop: one thread of a listener with its clients. The first one also accepts connections.
 */
#pragma once
#include "listener_parts.h"

/* Starts the thread, and holds `tls` (NULL: plain HTTP). False: failed; call stop anyway. */
bool listener_loop_start(struct listener_loop *loop, struct listener *listener, struct tls *tls,
                         bool with_door);
/* Closes every connection and ends the thread. Stop the loop with the door first. */
void listener_loop_stop(struct listener_loop *loop);
/* After all have been stopped, because one may wake another. */
void listener_loop_fini(struct listener_loop *loop);
