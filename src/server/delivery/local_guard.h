/*
 * local_guard: a guard that also denies every address of this machine's own interfaces, which may change.
 */
#pragma once
#include "guard.h"
#include "log.h"

/* Makes *guard of the settings' guard and the addresses of now. If those cannot be read, the last known ones
 * stay denied. */
void local_guard_refresh(struct guard *guard, const struct guard *settings, struct log *log);
