#include "signers.h"
#include "memory.h"
#include "signing.h"
#include <stdio.h>
#include <stdlib.h>

enum { PLACES = 16384 /* about 2 KiB each, once used */ };

struct prepared {
    int64_t user_id, user_version; /* 0: the place is empty */
    int count;
    struct posthorn_signer *signers[SIGNING_SECRETS_MAX];
    int64_t expires_at_ms[SIGNING_SECRETS_MAX];
};

struct signers {
    const struct vault *vault;
    struct log *log;
    struct prepared *places[PLACES];
};

struct signers *signers_open(const struct vault *vault, struct log *log)
{
    struct signers *signers = memory_zero(1, sizeof *signers);
    signers->vault = vault;
    signers->log = log;
    return signers;
}

static void prepared_clear(struct prepared *prepared)
{
    for (int i = 0; i < prepared->count; i++)
        posthorn_signer_close(prepared->signers[i]);
    prepared->count = 0;
}

void signers_close(struct signers *signers)
{
    if (!signers)
        return;
    for (int i = 0; i < PLACES; i++)
        if (signers->places[i]) {
            prepared_clear(signers->places[i]);
            free(signers->places[i]);
        }
    free(signers);
}

static void prepare(struct signers *signers, const struct store_work *work, struct prepared *prepared)
{
    struct signing signing;
    prepared_clear(prepared);
    prepared->user_id = work->user_id;
    prepared->user_version = work->user_version;
    enum vault_error error =
        signing_open(signers->vault, work->user_id, work->user_created_at_ms, work->signing, &signing);
    if (error != VAULT_OK)
        log_write(signers->log, LOG_LEVEL_ERROR, "signers",
                  "user=%lld pushes go out without webhook-signature: %s", (long long)work->user_id,
                  vault_error_sentence(error));
    for (int i = 0; error == VAULT_OK && i < signing.count; i++) {
        struct posthorn_signer *signer;
        struct posthorn_text secret = {signing.secrets[i].secret, strlen(signing.secrets[i].secret)};
        if (posthorn_signer_open(secret, &signer) != POSTHORN_OK)
            continue; /* it came from posthorn_secret_new: only libcrypto can have failed, and the others
                         still sign */
        prepared->expires_at_ms[prepared->count] = signing.secrets[i].expires_at_ms;
        prepared->signers[prepared->count++] = signer;
    }
    signing_wipe(&signing);
}

static struct prepared *place_of(struct signers *signers, const struct store_work *work)
{
    struct prepared **place = &signers->places[(uint64_t)work->user_id % PLACES];
    if (!*place)
        *place = memory_zero(1, sizeof **place);
    if ((*place)->user_id != work->user_id || (*place)->user_version != work->user_version)
        prepare(signers, work, *place);
    return *place;
}

size_t signers_sign(struct signers *signers, const struct store_work *work, struct bytes id, int64_t wall_ms,
                    char out[SIGNERS_VALUE_LEN_MAX])
{
    const struct prepared *prepared = place_of(signers, work);
    struct posthorn_text id_text = {id.data, id.len}, body = {work->document, work->document_len};
    size_t len = 0;
    for (int i = 0; i < prepared->count; i++) {
        bool active = prepared->expires_at_ms[i] == 0 || prepared->expires_at_ms[i] > wall_ms;
        if (!active || len + 1 + POSTHORN_SIGNATURE_LEN_MAX > SIGNERS_VALUE_LEN_MAX)
            continue;
        if (len > 0)
            out[len++] = ' ';
        if (posthorn_signer_sign(prepared->signers[i], id_text, wall_ms / 1000, body, out + len) !=
            POSTHORN_OK)
            len -= len > 0;
        else
            len += strlen(out + len);
    }
    out[len] = '\0';
    return len;
}
