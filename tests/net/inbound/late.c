/* Issue 8.20: the answer to a request that did not come whole. */
#include "listener.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_8_20_a_late_request_in_words(void **state)
{
    static struct listener_request request;
    char said[LISTENER_LATE_LEN];

    listener_say_late(&request, said);
    assert_string_equal(said, "the request's head did not come whole in time");
    request.headers[request.header_count++] = (struct header){bytes_of("Host"), bytes_of("x")};
    request.body_len = 5;
    listener_say_late(&request, said);
    assert_non_null(strstr(said, "5 bytes came, without the last chunk"));
    request.headers[request.header_count++] = (struct header){bytes_of("content-length"), bytes_of("6")};
    listener_say_late(&request, said);
    assert_non_null(strstr(said, "Content-Length says 6 bytes, and only 5 came in time: it is too large"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_8_20_a_late_request_in_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
