#include "vault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct rig {
    char folder[64], path[96];
    struct arena arena;
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    snprintf(rig->folder, sizeof rig->folder, "/tmp/posthorn-vault-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    snprintf(rig->path, sizeof rig->path, "%s/key", rig->folder);
    arena_init(&rig->arena, 1 << 20);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    arena_fini(&rig->arena);
    unlink(rig->path);
    assert_int_equal(rmdir(rig->folder), 0);
    free(rig);
    return 0;
}

static void what_is_sealed_opens_after_a_restart(void **state)
{
    struct rig *rig = *state;
    struct vault *vault;
    struct bytes plain, secret = bytes_of("whsec_something"), context = bytes_of("signing/5");
    struct stat about;

    assert_int_equal(vault_open(rig->path, &vault), VAULT_ABSENT);
    assert_int_equal(vault_make(rig->path, &vault), VAULT_OK);
    assert_int_equal(stat(rig->path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    struct bytes sealed = vault_seal(vault, context, secret, &rig->arena);
    struct bytes again = vault_seal(vault, context, secret, &rig->arena);
    assert_false(bytes_equal(sealed, again)); /* a nonce of its own each time */
    assert_null(memmem(sealed.data, sealed.len, "something", 9));
    vault_close(vault);

    assert_int_equal(vault_open(rig->path, &vault), VAULT_OK);
    assert_int_equal(vault_unseal(vault, context, sealed, &rig->arena, &plain), VAULT_OK);
    assert_true(bytes_equal(plain, secret));
    vault_close(vault);
}

static void a_changed_moved_or_foreign_blob_stays_shut(void **state)
{
    struct rig *rig = *state;
    struct vault *vault;
    struct bytes plain, context = bytes_of("signing/5");

    assert_int_equal(vault_make(rig->path, &vault), VAULT_OK);
    struct bytes sealed = vault_seal(vault, context, bytes_of("secret"), &rig->arena);
    for (size_t i = 0; i < sealed.len; i++) {
        struct bytes changed = arena_copy(&rig->arena, sealed);
        ((char *)changed.data)[i] ^= 1;
        assert_int_equal(vault_unseal(vault, context, changed, &rig->arena, &plain), VAULT_SEALED);
    }
    for (size_t len = 0; len < sealed.len; len++)
        assert_int_equal(vault_unseal(vault, context, bytes_make(sealed.data, len), &rig->arena, &plain),
                         VAULT_SEALED);
    assert_int_equal(vault_unseal(vault, bytes_of("signing/6"), sealed, &rig->arena, &plain), VAULT_SEALED);
    vault_close(vault);

    assert_int_equal(unlink(rig->path), 0);
    assert_int_equal(vault_make(rig->path, &vault), VAULT_OK);
    assert_int_equal(vault_unseal(vault, context, sealed, &rig->arena, &plain), VAULT_SEALED);
    vault_close(vault);
}

static void a_key_file_that_is_not_one_is_refused(void **state)
{
    static const char *const wrong[] = {"", "short",
                                        "g000000000000000000000000000000000000000000000000000000000000000",
                                        "00000000000000000000000000000000000000000000000000000000000000001"};
    struct rig *rig = *state;
    struct vault *vault;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        FILE *file = fopen(rig->path, "w");
        assert_int_equal(fchmod(fileno(file), 0600), 0);
        fputs(wrong[i], file);
        fclose(file);
        assert_int_equal(vault_open(rig->path, &vault), VAULT_MALFORMED);
        assert_null(vault);
    }
    assert_int_equal(unlink(rig->path), 0);
    assert_int_equal(mkfifo(rig->path, 0600), 0);
    assert_int_equal(vault_open(rig->path, &vault), VAULT_NOT_FILE); /* and it does not wait for a writer */
    assert_int_equal(unlink(rig->path), 0);
    assert_int_equal(vault_make("/proc/none/key", &vault), VAULT_UNREADABLE);
    assert_int_equal(vault_open("/", &vault), VAULT_NOT_FILE);
}

static void a_key_that_others_can_read_is_tightened(void **state)
{
    struct rig *rig = *state;
    struct vault *vault;
    struct stat about;
    assert_int_equal(vault_make(rig->path, &vault), VAULT_OK);
    assert_false(vault_was_exposed(vault));
    vault_close(vault);
    assert_int_equal(chmod(rig->path, 0644), 0);
    assert_int_equal(vault_open(rig->path, &vault), VAULT_OK);
    assert_true(vault_was_exposed(vault));
    vault_close(vault);
    assert_int_equal(stat(rig->path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(vault_make(rig->path, &vault), VAULT_UNREADABLE); /* never over another */
}

static void what_is_derived_is_the_same_after_a_restart(void **state)
{
    struct rig *rig = *state;
    struct vault *vault;
    unsigned char first[32], again[32], other[32];

    assert_int_equal(vault_make(rig->path, &vault), VAULT_OK);
    vault_derive(vault, bytes_of("signing/5"), first);
    vault_derive(vault, bytes_of("signing/6"), other);
    vault_close(vault);
    assert_int_equal(vault_open(rig->path, &vault), VAULT_OK);
    vault_derive(vault, bytes_of("signing/5"), again);
    vault_close(vault);
    assert_memory_equal(first, again, 32);
    assert_memory_not_equal(first, other, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_sealed_opens_after_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_derived_is_the_same_after_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(a_changed_moved_or_foreign_blob_stays_shut, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_file_that_is_not_one_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_that_others_can_read_is_tightened, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
