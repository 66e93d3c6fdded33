/*
 * endpoint_cache: what is kept ready for the endpoints that are being sent to, so that an attempt costs a
 * comparison and one HMAC: the URL, parsed and judged by the guard; the signing secrets as prepared keys; the
 * TLS identity, open; the values of its own headers.
 *
 * A fixed number of places, by endpoint. An entry holds the URL's text and the version that it was made of;
 * work that says otherwise replaces it, so no entry is older than the work, and so does another endpoint with
 * the same place. Identities are large: when ENDPOINT_IDENTITIES_MAX are open, the next one ends the entry of
 * some endpoint that has one. An entry that ends leaves no secret in memory.
 *
 * The engine's thread alone.
 */
#pragma once
#include "guard.h"
#include "identity.h"
#include "log.h"
#include "message_signature.h"
#include "push_headers.h"
#include "signing.h"
#include "store.h"

enum {
    ENDPOINT_PLACES = 16384,       /* about 2.5 KiB each, once used */
    ENDPOINT_IDENTITIES_MAX = 1024 /* some 40 KiB each */
};

struct endpoint_cache;

enum { PUSH_AUTHORIZATION_LEN_MAX = 8 + PUSH_TOKEN_LEN_MAX };

struct own_headers {
    int count;
    struct header list[PUSH_OWN_HEADERS_MAX];
    char authorization[PUSH_AUTHORIZATION_LEN_MAX];
    size_t authorization_len; /* 0: no auth, or oauth2 */
    size_t text_len;
    char text[]; /* which the list views */
};

struct cached_endpoint {
    int64_t endpoint_id, endpoint_version;
    int64_t judged; /* by which state of the guard */
    bool parsed, allowed, has_identity;
    struct url url;
    struct identity *identity; /* NULL: nobody in particular, or it does not open */
    int signatures;            /* bits of enum push_signature; 0: the default */
    struct signing *secrets;   /* their texts, if PUSH_SIGNATURES_OTHERS or RFC9421 needs them; else NULL */
    int signer_count;
    struct posthorn_signer *signers[SIGNING_SECRETS_MAX];
    int64_t expires_at_ms[SIGNING_SECRETS_MAX];
    struct own_headers *own; /* its headers and auth; NULL: none, or they do not open */
    bool oauth;              /* its pushes need an access token (tokens.h) */
    bool lost;               /* something of it does not open: nothing is sent */
    size_t text_len;
    char text[]; /* the URL, which `url` views */
};

struct endpoint_cache *endpoint_cache_open(const struct vault *vault, struct log *log);
void endpoint_cache_close(struct endpoint_cache *cache);

/* The endpoint of this work, good until the next call; the identity longer, if held. NONE, or why nothing may
 * be sent to it: BLOCKED_URL (it does not parse, or the guard does not allow it), SEALED (its TLS identity
 * its headers or its auth do not open; the log says so). */
enum failure endpoint_cache_find(struct endpoint_cache *cache, const struct guard *guard,
                                 const struct store_work *work, const struct cached_endpoint **endpoint);
/* After each change of the guard: every URL is judged again. */
void endpoint_cache_judge_again(struct endpoint_cache *cache);

/* The keys that sign at this time; how many. 0: the secrets do not open; the log says so. */
int cached_endpoint_signers(const struct cached_endpoint *endpoint, int64_t wall_ms,
                            void *signers[SIGNING_SECRETS_MAX]);
/* The texts of the HMAC secrets that sign at this time, the newest first; how many. 0 unless the endpoint has
 * PUSH_SIGNATURES_OTHERS. Good as long as the endpoint. */
int cached_endpoint_secrets(const struct cached_endpoint *endpoint, int64_t wall_ms,
                            struct bytes secrets[SIGNING_SECRETS_MAX]);
/* The Ed25519 key pairs that sign at this time; how many. 0 unless the endpoint has PUSH_RFC9421. Good as
 * long as the endpoint. */
int cached_endpoint_keys(const struct cached_endpoint *endpoint, int64_t wall_ms,
                         struct message_key keys[SIGNING_SECRETS_MAX]);
