#include "source_addresses.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct source_addresses make(const char *const *texts)
{
    struct source_addresses sources = {.count = 0};
    for (; *texts; texts++)
        assert_true(source_addresses_add(&sources, bytes_of(*texts)));
    return sources;
}

static void what_is_an_address(void **state)
{
    struct source_addresses sources = {.count = 0};
    static const char *const refused[] = {"",      "localhost", "192.0.2.1/32", "192.0.2.1:80",
                                          "[::1]", "192.0.2",   "::1%lo"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_false(source_addresses_add(&sources, bytes_of(refused[i])));
    assert_true(source_addresses_add(&sources, bytes_of("192.0.2.1")));
    assert_true(source_addresses_add(&sources, bytes_of("2001:db8::1")));
    assert_false(source_addresses_add(&sources, bytes_of("192.0.2.1")));
    assert_false(source_addresses_add(&sources, bytes_of("2001:db8::1")));
    assert_int_equal(sources.count, 2);
    for (int i = 2; i < SOURCE_ADDRESSES_MAX; i++) {
        char text[32];
        snprintf(text, sizeof text, "10.0.0.%d", i);
        assert_true(source_addresses_add(&sources, bytes_of(text)));
    }
    assert_false(source_addresses_add(&sources, bytes_of("10.9.9.9")));
}

static void which_families(void **state)
{
    const struct source_addresses none = {.count = 0}, v4 = make((const char *[]){"127.0.0.2", NULL}),
                                  both = make((const char *[]){"127.0.0.2", "::1", NULL});
    assert_true(source_addresses_cover(&none, AF_INET) && source_addresses_cover(&none, AF_INET6));
    assert_true(source_addresses_cover(&v4, AF_INET));
    assert_false(source_addresses_cover(&v4, AF_INET6));
    assert_true(source_addresses_cover(&both, AF_INET) && source_addresses_cover(&both, AF_INET6));
}

static void which_are_ours(void **state)
{
    const struct source_addresses ours = make((const char *[]){"127.0.0.1", "127.0.0.2", NULL});
    const struct source_addresses strange =
        make((const char *[]){"127.0.0.1", "192.0.2.77", "127.0.0.2", NULL});
    const struct source_addresses none = {.count = 0};
    assert_int_equal(source_addresses_check(&ours), -1);
    assert_int_equal(source_addresses_check(&strange), 1);
    assert_int_equal(source_addresses_check(&none), -1);
}

/* ---- what the other end sees ---- */

static void on_connected(uv_connect_t *request, int status)
{
    assert_int_equal(status, 0);
    uv_close((uv_handle_t *)request->handle, NULL);
}

/* The address from which a connection arrives. */
static const char *seen_from(struct source_addresses *sources, char out[INET_ADDRSTRLEN])
{
    uv_loop_t loop;
    uv_tcp_t tcp;
    uv_connect_t request;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, peer;
    socklen_t len = sizeof here;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&here, sizeof here), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&here, &len), 0);
    uv_loop_init(&loop);
    uv_tcp_init_ex(&loop, &tcp, AF_INET);
    assert_int_equal(source_addresses_bind(sources, &tcp, AF_INET), 0);
    assert_int_equal(uv_tcp_connect(&request, &tcp, (struct sockaddr *)&here, on_connected), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    len = sizeof peer;
    int fd = accept(listener, (struct sockaddr *)&peer, &len);
    assert_true(fd >= 0);
    close(fd);
    close(listener);
    assert_int_equal(uv_loop_close(&loop), 0);
    return inet_ntop(AF_INET, &peer.sin_addr, out, INET_ADDRSTRLEN);
}

static void each_in_turn(void **state)
{
    struct source_addresses sources = make((const char *[]){"127.0.0.2", "::1", "127.0.0.3", NULL});
    char text[INET_ADDRSTRLEN];
    for (int i = 0; i < 3; i++) {
        assert_string_equal(seen_from(&sources, text), "127.0.0.2");
        assert_string_equal(seen_from(&sources, text), "127.0.0.3");
    }
    struct source_addresses none = {.count = 0};
    assert_string_equal(seen_from(&none, text), "127.0.0.1");
    struct source_addresses one_is_gone = make((const char *[]){"192.0.2.77", "127.0.0.3", NULL});
    for (int i = 0; i < 3; i++)
        assert_string_equal(seen_from(&one_is_gone, text), "127.0.0.3");
}

static void what_cannot_be_bound(void **state)
{
    struct source_addresses v6 = make((const char *[]){"::1", NULL}),
                            strange = make((const char *[]){"192.0.2.77", NULL});
    uv_loop_t loop;
    uv_tcp_t tcp;
    uv_loop_init(&loop);
    uv_tcp_init_ex(&loop, &tcp, AF_INET);
    assert_int_equal(source_addresses_bind(&v6, &tcp, AF_INET), -EAFNOSUPPORT);
    assert_int_equal(source_addresses_bind(&strange, &tcp, AF_INET), -EADDRNOTAVAIL);
    uv_close((uv_handle_t *)&tcp, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_an_address), cmocka_unit_test(which_families),
                                       cmocka_unit_test(which_are_ours), cmocka_unit_test(each_in_turn),
                                       cmocka_unit_test(what_cannot_be_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
