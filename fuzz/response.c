/* A receiver's answer. However the bytes are cut into pieces, the verdict is the same; and Retry-After
 * is never anything but absent or a time that can be waited. */
#include "response.h"
#include <assert.h>
#include <stdlib.h>

enum { WALL_MS = 1700000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Feeds in pieces of `piece` bytes, then closes. */
static struct response *read_in_pieces(void *memory, const uint8_t *data, size_t size, size_t piece)
{
    struct response *response = response_init(memory);
    for (size_t at = 0; at < size;) {
        size_t len = size - at < piece ? size - at : piece;
        size_t used = response_feed(response, bytes_make(data + at, len));
        assert(used <= len);
        at += used;
        if (response_stage(response) >= RESPONSE_DONE)
            break;
        assert(used == len);
    }
    if (response_stage(response) < RESPONSE_DONE)
        response_end(response);
    assert(response_stage(response) >= RESPONSE_DONE);
    return response;
}

static void check(const struct response *response)
{
    int64_t retry_after_ms = response_retry_after_ms(response, WALL_MS);
    int status = response_status(response);
    assert(retry_after_ms >= -1);
    assert(status == 0 || (status >= 200 && status <= 999));
    assert(response_body(response).len <= RESPONSE_BODY_KEPT_MAX);
    if (response_stage(response) == RESPONSE_FAILED)
        assert(response_failure(response) != FAILURE_NONE && !response_keep_alive(response));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 2 * RESPONSE_BODY_READ_MAX)
        return 0;
    void *memory = malloc(response_size()), *memory_cut = malloc(response_size());
    assert(memory && memory_cut);
    struct response *whole = read_in_pieces(memory, data, size, size + 1);
    check(whole);
    for (size_t piece = 1; piece <= 7; piece += 3) {
        struct response *cut = read_in_pieces(memory_cut, data, size, piece);
        check(cut);
        assert(response_stage(cut) == response_stage(whole));
        assert(response_failure(cut) == response_failure(whole));
        assert(response_status(cut) == response_status(whole));
        assert(response_keep_alive(cut) == response_keep_alive(whole));
        assert(response_retry_after_ms(cut, WALL_MS) == response_retry_after_ms(whole, WALL_MS));
        if (response_status(whole)) /* of what is no answer, as much is kept as came at once */
            assert(bytes_equal(response_body(cut), response_body(whole)));
    }
    free(memory);
    free(memory_cut);
    return 0;
}
