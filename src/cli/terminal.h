/* terminal: colours for people. Only on a terminal, and never if NO_COLOR is set. */
#pragma once
#include <stdbool.h>
#include <stdio.h>

enum colour { COLOUR_PLAIN, COLOUR_GOOD, COLOUR_BAD, COLOUR_NOTE, COLOUR_FAINT };

/* The text to print before and after; "" if `stream` has no colours. */
struct colours {
    bool on;
};
struct colours colours_for(FILE *stream);
const char *colour_start(struct colours colours, enum colour colour);
const char *colour_end(struct colours colours);
