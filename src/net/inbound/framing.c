#include "framing.h"
#include "grammar.h"

/* No control bytes, nothing beyond ASCII, every % followed by two digits, and never %00. */
static bool path_is_sound(struct bytes path)
{
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.data[i];
        if (c <= 0x20 || c >= 0x7f)
            return false;
        if (c != '%')
            continue;
        if (path.len - i < 3)
            return false;
        int high = grammar_hex_value(path.data[i + 1]), low = grammar_hex_value(path.data[i + 2]);
        if (high < 0 || low < 0 || (high == 0 && low == 0))
            return false;
        i += 2;
    }
    return true;
}

static bool query_is_sound(struct bytes query)
{
    for (size_t i = 0; i < query.len; i++) {
        unsigned char c = (unsigned char)query.data[i];
        if (c <= 0x20 || c >= 0x7f)
            return false;
    }
    return true;
}

static bool method_is_served(struct bytes method)
{
    static const char *const served[] = {"POST", "GET", "PATCH", "DELETE", "HEAD", "PUT", "OPTIONS"};
    for (size_t i = 0; i < sizeof served / sizeof *served; i++)
        if (bytes_equal_text(method, served[i]))
            return true;
    return false;
}

/* The bytes of uri-host [ ":" port ] (RFC 3986 section 3.2.2), in any order. No "@": a user is an
 * error in http (RFC 9110 section 4.2.4). */
static bool host_is_sound(struct bytes host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.data[i];
        bool outside = c == '#' || c == '^' || c == '`' || c == '|';
        if (grammar_is_token(c) ? outside : c == '\0' || !strchr("()[]:,;=%", c))
            return false;
    }
    return true;
}

/* "http://host:port/path" becomes "/path": RFC 9112 section 3.2.2 requires absolute form. A target without a
 * valid host stays as it is; it is not a path. */
static struct bytes origin_form(struct bytes target)
{
    size_t scheme_len = 0;
    if (target.len >= 7 && bytes_equal_nocase(bytes_make(target.data, 7), "http://"))
        scheme_len = 7;
    else if (target.len >= 8 && bytes_equal_nocase(bytes_make(target.data, 8), "https://"))
        scheme_len = 8;
    if (scheme_len == 0)
        return target;
    struct bytes rest = bytes_make(target.data + scheme_len, target.len - scheme_len);
    const char *slash = memchr(rest.data, '/', rest.len);
    struct bytes host = slash ? bytes_make(rest.data, (size_t)(slash - rest.data)) : rest;
    if (host.len == 0 || !host_is_sound(host))
        return target;
    return slash ? bytes_make(slash, rest.len - host.len) : bytes_of("/");
}

int framing_target(struct bytes method, struct bytes target, struct bytes *path, struct bytes *query)
{
    *path = *query = bytes_of("");
    if (!grammar_is_token_text(method))
        return 400;
    struct bytes origin = origin_form(target);
    const char *mark = origin.len ? memchr(origin.data, '?', origin.len) : NULL;
    *path = mark ? bytes_make(origin.data, (size_t)(mark - origin.data)) : origin;
    if (mark)
        *query = bytes_make(mark + 1, origin.len - path->len - 1);
    if (!method_is_served(method))
        return 405; /* with the path, because the allowed methods depend on it */
    bool asterisk = bytes_equal_text(origin, "*") && bytes_equal_text(method, "OPTIONS");
    if (!asterisk && (path->len == 0 || path->data[0] != '/'))
        return 400;
    return path_is_sound(*path) && query_is_sound(*query) ? 0 : 400;
}

/* The headers that frame a message, gathered in one pass. */
struct frame {
    int hosts, lengths, codings;
    bool lengths_differ;
    struct bytes host, length, coding;
};

static void frame_add(struct frame *frame, const struct header *header)
{
    switch (header->name.len) {
    case 4:
        if (bytes_equal_nocase(header->name, "Host")) {
            frame->hosts++;
            frame->host = header->value;
        }
        break;
    case 14:
        if (bytes_equal_nocase(header->name, "Content-Length")) {
            if (frame->lengths++ > 0 && !bytes_equal(frame->length, header->value))
                frame->lengths_differ = true;
            frame->length = header->value;
        }
        break;
    case 17:
        if (bytes_equal_nocase(header->name, "Transfer-Encoding")) {
            frame->codings++;
            frame->coding = header->value;
        }
        break;
    default:
        break;
    }
}

int framing_headers(const struct listener_request *request, bool http_1_0, struct framing_body *body)
{
    struct frame frame = {0};
    for (int i = 0; i < request->header_count; i++) {
        const struct header *header = &request->headers[i];
        if (!grammar_is_token_text(header->name) || !grammar_is_value(header->value))
            return 400;
        frame_add(&frame, header);
    }
    body->chunked = false;
    body->length = -1;
    if (frame.hosts > 1 || (frame.hosts == 0 && !http_1_0))
        return 400;
    if (frame.hosts == 1 && !host_is_sound(frame.host))
        return 400;
    if (frame.lengths_differ || (frame.lengths > 0 && frame.codings > 0))
        return 400;
    if (frame.codings > 0) {
        if (http_1_0)
            return 400;
        if (frame.codings > 1 || !bytes_equal_nocase(frame.coding, "chunked"))
            return 501;
        body->chunked = true;
    }
    if (frame.lengths > 0)
        body->length = grammar_number(frame.length);
    if (frame.lengths > 0 && body->length < 0)
        return body->length == -1 ? 400 : 413;
    return 0;
}
