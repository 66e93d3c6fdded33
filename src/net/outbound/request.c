#include "request.h"
#include <assert.h>

/* All bytes of the head that are always the same. */
static const char line_end[] = " HTTP/1.1\r\nHost: ";
static const char agent[] = "\r\nUser-Agent: ";
static const char accepts[] = "\r\nAccept: */*\r\nAccept-Encoding: identity\r\n";

enum { FIXED_LEN = sizeof "POST " + sizeof line_end + sizeof agent + sizeof accepts, LENGTH_LEN_MAX = 48 };

size_t request_head_len_max(const struct sender_request *request, struct bytes user_agent)
{
    size_t len =
        FIXED_LEN + LENGTH_LEN_MAX + request->url->target.len + request->url->authority.len + user_agent.len;
    assert(request->header_count >= 0 && request->header_count <= SENDER_HEADERS_MAX);
    for (int i = 0; i < request->header_count; i++)
        len += request->headers[i].name.len + request->headers[i].value.len + sizeof ": \r\n";
    assert(len <= REQUEST_HEAD_LEN_MAX);
    return len;
}

static char *put(char *out, const char *data, size_t len)
{
    memcpy(out, data, len);
    return out + len;
}

static char *put_bytes(char *out, struct bytes piece)
{
    return put(out, piece.data, piece.len);
}

size_t request_head_write(char *out, const struct sender_request *request, struct bytes user_agent)
{
    char digits[BYTES_INT64_LEN_MAX];
    char *at = put(out, "POST ", 5);

    at = put_bytes(at, request->url->target);
    at = put(at, line_end, sizeof line_end - 1);
    at = put_bytes(at, request->url->authority);
    at = put(at, agent, sizeof agent - 1);
    at = put_bytes(at, user_agent);
    at = put(at, accepts, sizeof accepts - 1);
    for (int i = 0; i < request->header_count; i++) {
        at = put_bytes(at, request->headers[i].name);
        at = put(at, ": ", 2);
        at = put_bytes(at, request->headers[i].value);
        at = put(at, "\r\n", 2);
    }
    at = put(at, "Content-Length: ", 16);
    at = put_bytes(at, bytes_from_int64((int64_t)request->body.len, digits));
    at = put(at, "\r\n\r\n", 4);
    return (size_t)(at - out);
}
