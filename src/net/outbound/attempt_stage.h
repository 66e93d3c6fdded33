/*
 * attempt_stage: the stages of an attempt of the sender, and the legal moves between them.
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
    ATTEMPT_READING, /* reads the body */
    ATTEMPT_ENDING,  /* decided before sender_start returned; the loop reports the result */
    ATTEMPT_STAGE_COUNT
};

/* The only function that changes a stage. A move that is not in the table aborts. */
void attempt_stage_move(enum attempt_stage *stage, enum attempt_stage to);
