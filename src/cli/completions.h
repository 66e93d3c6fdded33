/*
 * completions: what a shell completes behind `posthorn`: generated from the table of commands and from each
 * one's --help, which is its table of options as people see it; so neither can be forgotten here.
 */
#pragma once

struct command;

/* Prints the script for "bash", "zsh" or "fish". An exit code. */
int completions_print(const char *shell, const struct command *const *commands, int count);
