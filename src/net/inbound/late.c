/* The sentence of a 408: how much of the request came in time. */
#include "listener.h"
#include <stdio.h>

void listener_say_late(const struct listener_request *request, char out[LISTENER_LATE_LEN])
{
    int64_t length;
    if (request->header_count == 0)
        snprintf(out, LISTENER_LATE_LEN, "the request's head did not come whole in time");
    else if (bytes_to_int64(listener_header(request, "Content-Length", NULL), &length))
        snprintf(
            out, LISTENER_LATE_LEN,
            "Content-Length says %lld bytes, and only %zu came in time: it is too large, or the body was cut",
            (long long)length, request->body_len);
    else
        snprintf(out, LISTENER_LATE_LEN,
                 "the body did not come to its end in time: %zu bytes came, without the last "
                 "chunk, the empty one",
                 request->body_len);
}
