/* serve: the commands `posthorn serve` and `posthorn init`. */
#pragma once
#include "command.h"

extern const struct command serve_command, init_command;
