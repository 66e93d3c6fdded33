/*
 * json_spellings: writes JSON as other programs do: only white space, separators and escapes differ. Numbers
 * and the order of members stay, so a program's changes of those cannot be undone.
 */
#pragma once
#include "text.h"

/* The number of ways. */
int json_spellings_count(void);
/* The name of the way for people: "as compact JSON". */
const char *json_spellings_name(int way);
/* Appends `json`, which has passed json_check. */
void json_spellings_put(struct text *out, struct bytes json, int way);
