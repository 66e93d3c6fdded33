/* /api/users/ID/tls. */
#include "api_fixture.h"
#include "evil_certificates.h"
#include <openssl/pem.h>

static struct evil_certificates made;
static char *good, *expired, *early, *servers_only, *key, *strange_key, *ca;

static int setup(void **state)
{
    static const struct certificate_plan plan = {"for servers", "DNS:x.example", -60, 90 * 86400L,
                                                 "serverAuth"};
    evil_certificates_make(&made);
    good = pem_of_certificate(made.list[CERTIFICATE_GOOD]);
    expired = pem_of_certificate(made.list[CERTIFICATE_EXPIRED]);
    early = pem_of_certificate(made.list[CERTIFICATE_NOT_YET_VALID]);
    X509 *certificate = certificate_make(&plan, made.key);
    servers_only = pem_of_certificate(certificate);
    X509_free(certificate);
    key = pem_of_key(made.key);
    strange_key = pem_of_key(made.strange_key);
    ca = pem_of_certificate(made.ca);
    rig_open(&rig);
    return 0;
}

static int teardown(void **state)
{
    rig_close(&rig);
    char *all[] = {good, expired, early, servers_only, key, strange_key, ca};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    evil_certificates_free(&made);
    return 0;
}

/* The private key's own text: what must be nowhere. */
static void expect_no_key(const struct reply *reply)
{
    const char *line = strchr(key, '\n') + 1;
    char piece[33];
    snprintf(piece, sizeof piece, "%.32s", line);
    assert_true(!reply->body || !strstr(reply->body, piece));
    assert_true(!reply->body || !strstr(reply->body, "PRIVATE KEY"));
}

static struct reply ask_with(const char *method, const char *target, enum rig_user as, const char *body,
                             const char *header, const char *value)
{
    struct ask asked = {method, target, as, body, .headers = {{header, value}}};
    struct reply reply = rig_ask(&rig, &asked);
    if (reply.status != 204)
        reply_check(&reply, &asked);
    expect_no_key(&reply);
    return reply;
}

static struct reply ask_safely(const char *method, const char *target, enum rig_user as, const char *body)
{
    return ask_with(method, target, as, body, NULL, NULL);
}

static void add(struct json_object *attributes, const char *name, const char *value)
{
    if (value)
        json_object_object_add(attributes, name, json_object_new_string(value));
}

/* NULL: not given. For free(). */
static char *body_of(const char *certificate, const char *private_key, const char *authorities,
                     const char *server_name)
{
    struct json_object *document = json_object_new_object(), *data = json_object_new_object(),
                       *attributes = json_object_new_object();
    json_object_object_add(document, "data", data);
    add(data, "type", "tls_identities");
    json_object_object_add(data, "attributes", attributes);
    add(attributes, "certificate", certificate);
    add(attributes, "private_key", private_key);
    add(attributes, "ca", authorities);
    add(attributes, "server_name", server_name);
    char *body = strdup(json_object_to_json_string(document));
    json_object_put(document);
    return body;
}

static struct reply put(const char *target, enum rig_user as, const char *certificate,
                        const char *private_key, const char *authorities, const char *server_name)
{
    char *body = body_of(certificate, private_key, authorities, server_name);
    struct reply reply = ask_safely("PUT", target, as, body);
    free(body);
    return reply;
}

static void expect(const char *method, const char *target, enum rig_user as, const char *body, int status,
                   const char *code)
{
    struct reply reply = ask_safely(method, target, as, body);
    if (reply.status != status)
        fail_msg("%s %s: %d %s", method, target, reply.status, reply.body);
    if (code)
        assert_string_equal(reply_text(&reply, "/errors/0/code"), code);
    reply_free(&reply);
}

static void test_put_shown_and_deleted(void **state)
{
    expect("GET", "/api/users/me/tls", RIG_REGULAR, NULL, 404, "not_found");
    expect("DELETE", "/api/users/me/tls", RIG_REGULAR, NULL, 404, "not_found");
    struct reply reply = put("/api/users/me/tls", RIG_REGULAR, good, key, ca, "Hooks.Internal");
    assert_int_equal(reply.status, 201);
    char path[64];
    snprintf(path, sizeof path, "/api/users/%lld/tls", (long long)rig_id(RIG_REGULAR));
    assert_true(reply_header_is(&reply, "Location", path));
    assert_string_equal(reply_text(&reply, "/meta/warnings/0/code"), "certificate_expires_soon");
    char *first = strdup(reply_text(&reply, "/data/attributes/fingerprint"));
    reply_free(&reply);

    for (int i = 0; i < 2; i++) {
        reply = ask_safely("GET", i ? path : "/api/users/me/tls", i ? RIG_MASTER : RIG_REGULAR, NULL);
        assert_int_equal(reply.status, 200);
        assert_string_equal(reply_text(&reply, "/links/self"), path);
        assert_string_equal(reply_text(&reply, "/data/type"), "tls_identities");
        assert_string_equal(reply_text(&reply, "/data/attributes/certificate"), good);
        assert_string_equal(reply_text(&reply, "/data/attributes/ca"), ca);
        assert_string_equal(reply_text(&reply, "/data/attributes/server_name"), "hooks.internal");
        assert_string_equal(reply_text(&reply, "/data/attributes/subject"), "CN=good");
        assert_string_equal(reply_text(&reply, "/data/attributes/issuer"), "CN=test authority");
        assert_string_equal(reply_text(&reply, "/data/attributes/fingerprint"), first);
        assert_int_equal(strlen(reply_text(&reply, "/data/attributes/not_before")), 24);
        assert_int_equal(strlen(reply_text(&reply, "/data/attributes/not_after")), 24);
        assert_null(reply_get(&reply, "/data/attributes/private_key"));
        reply_free(&reply);
    }
    free(first);
    rig_restart(&rig);
    reply = put("/api/users/me/tls", RIG_REGULAR, NULL, NULL, ca, NULL); /* as a whole */
    assert_int_equal(reply.status, 200);
    assert_null(reply_get(&reply, "/data/attributes/certificate"));
    assert_null(reply_get(&reply, "/data/attributes/subject"));
    assert_null(reply_get(&reply, "/data/attributes/not_after"));
    assert_null(reply_get(&reply, "/data/attributes/server_name"));
    assert_string_equal(reply_text(&reply, "/data/attributes/ca"), ca);
    reply_free(&reply);
    expect("DELETE", "/api/users/me/tls", RIG_REGULAR, NULL, 204, NULL);
    expect("GET", "/api/users/me/tls", RIG_REGULAR, NULL, 404, "not_found");
}

static void test_whose(void **state)
{
    char stranger[64], regular[64];
    snprintf(stranger, sizeof stranger, "/api/users/%lld/tls", (long long)rig_id(RIG_STRANGER));
    snprintf(regular, sizeof regular, "/api/users/%lld/tls", (long long)rig_id(RIG_REGULAR));
    char *body = body_of(NULL, NULL, ca, NULL);
    expect("PUT", stranger, RIG_MASTER, body, 404, "not_found");
    expect("PUT", regular, RIG_OTHER, body, 404, "not_found");
    expect("PUT", regular, RIG_NOBODY, body, 401, "auth_missing");
    expect("PUT", "/api/users/999/tls", RIG_MASTER, body, 404, "not_found");
    expect("PUT", regular, RIG_MASTER, body, 201, NULL);
    expect("GET", regular, RIG_OTHER, NULL, 404, "not_found");
    expect("DELETE", regular, RIG_MASTER_2, NULL, 404, "not_found");
    expect("POST", regular, RIG_MASTER, body, 405, "method_not_allowed");
    expect("DELETE", regular, RIG_REGULAR, NULL, 204, NULL);
    free(body);
}

static void test_bad_input(void **state)
{
    char *both = NULL;
    assert_true(asprintf(&both, "%s%s", good, key) > 0);
    const struct {
        const char *certificate, *key, *ca, *name, *code, *pointer;
    } cases[] = {
        {"garbage", key, NULL, NULL, "certificate_syntax", "/data/attributes/certificate"},
        {both, key, NULL, NULL, "certificate_holds_key", "/data/attributes/certificate"},
        {key, key, NULL, NULL, "certificate_holds_key", "/data/attributes/certificate"},
        {expired, key, NULL, NULL, "certificate_expired", "/data/attributes/certificate"},
        {early, key, NULL, NULL, "certificate_not_yet_valid", "/data/attributes/certificate"},
        {good, "garbage", NULL, NULL, "private_key_syntax", "/data/attributes/private_key"},
        {good, strange_key, NULL, NULL, "private_key_mismatch", "/data/attributes/private_key"},
        {good, NULL, NULL, NULL, "private_key_missing", "/data/attributes"},
        {good, "", NULL, NULL, "private_key_missing", "/data/attributes/private_key"},
        {NULL, key, NULL, NULL, "certificate_missing", "/data/attributes"},
        {NULL, NULL, "garbage", NULL, "ca_syntax", "/data/attributes/ca"},
        {NULL, NULL, key, NULL, "ca_holds_key", "/data/attributes/ca"},
        {NULL, NULL, expired, NULL, "ca_expired", "/data/attributes/ca"},
        {NULL, NULL, NULL, "https://x", "server_name_syntax", "/data/attributes/server_name"},
        {NULL, NULL, NULL, "x\ny", "attribute_invalid", "/data/attributes/server_name"},
        {NULL, NULL, NULL, NULL, "identity_empty", "/data/attributes"},
        {"", "", "", "", "identity_empty", "/data/attributes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reply reply = put("/api/users/me/tls", RIG_OTHER, cases[i].certificate, cases[i].key,
                                 cases[i].ca, cases[i].name);
        if (reply.status != 422)
            fail_msg("%zu: %d %s", i, reply.status, reply.body);
        assert_string_equal(reply_text(&reply, "/errors/0/code"), cases[i].code);
        assert_string_equal(reply_text(&reply, "/errors/0/source/pointer"), cases[i].pointer);
        reply_free(&reply);
    }
    free(both);
    expect("GET", "/api/users/me/tls", RIG_OTHER, NULL, 404, "not_found");
}

static void test_encrypted_key(void **state)
{
    char *data = NULL, word[] = "secret";
    BIO *writer = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(writer, made.key, EVP_aes_256_cbc(), word, 6, NULL, NULL);
    long len = BIO_get_mem_data(writer, &data);
    char *locked = strndup(data, (size_t)len);
    struct reply reply = put("/api/users/me/tls", RIG_OTHER, good, locked, NULL, NULL);
    assert_int_equal(reply.status, 422);
    assert_string_equal(reply_text(&reply, "/errors/0/code"), "private_key_encrypted");
    reply_free(&reply);
    free(locked);
    BIO_free(writer);
}

#define IDENTITY(members) "{\"data\":{\"type\":\"tls_identities\"," members "}}"

static void test_bad_documents(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *code;
    } cases[] = {
        {IDENTITY("\"attributes\":{\"certificate\":7}"), 422, "attribute_invalid"},
        {IDENTITY("\"attributes\":{\"private_key\":[\"x\"]}"), 422, "attribute_invalid"},
        {IDENTITY("\"attributes\":{\"subject\":\"CN=me\"}"), 403, "attribute_read_only"},
        {IDENTITY("\"attributes\":{\"fingerprint\":\"x\"}"), 403, "attribute_read_only"},
        {IDENTITY("\"attributes\":{\"cert\":\"x\"}"), 422, "attribute_unknown"},
        {IDENTITY("\"attributes\":{},\"relationships\":{\"user\":{\"data\":null}}"), 422,
         "relationship_unknown"},
        {IDENTITY("\"id\":\"77\",\"attributes\":{\"server_name\":\"x\"}"), 409, "id_conflict"},
        {"{\"data\":{\"type\":\"users\",\"attributes\":{\"server_name\":\"x\"}}}", 409, "type_conflict"},
        {IDENTITY("\"attributes\":{\"private_key\":\"-----BEGIN\n\"}"), 400, "json_syntax"},
        {"", 400, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect("PUT", "/api/users/me/tls", RIG_OTHER, cases[i].body, cases[i].status, cases[i].code);
    size_t len = 70 * 1024;
    char *large = malloc(len + 1);
    memset(large, 'A', len);
    large[len] = '\0';
    struct reply reply = put("/api/users/me/tls", RIG_OTHER, NULL, NULL, large, NULL);
    assert_int_equal(reply.status, 422);
    assert_string_equal(reply_text(&reply, "/errors/0/code"), "attribute_invalid");
    reply_free(&reply);
    free(large);
}

static void test_etags(void **state)
{
    struct reply reply = put("/api/users/me/tls", RIG_OTHER, NULL, NULL, ca, NULL);
    size_t len;
    const char *header = reply_header(&reply, "ETag", &len);
    char etag[64];
    snprintf(etag, sizeof etag, "%.*s", (int)len, header);
    reply_free(&reply);
    struct {
        const char *method, *name, *value;
        int status;
    } cases[] = {{"GET", "If-None-Match", etag, 304}, {"GET", "If-None-Match", "\"x\"", 200},
                 {"PUT", "If-Match", "\"x\"", 412},   {"DELETE", "If-Match", "\"x\"", 412},
                 {"PUT", "If-Match", etag, 200},      {"DELETE", "If-Match", etag, 412}, /* it has changed */
                 {"DELETE", "If-Match", "*", 204}};
    char *body = body_of(NULL, NULL, ca, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool with_body = strcmp(cases[i].method, "PUT") == 0;
        struct ask asked = {cases[i].method, "/api/users/me/tls", RIG_OTHER, with_body ? body : NULL,
                            .headers = {{cases[i].name, cases[i].value}}};
        reply = rig_ask(&rig, &asked);
        if (reply.status != cases[i].status)
            fail_msg("%zu: %d %s", i, reply.status, reply.body);
        reply_free(&reply);
    }
    free(body);
}

static bool has_warning(const struct reply *reply, const char *code)
{
    return strstr(reply->body, code) != NULL;
}

static void test_warnings(void **state)
{
    expect("PATCH", "/api/users/me", RIG_OTHER,
           "{\"data\":{\"type\":\"users\",\"attributes\":{\"webhook_url\":\"https://x.example.com/\"}}}", 200,
           NULL);
    struct reply reply = put("/api/users/me/tls", RIG_OTHER, servers_only, key, NULL, NULL);
    assert_int_equal(reply.status, 201);
    assert_true(has_warning(&reply, "certificate_purpose"));
    assert_false(has_warning(&reply, "certificate_expires_soon"));
    assert_false(has_warning(&reply, "webhook_url_plain"));
    reply_free(&reply);
    expect("DELETE", "/api/users/me/tls", RIG_OTHER, NULL, 204, NULL);
}

/* What the engine gets is sealed, for the user it belongs to, and changes no other field of the user. */
static void test_stored_beside_the_rest(void **state)
{
    struct reply reply = put("/api/users/me/tls", RIG_MASTER_2, good, key, NULL, NULL);
    assert_int_equal(reply.status, 201);
    reply_free(&reply);
    expect("PATCH", "/api/users/me", RIG_MASTER_2,
           "{\"data\":{\"type\":\"users\",\"attributes\":{\"name\":\"new name\"}}}", 200, NULL);
    reply = ask_safely("GET", "/api/users/me/tls", RIG_MASTER_2, NULL);
    assert_string_equal(reply_text(&reply, "/data/attributes/subject"), "CN=good");
    reply_free(&reply);
    reply = put("/api/users/me/tls", RIG_MASTER_2, NULL, NULL, ca, NULL);
    reply_free(&reply);
    reply = ask_safely("GET", "/api/users/me", RIG_MASTER_2, NULL);
    assert_string_equal(reply_text(&reply, "/data/attributes/name"), "new name");
    reply_free(&reply);
    rig_fault(STORE_FULL);
    reply = put("/api/users/me/tls", RIG_MASTER_2, good, key, NULL, NULL);
    assert_int_equal(reply.status, 507);
    reply_free(&reply);
    rig_fault(STORE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_shown_and_deleted),
        cmocka_unit_test(test_whose),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_encrypted_key),
        cmocka_unit_test(test_bad_documents),
        cmocka_unit_test(test_etags),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_stored_beside_the_rest),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
