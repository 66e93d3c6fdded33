/*
 * oauth: the client credentials grant of OAuth 2.0 (RFC 6749 section 4.4): the request for an access token,
 * and the token server's answer. Pure.
 */
#pragma once
#include "arena.h"
#include "bytes.h"

enum {
    OAUTH_URL_LEN_MAX = 2048,
    OAUTH_ID_LEN_MAX = 256,
    OAUTH_SECRET_LEN_MAX = 1024,
    OAUTH_SCOPE_LEN_MAX = 512,
    OAUTH_TOKEN_LEN_MAX = 4096,
    OAUTH_SETTING_LEN_MAX = 7 + OAUTH_URL_LEN_MAX + 1 + OAUTH_ID_LEN_MAX + 1 + OAUTH_SCOPE_LEN_MAX,
    OAUTH_AUTHORIZATION_LEN_MAX = 8 + (3 * (OAUTH_ID_LEN_MAX + OAUTH_SECRET_LEN_MAX) + 1) / 3 * 4 + 4,
    OAUTH_BODY_LEN_MAX = 64 + 3 * OAUTH_SCOPE_LEN_MAX
};

/* What `auth` of the settings of pushes says: "oauth2\nTOKEN_URL\nCLIENT_ID\nSCOPE"; the scope may be empty.
 */
struct oauth_client {
    struct bytes token_url, client_id, scope; /* views */
};
/* False: this is another type, or damaged. */
bool oauth_client_read(struct bytes auth, struct oauth_client *client);
/* One or more words of visible ASCII without quotes and backslashes, one space between two (RFC 6749
 * section 3.3). */
bool oauth_scope_valid(struct bytes scope);

/* Writes "Basic ..." of the client's id and secret, each form-urlencoded (RFC 6749 section 2.3.1). The caller
 * wipes `out`. Returns the length; 0: too long. */
size_t oauth_put_authorization(char out[OAUTH_AUTHORIZATION_LEN_MAX], struct bytes client_id,
                               struct bytes secret);
/* Writes the body of the request. Returns the length. */
size_t oauth_put_body(char out[OAUTH_BODY_LEN_MAX], struct bytes scope);

struct oauth_answer {
    struct bytes token; /* a view of `body` or on the arena; empty: none, and `flaw` says why */
    int64_t expires_in_s;
    const char *flaw; /* a sentence, without a word of the answer */
    const char *code; /* of an error of RFC 6749 section 5.2; NULL: none */
};
enum { OAUTH_UNSAID_S = 3600, OAUTH_EXPIRES_S_MAX = 24 * 3600 };
/* Judges the answer by section 5.1, strictly: status 200, a JSON object of the type application/json
 * (`json`), access_token of 1 to OAUTH_TOKEN_LEN_MAX visible ASCII characters, token_type Bearer in any case,
 * and expires_in a positive integer or left out. It is taken as OAUTH_UNSAID_S then, and at most as
 * OAUTH_EXPIRES_S_MAX. whole: false: the body was cut. */
void oauth_answer_read(struct oauth_answer *answer, int status, bool json, bool whole, struct bytes body,
                       struct arena *arena);
