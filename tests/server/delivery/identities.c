/*
 * Identities at rest.
 */
#include "delivery_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int setup(void **state)
{
    static struct delivery_rig rig;
    delivery_rig_open(&rig);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    delivery_rig_close(*state);
    return 0;
}

static void what_is_sealed_comes_back_and_is_wiped(void **state)
{
    struct delivery_rig *rig = *state;
    struct identity_source source;
    struct bytes sealed = delivery_rig_seal(rig, 5, "name");
    assert_null(memmem(sealed.data, sealed.len, "PRIVATE", 7));
    assert_int_equal(identities_unseal(rig->vault, 5, sealed, &rig->arena, &source), VAULT_OK);
    assert_true(bytes_equal_text(source.certificate, rig->certificate));
    assert_true(bytes_equal_text(source.private_key, rig->key));
    assert_true(bytes_equal_text(source.ca, rig->ca));
    assert_true(bytes_equal_text(source.server_name, "name"));
    struct bytes key = source.private_key;
    identities_wipe(&source);
    assert_int_equal(source.private_key.len, 0);
    for (size_t i = 0; i < key.len; i++)
        assert_int_equal(key.data[i], 0);
}

static void another_endpoint_s_does_not_open(void **state)
{
    struct delivery_rig *rig = *state;
    struct identity_source source;
    assert_int_equal(identities_unseal(rig->vault, 6, delivery_rig_seal(rig, 5, ""), &rig->arena, &source),
                     VAULT_SEALED);
}

/* Sealed rightly, but not by this program. */
static void another_layout_does_not_open(void **state)
{
    static const struct {
        const char *data;
        size_t len;
    } plains[] = {{"", 0},
                  {"\1", 1},
                  {"\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 17},
                  {"\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16},
                  {"\1\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0", 17},
                  {"\1\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0", 17},
                  {"\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0x", 18}};
    struct delivery_rig *rig = *state;
    struct identity_source source;
    for (size_t i = 0; i < sizeof plains / sizeof *plains; i++) {
        struct bytes sealed = vault_seal(rig->vault, bytes_of("identity/5"),
                                         bytes_make(plains[i].data, plains[i].len), &rig->arena);
        assert_int_equal(identities_unseal(rig->vault, 5, sealed, &rig->arena, &source), VAULT_SEALED);
    }
    struct bytes sealed = vault_seal(rig->vault, bytes_of("identity/5"),
                                     bytes_make("\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 17), &rig->arena);
    assert_int_equal(identities_unseal(rig->vault, 5, sealed, &rig->arena, &source), VAULT_OK);
}

static void an_arena_that_is_used_up_is_no_crash(void **state)
{
    struct delivery_rig *rig = *state;
    struct identity_source source;
    struct arena small;
    struct bytes sealed = delivery_rig_seal(rig, 5, "");
    arena_init(&small, 256);
    source = (struct identity_source){.private_key = bytes_of(rig->key)};
    assert_null(identities_seal(rig->vault, 5, &source, &small).data);
    assert_int_equal(identities_unseal(rig->vault, 5, sealed, &small, &source), VAULT_SEALED);
    arena_fini(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_comes_back_and_is_wiped),
        cmocka_unit_test(another_endpoint_s_does_not_open),
        cmocka_unit_test(another_layout_does_not_open),
        cmocka_unit_test(an_arena_that_is_used_up_is_no_crash),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
