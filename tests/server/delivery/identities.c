/*
 * Identities at rest and in the engine's table.
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

/* ---- in use ---- */

static struct store_work work_for(int64_t endpoint_id, int64_t version, struct bytes sealed)
{
    return (struct store_work){.endpoint_id = endpoint_id, .user_version = version, .identity = sealed};
}

static const char *name_of(const struct identity *identity)
{
    enum url_host_kind kind;
    return identity ? identity_server_name(identity, &kind) : "nobody";
}

static void expect(struct identities *identities, struct store_work work, bool found, const char *name)
{
    struct identity *identity;
    assert_int_equal(identities_find(identities, &work, &identity), found);
    assert_string_equal(name_of(identity), name);
}

static void each_endpoint_has_its_own_in_its_newest_version(void **state)
{
    enum { FAR = 512 }; /* falls on the same place */
    struct rig *rig = *state;
    struct identities *identities = identities_open(rig->vault, NULL);
    struct bytes none = {NULL, 0}, a = seal(rig, 5, "a"), b = seal(rig, 6, "b"), c = seal(rig, 5, "c"),
                 far = seal(rig, 5 + FAR, "far");
    expect(identities, work_for(5, 1, none), true, "nobody");
    expect(identities, work_for(5, 2, a), true, "a");
    expect(identities, work_for(6, 2, b), true, "b");
    expect(identities, work_for(7, 2, none), true, "nobody");
    expect(identities, work_for(5 + FAR, 2, none), true, "nobody");
    expect(identities, work_for(5 + FAR, 2, far), true, "far");
    expect(identities, work_for(5, 2, a), true, "a");
    expect(identities, work_for(5, 3, c), true, "c");
    expect(identities, work_for(5, 2, a), true, "a"); /* work that was claimed before the change */
    expect(identities, work_for(5, 4, none), true, "nobody");
    expect(identities, work_for(5, 4, c), true, "c");
    identities_close(identities);
}

static void it_is_opened_once_a_version(void **state)
{
    struct rig *rig = *state;
    struct identities *identities = identities_open(rig->vault, NULL);
    struct store_work work = work_for(5, 2, seal(rig, 5, "a"));
    struct identity *first, *second;
    assert_true(identities_find(identities, &work, &first));
    identity_hold(first);
    assert_true(identities_find(identities, &work, &second));
    assert_ptr_equal(first, second);
    work.user_version = 3;
    assert_true(identities_find(identities, &work, &second));
    assert_ptr_not_equal(first, second);
    assert_string_equal(name_of(first), "a"); /* whoever holds it has it */
    identity_close(first);

    identity_hold(second);
    expect(identities, work_for(5, 4, (struct bytes){NULL, 0}), true, "nobody");
    assert_true(identities_find(identities, &work, &first));
    assert_ptr_not_equal(first, second); /* a removed one does not stay in memory */
    identity_close(second);
    identities_close(identities);
}

static void what_does_not_open_is_not_nobody(void **state)
{
    struct rig *rig = *state;
    struct identities *identities = identities_open(rig->vault, NULL);
    struct bytes foreign = seal(rig, 6, "a"), garbage = bytes_of("garbage");
    for (int i = 0; i < 2; i++) {
        expect(identities, work_for(5, 2, foreign), false, "nobody");
        expect(identities, work_for(5, 3, garbage), false, "nobody");
    }
    struct identity_source empty = {.ca = {NULL, 0}}; /* opens, but is none */
    expect(identities, work_for(5, 4, identities_seal(rig->vault, 5, &empty, &rig->arena)), false, "nobody");
    expect(identities, work_for(5, 5, seal(rig, 5, "a")), true, "a");
    identities_close(identities);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_comes_back_and_is_wiped),
        cmocka_unit_test(another_user_s_does_not_open),
        cmocka_unit_test(another_layout_does_not_open),
        cmocka_unit_test(an_arena_that_is_used_up_is_no_crash),
        cmocka_unit_test(each_endpoint_has_its_own_in_its_newest_version),
        cmocka_unit_test(it_is_opened_once_a_version),
        cmocka_unit_test(what_does_not_open_is_not_nobody),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
