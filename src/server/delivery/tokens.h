/*
 * tokens: the access tokens of endpoints whose auth is oauth2 (oauth.h), got from their token servers.
 *
 * A token belongs to one version of its endpoint, and the newest one's is kept. It is kept until shortly
 * before it expires; at most TOKENS_MAX are, and then the one that was got first makes room. One request at a
 * time is under way for an endpoint's version; whoever needs its token waits for that one. The token server
 * is no receiver: its URL and its addresses pass the guard, its redirects are not followed, and each request
 * has a connection of its own. The client secret is unsealed for the request only. What ends is wiped.
 *
 * The engine's thread alone.
 */
#pragma once
#include "clock.h"
#include "guard.h"
#include "sender.h"
#include "store.h"
#include "vault.h"

enum {
    TOKENS_MAX = 16384, /* most have 1 to 2 KiB, none more than 4 */
    TOKENS_REQUEST_S_MAX = 10,
    TOKENS_EARLY_S_MAX =
        30 /* so long before it expires a token is used no more; but at most a tenth of its time */
};

/* Counted: whoever holds one may use it as long as that lasts. */
struct token;
struct bytes token_authorization(const struct token *token); /* "Bearer ..." */
void token_drop(struct token *token);                        /* NULL: nothing */

struct tokens_config {
    const struct vault *vault;
    const struct guard *guard;
    struct sender *sender;
    struct clock clock;
};
struct tokens;
struct tokens *tokens_open(const struct tokens_config *config);
/* No request is under way any more. */
void tokens_close(struct tokens *tokens);
/* Forgets what has expired. NULL: nothing. */
void tokens_tick(struct tokens *tokens);

/* The token that is kept for the endpoint of this work, held for the caller. NULL: none. */
struct token *tokens_find(struct tokens *tokens, const struct store_work *work);
/* The receiver did not take this token: it is kept no longer. False: a newer version of the endpoint has
 * tokens now, and no other is worth a request. */
bool tokens_forget(struct tokens *tokens, const struct store_work *work, const struct token *token);

struct token_outcome {
    struct token *token;    /* held for the waiter; NULL: there is none, because of */
    enum failure failure;   /* NO_TOKEN, SEALED, or a failure of our own (FAILURE_CLASS_OURS) */
    int64_t retry_after_ms; /* what the token server asks for; -1: nothing */
    char detail[256];       /* what happened, without a word of the answer but the error's code */
};

struct token_wait {
    struct token_wait *next;
    void (*done)(struct token_wait *wait, const struct token_outcome *outcome);
};
/* Waits for the endpoint's next token, and requests it unless that is under way. Calls `done` once: at once
 * if no request can be made, otherwise within the request's limit: half of the endpoint's timeout, and at
 * most TOKENS_REQUEST_S_MAX. */
void tokens_wait(struct tokens *tokens, const struct store_work *work, struct token_wait *wait);
/* That limit, in seconds. */
int tokens_request_s(const struct store_work *work);
