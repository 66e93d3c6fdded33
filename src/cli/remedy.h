/* remedy: what whoever runs a receiver can do about a failure, in a sentence. */
#pragma once
#include "failure.h"

/* "" where there is nothing that they could do. */
const char *remedy_for(enum failure failure);
