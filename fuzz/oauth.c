/* A token server's answer. A token that is taken can stand in a header; what is not taken has a reason, and
 * no word of the answer is in it. */
#include "oauth.h"
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte: which status, and whether it is JSON and whole. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct oauth_answer answer;
    struct arena arena;
    if (size < 1 || size > 1 << 14)
        return 0;
    char *body = malloc(size); /* its end is the end of the memory */
    assert(body);
    memcpy(body, data + 1, size - 1);
    int status = data[0] & 4 ? 400 : 200;
    bool json = !(data[0] & 1), whole = !(data[0] & 2);
    arena_init(&arena, 1 << 20);
    oauth_answer_read(&answer, status, json, whole, bytes_make(body, size - 1), &arena);
    assert((answer.token.len > 0) == (answer.flaw == NULL));
    assert(memcmp(body, data + 1, size - 1) == 0);
    if (answer.token.len > 0) {
        assert(status == 200 && json && whole && !answer.code && answer.token.len <= OAUTH_TOKEN_LEN_MAX);
        assert(answer.expires_in_s >= 1 && answer.expires_in_s <= OAUTH_EXPIRES_S_MAX);
        for (size_t i = 0; i < answer.token.len; i++)
            assert(answer.token.data[i] > ' ' && answer.token.data[i] < 0x7f);
    }
    assert(!answer.code || (status != 200 && json && whole));
    arena_fini(&arena);
    free(body);
    return 0;
}
