#include "precondition.h"

static const char if_match[] = "If-Match", if_none_match[] = "If-None-Match";

static bool is_given(const struct listener_request *request, const char *name)
{
    return listener_header(request, name, NULL).data != NULL;
}

bool precondition_is_given(const struct listener_request *request)
{
    return is_given(request, if_match) || is_given(request, if_none_match);
}

/* Without what is behind a semicolon, and without the quote at the end. */
static struct bytes state_of(struct bytes etag)
{
    const char *end = memchr(etag.data, ';', etag.len);
    return bytes_make(etag.data, end ? (size_t)(end - etag.data) : etag.len - 1);
}

enum { WEAK = 1, STATE = 2 };

/* WEAK: W/ makes no difference, RFC 9110 section 8.8.3.2. STATE: nor does what is behind a semicolon. */
static bool has_etag(struct bytes list, const char *etag, int how)
{
    list = bytes_trim(list);
    if (bytes_equal_text(list, "*"))
        return etag != NULL;
    while (list.len && etag) {
        struct bytes one = bytes_trim(bytes_cut(&list, ','));
        if ((how & WEAK) && bytes_starts(one, "W/"))
            one = bytes_make(one.data + 2, one.len - 2);
        if (bytes_equal_text(one, etag) || ((how & STATE) && one.len && one.data[one.len - 1] == '"' &&
                                            bytes_equal(state_of(one), state_of(bytes_of(etag)))))
            return true;
    }
    return false;
}

/* In any of the headers of this name: a list may come in several lines. */
static bool is_listed(const struct listener_request *request, const char *name, const char *etag, int how)
{
    for (int i = 0; i < request->header_count; i++) {
        const struct header *header = &request->headers[i];
        if (header->name.len == strlen(name) && bytes_equal_nocase(header->name, name) &&
            has_etag(header->value, etag, how))
            return true;
    }
    return false;
}

enum precondition precondition_judge(const struct listener_request *request, const char *etag)
{
    struct bytes method = request->method;
    bool read = bytes_equal_text(method, "GET") || bytes_equal_text(method, "HEAD");
    if (!etag && !bytes_equal_text(method, "PUT"))
        return PRECONDITION_HOLDS;
    int how = read ? 0 : STATE;
    if (is_given(request, if_match) && !is_listed(request, if_match, etag, how))
        return PRECONDITION_IF_MATCH;
    if (!is_listed(request, if_none_match, etag, how | WEAK))
        return PRECONDITION_HOLDS;
    return read ? PRECONDITION_NOT_MODIFIED : PRECONDITION_IF_NONE_MATCH;
}
