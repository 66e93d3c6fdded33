/* catalogue_option: the catalogue for a command, with the platform's own types if --catalogue names their
 * file. */
#pragma once
#include "command.h"

struct catalogue;

#define CATALOGUE_OPTION(type, field)                                                                        \
    {                                                                                                        \
        "catalogue", OPTION_TEXT, offsetof(type, field), "", "FILE",                                         \
            "a platform's own event types, such as DATA/catalogue.json", .environment = true                 \
    }

/* `file` NULL: only the built-in types. NULL: stderr says what is wrong with the file, and it was wrong
 * usage. */
struct catalogue *catalogue_option_open(const struct invocation *invocation, const char *file);
