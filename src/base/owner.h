/*
 * owner: gets from an embedded member to the struct that contains it.
 */
#pragma once
#include <stddef.h>

#define OWNER_OF(part, type, member) ((type *)(void *)((char *)(part)-offsetof(type, member)))
