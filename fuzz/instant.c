/* Dates as strangers write them: created_at of an event, and the HTTP-date of a Retry-After. An
 * accepted date comes back the same when it is written and read again. */
#include "instant.h"
#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = bytes_make(data, size);
    int64_t wall_ms, again_ms;
    char written[INSTANT_LEN], written_http[30];
    if (instant_parse(text, &wall_ms)) {
        instant_format(wall_ms, written); /* asserts years 0000 to 9999 */
        assert(instant_parse(bytes_make(written, sizeof written), &again_ms) && again_ms == wall_ms);
        assert(size >= 20 && (size != INSTANT_LEN || data[23] != 'Z' || memcmp(written, data, 10) == 0));
    }
    if (instant_parse_http(text, &wall_ms)) {
        assert(wall_ms % 1000 == 0 && size >= 24 && size <= 33);
        instant_format_http(wall_ms, written_http);
        assert(instant_parse_http(bytes_of(written_http), &again_ms) && again_ms == wall_ms);
    }
    return 0;
}
