#include "listener_parts.h"
#include "memory.h"
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>

enum { PEM_LEN_MAX = 1 << 20 };

/* NULL: it cannot be read, or is no file of that kind. */
static char *read_pem(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return NULL;
    char *text = memory_alloc(PEM_LEN_MAX + 1);
    size_t len = fread(text, 1, PEM_LEN_MAX + 1, file);
    bool sound = !ferror(file) && len <= PEM_LEN_MAX;
    fclose(file);
    if (sound) {
        text[len] = '\0';
        return text;
    }
    free(text);
    return NULL;
}

static void forget(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

bool listener_tls_load(const struct listener_config *config, struct listener_tls *tls)
{
    *tls = (struct listener_tls){0};
    if (!config->tls_cert_file)
        return true;
    tls->cert = read_pem(config->tls_cert_file);
    tls->key = config->tls_key_file ? read_pem(config->tls_key_file) : NULL;
    if (config->tls_client_ca_file)
        tls->client_ca = read_pem(config->tls_client_ca_file);
    if (tls->cert && tls->key && (tls->client_ca || !config->tls_client_ca_file))
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

/* libmicrohttpd asks for a certificate when it has authorities, but leaves the judgement to us. */
bool listener_tls_client_trusted(struct MHD_Connection *mhd)
{
    unsigned status = 0;
    gnutls_session_t session = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
    return gnutls_certificate_verify_peers2(session, &status) == 0 && status == 0;
}
