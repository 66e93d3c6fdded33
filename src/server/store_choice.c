/*
 * The choice of the backend by the form of the setting `store`, and the opening of it. This is the one place
 * that names backends: everything else knows a struct store (server_parts.h).
 */
#include "digest.h"
#include "ids.h"
#include "server_parts.h"
#include <ctype.h>
#include <stdio.h>

/* The length of "sqlite" in "sqlite:PATH", of "postgres" in "postgres://..."; 0: it is a path. */
static size_t scheme_len(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-");
    return text[len] == ':' ? len : 0;
}

static bool has_scheme(const char *text, size_t len, const char *name)
{
    return len == strlen(name) && strncasecmp(text, name, len) == 0;
}

/* Only the scheme is repeated: the rest of a URL may hold a password. */
static enum server_error wrong_form(const char *text, size_t scheme, char error_text[256])
{
    if (has_scheme(text, scheme, "postgres") || has_scheme(text, scheme, "postgresql"))
        snprintf(
            error_text, 256,
            "store = %.*s:...: this build has no PostgreSQL yet; name an SQLite file (PATH or sqlite:PATH), "
            "or leave `store` out for posthorn.db in the data folder",
            (int)scheme, text);
    else
        snprintf(
            error_text, 256,
            "store = %.*s:... is not understood; write PATH or sqlite:PATH. A path whose name has a colon "
            "begins with ./ or /",
            (int)(scheme < 40 ? scheme : 40), text);
    return SERVER_CONFIG;
}

enum server_error server_store_choose(const struct config *config, struct store_choice *choice,
                                      char error_text[256])
{
    const char *text = config->store;
    *choice = (struct store_choice){.backend = &store_sqlite};
    if (!text) {
        snprintf(choice->path, sizeof choice->path, "%s/posthorn.db", config->data);
        snprintf(choice->folder, sizeof choice->folder, "%s", config->data);
        return SERVER_OK;
    }
    size_t scheme = scheme_len(text);
    if (has_scheme(text, scheme, "sqlite"))
        text += scheme + 1;
    else if (scheme > 0 || *text == ':') /* SQLite takes :memory: for no file at all */
        return wrong_form(text, scheme, error_text);
    size_t len = strlen(text);
    if (len == 0 || text[len - 1] == '/' || *text == ':' || len >= sizeof choice->path) {
        snprintf(error_text, 256, "store must name a file: write PATH or sqlite:PATH");
        return SERVER_CONFIG;
    }
    memcpy(choice->path, text, len + 1);
    memcpy(choice->folder, text, len + 1);
    char *slash = strrchr(choice->folder, '/');
    if (slash)
        slash[slash == choice->folder] = '\0';
    else
        snprintf(choice->folder, sizeof choice->folder, ".");
    return SERVER_OK;
}

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
    struct store_choice choice;
    enum server_error error = server_store_choose(config, &choice, error_text);
    if (error != SERVER_OK)
        return error;
    char refusal[STORE_REFUSAL_LEN] = "";
    struct store_config store_config = {.path = choice.path,
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
                                        .log = options->log,
                                        .refusal = refusal};
    const char *name = config->store ? choice.path : config->data;
    enum store_status status = choice.backend->open(&store_config, store);
    switch (status) {
    case STORE_OK:
        return SERVER_OK;
    case STORE_LOCKED:
        snprintf(error_text, 256, "another posthorn is running on %.160s; stop it first", name);
        return SERVER_LOCKED;
    case STORE_NEWER:
        snprintf(error_text, 256, "%.120s was written by a newer posthorn; upgrade this one", name);
        return SERVER_NEWER;
    default:
        snprintf(error_text, 256, "%.90s: %.160s", choice.path,
                 *refusal ? refusal : store_status_sentence(status));
        return SERVER_DATA;
    }
}
