/* An event document as strangers send it. An accepted document must lay out to one that is accepted too and
 * lays out to itself; json-c, the second opinion, must be able to read it. */
#include "event.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct posthorn_event *event, *again;
    struct posthorn_problem problem;
    enum posthorn_result result = posthorn_parse((const char *)data, size, &event, &problem);

    if (result != POSTHORN_OK) {
        if (event || problem.offset > size)
            abort();
        return 0;
    }
    struct posthorn_text pretty = ph_event_pretty(event);
    if (posthorn_parse(pretty.data, pretty.len, &again, NULL) != POSTHORN_OK)
        abort();
    struct posthorn_text twice = ph_event_pretty(again);
    struct posthorn_text id = posthorn_event_id(event), id_again = posthorn_event_id(again);
    if (twice.len != pretty.len || memcmp(twice.data, pretty.data, twice.len) != 0 || id.len == 0 ||
        id.len != id_again.len || memcmp(id.data, id_again.data, id.len) != 0)
        abort();
    posthorn_event_free(event);
    posthorn_event_free(again);
    return 0;
}
