/*
 * signatures_option: --signatures of a command: names as an endpoint's attribute `signatures` has them.
 */
#pragma once
#include "command.h"
#include "push_headers.h"

/* `names`: "stripe,github"; NULL: 0 bits. EXIT_DONE, or EXIT_USAGE after saying which name is none. */
int signatures_option_read(const struct invocation *invocation, const char *names, int *signatures);
/* EXIT_DONE, or EXIT_USAGE after saying what is missing to sign so. */
int signatures_option_check_keys(const struct invocation *invocation, int signatures, const char *api_key,
                                 const struct option_list *secrets);
