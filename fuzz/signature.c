/* WEBHOOK-AUTH as strangers send it: any number of values of any bytes. It opens if and only if there is
 * exactly one and it is the digest of a key. */
#include "posthorn.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VALUES_MAX = 4 };

/* Values are separated by line feeds, which a header cannot hold. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char of_key[] = "059911af0740ac63fd06688b02d86086add4bfcf48c346a1bd4ed5d6e8fea683";
    static const char of_other[] = "cc89459148428cbf172336f7fc6caf31290678a58edcd007cdd77cd81f65494b";
    const struct posthorn_text keys[2] = {{"your_api_key", 12}, {"valid_api_key", 13}};
    struct posthorn_text values[VALUES_MAX] = {{0}};
    size_t count = 0;
    const char *at = (const char *)data, *end = at + size;

    while (at < end && count < VALUES_MAX) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((line_end ? line_end : end) - at);
        values[count++] = (struct posthorn_text){at, len};
        at += len + 1;
    }
    enum posthorn_result result = posthorn_verify(keys, 2, values, count);
    bool right = count == 1 && values[0].len == 64 &&
                 (memcmp(values[0].data, of_key, 64) == 0 || memcmp(values[0].data, of_other, 64) == 0);
    enum posthorn_result expected = right        ? POSTHORN_OK
                                    : count == 0 ? POSTHORN_AUTH_MISSING
                                    : count > 1  ? POSTHORN_AUTH_DOUBLED
                                                 : POSTHORN_AUTH_WRONG;
    if (result != expected)
        abort();
    return 0;
}
