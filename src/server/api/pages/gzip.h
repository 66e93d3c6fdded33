/*
 * gzip: a page compressed (RFC 1952), once, for all clients that accept it.
 */
#pragma once
#include "bytes.h"

/* In a block of its own, which the caller frees. */
struct bytes gzip_make(struct bytes text);
