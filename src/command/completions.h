/*
 * completions: the scripts with which shells complete a command line of posthorn, made from the tables of
 * commands.
 */
#pragma once
#include "command.h"

struct completions {
    const struct command *const *commands;
    int command_count;
    const char *types; /* the event types, each with a blank before it: for the operand TYPE */
};

/* The script for "bash", "zsh" or "fish". False: for no other shell. */
bool completions_print(const char *shell, const struct completions *completions);
