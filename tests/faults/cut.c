/*
 * cut MOUNTPOINT: the power goes. The file system stops at once, and nothing that was not yet synced gets
 * out of memory any more, the journal included.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define SHUTDOWN          _IOR('X', 125, uint32_t) /* EXT4_IOC_SHUTDOWN, in no header of user space */
#define WITHOUT_LOG_FLUSH 2

int main(int argc, char **argv)
{
    uint32_t how = WITHOUT_LOG_FLUSH;
    int fd = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd < 0 || ioctl(fd, SHUTDOWN, &how) != 0) {
        perror("cut");
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
