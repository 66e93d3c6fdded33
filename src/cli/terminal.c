#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct colours colours_for(FILE *stream)
{
    const char *terminal = getenv("TERM"), *refused = getenv("NO_COLOR");
    bool wanted = !(refused && *refused) && terminal && strcmp(terminal, "dumb") != 0;
    return (struct colours){wanted && isatty(fileno(stream))};
}

const char *colour_start(struct colours colours, enum colour colour)
{
    static const char *const codes[] = {[COLOUR_PLAIN] = "",
                                        [COLOUR_GOOD] = "\033[32m",
                                        [COLOUR_BAD] = "\033[31m",
                                        [COLOUR_NOTE] = "\033[33m",
                                        [COLOUR_FAINT] = "\033[2m"};
    return colours.on ? codes[colour] : "";
}

const char *colour_end(struct colours colours)
{
    return colours.on ? "\033[0m" : "";
}
