#include "catalogue_option.h"
#include "catalogue.h"

struct catalogue *catalogue_option_open(const struct invocation *invocation, const char *file)
{
    struct catalogue *catalogue = catalogue_open();
    char error_text[512];

    if (!file || catalogue_add_file(catalogue, file, error_text) == CATALOGUE_FILE_ADDED)
        return catalogue;
    command_wrong(invocation, "%s", error_text);
    catalogue_close(catalogue);
    return NULL;
}
