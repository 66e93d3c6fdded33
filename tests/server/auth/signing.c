#include "signing.h"
#include "ed25519.h"
#include "memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { USER = 5, DAY_MS = 86400000, NOW_MS = 1700000000 };

struct rig {
    char folder[64], path[96];
    struct arena arena;
    struct vault *vault;
};

static int setup(void **state)
{
    struct rig *rig = memory_zero(1, sizeof *rig);
    snprintf(rig->folder, sizeof rig->folder, "/tmp/posthorn-signing-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    snprintf(rig->path, sizeof rig->path, "%s/key", rig->folder);
    arena_init(&rig->arena, 1 << 20);
    assert_int_equal(vault_make(rig->path, &rig->vault), VAULT_OK);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    vault_close(rig->vault);
    arena_fini(&rig->arena);
    unlink(rig->path);
    assert_int_equal(rmdir(rig->folder), 0);
    free(rig);
    return 0;
}

static struct signing open_list(const struct rig *rig, struct bytes sealed)
{
    struct signing signing;
    assert_int_equal(signing_open(rig->vault, USER, NOW_MS, sealed, &signing), VAULT_OK);
    return signing;
}

static void who_has_none_stored_has_the_default(void **state)
{
    struct rig *rig = *state;
    struct signing first = open_list(rig, (struct bytes){0}), again = open_list(rig, (struct bytes){0}),
                   other;
    assert_int_equal(first.count, 1);
    assert_string_equal(first.secrets[0].id, "default");
    assert_string_equal(first.secrets[0].secret, again.secrets[0].secret);
    assert_int_equal(signing_open(rig->vault, USER + 1, NOW_MS, (struct bytes){0}, &other), VAULT_OK);
    assert_string_not_equal(first.secrets[0].secret, other.secrets[0].secret);
    assert_int_equal(signing_open(rig->vault, USER, NOW_MS + 1, (struct bytes){0}, &other), VAULT_OK);
    assert_string_not_equal(first.secrets[0].secret, other.secrets[0].secret); /* who has that id next */
}

static void a_new_one_makes_its_kind_expire_after_the_overlap(void **state)
{
    struct rig *rig = *state;
    struct signing signing = open_list(rig, (struct bytes){0});
    assert_non_null(signing_add(&signing, true, NOW_MS, DAY_MS));
    assert_int_equal(signing.secrets[0].expires_at_ms, 0); /* another kind: it stays */
    assert_non_null(signing_add(&signing, false, NOW_MS, DAY_MS));
    assert_int_equal(signing.secrets[0].expires_at_ms, NOW_MS + DAY_MS);
    assert_int_equal(signing_active_count(&signing, NOW_MS + DAY_MS - 1), 3);
    assert_int_equal(signing_active_count(&signing, NOW_MS + DAY_MS), 2);

    struct bytes sealed = signing_seal(rig->vault, USER, &signing, &rig->arena);
    assert_null(memmem(sealed.data, sealed.len, "whs", 3));
    struct signing read = open_list(rig, sealed);
    assert_int_equal(read.count, 3);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(read.secrets[i].id, signing.secrets[i].id);
        assert_string_equal(read.secrets[i].secret, signing.secrets[i].secret);
        assert_string_equal(read.secrets[i].public_key, signing.secrets[i].public_key);
        assert_int_equal(read.secrets[i].expires_at_ms, signing.secrets[i].expires_at_ms);
        assert_int_equal(read.secrets[i].ed25519, signing.secrets[i].ed25519);
    }
    assert_int_equal(signing_open(rig->vault, USER + 1, NOW_MS, sealed, &read), VAULT_SEALED);

    /* What has expired goes when the next one comes. */
    assert_non_null(signing_add(&signing, false, NOW_MS + DAY_MS, 0));
    assert_int_equal(signing_find(&signing, bytes_of("default")), -1);
}

static void there_is_an_end_to_how_many(void **state)
{
    struct rig *rig = *state;
    struct signing signing = open_list(rig, (struct bytes){0});
    for (int i = 1; i < SIGNING_ADDED_MAX; i++)
        assert_non_null(signing_add(&signing, i % 2, NOW_MS, DAY_MS));
    assert_null(signing_add(&signing, false, NOW_MS, DAY_MS));
    struct bytes sealed = signing_seal(rig->vault, USER, &signing, &rig->arena);
    assert_int_equal(open_list(rig, sealed).count, SIGNING_ADDED_MAX);
    assert_in_range(sealed.len, 1, SIGNING_SEALED_LEN_MAX);
    signing_remove(&signing, signing_find(&signing, bytes_of("default")));
    assert_int_equal(signing.count, SIGNING_ADDED_MAX - 1);
}

/* It is there for who needs it, the same each time; it is replaced with an overlap, and comes back for who
 * has no other. */
static void the_derived_key_pair(void **state)
{
    struct rig *rig = *state;
    struct signing signing = open_list(rig, (struct bytes){0}), again = signing;
    signing_need_ed25519(rig->vault, USER, NOW_MS, &signing);
    signing_need_ed25519(rig->vault, USER, NOW_MS, &signing);
    signing_need_ed25519(rig->vault, USER, NOW_MS, &again);
    assert_int_equal(signing.count, 2);
    assert_string_equal(signing.secrets[1].id, SIGNING_DEFAULT_ED25519_ID);
    assert_string_equal(signing.secrets[1].secret, again.secrets[1].secret);
    unsigned char signature[ED25519_SIGNATURE_LEN];
    assert_true(ed25519_sign(bytes_of(signing.secrets[1].secret), bytes_of("text"), signature));
    assert_true(ed25519_verify(bytes_of(signing.secrets[1].public_key), bytes_of("text"), signature));
    assert_false(ed25519_verify(bytes_of(signing.secrets[1].public_key), bytes_of("Text"), signature));
    struct signing others = open_list(rig, (struct bytes){0});
    signing_need_ed25519(rig->vault, USER, NOW_MS + 1, &others); /* an id that another had */
    assert_string_not_equal(signing.secrets[1].secret, others.secrets[1].secret);

    const char *id = signing_add(&signing, true, NOW_MS, DAY_MS)->id;
    struct signing read = open_list(rig, signing_seal(rig->vault, USER, &signing, &rig->arena));
    signing_need_ed25519(rig->vault, USER, NOW_MS, &read);
    assert_int_equal(read.count, 3);
    assert_string_equal(read.secrets[1].secret, again.secrets[1].secret);
    assert_int_equal(read.secrets[1].expires_at_ms, NOW_MS + DAY_MS);
    signing_remove(&read, signing_find(&read, bytes_of(id)));
    signing_need_ed25519(rig->vault, USER, NOW_MS, &read);
    assert_int_equal(read.secrets[1].expires_at_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_has_none_stored_has_the_default, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_one_makes_its_kind_expire_after_the_overlap, setup, teardown),
        cmocka_unit_test_setup_teardown(there_is_an_end_to_how_many, setup, teardown),
        cmocka_unit_test_setup_teardown(the_derived_key_pair, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
