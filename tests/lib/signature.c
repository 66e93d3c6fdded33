#include "posthorn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct posthorn_text text(const char *data)
{
    return (struct posthorn_text){data, strlen(data)};
}

static void digests_of_the_vectors(void **state)
{
    static const char *const vectors[][2] = {
        {"your_api_key", "059911af0740ac63fd06688b02d86086add4bfcf48c346a1bd4ed5d6e8fea683"},
        {"valid_api_key", "cc89459148428cbf172336f7fc6caf31290678a58edcd007cdd77cd81f65494b"},
        {"your_api_key\n", "2af7e7f6496fe146dd055bb38d3fd9e88ecb30259e61498d33585494e0b49636"},
    };
    char hex[POSTHORN_DIGEST_HEX_LEN + 1];

    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        assert_int_equal(posthorn_digest(text(vectors[i][0]), hex), POSTHORN_OK);
        assert_string_equal(hex, vectors[i][1]);
        assert_int_equal(posthorn_verify_one(vectors[i][0], hex), POSTHORN_OK);
    }
}

static void every_single_wrong_digit_is_seen(void **state)
{
    char hex[POSTHORN_DIGEST_HEX_LEN + 1];

    posthorn_digest(text("your_api_key"), hex);
    for (size_t i = 0; i < POSTHORN_DIGEST_HEX_LEN; i++) {
        char right = hex[i];
        hex[i] = right == '0' ? '1' : '0';
        assert_int_equal(posthorn_verify_one("your_api_key", hex), POSTHORN_AUTH_WRONG);
        hex[i] = right;
    }
    assert_int_equal(posthorn_verify_one("your_api_key", hex), POSTHORN_OK);
}

static void what_is_not_exactly_the_digest_is_wrong(void **state)
{
    static const char right[] = "059911af0740ac63fd06688b02d86086add4bfcf48c346a1bd4ed5d6e8fea683";
    char longer[80];
    static const char *const wrong[] = {"",
                                        "0",
                                        "your_api_key",
                                        "059911AF0740AC63FD06688B02D86086ADD4BFCF48C346A1BD4ED5D6E8FEA683",
                                        "059911af0740ac63fd06688b02d86086add4bfcf48c346a1bd4ed5d6e8fea68",
                                        " 059911af0740ac63fd06688b02d86086add4bfcf48c346a1bd4ed5d6e8fea68",
                                        "0000000000000000000000000000000000000000000000000000000000000000"};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(posthorn_verify_one("your_api_key", wrong[i]), POSTHORN_AUTH_WRONG);
    memcpy(longer, right, 64);
    memcpy(longer + 64, "0", 2);
    assert_int_equal(posthorn_verify_one("your_api_key", longer), POSTHORN_AUTH_WRONG);
}

static void missing_and_doubled_are_told_apart(void **state)
{
    struct posthorn_text key = text("your_api_key");
    struct posthorn_text values[2] = {
        text("059911af0740ac63fd06688b02d86086add4bfcf48c346a1bd4ed5d6e8fea683")};

    values[1] = values[0];
    assert_int_equal(posthorn_verify(&key, 1, values, 1), POSTHORN_OK);
    assert_int_equal(posthorn_verify(&key, 1, values, 0), POSTHORN_AUTH_MISSING);
    assert_int_equal(posthorn_verify(&key, 1, NULL, 0), POSTHORN_AUTH_MISSING);
    assert_int_equal(posthorn_verify(&key, 1, values, 2), POSTHORN_AUTH_DOUBLED);
    assert_int_equal(posthorn_verify_one("your_api_key", NULL), POSTHORN_AUTH_MISSING);
}

static void any_of_several_keys_will_do(void **state)
{
    struct posthorn_text keys[3] = {text("older"), text("your_api_key"), text("newer")};
    char hex[POSTHORN_DIGEST_HEX_LEN + 1];

    for (size_t i = 0; i < 3; i++) {
        posthorn_digest(keys[i], hex);
        struct posthorn_text value = text(hex);
        assert_int_equal(posthorn_verify(keys, 3, &value, 1), POSTHORN_OK);
        assert_int_equal(posthorn_verify(keys, i, &value, 1),
                         i ? POSTHORN_AUTH_WRONG : POSTHORN_BAD_ARGUMENT);
    }
}

/* Nobody may get in because a key was forgotten: the digest of nothing is well known. */
static void an_empty_key_opens_nothing(void **state)
{
    static const char of_nothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    assert_int_equal(posthorn_verify_one("", of_nothing), POSTHORN_BAD_ARGUMENT);
    assert_int_equal(posthorn_verify_one(NULL, of_nothing), POSTHORN_BAD_ARGUMENT);
    assert_int_equal(posthorn_http_status(POSTHORN_BAD_ARGUMENT), 500);
}

static void results_say_what_to_answer(void **state)
{
    for (int result = 0; result < POSTHORN_RESULT_COUNT; result++) {
        int status = posthorn_http_status((enum posthorn_result)result);
        bool kept = result == POSTHORN_OK || result == POSTHORN_DUPLICATE || result == POSTHORN_CONFLICT;
        assert_true(kept ? status == 200 : status >= 400);
        assert_true(strlen(posthorn_result_name((enum posthorn_result)result)) > 0);
        assert_true(strlen(posthorn_result_sentence((enum posthorn_result)result)) > 0);
    }
    assert_int_equal(posthorn_http_status((enum posthorn_result)999), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_of_the_vectors),
        cmocka_unit_test(every_single_wrong_digit_is_seen),
        cmocka_unit_test(what_is_not_exactly_the_digest_is_wrong),
        cmocka_unit_test(missing_and_doubled_are_told_apart),
        cmocka_unit_test(any_of_several_keys_will_do),
        cmocka_unit_test(an_empty_key_opens_nothing),
        cmocka_unit_test(results_say_what_to_answer),
    };
    return cmocka_run_group_tests_name("lib/signature", tests, NULL, NULL);
}
