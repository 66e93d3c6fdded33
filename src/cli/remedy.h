/* remedy: what whoever runs a receiver can do about a failure, in a sentence. */
#pragma once
#include "words.h"
#include <stdbool.h>

/* "" where there is nothing that they could do. */
const char *remedy_for(enum failure failure);
/* For an answer with another status than 200 (FAILURE_UNEXPECTED_STATUS): its usual cause. */
const char *remedy_for_status(int status);
/* The one for an outcome: what the server found out may leave less to guess at, or say it itself (""). */
const char *remedy_of(const struct words_outcome *outcome);
/* Is the remedy for whoever runs posthorn, not for the receiver? */
bool remedy_is_for_operator(enum failure failure);
