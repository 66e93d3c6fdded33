/* catalogue_option: the catalogue for a command, with the platform's own types when --catalogue names their
 * file. */
#pragma once
#include "options.h"

struct catalogue;

#define CATALOGUE_OPTION_ROW(file)                                                                           \
    {                                                                                                        \
        "catalogue", OPTION_TEXT, &(file), "FILE",                                                           \
            "a platform's own event types, such as DATA/catalogue.json", "POSTHORN_CATALOGUE"                \
    }

/* `file` NULL: ours alone. NULL: stderr says what is wrong with the file, `code` is what to leave with. */
struct catalogue *catalogue_option_open(const struct usage *usage, const char *file, int *code);
