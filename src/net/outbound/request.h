/*
 * request: writes the head of a push (RFC 9112 section 3).
 */
#pragma once
#include "sender.h"

enum { REQUEST_HEAD_LEN_MAX = 32 * 1024 };

/* The most that request_head_write will write. */
size_t request_head_len_max(const struct sender_request *request, struct bytes user_agent);
/* Returns the number of bytes written. */
size_t request_head_write(char *out, const struct sender_request *request, struct bytes user_agent);
