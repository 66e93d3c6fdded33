#include "pem.h"
#include "memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LEN_MAX = 8 << 20 };

/* Reads the present length. A file that grows meanwhile is being written, so another reload follows. */
static char *read_all(int fd, size_t len_max, const char **why)
{
    char *text = memory_zero(1, len_max + 1);
    size_t len = 0;
    ssize_t got = 1;
    while (got > 0 && len < len_max) {
        got = read(fd, text + len, len_max - len);
        len += got > 0 ? (size_t)got : 0;
    }
    if (got >= 0)
        return text;
    *why = strerror(errno);
    explicit_bzero(text, len_max);
    free(text);
    return NULL;
}

char *pem_read(const char *path, const char **why)
{
    struct stat about;
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &about) != 0)
        *why = strerror(errno);
    else if (!S_ISREG(about.st_mode))
        *why = "is not a regular file";
    else if (about.st_size > LEN_MAX)
        *why = "is larger than 8 MiB";
    else
        text = read_all(fd, (size_t)about.st_size, why);
    if (fd >= 0)
        close(fd);
    return text;
}
