#include "files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_LEN = 64 << 10, FILE_LEN_MAX = 16 << 20 };

void files_join(char out[4096], const char *folder, const char *name)
{
    snprintf(out, 4096, "%s/%s", folder, name);
}

bool files_exists(const char *path)
{
    struct stat about;
    return lstat(path, &about) == 0;
}

static bool copy_bytes(int in, int out)
{
    char piece[PIECE_LEN];
    for (off_t total = 0;;) {
        ssize_t got = read(in, piece, sizeof piece);
        if (got <= 0)
            return got == 0;
        total += got;
        errno = EFBIG;
        if (total > FILE_LEN_MAX || write(out, piece, (size_t)got) != got)
            return false;
    }
}

bool files_copy(const char *from, const char *to)
{
    struct stat about;
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int out = -1;
    bool copied = in >= 0 && fstat(in, &about) == 0;
    if (copied && !S_ISREG(about.st_mode)) {
        errno = EINVAL;
        copied = false;
    }
    if (copied)
        copied = (out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)) >= 0;
    copied = copied && copy_bytes(in, out) && fsync(out) == 0;
    int error = errno;
    if (in >= 0)
        close(in);
    if (out >= 0 && close(out) != 0)
        copied = false;
    if (out >= 0 && !copied)
        unlink(to);
    errno = error;
    return copied;
}

bool files_sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return synced;
}

int files_lock_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}
