/*
 * decimal: JSON numbers (RFC 8259 section 6) compared by value and exactly, from their text: 1, 1.0 and 10e-1
 * are equal, and 0.1 is not 0.1000000000000000001. Pure.
 */
#pragma once
#include "bytes.h"

/* Below, equal to or above 0, as a is to b. Both are well-formed. */
int decimal_compare(struct bytes a, struct bytes b);
