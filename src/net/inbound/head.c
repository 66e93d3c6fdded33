#include "head.h"
#include "grammar.h"
#include "listener_limits.h"

enum { BLANK_LEN_MAX = 4 }; /* RFC 9112 section 2.2: an empty line before the request line is ignored */

int head_scan(struct head_scan *scan, struct bytes text, size_t *head_len)
{
    *head_len = 0;
    for (;;) {
        const char *feed = memchr(text.data + scan->scanned, '\n', text.len - scan->scanned);
        size_t end = feed ? (size_t)(feed - text.data) : text.len;
        if (scan->fields_at == 0 && end - scan->line_start > LISTENER_LINE_LEN_MAX + 1)
            return 414;
        if (scan->fields_at > 0 && end - scan->fields_at > LISTENER_HEAD_LEN_MAX)
            return 431;
        if (!feed) {
            scan->scanned = text.len;
            return 0;
        }
        if (end == scan->line_start || text.data[end - 1] != '\r')
            return 400; /* a bare LF does not end a line, though other parsers accept it */
        bool empty = end - 1 == scan->line_start;
        if (empty && scan->fields_at > 0) {
            *head_len = end + 1;
            return 0;
        }
        if (empty && end >= BLANK_LEN_MAX)
            return 400;
        if (!empty && scan->fields_at == 0) {
            scan->line_at = scan->line_start;
            scan->fields_at = end + 1;
        }
        scan->scanned = scan->line_start = end + 1;
    }
}

static bool is_version(struct bytes text)
{
    return text.len == 8 && bytes_starts(text, "HTTP/") && text.data[5] >= '0' && text.data[5] <= '9' &&
           text.data[6] == '.' && text.data[7] >= '0' && text.data[7] <= '9';
}

/* `method SP target SP HTTP/1.x`: one space each. */
static int read_line(struct bytes line, struct listener_request *request, struct head_facts *facts)
{
    const char *first = memchr(line.data, ' ', line.len), *last = memrchr(line.data, ' ', line.len);
    if (!first || first == last)
        return 400;
    request->method = bytes_make(line.data, (size_t)(first - line.data));
    request->target = bytes_make(first + 1, (size_t)(last - first - 1));
    struct bytes version = bytes_make(last + 1, (size_t)(line.data + line.len - last - 1));
    facts->http_1_0 = bytes_equal_text(version, "HTTP/1.0");
    if (!facts->http_1_0 && !bytes_equal_text(version, "HTTP/1.1"))
        return is_version(version) ? 505 : 400;
    return framing_target(request->method, request->target, &request->path, &request->query);
}

static int read_field(struct bytes line, struct listener_request *request)
{
    const char *colon = memchr(line.data, ':', line.len);
    if (!colon)
        return 400;
    if (request->header_count == LISTENER_HEADERS_MAX)
        return 431;
    struct header *header = &request->headers[request->header_count++];
    header->name = bytes_make(line.data, (size_t)(colon - line.data));
    header->value = bytes_trim(bytes_make(colon + 1, line.len - header->name.len - 1));
    return 0;
}

static int read_fields(struct bytes fields, struct listener_request *request)
{
    int status = 0;
    while (fields.len > 0 && status == 0) {
        const char *feed = memchr(fields.data, '\n', fields.len); /* after a CR: head_scan has checked */
        size_t len = (size_t)(feed - fields.data);
        status = read_field(bytes_make(fields.data, len - 1), request);
        fields = bytes_make(feed + 1, fields.len - len - 1);
    }
    return status;
}

/* RFC 9112 section 9.3. */
static void read_connection(const struct listener_request *request, struct head_facts *facts)
{
    bool close = false, keep = false;
    for (int i = 0; i < request->header_count; i++) {
        const struct header *header = &request->headers[i];
        if (header->name.len == 10 && bytes_equal_nocase(header->name, "Connection")) {
            close = close || grammar_list_has(header->value, "close");
            keep = keep || grammar_list_has(header->value, "keep-alive");
        } else if (header->name.len == 6 && bytes_equal_nocase(header->name, "Expect")) {
            facts->expects_continue = bytes_equal_nocase(header->value, "100-continue");
        }
    }
    facts->keep_alive = !close && (keep || !facts->http_1_0);
}

int head_read(const struct head_scan *scan, struct bytes head, struct listener_request *request,
              struct head_facts *facts)
{
    *facts = (struct head_facts){.body = {.length = -1}};
    size_t line_len = scan->fields_at - scan->line_at - (sizeof "\r\n" - 1);
    size_t fields_len = head.len - scan->fields_at - (sizeof "\r\n" - 1);
    int line_status = read_line(bytes_make(head.data + scan->line_at, line_len), request, facts);
    int fields_status = read_fields(bytes_make(head.data + scan->fields_at, fields_len), request);
    if (line_status || fields_status)
        return line_status ? line_status : fields_status;
    read_connection(request, facts);
    return framing_headers(request, facts->http_1_0, &facts->body);
}
