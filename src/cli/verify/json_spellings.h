/*
 * json_spellings: the same JSON as other programs write it: white space, separators and escapes differ, and
 * nothing else. Numbers and the order of members stay, so what a program did to those cannot be undone here.
 */
#pragma once
#include "text.h"

/* How many ways there are. */
int json_spellings_count(void);
/* "as compact JSON": what the way is, for people. */
const char *json_spellings_name(int way);
/* Appends `json`, which json_check has passed. */
void json_spellings_put(struct text *out, struct bytes json, int way);
