#include "arena.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

static void alignment_and_content(void **state)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    unsigned char *blocks[200];
    for (size_t i = 0; i < 200; i++) {
        blocks[i] = arena_alloc(&arena, i);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], (int)i, i);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t k = 0; k < i; k++)
            assert_int_equal(blocks[i][k], i);
    assert_int_equal(arena.used, 199 * 200 / 2);
    arena_fini(&arena);
}

static void the_maximum_is_exact(void **state)
{
    struct arena arena;
    arena_init(&arena, 10000);
    assert_non_null(arena_alloc(&arena, 9999));
    assert_null(arena_alloc(&arena, 2));
    assert_non_null(arena_alloc(&arena, 1));
    assert_null(arena_alloc(&arena, 1));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_zero(&arena, 1));
    assert_null(arena_printf(&arena, "x"));
    assert_null(arena_copy(&arena, bytes_of("")).data);
    arena_fini(&arena);
}

static void a_reset_keeps_the_first_block_only(void **state)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    void *first = arena_alloc(&arena, 100);
    for (int i = 0; i < 100; i++)
        arena_alloc(&arena, 5000);
    arena_reset(&arena);
    assert_int_equal(arena.used, 0);
    assert_ptr_equal(arena_alloc(&arena, 100), first);
    arena_reset(&arena);
    assert_ptr_equal(arena_alloc(&arena, 100), first);
    arena_fini(&arena);
}

static void zero_is_zero_after_use(void **state)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    memset(arena_alloc(&arena, 512), 0xaa, 512);
    arena_reset(&arena);
    const unsigned char *block = arena_zero(&arena, 512);
    for (int i = 0; i < 512; i++)
        assert_int_equal(block[i], 0);
    arena_fini(&arena);
}

static void copies_end_with_a_nul(void **state)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct bytes copy = arena_copy(&arena, bytes_make("abcdef", 3));
    assert_int_equal(copy.len, 3);
    assert_string_equal(copy.data, "abc");
    copy = arena_copy(&arena, bytes_make(NULL, 0));
    assert_string_equal(copy.data, "");
    assert_string_equal(arena_printf(&arena, "%d-%s", 42, "x"), "42-x");
    arena_fini(&arena);
}

static void only_the_newest_grows_in_place(void **state)
{
    struct arena arena;
    arena_init(&arena, 2000);
    char *a = arena_alloc(&arena, 10), *b = arena_alloc(&arena, 10);
    assert_false(arena_extend(&arena, a, 10, 100));
    assert_true(arena_extend(&arena, b, 10, 100));
    assert_int_equal(arena.used, 110);
    char *c = arena_alloc(&arena, 1);
    assert_true(c >= b + 100);
    assert_false(arena_extend(&arena, c, 1, 5000)); /* beyond the maximum */
    assert_int_equal(arena.used, 111);
    arena_fini(&arena);
}

static void growing_within_a_full_block_fails(void **state)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    char *a = arena_alloc(&arena, 4000);
    assert_false(arena_extend(&arena, a, 4000, 8000));
    assert_int_equal(arena.used, 4000);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alignment_and_content),
        cmocka_unit_test(the_maximum_is_exact),
        cmocka_unit_test(a_reset_keeps_the_first_block_only),
        cmocka_unit_test(zero_is_zero_after_use),
        cmocka_unit_test(copies_end_with_a_nul),
        cmocka_unit_test(only_the_newest_grows_in_place),
        cmocka_unit_test(growing_within_a_full_block_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
