/*
 * resolver_question: rings of questions that wait for an answer. Only for the parts of the resolver; others
 * use resolver.h.
 */
#pragma once
#include "resolver.h"

void resolver_questions_init(struct resolver_question *ring);
void resolver_questions_append(struct resolver_question *ring, struct resolver_question *question);
/* Moves all to `ring`, so that a question asked from within `answered` waits for the next answer. */
void resolver_questions_take(struct resolver_question *from, struct resolver_question *ring);
/* Drops it first. */
void resolver_question_answer(struct resolver_question *question, enum failure failure,
                              const struct addresses *addresses);
