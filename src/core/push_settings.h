/*
 * push_settings: how a push to an endpoint is made. Zero: the defaults.
 *
 * A row here is a member of the struct, and a column of the table `endpoints` (schema.c) with the same name;
 * the stores read, write and copy it by this list. NUMBER: 0 to max. TEXT and SEALED (vault.h): at most max
 * bytes; what is stored and is more counts as none.
 */
#pragma once
#include "bytes.h"

#define PUSH_SETTINGS_LIST(NUMBER, TEXT, SEALED)                                                             \
    NUMBER(signatures, 0xff)  /* bits of enum push_signature (push_headers.h); 0: the default */             \
    NUMBER(format, 3)         /* enum push_format (format.h) */                                              \
    NUMBER(timeout, 60)       /* seconds, of a whole attempt; 0: the default (sender.h) */                   \
    TEXT(success, 399)        /* the statuses that acknowledge: "2xx" or codes, "200 202"; none: 200 */      \
    TEXT(retry, 808)          /* when the retries are (retry.h); none: as the settings say */                \
    TEXT(header_names, 1300)  /* of its own headers, a space between two */                                  \
    SEALED(headers, 8276)     /* their values (push_secrets.h), a line end between two */                    \
    TEXT(auth, 2825)          /* lines: "bearer"; "basic" and the username; or oauth.h; none: no auth */     \
    SEALED(auth_secret, 4160) /* the token, password or client secret */

#define PUSH_SETTINGS_NUMBER(name, max) int32_t name;
#define PUSH_SETTINGS_BYTES(name, max)  struct bytes name;
struct push_settings {
    PUSH_SETTINGS_LIST(PUSH_SETTINGS_NUMBER, PUSH_SETTINGS_BYTES, PUSH_SETTINGS_BYTES)
};

/* All of them have fewer bytes than this. */
enum { PUSH_SETTINGS_LEN_MAX = 64 << 10 };

bool push_settings_equal(const struct push_settings *a, const struct push_settings *b);
/* The bytes of a copy; 0: these are the defaults. */
size_t push_settings_size(const struct push_settings *settings);
/* Makes a copy in memory of that size, aligned as a struct; the copy is one block. */
const struct push_settings *push_settings_copy(const struct push_settings *settings, void *memory);
/* The settings of a pointer that is NULL for the defaults. */
const struct push_settings *push_settings_of(const struct push_settings *settings);
