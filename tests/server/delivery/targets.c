/* What a cache must never do: answer with what was true before. */
#include "targets.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct bench {
    struct targets *targets;
    struct guard guard;
};

static int set_up(void **state)
{
    static struct bench bench;
    bench.targets = targets_open();
    guard_init(&bench.guard);
    *state = &bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    targets_close(bench->targets);
    return 0;
}

static const struct url *find(struct bench *bench, int64_t endpoint_id, const char *url)
{
    char text[256]; /* the box is filled anew each time: nothing may look at it later */
    struct store_work work = {.endpoint_id = endpoint_id, .url = {text, strlen(url)}};
    memcpy(text, url, work.url.len);
    const struct url *found = targets_find(bench->targets, &bench->guard, &work);
    memset(text, '#', sizeof text);
    return found;
}

static void assert_leads_to(const struct url *url, const char *host, const char *target)
{
    assert_non_null(url);
    assert_string_equal(url->host, host);
    assert_true(bytes_equal_text(url->authority, host));
    assert_true(bytes_equal_text(url->target, target));
}

static void its_own_text(void **state)
{
    for (int again = 0; again < 3; again++)
        assert_leads_to(find(*state, 5, "https://a.example.com/one"), "a.example.com", "/one");
}

static void another_url_of_the_same_endpoint(void **state)
{
    assert_leads_to(find(*state, 5, "https://a.example.com/one"), "a.example.com", "/one");
    assert_leads_to(find(*state, 5, "https://a.example.com/two"), "a.example.com", "/two");
    assert_leads_to(find(*state, 5, "https://a.example.com/tw"), "a.example.com", "/tw");
    assert_leads_to(find(*state, 5, "https://a.example.com/one"), "a.example.com", "/one");
}

static void two_endpoints_of_one_place(void **state)
{
    for (int64_t i = 0; i < 5000; i++)
        assert_leads_to(find(*state, i, i % 2 ? "https://a.example.com/" : "https://b.example.com/"),
                        i % 2 ? "a.example.com" : "b.example.com", "/");
}

static void what_is_not_allowed(void **state)
{
    for (int again = 0; again < 2; again++) {
        assert_null(find(*state, 5, ""));
        assert_null(find(*state, 6, "https://a.example.com/#x"));
        assert_null(find(*state, 7, "http://a.example.com/"));
        assert_null(find(*state, 8, "https://127.0.0.1/"));
    }
    assert_leads_to(find(*state, 8, "https://a.example.com/"), "a.example.com", "/");
}

static void a_guard_that_changed(void **state)
{
    struct bench *bench = *state;
    struct sockaddr_in ours = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x05060708)};
    assert_leads_to(find(bench, 5, "https://5.6.7.8/"), "5.6.7.8", "/");
    assert_true(guard_add_local(&bench->guard, (const struct sockaddr *)&ours));
    targets_forget(bench->targets);
    assert_null(find(bench, 5, "https://5.6.7.8/"));
    guard_init(&bench->guard);
    targets_forget(bench->targets);
    assert_leads_to(find(bench, 5, "https://5.6.7.8/"), "5.6.7.8", "/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(its_own_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_url_of_the_same_endpoint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_endpoints_of_one_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_allowed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_guard_that_changed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
