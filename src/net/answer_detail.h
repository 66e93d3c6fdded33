/*
 * answer_detail: a sentence that names the wrong part of an answer and shows its first bytes. The list of
 * failures only says "the answer is not valid HTTP/1.x".
 *
 * The sentences are ASCII. Bytes of the receiver are escaped, as "\r" or "\x15".
 */
#pragma once
#include "bytes.h"
#include "failure.h"

enum { ANSWER_DETAIL_LEN_MAX = 240 };

/* `seen`: the first bytes of the answer. An empty `out`: the failure says enough. */
void answer_detail_of_answer(char out[ANSWER_DETAIL_LEN_MAX], enum failure failure,
                             const char *flaw /* or NULL */, struct bytes seen);
/* True: these bytes begin a record of TLS. */
bool answer_detail_is_tls(struct bytes heard);
/* A failed TLS handshake. `why`: the reason of TLS, or NULL. `heard`: the first bytes received, if the
 * handshake ended with them. `silent`: no bytes came. */
void answer_detail_of_handshake(char out[ANSWER_DETAIL_LEN_MAX], enum failure failure, const char *why,
                                struct bytes heard, bool silent);
/* The connection ended without a byte of an answer to a request without TLS: a port of TLS may do this. */
void answer_detail_of_silent_end(char out[ANSWER_DETAIL_LEN_MAX], enum failure failure);
/* `location`: the target of the redirect; len 0: not given. */
void answer_detail_of_redirect(char out[ANSWER_DETAIL_LEN_MAX], struct bytes location);
/* A complete answer to a request without TLS. Empty `out`: it does not say that the port wants TLS. */
void answer_detail_of_status(char out[ANSWER_DETAIL_LEN_MAX], int status, struct bytes body);
