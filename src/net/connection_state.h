/*
 * connection_state: what a connection goes through, and the moves that are legal on the way.
 */
#pragma once

enum connection_state {
    CONNECTION_DIALLING,
    CONNECTION_CONNECTED, /* TCP stands, and TLS is to come */
    CONNECTION_SECURING,  /* an accepted one begins here, or as OPEN */
    CONNECTION_OPEN,
    CONNECTION_FINISHED, /* our side has said all; what still comes is raw bytes */
    CONNECTION_CLOSED,
    CONNECTION_STATE_COUNT
};

/* The one place where a state changes; a move that the table does not have is a bug, and aborts. */
void connection_state_move(enum connection_state *state, enum connection_state to);
