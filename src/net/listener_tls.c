#include "identity.h"
#include "listener_parts.h"
#include "memory.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { PEM_LEN_MAX = 1 << 20 };

/* `setting` is the name of the one that is wrong. */
static bool complain(const struct listener_config *config, const char *setting, const char *path,
                     const char *why)
{
    log_write(config->log, LOG_LEVEL_ERROR, "listener", "%s %s: %s", setting, path, why);
    return false;
}

/* NULL: the log says why. */
static char *read_pem(const struct listener_config *config, const char *setting, const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        complain(config, setting, path, strerror(errno));
        return NULL;
    }
    char *text = memory_alloc(PEM_LEN_MAX + 1);
    size_t len = fread(text, 1, PEM_LEN_MAX + 1, file);
    bool sound = !ferror(file) && len <= PEM_LEN_MAX;
    fclose(file);
    if (sound) {
        text[len] = '\0';
        return text;
    }
    free(text);
    complain(config, setting, path, "cannot be read, or is larger than 1 MiB");
    return NULL;
}

static void forget(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

/* A key that is another's, an encrypted one, no PEM: NULL, and the log says which. */
static struct identity *open_own(const struct listener_config *config, const char *cert, const char *key)
{
    struct identity_source source = {.certificate = bytes_of(cert), .private_key = bytes_of(key)};
    enum identity_error error;
    struct identity *identity = identity_open(&source, &error);
    if (!identity) {
        bool key_is_wrong = identity_error_part(error) == IDENTITY_KEY;
        complain(config, key_is_wrong ? "tls-key" : "tls-cert",
                 key_is_wrong ? config->tls_key_file : config->tls_cert_file, identity_error_sentence(error));
        return NULL;
    }
    enum identity_error dates = identity_check_dates(identity, clock_wall_ms(&config->clock));
    if (dates != IDENTITY_ERROR_OK)
        log_write(config->log, LOG_LEVEL_WARN, "listener", "tls-cert %s: %s; clients will refuse it",
                  config->tls_cert_file, identity_error_sentence(dates));
    return identity;
}

static bool open_server(const struct listener_config *config, struct identity *identity, struct tls **tls)
{
    char *authorities = NULL;
    if (config->tls_client_ca_file) {
        authorities = read_pem(config, "tls-client-ca", config->tls_client_ca_file);
        if (!authorities)
            return false;
        free(authorities);
    }
    *tls = tls_open_server(identity, config->tls_client_ca_file);
    return *tls ||
           complain(config, "tls-client-ca", config->tls_client_ca_file, "holds no certificates in PEM");
}

bool listener_tls_open(const struct listener_config *config, struct tls **tls)
{
    *tls = NULL;
    if (!config->tls_cert_file)
        return true;
    char *cert = read_pem(config, "tls-cert", config->tls_cert_file);
    char *key = config->tls_key_file ? read_pem(config, "tls-key", config->tls_key_file) : NULL;
    struct identity *identity = cert && key ? open_own(config, cert, key) : NULL;
    forget(cert);
    forget(key);
    if (identity && !open_server(config, identity, tls))
        identity_close(identity);
    return *tls != NULL;
}
