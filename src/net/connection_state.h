/*
 * connection_state: the states of a connection, and the legal moves between them.
 */
#pragma once

enum connection_state {
    CONNECTION_DIALLING,
    CONNECTION_CONNECTED, /* TCP is connected, TLS follows */
    CONNECTION_SECURING,  /* the first state of an accepted one, or OPEN */
    CONNECTION_OPEN,
    CONNECTION_FINISHED, /* our side is closed; received bytes are not decrypted */
    CONNECTION_CLOSED,
    CONNECTION_STATE_COUNT
};

/* The only function that changes a state. A move that is not in the table aborts. */
void connection_state_move(enum connection_state *state, enum connection_state to);
