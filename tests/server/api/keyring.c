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
    char key[32], digest[65];
    name_key(i, key);
    digest_sha256_hex(bytes_of(key), digest);
    assert_true(keyring_put_key(keyring, i + 1, 5 + i % 7, digest));
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
            if (!dropped)
                assert_int_equal(caller.user_id, 5 + i % 7);
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
    char digest[65] = "";
    assert_false(keyring_put_key(keyring, 1, 5, digest));
    digest_sha256_hex(bytes_of("k"), digest);
    digest[63] = 'G';
    assert_false(keyring_put_key(keyring, 1, 5, digest));
    struct caller caller;
    digest_sha256_hex(bytes_of("key-1"), digest);
    assert_true(keyring_put_key(keyring, 1, 5, digest));
    assert_int_equal(ask(keyring, 1, &caller), KEYRING_UNKNOWN); /* a key without its user is nobody's */
    keyring_close(keyring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_keys_come_and_go),
        cmocka_unit_test(test_many_users),
        cmocka_unit_test(test_damaged_digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
