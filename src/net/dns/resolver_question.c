#include "resolver_question.h"
#include <stddef.h>

void resolver_questions_init(struct resolver_question *ring)
{
    ring->prev = ring->next = ring;
}

void resolver_questions_append(struct resolver_question *ring, struct resolver_question *question)
{
    question->prev = ring->prev;
    question->next = ring;
    question->prev->next = question->next->prev = question;
}

void resolver_questions_take(struct resolver_question *from, struct resolver_question *ring)
{
    resolver_questions_init(ring);
    if (from->next == from)
        return;
    ring->prev = from->prev;
    ring->next = from->next;
    ring->prev->next = ring->next->prev = ring;
    resolver_questions_init(from);
}

void resolver_question_answer(struct resolver_question *question, enum failure failure,
                              const struct addresses *addresses)
{
    resolver_drop(question);
    question->answered(question, failure, addresses);
}

void resolver_drop(struct resolver_question *question)
{
    deadline_lift(&question->limit);
    if (!question->next)
        return;
    question->prev->next = question->next;
    question->next->prev = question->prev;
    question->prev = question->next = NULL;
}
