/*
 * answer_detail: what exactly was wrong with an answer, in one sentence for people. Where the list of
 * failures says "the answer is not valid HTTP/1.x", this says which part of it is not, and shows its first
 * bytes.
 *
 * The sentences are ASCII: what a stranger sent stands in them escaped, as "\r" or "\x15".
 */
#pragma once
#include "bytes.h"
#include "failure.h"

enum { ANSWER_DETAIL_LEN_MAX = 240 };

/* `seen` is how the answer began. Empty: the failure says it all. */
void answer_detail_of_answer(char out[ANSWER_DETAIL_LEN_MAX], enum failure failure,
                             const char *flaw /* or NULL */, struct bytes seen);
/* The connection ended without a byte of an answer to a request without TLS: a port of TLS may do so. */
bool answer_detail_is_tls(struct bytes heard);
/* Of a handshake of TLS. `why`: what TLS says of it, or NULL; `heard`: how the first piece begins that came,
 * if it ended with that; `silent`: nothing came at all. */
void answer_detail_of_handshake(char out[ANSWER_DETAIL_LEN_MAX], enum failure failure, const char *why,
                                struct bytes heard, bool silent);
void answer_detail_of_silent_end(char out[ANSWER_DETAIL_LEN_MAX], enum failure failure);
/* Where it leads; len 0: nothing to say. */
void answer_detail_of_redirect(char out[ANSWER_DETAIL_LEN_MAX], struct bytes location);
/* A complete answer to a request without TLS, for which some servers have words when their port wants TLS.
 * Empty: it says nothing of the kind. */
void answer_detail_of_status(char out[ANSWER_DETAIL_LEN_MAX], int status, struct bytes body);
