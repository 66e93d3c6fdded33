/* secret_flaw: describes the fault of a --secret. It never shows the secret. */
#pragma once
#include "command.h"

/* EXIT_DONE: each can verify. Otherwise as secret_flaw_say. */
int secret_flaw_check(const struct invocation *invocation, const struct option_list *secrets);
/* Prints the fault and returns EXIT_USAGE. `signing`: for signing (whsec_, whsk_), not for verifying (whsec_,
 * whpk_). */
int secret_flaw_say(const struct invocation *invocation, const char *secret, bool signing);
