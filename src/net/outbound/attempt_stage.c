#include "attempt_stage.h"
#include <assert.h>
#include <stdint.h>

#define MOVE(to) (1u << ATTEMPT_##to)
static const uint8_t moves[ATTEMPT_STAGE_COUNT] = {
    [ATTEMPT_FREE] = MOVE(RESOLVING) | MOVE(CONNECTING) | MOVE(SENDING) | MOVE(WAITING) | MOVE(ENDING),
    [ATTEMPT_RESOLVING] = MOVE(CONNECTING) | MOVE(ENDING) | MOVE(FREE),
    [ATTEMPT_CONNECTING] = MOVE(SECURING) | MOVE(SENDING) | MOVE(WAITING) | MOVE(ENDING) | MOVE(FREE),
    [ATTEMPT_SECURING] = MOVE(SENDING) | MOVE(WAITING) | MOVE(FREE),
    [ATTEMPT_SENDING] = MOVE(WAITING) | MOVE(READING) | MOVE(FREE),
    [ATTEMPT_WAITING] = MOVE(READING) | MOVE(FREE),
    [ATTEMPT_READING] = MOVE(FREE),
    [ATTEMPT_ENDING] = MOVE(FREE),
};

void attempt_stage_move(enum attempt_stage *stage, enum attempt_stage to)
{
    assert(moves[*stage] & 1u << to);
    *stage = to;
}
