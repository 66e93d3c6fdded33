#include "identity.h"
#include "listener_parts.h"
#include "memory.h"
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
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

/* Before libmicrohttpd sees them, which can only say no: a key that is another's, an encrypted one, no PEM.
 */
static bool check_own(const struct listener_config *config, const struct listener_tls *tls)
{
    struct identity_source source = {.certificate = bytes_of(tls->cert), .private_key = bytes_of(tls->key)};
    enum identity_error error;
    struct identity *identity = identity_open(&source, &error);
    if (!identity) {
        bool key = identity_error_part(error) == IDENTITY_KEY;
        return complain(config, key ? "tls-key" : "tls-cert",
                        key ? config->tls_key_file : config->tls_cert_file, identity_error_sentence(error));
    }
    enum identity_error dates = identity_check_dates(identity, clock_wall_ms(&config->clock));
    if (dates != IDENTITY_ERROR_OK)
        log_write(config->log, LOG_LEVEL_WARN, "listener", "tls-cert %s: %s; clients will refuse it",
                  config->tls_cert_file, identity_error_sentence(dates));
    identity_close(identity);
    return true;
}

static bool check_authorities(const struct listener_config *config, const struct listener_tls *tls)
{
    gnutls_datum_t text = {(unsigned char *)tls->client_ca, (unsigned)strlen(tls->client_ca)};
    gnutls_x509_crt_t *list;
    unsigned count = 0;
    if (gnutls_x509_crt_list_import2(&list, &count, &text, GNUTLS_X509_FMT_PEM, 0) < 0)
        return complain(config, "tls-client-ca", config->tls_client_ca_file, "holds no certificates in PEM");
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(list[i]);
    gnutls_free(list);
    return true;
}

bool listener_tls_load(const struct listener_config *config, struct listener_tls *tls)
{
    *tls = (struct listener_tls){0};
    if (!config->tls_cert_file)
        return true;
    tls->cert = read_pem(config, "tls-cert", config->tls_cert_file);
    tls->key = config->tls_key_file ? read_pem(config, "tls-key", config->tls_key_file) : NULL;
    if (config->tls_client_ca_file)
        tls->client_ca = read_pem(config, "tls-client-ca", config->tls_client_ca_file);
    if (tls->cert && tls->key && (tls->client_ca || !config->tls_client_ca_file) && check_own(config, tls) &&
        (!tls->client_ca || check_authorities(config, tls)))
        return true;
    listener_tls_forget(tls);
    return false;
}

void listener_tls_forget(struct listener_tls *tls)
{
    forget(tls->cert);
    forget(tls->key);
    forget(tls->client_ca);
    *tls = (struct listener_tls){0};
}

int listener_tls_options(const struct listener_tls *tls, struct MHD_OptionItem *options)
{
    static char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
    int count = 0;
    if (!tls->cert)
        return 0;
    options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, tls->cert};
    options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, tls->key};
    options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, priorities};
    if (tls->client_ca)
        options[count++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, tls->client_ca};
    return count;
}

/* libmicrohttpd asks for a certificate when it has authorities, but leaves the judgement to us. One that says
 * what it is for must say that it is for clients. */
bool listener_tls_client_trusted(struct MHD_Connection *mhd)
{
    unsigned status = 0;
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT};
    gnutls_session_t session = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
    return gnutls_certificate_verify_peers(session, &purpose, 1, &status) == 0 && status == 0;
}
