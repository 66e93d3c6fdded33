/*
 * framing: checks the head of a request, and computes the length of its body. Pure.
 */
#pragma once
#include "listener.h"

/* Splits the target, which may be in absolute form (RFC 9112 section 3.2.2). 0, or the status of the refusal.
 */
int framing_target(struct bytes method, struct bytes target, struct bytes *path, struct bytes *query);

struct framing_body {
    bool chunked;
    int64_t length; /* from Content-Length; -1: none */
};
/* Checks header names and values, Host, Content-Length, Transfer-Encoding. 0, or the status of the refusal.
 */
int framing_headers(const struct listener_request *request, bool http_1_0, struct framing_body *body);
