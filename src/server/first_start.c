/* The store of a server: opened, and with its first user, key and secret when it is new (server_parts.h). */
#include "catalogue.h"
#include "digest.h"
#include "ids.h"
#include "server_parts.h"
#include "signing.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { KEY_RANDOM_LEN = 32 };

uint32_t server_random(uint32_t max)
{
    uint32_t number;
    digest_random(&number, sizeof number);
    return number & max;
}

enum server_error server_store_open(const struct server_options *options, struct budget *budget,
                                    struct store **store, char error_text[256])
{
    const struct config *config = options->config;
    char path[4096];
    snprintf(path, sizeof path, "%s/posthorn.db", config->data);
    struct store_config store_config = {.path = path,
                                        .clock = options->clock,
                                        .pace = config_pace(config),
                                        .lease_ms = config->lease_ms,
                                        .id_node = (int)server_random(IDS_NODE_MAX),
                                        .mark = (int)server_random(MODEL_MARK_MAX),
                                        .readers = (int)config->reader_threads,
                                        .disk_reserve_bytes = config->disk_reserve_bytes,
                                        .quotas = {.stored_bytes = config->user_bytes_max,
                                                   .resources = config->user_resources_max,
                                                   .pending = config->user_waiting_max},
                                        .budget = budget,
                                        .log = options->log};
    char refusal[STORE_REFUSAL_LEN] = "";
    store_config.refusal = refusal;
    /* The one place that names a backend: a folder is SQLite's. */
    const struct store_backend *backend = &store_sqlite;
    enum store_status status = backend->open(&store_config, store);
    switch (status) {
    case STORE_OK:
        return SERVER_OK;
    case STORE_LOCKED:
        snprintf(error_text, 256, "another posthorn is running on %.160s; stop it first", config->data);
        return SERVER_LOCKED;
    case STORE_NEWER:
        snprintf(error_text, 256, "%.120s was written by a newer posthorn; upgrade this one", config->data);
        return SERVER_NEWER;
    default:
        snprintf(error_text, 256, "%.90s: %.160s", path, *refusal ? refusal : store_status_sentence(status));
        return SERVER_DATA;
    }
}

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
    enum server_error error = make_folder(options->config->data, error_text);
    if (error == SERVER_OK)
        error = server_key_expected(options, error_text);
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
