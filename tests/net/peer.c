/* A peer that differs in anything from that of a connection does not get it, even if the hashes agree. */
#include "peer.h"
#include <setjmp.h>
#include <stdarg.h>
/* after the three above */
#include <cmocka.h>

static struct peer peer_as(int64_t pool_key, const char *text, const char *server_name)
{
    struct identity_source source = {.server_name = bytes_of(server_name)};
    enum identity_error error;
    struct identity *identity = server_name ? identity_open(&source, &error) : NULL;
    struct url url;
    struct peer peer;
    assert_int_equal(url_parse(bytes_of(text), &url), URL_OK);
    peer_init(&peer, pool_key, &url, identity);
    identity_close(identity);
    return peer;
}

static struct peer peer_of(int64_t pool_key, const char *text)
{
    return peer_as(pool_key, text, NULL);
}

static void test_equal(void **state)
{
    struct peer a = peer_of(7, "https://hooks.example.com/a?b"),
                b = peer_of(7, "https://HOOKS.example.com:443/c");
    assert_true(peer_equal(&a, &b)); /* the path is the request's business */
    a = peer_as(7, "https://hooks.example.com/", "name");
    b = peer_as(7, "https://hooks.example.com/", "name");
    assert_true(peer_equal(&a, &b)); /* an identity is what it is made of */
}

static void test_different(void **state)
{
    struct peer peer = peer_of(7, "https://hooks.example.com/"),
                others[] = {
                    peer_of(8, "https://hooks.example.com/"),
                    peer_of(7, "http://hooks.example.com:443/"),
                    peer_of(7, "https://hooks.example.com:444/"),
                    peer_of(7, "https://hooks.example.org/"),
                    peer_of(7, "https://hooks.example.co/"),
                    peer_as(7, "https://hooks.example.com/", "a"),
                };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_not_equal(others[i].hash, peer.hash);
        others[i].hash = peer.hash;
        assert_false(peer_equal(&peer, &others[i]));
    }
    struct peer a = peer_as(7, "https://hooks.example.com/", "a"),
                b = peer_as(7, "https://hooks.example.com/", "b");
    b.hash = a.hash;
    assert_false(peer_equal(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equal), cmocka_unit_test(test_different)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
