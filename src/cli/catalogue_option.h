/* catalogue_option: the catalogue for a command; --catalogue adds the platform's own types. */
#pragma once
#include "command.h"

struct catalogue;

#define CATALOGUE_OPTION(type, field)                                                                        \
    {                                                                                                        \
        "catalogue", OPTION_TEXT, offsetof(type, field), "", "FILE",                                         \
            "a platform's own event types, such as DATA/catalogue.json", .environment = true                 \
    }

/* `file` NULL: only the built-in types. Returns NULL if the file is wrong; stderr has the reason. The command
 * then exits with EXIT_USAGE. */
struct catalogue *catalogue_option_open(const struct invocation *invocation, const char *file);
