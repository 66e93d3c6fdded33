/*
 * attempt_stage: the way of one attempt of the sender, and the moves that are legal on it.
 */
#pragma once

enum attempt_stage {
    ATTEMPT_FREE, /* not under way */
    /* In this order. A kept-alive connection skips the first three. */
    ATTEMPT_RESOLVING,
    ATTEMPT_CONNECTING,
    ATTEMPT_SECURING,
    ATTEMPT_SENDING,
    ATTEMPT_WAITING, /* for the end of the headers */
    ATTEMPT_READING, /* the body */
    ATTEMPT_ENDING,  /* decided before sender_start returned; the result is given from the loop */
    ATTEMPT_STAGE_COUNT
};

/* The one place where a stage changes; a move that the table does not have is a bug, and aborts. */
void attempt_stage_move(enum attempt_stage *stage, enum attempt_stage to);
