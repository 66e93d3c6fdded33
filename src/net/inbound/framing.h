/*
 * framing: which heads of a request are well-formed, and how long its body is. Pure.
 */
#pragma once
#include "listener.h"

/* Splits the target; 0, or the status to refuse with. Absolute form is understood (RFC 9112, 3.2.2). */
int framing_target(struct bytes method, struct bytes target, struct bytes *path, struct bytes *query);

struct framing_body {
    bool chunked;
    int64_t length; /* from Content-Length; -1: none */
};
/* Header names and values, Host, Content-Length, Transfer-Encoding. 0, or the status to refuse with. */
int framing_headers(const struct listener_request *request, bool http_1_0, struct framing_body *body);
