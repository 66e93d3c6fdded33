/* since: a time on a command line: as the API has it, or as a duration for so long ago. */
#pragma once
#include "instant.h"

enum { SINCE_LEN = INSTANT_LEN + 1 };

/* "12h": that time ago, in `at`. Anything else, NULL included, is for the server to judge. */
const char *since_of(const char *given, char at[SINCE_LEN]);
