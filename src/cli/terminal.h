/* terminal: what is printed for people. Colour only on a terminal, and never when NO_COLOR is set. */
#pragma once
#include <stdbool.h>
#include <stdio.h>

enum colour { COLOUR_PLAIN, COLOUR_GOOD, COLOUR_BAD, COLOUR_NOTE, COLOUR_FAINT };

/* What to print before and after; empty strings when `stream` is not to be coloured. */
struct colours {
    bool on;
};
struct colours colours_for(FILE *stream);
const char *colour_start(struct colours colours, enum colour colour);
const char *colour_end(struct colours colours);
