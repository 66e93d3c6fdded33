/*
 * digest: SHA-256 and randomness, from OpenSSL's libcrypto.
 */
#pragma once
#include "bytes.h"

enum { DIGEST_LEN = 32, DIGEST_HEX_LEN = 64 };

void digest_sha256(struct bytes data, unsigned char out[DIGEST_LEN]);
/* The same, for callers that do it with every request: looking up the algorithm costs more than a short text.
 * Any thread. */
struct digest;
struct digest *digest_open(void);
void digest_close(struct digest *digest);
void digest_sha256_by(const struct digest *digest, struct bytes data, unsigned char out[DIGEST_LEN]);
/* 64 lower-case hex digits and a NUL: the value of WEBHOOK-AUTH (mission row 32). */
void digest_sha256_hex(struct bytes data, char out[DIGEST_HEX_LEN + 1]);
/* The reverse, from 64 characters. False: one of them is not a hex digit. */
bool digest_from_hex(const char *hex, unsigned char out[DIGEST_LEN]);
/* HMAC-SHA256 of these pieces, one behind the other. */
void digest_hmac(struct bytes key, const struct bytes *pieces, int count, unsigned char out[DIGEST_LEN]);
/* Fills `out` from the system's generator; ends the process if there is none. */
void digest_random(void *out, size_t len);
/* len bytes of randomness as 2*len hex digits and a NUL. */
void digest_random_hex(char *out, size_t len);
