/*
 * count: a library that is put before a posthorn program (LD_PRELOAD) and counts what it asks of its disk:
 * bytes written to the log (the -wal file), bytes written to other files of the data folder, and syncs. It
 * works with any build that is linked to libc in the usual way, and costs a few nanoseconds a call, where
 * strace would change what is measured.
 *
 * BENCH_COUNTS names a file of 64 bytes, shared with whoever reads it: log bytes, other bytes, syncs, as
 * int64_t. BENCH_CLOCK_SHIFT_S moves this process's wall clock, so that a bench can have old events.
 */
#undef _FILE_OFFSET_BITS /* or pwrite would be another name of pwrite64 */
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { FILES_MAX = 4096 };

enum kind { KIND_UNKNOWN, KIND_LOG, KIND_OTHER };

struct counts {
    int64_t log_bytes, other_bytes, syncs;
};

static struct counts nowhere, *counts = &nowhere;
static int64_t shift_s;
static int poll_ms = -1;
static unsigned char kinds[FILES_MAX]; /* of open files */

#define REAL(name) ((__typeof__(&(name)))(uintptr_t)dlsym(RTLD_NEXT, #name))

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pwrite64)(int, const void *, size_t, off64_t);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_close)(int);
static int (*real_poll)(struct pollfd *, nfds_t, int);
static int (*real_clock_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void)
{
    real_pwrite = REAL(pwrite);
    real_pwrite64 = REAL(pwrite64);
    real_pwritev = REAL(pwritev);
    real_fsync = REAL(fsync);
    real_fdatasync = REAL(fdatasync);
    real_close = REAL(close);
    real_poll = REAL(poll);
    real_clock_gettime = REAL(clock_gettime);
    const char *path = getenv("BENCH_COUNTS"), *shift = getenv("BENCH_CLOCK_SHIFT_S");
    const char *longest = getenv("BENCH_POLL_MS");
    poll_ms = longest ? atoi(longest) : -1;
    shift_s = shift ? strtoll(shift, NULL, 10) : 0;
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *shared = mmap(NULL, 64, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (shared != MAP_FAILED)
            counts = shared;
        real_close(fd);
    }
}

static enum kind kind_of(int fd)
{
    char link[64], path[4096];
    if (fd < 0 || fd >= FILES_MAX)
        return KIND_OTHER;
    if (kinds[fd] == KIND_UNKNOWN) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t len = readlink(link, path, sizeof path - 1);
        path[len > 0 ? len : 0] = 0;
        kinds[fd] = len > 4 && strcmp(path + len - 4, "-wal") == 0 ? KIND_LOG : KIND_OTHER;
    }
    return kinds[fd];
}

#pragma GCC visibility push(default)

static ssize_t counted(int fd, ssize_t wrote)
{
    if (wrote > 0)
        __atomic_fetch_add(kind_of(fd) == KIND_LOG ? &counts->log_bytes : &counts->other_bytes, wrote,
                           __ATOMIC_RELAXED);
    return wrote;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    return counted(fd, real_pwrite(fd, bytes, len, offset));
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset)
{
    return counted(fd, real_pwrite64(fd, bytes, len, offset));
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    return counted(fd, real_pwritev(fd, parts, count, offset));
}

int fsync(int fd)
{
    __atomic_fetch_add(&counts->syncs, 1, __ATOMIC_RELAXED);
    return real_fsync(fd);
}

int fdatasync(int fd)
{
    __atomic_fetch_add(&counts->syncs, 1, __ATOMIC_RELAXED);
    return real_fdatasync(fd);
}

int close(int fd)
{
    if (fd >= 0 && fd < FILES_MAX)
        kinds[fd] = KIND_UNKNOWN;
    return real_close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = real_clock_gettime(clock, now);
    if (result == 0 && clock == CLOCK_REALTIME)
        now->tv_sec += shift_s;
    return result;
}

int poll(struct pollfd *files, nfds_t file_count, int timeout_ms)
{
    bool shorter = poll_ms >= 0 && timeout_ms > poll_ms;
    return real_poll(files, file_count, shorter ? poll_ms : timeout_ms);
}
