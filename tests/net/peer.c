/* Whoever differs in anything from the peer of a connection does not get it, even if the hashes agree. */
#include "peer.h"
#include <setjmp.h>
#include <stdarg.h>
/* after the three above */
#include <cmocka.h>

static struct peer peer_of(int64_t pool_key, const char *text)
{
    struct url url;
    struct peer peer;
    assert_int_equal(url_parse(bytes_of(text), &url), URL_OK);
    peer_init(&peer, pool_key, &url, NULL);
    return peer;
}

static void test_equal(void **state)
{
    struct peer a = peer_of(7, "https://hooks.example.com/a?b"),
                b = peer_of(7, "https://HOOKS.example.com:443/c");
    assert_true(peer_equal(&a, &b)); /* the path is the request's business */
}

static void test_different(void **state)
{
    struct peer peer = peer_of(7, "https://hooks.example.com/"),
                others[] = {
                    peer_of(8, "https://hooks.example.com/"),     peer_of(7, "http://hooks.example.com:443/"),
                    peer_of(7, "https://hooks.example.com:444/"), peer_of(7, "https://hooks.example.org/"),
                    peer_of(7, "https://hooks.example.co/"),
                };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_not_equal(others[i].hash, peer.hash);
        others[i].hash = peer.hash;
        assert_false(peer_equal(&peer, &others[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equal), cmocka_unit_test(test_different)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
