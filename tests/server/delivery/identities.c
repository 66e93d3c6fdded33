/*
 * Identities at rest.
 */
#include "identities.h"
#include "evil_certificates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct rig {
    char folder[64], path[96];
    struct arena arena;
    struct vault *vault;
    struct evil_certificates made;
    char *certificate, *key, *ca;
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    snprintf(rig->folder, sizeof rig->folder, "/tmp/posthorn-identities-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    snprintf(rig->path, sizeof rig->path, "%s/key", rig->folder);
    arena_init(&rig->arena, 8 << 20);
    assert_int_equal(vault_make(rig->path, &rig->vault), VAULT_OK);
    evil_certificates_make(&rig->made);
    rig->certificate = pem_of_certificate(rig->made.list[CERTIFICATE_GOOD]);
    rig->key = pem_of_key(rig->made.key);
    rig->ca = pem_of_certificate(rig->made.ca);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    free(rig->certificate);
    free(rig->key);
    free(rig->ca);
    evil_certificates_free(&rig->made);
    vault_close(rig->vault);
    arena_fini(&rig->arena);
    unlink(rig->path);
    assert_int_equal(rmdir(rig->folder), 0);
    free(rig);
    return 0;
}

static struct bytes seal(struct rig *rig, int64_t user_id, const char *server_name)
{
    struct identity_source source = {bytes_of(rig->certificate), bytes_of(rig->key), bytes_of(rig->ca),
                                     bytes_of(server_name)};
    return identities_seal(rig->vault, user_id, &source, &rig->arena);
}

static void what_is_sealed_comes_back_and_is_wiped(void **state)
{
    struct rig *rig = *state;
    struct identity_source source;
    struct bytes sealed = seal(rig, 5, "name");
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

static void another_user_s_does_not_open(void **state)
{
    struct rig *rig = *state;
    struct identity_source source;
    assert_int_equal(identities_unseal(rig->vault, 6, seal(rig, 5, ""), &rig->arena, &source), VAULT_SEALED);
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
    struct rig *rig = *state;
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
    struct rig *rig = *state;
    struct identity_source source;
    struct arena small;
    struct bytes sealed = seal(rig, 5, "");
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
        cmocka_unit_test(another_user_s_does_not_open),
        cmocka_unit_test(another_layout_does_not_open),
        cmocka_unit_test(an_arena_that_is_used_up_is_no_crash),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
