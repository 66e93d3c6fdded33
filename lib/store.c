/*
 * store: one file an event. The bytes go to a temporary file that nobody else can have prepared (random name,
 * O_EXCL), are fsynced, and get their name by a rename that replaces nothing; then the folder is fsynced. So
 * after a crash either nothing has the name, or the whole event has it.
 *
 * An id may come again with another type, and so with another name. `ids` has the hashes of the ids that have
 * a file, read from the folder when the store is opened. A hit is looked up in the folder.
 */
#include "event.h"
#include "store_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ID_LEN_MAX = 64, TYPE_LEN_MAX = 128, STALE_SECONDS = 3600 };

static const char hashed_prefix[] = "sha256-";
static const char temporary_prefix[] = ".posthorn-";

/* ---- names --------------------------------------------------------------------------------------------- */

static bool plain(struct posthorn_text part, size_t len_max, bool underscore)
{
    if (part.len == 0 || part.len > len_max || part.data[0] == '.' || part.data[0] == '-')
        return false;
    /* A part that looks like a hash is hashed too, or it could equal the hash of another part. */
    if (part.len >= sizeof hashed_prefix - 1 &&
        memcmp(part.data, hashed_prefix, sizeof hashed_prefix - 1) == 0)
        return false;
    for (size_t i = 0; i < part.len; i++) {
        char c = part.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && c != '-' && !(underscore && c == '_'))
            return false;
    }
    return true;
}

/* The part itself, or its sha256-HEX. `out` has room for the larger of len_max and PH_ID_LEN_MAX, and a NUL.
 */
static enum posthorn_result safe_part(struct posthorn_text part, size_t len_max, bool underscore, char *out)
{
    if (plain(part, len_max, underscore)) {
        memcpy(out, part.data, part.len);
        out[part.len] = '\0';
        return POSTHORN_OK;
    }
    memcpy(out, hashed_prefix, sizeof hashed_prefix - 1);
    return posthorn_digest(part, out + sizeof hashed_prefix - 1);
}

/* An id never has a '_', so ID_TYPE is unambiguous. */
static enum posthorn_result file_name(const struct posthorn_event *event, char id[PH_ID_LEN_MAX + 1],
                                      char name[POSTHORN_NAME_LEN_MAX + 1])
{
    char type[TYPE_LEN_MAX + 1];
    enum posthorn_result result = safe_part(posthorn_event_id(event), ID_LEN_MAX, false, id);

    if (result == POSTHORN_OK)
        result = safe_part(posthorn_event_type(event), TYPE_LEN_MAX, true, type);
    if (result == POSTHORN_OK)
        snprintf(name, POSTHORN_NAME_LEN_MAX + 1, "%s_%s.json", id, type);
    return result;
}

/* The name has the content's digest, so that a repeated conflict is one file. */
static enum posthorn_result conflict_name(const char *existing, struct posthorn_text content,
                                          char name[POSTHORN_NAME_LEN_MAX + 1])
{
    char hex[POSTHORN_DIGEST_HEX_LEN + 1];
    enum posthorn_result result = posthorn_digest(content, hex);

    if (result == POSTHORN_OK)
        snprintf(name, POSTHORN_NAME_LEN_MAX + 1, "%.200s.%.16s.conflict", existing, hex);
    return result;
}

/* ---- the ids that have a file -------------------------------------------------------------------------- */

static uint64_t id_hash(const char *id, size_t len)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    uint64_t hash;

    /* Keyed or not does not matter here, but an attacker must not choose collisions. */
    SHA256((const unsigned char *)id, len, digest);
    memcpy(&hash, digest, sizeof hash);
    return hash ? hash : 1;
}

static size_t id_slot(const uint64_t *ids, size_t cap, uint64_t hash)
{
    size_t at = hash & (cap - 1);

    while (ids[at] != 0 && ids[at] != hash)
        at = (at + 1) & (cap - 1);
    return at;
}

/* Makes room for one more, so that adding an id after its file is made cannot fail. */
static bool ids_reserve(struct posthorn_store *store)
{
    if ((store->id_count + 1) * 2 <= store->id_cap)
        return true;
    size_t cap = store->id_cap ? store->id_cap * 2 : 256;
    uint64_t *ids = calloc(cap, sizeof *ids);
    if (!ids)
        return false;
    for (size_t i = 0; i < store->id_cap; i++)
        if (store->ids[i])
            ids[id_slot(ids, cap, store->ids[i])] = store->ids[i];
    free(store->ids);
    store->ids = ids;
    store->id_cap = cap;
    return true;
}

static bool ids_hold(const struct posthorn_store *store, uint64_t hash)
{
    return store->id_cap && store->ids[id_slot(store->ids, store->id_cap, hash)] == hash;
}

static void ids_note(struct posthorn_store *store, uint64_t hash)
{
    size_t at = id_slot(store->ids, store->id_cap, hash);

    store->id_count += store->ids[at] == 0;
    store->ids[at] = hash;
}

/* ---- the folder ---------------------------------------------------------------------------------------- */

DIR *ph_store_list(const struct posthorn_store *store)
{
    int fd = openat(store->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);

    if (!entries && fd >= 0)
        close(fd);
    return entries;
}

static bool is_event_file(const char *name)
{
    size_t len = strlen(name);
    return name[0] != '.' && strchr(name, '_') && len > 5 && strcmp(name + len - 5, ".json") == 0;
}

/* Removes the files that a crash left behind. The temporary file of a running process is younger. */
static void remove_stale(const struct posthorn_store *store, const char *name)
{
    struct stat status;

    if (fstatat(store->folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
        status.st_mtime < time(NULL) - STALE_SECONDS)
        unlinkat(store->folder, name, 0);
}

static enum posthorn_result read_folder(struct posthorn_store *store)
{
    DIR *entries = ph_store_list(store);
    enum posthorn_result result = entries ? POSTHORN_OK : POSTHORN_IO;

    for (struct dirent *entry; entries && result == POSTHORN_OK && (entry = readdir(entries));) {
        if (strncmp(entry->d_name, temporary_prefix, sizeof temporary_prefix - 1) == 0)
            remove_stale(store, entry->d_name);
        if (!is_event_file(entry->d_name))
            continue;
        if (ids_reserve(store))
            ids_note(store, id_hash(entry->d_name, strcspn(entry->d_name, "_")));
        else
            result = POSTHORN_NO_MEMORY;
    }
    if (entries)
        closedir(entries);
    return result;
}

/* Finds the file of this id with another type. False: there is none. */
static bool find_by_id(const struct posthorn_store *store, const char *id,
                       char name[POSTHORN_NAME_LEN_MAX + 1])
{
    DIR *entries = ph_store_list(store);
    size_t len = strlen(id);
    bool found = false;

    for (struct dirent *entry; entries && !found && (entry = readdir(entries));) {
        found =
            is_event_file(entry->d_name) && strncmp(entry->d_name, id, len) == 0 && entry->d_name[len] == '_';
        if (found)
            snprintf(name, POSTHORN_NAME_LEN_MAX + 1, "%.255s", entry->d_name);
    }
    if (entries)
        closedir(entries);
    return found;
}

/* Without it, a power cut could take the folder with the events in it. */
static bool sync_parent(const char *folder)
{
    char *path = strdup(folder);
    if (!path)
        return false;
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        path[--len] = '\0';
    char *slash = strrchr(path, '/');
    if (slash)
        slash[slash == path] = '\0';
    int fd = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    free(path);
    return synced;
}

enum posthorn_result posthorn_store_open(const char *folder, struct posthorn_store **out)
{
    *out = NULL;
    if (!folder || !*folder)
        return POSTHORN_BAD_ARGUMENT;
    if (mkdir(folder, 0700) == 0 ? !sync_parent(folder) : errno != EEXIST)
        return POSTHORN_IO;
    struct posthorn_store *store = calloc(1, sizeof *store);
    if (!store)
        return POSTHORN_NO_MEMORY;
    pthread_mutex_init(&store->mutex, NULL);
    store->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum posthorn_result result = store->folder < 0 ? POSTHORN_IO : read_folder(store);
    if (result != POSTHORN_OK) {
        int error = errno;
        posthorn_store_close(store);
        errno = error;
        return result;
    }
    *out = store;
    return POSTHORN_OK;
}

void posthorn_store_close(struct posthorn_store *store)
{
    if (!store)
        return;
    if (store->folder >= 0)
        close(store->folder);
    pthread_mutex_destroy(&store->mutex);
    free(store->ids);
    free(store);
}

/* ---- files --------------------------------------------------------------------------------------------- */

enum content { CONTENT_ABSENT, CONTENT_SAME, CONTENT_OTHER, CONTENT_UNSAFE, CONTENT_ERROR };

static bool same_bytes(int fd, struct posthorn_text expected)
{
    char piece[16384];
    size_t at = 0;
    ssize_t got;

    while ((got = read(fd, piece, sizeof piece)) > 0) {
        if ((size_t)got > expected.len - at || memcmp(piece, expected.data + at, (size_t)got) != 0)
            return false;
        at += (size_t)got;
    }
    return got == 0 && at == expected.len;
}

/* Compares the file of that name with `expected`. An equal file is fsynced too: its writer may have been
 * stopped before it did that. */
static enum content compare(const struct posthorn_store *store, const char *name,
                            struct posthorn_text expected)
{
    /* O_NONBLOCK: a FIFO must not block us. */
    int fd = openat(store->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    enum content content = CONTENT_OTHER;

    if (fd < 0 && errno == ENOENT)
        return CONTENT_ABSENT;
    if (fd < 0) /* a link, a socket, a device without a driver */
        return errno == ELOOP || errno == ENXIO || errno == ENODEV ? CONTENT_UNSAFE : CONTENT_ERROR;
    if (fstat(fd, &status) != 0)
        content = CONTENT_ERROR;
    else if (!S_ISREG(status.st_mode))
        content = CONTENT_UNSAFE;
    else if (status.st_size == (off_t)expected.len && same_bytes(fd, expected))
        content = fsync(fd) == 0 && fsync(store->folder) == 0 ? CONTENT_SAME : CONTENT_ERROR;
    int error = errno;
    close(fd);
    errno = error;
    return content;
}

bool ph_write_all(int fd, struct posthorn_text content)
{
    while (content.len > 0) {
        ssize_t put = write(fd, content.data, content.len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        content.data += put;
        content.len -= (size_t)put;
    }
    return true;
}

/* Makes a complete and fsynced file with a name of its own. */
static enum posthorn_result write_temporary(const struct posthorn_store *store, struct posthorn_text content,
                                            char name[64])
{
    uint64_t random;

    if (RAND_bytes((unsigned char *)&random, sizeof random) != 1)
        return POSTHORN_CRYPTO;
    snprintf(name, 64, "%s%016llx.tmp", temporary_prefix, (unsigned long long)random);
    int fd = openat(store->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return POSTHORN_IO;
    bool written = ph_write_all(fd, content) && fsync(fd) == 0;
    int error = errno;
    if (close(fd) != 0 && written) {
        error = errno;
        written = false;
    }
    if (!written) {
        unlinkat(store->folder, name, 0);
        errno = error;
    }
    return written ? POSTHORN_OK : POSTHORN_IO;
}

/* Renames the temporary file, replacing nothing. EEXIST: another process was faster. */
static bool take_name(const struct posthorn_store *store, const char *temporary, const char *name)
{
    if (renameat2(store->folder, temporary, store->folder, name, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    /* If the file system cannot rename without replacing, link: it never replaces. */
    if (linkat(store->folder, temporary, store->folder, name, 0) != 0)
        return false;
    unlinkat(store->folder, temporary, 0);
    return true;
}

/* ---- storing ------------------------------------------------------------------------------------------- */

enum posthorn_result ph_store_look(struct posthorn_store *store, struct ph_put *put)
{
    char other[POSTHORN_NAME_LEN_MAX + 1];
    enum content content = compare(store, put->name, put->content);

    if (content == CONTENT_ABSENT && !put->conflict && ids_hold(store, put->hash) &&
        find_by_id(store, put->id, other)) {
        memcpy(put->name, other, sizeof other);
        content = CONTENT_OTHER;
    }
    if (content == CONTENT_OTHER && !put->conflict) {
        memcpy(other, put->name, sizeof other);
        enum posthorn_result result = conflict_name(other, put->content, put->name);
        if (result != POSTHORN_OK)
            return result;
        put->conflict = true;
        content = compare(store, put->name, put->content);
    }
    switch (content) {
    case CONTENT_ABSENT:
        return POSTHORN_OK;
    case CONTENT_SAME:
        return put->conflict ? POSTHORN_CONFLICT : POSTHORN_DUPLICATE;
    case CONTENT_ERROR:
        return POSTHORN_IO;
    case CONTENT_OTHER: /* the conflict's file was modified */
    case CONTENT_UNSAFE:
        break;
    }
    return POSTHORN_UNSAFE;
}

/* With the file complete and the mutex held, looks again and takes the name. */
static enum posthorn_result settle(struct posthorn_store *store, struct ph_put *put, const char *temporary)
{
    enum posthorn_result result = ids_reserve(store) ? ph_store_look(store, put) : POSTHORN_NO_MEMORY;

    for (int i = 0; result == POSTHORN_OK && !take_name(store, temporary, put->name); i++)
        result = errno == EEXIST && i < 3 ? ph_store_look(store, put) : POSTHORN_IO; /* another process */
    if (result == POSTHORN_OK)
        ids_note(store, put->hash);
    else {
        int error = errno;
        unlinkat(store->folder, temporary, 0);
        errno = error;
    }
    return result;
}

enum posthorn_result ph_store_begin(struct posthorn_store *store, const struct posthorn_event *event,
                                    struct ph_put *put)
{
    *put = (struct ph_put){.content = ph_event_pretty(event)};
    enum posthorn_result result = file_name(event, put->id, put->name);

    if (result != POSTHORN_OK)
        return result;
    put->hash = id_hash(put->id, strlen(put->id));
    pthread_mutex_lock(&store->mutex);
    result = ph_store_look(store, put);
    pthread_mutex_unlock(&store->mutex);
    return result;
}

enum posthorn_result ph_store_settle(struct posthorn_store *store, struct ph_put *put, const char *temporary)
{
    pthread_mutex_lock(&store->mutex);
    enum posthorn_result result = settle(store, put, temporary);
    pthread_mutex_unlock(&store->mutex);
    if (result == POSTHORN_OK && fsync(store->folder) == 0)
        return put->conflict ? POSTHORN_CONFLICT : POSTHORN_OK;
    if (result != POSTHORN_OK)
        return result;
    /* A name that may not survive a power cut is removed, so that the sender's next try starts afresh. */
    int error = errno;
    unlinkat(store->folder, put->name, 0);
    errno = error;
    return POSTHORN_IO;
}

enum posthorn_result posthorn_store_look(struct posthorn_store *store, const struct posthorn_event *event)
{
    struct ph_put put;
    enum posthorn_result result = ph_store_begin(store, event, &put);

    return result == POSTHORN_OK && put.conflict ? POSTHORN_CONFLICT : result;
}

enum posthorn_result posthorn_store_put(struct posthorn_store *store, const struct posthorn_event *event,
                                        char name[POSTHORN_NAME_LEN_MAX + 1])
{
    struct ph_put put;
    char temporary[64];
    enum posthorn_result result = ph_store_begin(store, event, &put);

    if (result == POSTHORN_OK)
        result = write_temporary(store, put.content, temporary);
    if (result == POSTHORN_OK)
        result = ph_store_settle(store, &put, temporary);
    if (name)
        memcpy(name, put.name, sizeof put.name);
    return result;
}
