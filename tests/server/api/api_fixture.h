/* api_fixture: one rig, open during all tests of the program, and questions to it. */
#pragma once
#include "rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

extern struct rig rig;
/* For cmocka_run_group_tests. */
int open_rig(void **state);
int close_rig(void **state);

/* Checks the answer's form too. */
struct reply ask(const char *method, const char *target, enum rig_user as, const char *body);

#define CHECK_ALL(rows) rig_refuses(&rig, rows, sizeof(rows) / sizeof *(rows))
