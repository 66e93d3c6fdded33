#include "connection_state.h"
#include <assert.h>
#include <stdint.h>

#define MOVE(to) (1u << CONNECTION_##to)
static const uint8_t moves[CONNECTION_STATE_COUNT] = {
    [CONNECTION_DIALLING] = MOVE(CONNECTED) | MOVE(OPEN) | MOVE(CLOSED),
    [CONNECTION_CONNECTED] = MOVE(SECURING) | MOVE(CLOSED),
    [CONNECTION_SECURING] = MOVE(OPEN) | MOVE(CLOSED),
    [CONNECTION_OPEN] = MOVE(FINISHED) | MOVE(CLOSED),
    [CONNECTION_FINISHED] = MOVE(CLOSED),
};

void connection_state_move(enum connection_state *state, enum connection_state to)
{
    assert(moves[*state] & 1u << to);
    *state = to;
}
