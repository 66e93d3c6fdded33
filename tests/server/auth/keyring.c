/* The keyring by itself: thousands of keys come and go, and none is mistaken for another. */
#include "keyring.h"
#include "digest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { KEYS = 3000 };

static void name_key(int i, char key[32])
{
    snprintf(key, 32, "key-%d", i);
}

static void put(struct keyring *keyring, int i)
{
    char key[32];
    struct api_key made = {.id = i + 1, .user_id = 5 + i % 7};
    name_key(i, key);
    digest_sha256_hex(bytes_of(key), made.digest);
    /* Each with its own list, so that a slot that moves takes it along. */
    char network[32];
    snprintf(network, sizeof network, "10.%d.%d.0/24", i / 256, i % 256);
    made.allow_from = bytes_of(network);
    assert_true(keyring_put_key(keyring, &made));
}

static enum keyring_verdict ask(struct keyring *keyring, int i, struct caller *caller)
{
    char key[32];
    name_key(i, key);
    return keyring_authenticate(keyring, bytes_of(key), caller);
}

static void test_many_keys_come_and_go(void **state)
{
    struct keyring *keyring = keyring_open();
    struct caller caller;
    for (int64_t user = 5; user < 12; user++)
        keyring_put_user(keyring, user, user == 5 ? USER_MASTER : USER_REGULAR, user == 5 ? 0 : 5);
    for (int i = 0; i < KEYS; i++)
        put(keyring, i);
    for (int round = 0; round < 3; round++) {
        for (int i = round; i < KEYS; i += 3)
            keyring_drop_key(keyring, i + 1);
        for (int i = 0; i < KEYS; i++) {
            bool dropped = i % 3 <= round;
            assert_int_equal(ask(keyring, i, &caller), dropped ? KEYRING_UNKNOWN : KEYRING_OK);
            assert_int_equal(keyring_key_user(keyring, i + 1), dropped ? 0 : 5 + i % 7);
            if (dropped)
                continue;
            char inside[32], outside[32];
            snprintf(inside, sizeof inside, "10.%d.%d.9", i / 256, i % 256);
            snprintf(outside, sizeof outside, "10.%d.%d.9", i / 256, (i + 1) % 256);
            assert_int_equal(caller.user_id, 5 + i % 7);
            assert_int_equal(caller.key_id, i + 1);
            assert_true(caller.restricted && keyring_admits(keyring, &caller, inside));
            assert_false(keyring_admits(keyring, &caller, outside));
        }
    }
    put(keyring, 0);
    assert_int_equal(ask(keyring, 0, &caller), KEYRING_OK);
    keyring_drop_key(keyring, 4711);
    keyring_drop_key(keyring, 0);
    keyring_close(keyring);
}

static void test_many_users(void **state)
{
    struct keyring *keyring = keyring_open();
    struct caller master = {.user_id = 5, .role = USER_MASTER}, other = {.user_id = 6, .role = USER_MASTER};
    struct caller regular = {.user_id = 100, .role = USER_REGULAR};
    keyring_put_user(keyring, 5, USER_MASTER, 0);
    keyring_put_user(keyring, 6, USER_MASTER, 5);
    for (int64_t id = 100; id < 100 + KEYS; id++)
        keyring_put_user(keyring, id, USER_REGULAR, 5 + (id & 1));
    for (int64_t id = 100; id < 100 + KEYS; id++) {
        assert_int_equal(keyring_may_see(keyring, &master, id), !(id & 1));
        assert_int_equal(keyring_may_see(keyring, &other, id), id & 1);
        assert_int_equal(keyring_may_see(keyring, &regular, id), id == 100);
    }
    assert_false(keyring_may_see(keyring, &master, 99));
    assert_false(keyring_may_see(keyring, &master, 0));
    assert_false(keyring_may_see(keyring, &other, 5));
    keyring_close(keyring);
}

static void test_damaged_digests(void **state)
{
    struct keyring *keyring = keyring_open();
    struct api_key key = {.id = 1, .user_id = 5};
    assert_false(keyring_put_key(keyring, &key));
    digest_sha256_hex(bytes_of("k"), key.digest);
    key.digest[63] = 'G';
    assert_false(keyring_put_key(keyring, &key));
    struct caller caller;
    digest_sha256_hex(bytes_of("key-1"), key.digest);
    assert_true(keyring_put_key(keyring, &key));
    assert_int_equal(ask(keyring, 1, &caller), KEYRING_UNKNOWN); /* a key without its user is nobody's */
    keyring_close(keyring);
}

/* A list that is damaged opens nothing. */
static void test_damaged_lists(void **state)
{
    static const char *const lists[] = {"everything",  "10.0.0.0/8:80",  "10.0.0.1/8", "10.0.0.0/8  ::1",
                                        " 10.0.0.0/8", "10.0.0.0/8,::1", "10.0.0.0/33"};
    struct keyring *keyring = keyring_open();
    struct network networks[KEYRING_NETWORKS_MAX];
    struct api_key key = {.id = 1, .user_id = 5};
    struct caller caller;
    char many[(KEYRING_NETWORKS_MAX + 1) * 8] = "";
    keyring_put_user(keyring, 5, USER_MASTER, 0);
    digest_sha256_hex(bytes_of("key-1"), key.digest);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        key.allow_from = bytes_of(lists[i]);
        if (keyring_put_key(keyring, &key))
            fail_msg("%s is taken", lists[i]);
    }
    assert_int_equal(ask(keyring, 1, &caller), KEYRING_UNKNOWN);
    for (int i = 0; i <= KEYRING_NETWORKS_MAX; i++)
        strcat(many, i ? " ::1" : "::1");
    assert_int_equal(keyring_read_networks(bytes_of(many), networks), -1);
    assert_int_equal(keyring_read_networks(bytes_of(strchr(many, ' ') + 1), networks), KEYRING_NETWORKS_MAX);
    assert_int_equal(keyring_read_networks(bytes_of(""), networks), 0);
    keyring_close(keyring);
}

static void test_terms(void **state)
{
    struct keyring *keyring = keyring_open();
    struct api_key key = {.id = 1, .user_id = 5, .allow_from = bytes_of("192.0.2.0/24 2001:db8::/32")};
    const struct rate rate = {.per_s = 5, .burst = 2};
    struct caller caller;
    keyring_put_user(keyring, 5, USER_MASTER, 0);
    digest_sha256_hex(bytes_of("key-1"), key.digest);
    assert_true(keyring_put_key(keyring, &key));
    assert_int_equal(ask(keyring, 1, &caller), KEYRING_OK);
    assert_true(keyring_admits(keyring, &caller, "192.0.2.1") &&
                keyring_admits(keyring, &caller, "2001:db8:1::1"));
    assert_false(keyring_admits(keyring, &caller, "192.0.3.1") || keyring_admits(keyring, &caller, "::1"));
    assert_false(keyring_admits(keyring, &caller, "") || keyring_admits(keyring, &caller, "nonsense"));
    assert_true(keyring_spend(keyring, &caller, &rate, 0).allowed);
    assert_true(keyring_spend(keyring, &caller, &rate, 0).allowed);
    assert_false(keyring_spend(keyring, &caller, &rate, 0).allowed);
    /* New terms: the list is gone, the bucket is as empty as it was. */
    key.allow_from = bytes_of("");
    assert_true(keyring_put_key(keyring, &key));
    assert_true(keyring_admits(keyring, &caller, "192.0.3.1"));
    assert_false(keyring_spend(keyring, &caller, &rate, 199).allowed);
    assert_true(keyring_spend(keyring, &caller, &rate, 200).allowed);
    /* 8.23: another key of the user spends the same bucket, until it has a pace of its own. */
    struct api_key second = {.id = 2, .user_id = 5};
    struct caller other;
    digest_sha256_hex(bytes_of("key-2"), second.digest);
    assert_true(keyring_put_key(keyring, &second));
    assert_int_equal(ask(keyring, 2, &other), KEYRING_OK);
    assert_false(keyring_spend(keyring, &other, &rate, 200).allowed);
    second.rate_per_s = 3;
    keyring_change_key(keyring, &second, STORE_KEY_RATE);
    assert_true(keyring_spend(keyring, &other, &rate, 200).allowed);
    key.rate_per_s = 7;
    assert_true(keyring_put_key(keyring, &key));
    assert_int_equal(ask(keyring, 1, &caller), KEYRING_OK);
    assert_false(caller.restricted);
    assert_int_equal(caller.rate_per_s, 7);
    /* Revoked while the request is under way. */
    keyring_drop_key(keyring, 1);
    assert_false(keyring_admits(keyring, &caller, "192.0.2.1"));
    assert_true(keyring_spend(keyring, &caller, &rate, 200).allowed);
    keyring_close(keyring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_keys_come_and_go),
        cmocka_unit_test(test_many_users),
        cmocka_unit_test(test_damaged_digests),
        cmocka_unit_test(test_damaged_lists),
        cmocka_unit_test(test_terms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
