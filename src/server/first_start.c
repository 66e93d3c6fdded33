/* The first start of a server: the data folder, the first user, its key and its secret (server_parts.h). */
#include "catalogue.h"
#include "digest.h"
#include "server_parts.h"
#include "signing.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { KEY_RANDOM_LEN = 32 };

enum server_error server_own_types(const struct config *config, struct bytes *own_types, char error_text[256])
{
    char path[4096];
    struct stat about;
    size_t len;
    snprintf(path, sizeof path, "%s/catalogue.json", config->data);
    if (stat(path, &about) == 0 && !S_ISREG(about.st_mode)) { /* a pipe would hold us for ever */
        snprintf(error_text, 256, "%.160s is not a regular file", path);
        return SERVER_CONFIG;
    }
    char *text = catalogue_read_file(path, &len);
    if (!text) {
        snprintf(error_text, 256, "%.160s cannot be read: %s", path, strerror(errno));
        return errno == ENOENT ? SERVER_OK : SERVER_CONFIG;
    }
    struct catalogue_problem problem;
    struct catalogue *catalogue = catalogue_open();
    bool right = catalogue_add(catalogue, text, len, &problem);
    catalogue_close(catalogue);
    *own_types = bytes_make(text, len);
    if (right)
        return SERVER_OK;
    snprintf(error_text, 256, "%.100s:%d:%d: %.120s", path, problem.line, problem.column, problem.detail);
    return SERVER_CONFIG;
}

static enum server_error make_folder(const char *data, char error_text[256])
{
    struct stat about;
    /* 0700: the database holds what WEBHOOK-AUTH carries. */
    if (mkdir(data, 0700) == 0 || (errno == EEXIST && stat(data, &about) == 0 && S_ISDIR(about.st_mode)))
        return SERVER_OK;
    snprintf(error_text, 256, "%.160s cannot be made: %s", data,
             errno == EEXIST ? "there is a file of that name" : strerror(errno));
    return SERVER_DATA;
}

/* The first Master, its key and the fingerprint of the key file, in one transaction: there is never the one
 * without the others. */
static enum server_error make_first(const struct server_options *options, struct store *store,
                                    const struct vault *vault, struct server_first *first,
                                    char error_text[256])
{
    int64_t now_ms = clock_wall_ms(&options->clock);
    struct api_key key = {.label = bytes_of("made by posthorn init"),
                          .rate_per_s = -1, /* the producer's */
                          .created_at_ms = now_ms};
    struct store_op user = {.kind = STORE_USER_CREATE,
                            .user = {.user = {.role = USER_MASTER,
                                              .name = bytes_of("Master"),
                                              .created_at_ms = now_ms,
                                              .updated_at_ms = now_ms},
                                     .if_version = -1,
                                     .first_key = &key}};
    struct store_op fingerprint = {.kind = STORE_FINGERPRINT};
    memcpy(fingerprint.fingerprint, vault_fingerprint(vault), STORE_FINGERPRINT_LEN);
    digest_random_hex(first->api_key, KEY_RANDOM_LEN);
    digest_sha256_hex(bytes_of(first->api_key), key.digest);
    first->user_id = MODEL_USER_ID_FIRST;
    signing_default(vault, first->user_id, now_ms, first->signing_secret);
    if (options->tell_first && !options->tell_first(options->ctx, first)) {
        snprintf(error_text, 256, "the first API key cannot be shown, so nothing was set up");
        return SERVER_FAILED;
    }
    struct store_op *ops[] = {&user, &fingerprint};
    struct store_batch batch = {.ops = ops, .op_count = 2};
    enum store_status status = store_write(store, &batch);
    if (status != STORE_OK) {
        snprintf(error_text, 256, "the first user cannot be written, so no key was made: %.130s",
                 store_status_sentence(status));
        return SERVER_DATA;
    }
    assert(user.result == STORE_DONE && user.id == MODEL_USER_ID_FIRST);
    first->created = true;
    return SERVER_OK;
}

enum server_error server_init_data(const struct server_options *options, struct server_first *first,
                                   char error_text[256])
{
    *first = (struct server_first){0};
    enum server_error error = server_key_expected(options, error_text);
    if (error == SERVER_OK)
        error = make_folder(options->config->data, error_text);
    if (error != SERVER_OK)
        return error;
    struct store *store;
    error = server_store_open(options, NULL, &store, error_text);
    if (error != SERVER_OK)
        return error;
    struct server_key key = {0};
    error = server_key_open(options, store, &key, error_text);
    if (error == SERVER_OK && key.is_new)
        error = make_first(options, store, key.vault, first, error_text);
    if (error == SERVER_OK && key.is_new)
        error = server_key_keep(options, &key, error_text);
    vault_close(key.vault);
    store_close(store);
    return error;
}

int server_failed(const struct invocation *invocation, enum server_error error, const char *text)
{
    command_failed(invocation, "%s", text);
    switch (error) {
    case SERVER_OK:
        return EXIT_DONE;
    case SERVER_LOCKED:
        return EXIT_LOCKED;
    case SERVER_CONFIG:
        return EXIT_USAGE;
    case SERVER_MISMATCH:
        return EXIT_MISMATCH;
    default:
        return EXIT_FAILED;
    }
}
