#include "digest.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

/* Mission row 32; FIPS 180-4's own examples; the slip of `echo` without -n. */
static void known_digests(void **state)
{
    static const struct {
        const char *data, *hex;
    } table[] = {
        {"your_api_key", "059911af0740ac63fd06688b02d86086add4bfcf48c346a1bd4ed5d6e8fea683"},
        {"valid_api_key", "cc89459148428cbf172336f7fc6caf31290678a58edcd007cdd77cd81f65494b"},
        {"your_api_key\n", "2af7e7f6496fe146dd055bb38d3fd9e88ecb30259e61498d33585494e0b49636"},
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char hex[DIGEST_HEX_LEN + 1];
        digest_sha256_hex(bytes_of(table[i].data), hex);
        assert_string_equal(hex, table[i].hex);
        unsigned char raw[DIGEST_LEN];
        digest_sha256(bytes_of(table[i].data), raw);
        for (int k = 0; k < DIGEST_LEN; k++) {
            char two[3];
            snprintf(two, sizeof two, "%02x", raw[k]);
            assert_memory_equal(two, hex + 2 * k, 2);
        }
    }
}

static void randomness_fills_all_of_it(void **state)
{
    unsigned char ones[16] = {0}, block[16];
    for (int i = 0; i < 64; i++) { /* a byte that is 0 sixty-four times over is not filled */
        digest_random(block, sizeof block);
        for (size_t k = 0; k < sizeof block; k++)
            ones[k] |= block[k];
    }
    for (size_t k = 0; k < sizeof ones; k++)
        assert_int_not_equal(ones[k], 0);
}

static void random_hex(void **state)
{
    char a[2 * 16 + 2], b[2 * 16 + 2];
    a[33] = b[33] = '#';
    digest_random_hex(a, 16);
    digest_random_hex(b, 16);
    assert_int_equal(strlen(a), 32);
    assert_int_equal(strspn(a, "0123456789abcdef"), 32);
    assert_string_not_equal(a, b);
    assert_int_equal(a[33], '#');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),
        cmocka_unit_test(randomness_fills_all_of_it),
        cmocka_unit_test(random_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
