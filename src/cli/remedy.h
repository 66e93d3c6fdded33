/* remedy: a sentence that tells the operator of a receiver how to mend a failure. */
#pragma once
#include "words.h"
#include <stdbool.h>

/* "": there is no remedy. */
const char *remedy_for(enum failure failure);
/* For an answer with another status than 200 (FAILURE_UNEXPECTED_STATUS): its usual cause. */
const char *remedy_for_status(int status);
/* For an outcome: the server's detail may give a better remedy, or be one itself (""). */
const char *remedy_of(const struct words_outcome *outcome);
/* True: the remedy is for the operator of posthorn, not of the receiver. */
bool remedy_is_for_operator(enum failure failure);
