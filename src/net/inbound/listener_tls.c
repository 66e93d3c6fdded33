#include "listener_tls.h"
#include "identity.h"
#include "pem.h"
#include <stdlib.h>

/* `setting` is the name of the wrong setting. */
static bool complain(const struct listener_config *config, const char *setting, const char *path,
                     const char *why)
{
    log_write(config->log, LOG_LEVEL_ERROR, "listener", "%s %s: %s", setting, path, why);
    return false;
}

/* NULL: the log says why. */
static char *read_pem(const struct listener_config *config, const char *setting, const char *path)
{
    const char *why;
    char *text = pem_read(path, &why);
    if (!text)
        complain(config, setting, path, why);
    return text;
}

static void forget(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

/* NULL: the key does not fit, is encrypted, or is not PEM; the log says which. */
static struct identity *open_own(const struct listener_config *config, const char *cert, const char *key)
{
    struct identity_source source = {.certificate = bytes_of(cert), .private_key = bytes_of(key)};
    enum identity_error error;
    struct identity *identity = identity_open(&source, &error);
    if (!identity) {
        bool key_is_wrong = identity_error_part(error) == IDENTITY_KEY;
        complain(config, key_is_wrong ? "tls-key" : "tls-cert",
                 key_is_wrong ? config->tls.key : config->tls.cert, identity_error_sentence(error));
        return NULL;
    }
    enum identity_error dates = identity_check_dates(identity, clock_wall_ms(&config->clock));
    if (dates != IDENTITY_ERROR_OK)
        log_write(config->log, LOG_LEVEL_WARN, "listener", "tls-cert %s: %s; clients will refuse it",
                  config->tls.cert, identity_error_sentence(dates));
    return identity;
}

static bool open_server(const struct listener_config *config, struct identity *identity, struct tls **tls)
{
    char *authorities = NULL;
    if (config->tls.client_ca) {
        authorities = read_pem(config, "tls-client-ca", config->tls.client_ca);
        if (!authorities)
            return false;
        free(authorities);
    }
    *tls = tls_open_server(identity, config->tls.client_ca);
    return *tls || complain(config, "tls-client-ca", config->tls.client_ca, "holds no certificates in PEM");
}

bool listener_tls_open(const struct listener_config *config, struct tls **tls)
{
    *tls = NULL;
    if (!config->tls.cert)
        return true;
    char *cert = read_pem(config, "tls-cert", config->tls.cert);
    char *key = config->tls.key ? read_pem(config, "tls-key", config->tls.key) : NULL;
    struct identity *identity = cert && key ? open_own(config, cert, key) : NULL;
    forget(cert);
    forget(key);
    if (identity && !open_server(config, identity, tls))
        identity_close(identity);
    return *tls != NULL;
}
