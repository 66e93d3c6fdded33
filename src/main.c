/*
 * posthorn: one binary, one command a verb (commands_list.h).
 */
#include "commands_list.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* A standard stream that is closed would be the number of the next file that is opened: a database, say. So
 * it is opened, in a way in which what it is for still fails. */
static void keep_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            abort();
}

int main(int argc, char **argv)
{
    keep_standard_streams();
    return command_run(commands_list, commands_list_count, argc, argv);
}
