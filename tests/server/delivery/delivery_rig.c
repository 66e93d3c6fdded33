#include "delivery_rig.h"
#include "evil_certificates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

void delivery_rig_open(struct delivery_rig *rig)
{
    struct evil_certificates made;
    snprintf(rig->folder, sizeof rig->folder, "/tmp/posthorn-delivery-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    snprintf(rig->path, sizeof rig->path, "%s/key", rig->folder);
    arena_init(&rig->arena, 32 << 20);
    assert_int_equal(vault_make(rig->path, &rig->vault), VAULT_OK);
    evil_certificates_make(&made);
    rig->certificate = pem_of_certificate(made.list[CERTIFICATE_GOOD]);
    rig->key = pem_of_key(made.key);
    rig->ca = pem_of_certificate(made.ca);
    evil_certificates_free(&made);
}

void delivery_rig_close(struct delivery_rig *rig)
{
    free(rig->certificate);
    free(rig->key);
    free(rig->ca);
    vault_close(rig->vault);
    arena_fini(&rig->arena);
    unlink(rig->path);
    assert_int_equal(rmdir(rig->folder), 0);
}

struct bytes delivery_rig_seal(struct delivery_rig *rig, int64_t endpoint_id, const char *server_name)
{
    struct identity_source source = {bytes_of(rig->certificate), bytes_of(rig->key), bytes_of(rig->ca),
                                     bytes_of(server_name)};
    return identities_seal(rig->vault, endpoint_id, &source, &rig->arena);
}
