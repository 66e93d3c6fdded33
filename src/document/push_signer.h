/*
 * push_signer: signs a push with libposthorn, which src/document does not see.
 */
#pragma once
#include "posthorn.h"
#include "push_headers.h"

_Static_assert(POSTHORN_SIGNATURE_LEN_MAX == (int)PUSH_SIGNATURE_LEN_MAX, "one signature fits");

/* A push_sign; `signer` is a struct posthorn_signer. */
static inline bool push_signer_sign(void *signer, struct bytes id, int64_t at_s, struct bytes document,
                                    char out[PUSH_SIGNATURE_LEN_MAX])
{
    return posthorn_signer_sign(signer, (struct posthorn_text){id.data, id.len}, at_s,
                                (struct posthorn_text){document.data, document.len}, out) == POSTHORN_OK;
}
