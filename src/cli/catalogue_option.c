#include "catalogue_option.h"
#include "catalogue.h"
#include "command.h"
#include <stddef.h>

struct catalogue *catalogue_option_open(const struct usage *usage, const char *file, int *code)
{
    struct catalogue *catalogue = catalogue_open();
    char error_text[512];

    *code = EXIT_DONE;
    if (!file || catalogue_add_file(catalogue, file, error_text) == CATALOGUE_FILE_ADDED)
        return catalogue;
    *code = options_wrong(usage, "%s", error_text);
    catalogue_close(catalogue);
    return NULL;
}
