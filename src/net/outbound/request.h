/*
 * request: the bytes of our one kind of request, up to the body (RFC 9112 section 3).
 */
#pragma once
#include "sender.h"

enum { REQUEST_HEAD_LEN_MAX = 16 * 1024 };

/* What request_head_write will need at most. */
size_t request_head_len_max(const struct sender_request *request, struct bytes user_agent);
/* Returns how many bytes it wrote. */
size_t request_head_write(char *out, const struct sender_request *request, struct bytes user_agent);
