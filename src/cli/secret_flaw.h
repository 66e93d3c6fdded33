/* secret_flaw: what is wrong with a --secret, in words. The secret itself is never shown. */
#pragma once
#include "command.h"

/* EXIT_DONE when each of them can be verified with; else as secret_flaw_say. */
int secret_flaw_check(const struct invocation *invocation, const struct option_list *secrets);
/* Prints it and returns EXIT_USAGE. `signing`: it was to sign with (whsec_, whsk_), not to verify (whsec_,
 * whpk_). */
int secret_flaw_say(const struct invocation *invocation, const char *secret, bool signing);
