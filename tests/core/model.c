#include "model.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void types(void **state)
{
    static const char *const good[] = {"user_enabled", "a",   "A.b-c_9",
                                       "...",          "a..", "concierge_request_output_working"};
    static const char *const bad[] = {"",     ".",   "..",  "a/b", "../x",  "a b", "a\r\nb", "\xc3\xb1",
                                      "a\\b", "a:b", "a%b", "\"",  "a\x7f", "<a>", "a;b",    "a@b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!model_type_valid(bytes_of(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (model_type_valid(bytes_of(bad[i])))
            fail_msg("accepted: %s", bad[i]);
    assert_false(model_type_valid(bytes_make("a\0b", 3)));
    char text[MODEL_TYPE_LEN_MAX + 1];
    memset(text, 'x', sizeof text);
    assert_true(model_type_valid(bytes_make(text, MODEL_TYPE_LEN_MAX)));
    assert_false(model_type_valid(bytes_make(text, MODEL_TYPE_LEN_MAX + 1)));
}

static void ids(void **state)
{
    static const char *const good[] = {"1", "a/b", "ñ😀", "with space", "..", "\"", "\xc2\xa0"};
    static const char *const bad[] = {"",         "\n",   "a\x01", "\x7f",        "\xc2\x80",
                                      "\xc2\x9f", "\xff", "\xc3",  "\xed\xa0\x80"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!model_id_valid(bytes_of(good[i])))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (model_id_valid(bytes_of(bad[i])))
            fail_msg("accepted: %zu", i);
    assert_false(model_id_valid(bytes_make("a\0b", 3)));
    char text[MODEL_ID_LEN_MAX + 1];
    memset(text, 'x', sizeof text);
    assert_true(model_id_valid(bytes_make(text, MODEL_ID_LEN_MAX)));
    assert_false(model_id_valid(bytes_make(text, MODEL_ID_LEN_MAX + 1)));
}

static void state_names(void **state)
{
    assert_string_equal(delivery_state_names[DELIVERY_PENDING], "pending");
    assert_string_equal(delivery_state_names[DELIVERY_DELIVERED], "delivered");
    assert_string_equal(delivery_state_names[DELIVERY_GIVEN_UP], "given_up");
    assert_string_equal(delivery_state_names[DELIVERY_CANCELLED], "cancelled");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types),
        cmocka_unit_test(ids),
        cmocka_unit_test(state_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
