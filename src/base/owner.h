/*
 * owner: from a part to the whole it is embedded in.
 */
#pragma once
#include <stddef.h>

#define OWNER_OF(part, type, member) ((type *)(void *)((char *)(part)-offsetof(type, member)))
