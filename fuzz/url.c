/* A webhook_url as strangers write it. An accepted URL must be its own parts put together again: nothing
 * normalised, nothing dropped, and parsed the same a second time. */
#include "url.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct bytes part, struct bytes whole)
{
    return part.len == 0 || (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = bytes_make(data, size);
    struct url url, again;
    char rebuilt[URL_LEN_MAX + 16];

    if (url_parse(text, &url) != URL_OK)
        return 0;
    assert(size <= URL_LEN_MAX && url.port > 0 && url.host[0] != '\0');
    assert(strspn(url.host, "abcdefghijklmnopqrstuvwxyz0123456789.-_:") == strlen(url.host));
    assert(inside(url.authority, text) && url.target.len > 0);
    assert(inside(url.target, text) || bytes_equal_text(url.target, "/"));

    int len = snprintf(rebuilt, sizeof rebuilt, "%s://%.*s%.*s", url.https ? "https" : "http",
                       BYTES_ARG(url.authority), BYTES_ARG(url.target));
    assert(len > 0 && (size_t)len < sizeof rebuilt);
    if ((size_t)len > URL_LEN_MAX)
        return 0; /* the added "/" made it too long */
    enum url_error error = url_parse(bytes_make(rebuilt, (size_t)len), &again);
    assert(error == URL_OK);
    assert(strcmp(url.host, again.host) == 0 && url.port == again.port && url.https == again.https);
    assert(url.host_kind == again.host_kind && bytes_equal(url.target, again.target));
    return 0;
}
