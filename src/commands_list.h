/* commands_list: every command of posthorn, in the order of `posthorn --help`. */
#pragma once
#include "command.h"

extern const struct command *const commands_list[];
extern const int commands_list_count;
