#include "message_signature.h"
#include "digest.h"
#include "ed25519.h"
#include "url.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What was signed, for the tests to see; a key without a secret fails. */
static char signed_text[MESSAGE_BASE_LEN_MAX];

static bool note(struct bytes secret, struct bytes message, unsigned char out[MESSAGE_SIGNATURE_LEN])
{
    snprintf(signed_text, sizeof signed_text, "%.*s", BYTES_ARG(message));
    memset(out, secret.len ? secret.data[0] : 0, MESSAGE_SIGNATURE_LEN);
    return secret.len > 0;
}

static struct message message_to(const char *text, struct url *url)
{
    assert_int_equal(url_parse(bytes_of(text), url), URL_OK);
    return (struct message){.url = url,
                            .content_type = bytes_of("application/json"),
                            .webhook_id = bytes_of("8"),
                            .body = bytes_of("{\"hello\": \"world\"}"),
                            .created_s = 1618884473};
}

/* The digest is that of RFC 9421, appendix B.2; the layout of the base, that of section 2.5. */
#define DIGEST         "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:"
#define COMPONENTS     "(\"@method\" \"@target-uri\" \"content-digest\" \"content-type\" \"webhook-id\")"
#define PARAMETERS(id) COMPONENTS ";created=1618884473;keyid=\"" id "\";alg=\"ed25519\""

static void what_is_signed(void **state)
{
    static const struct {
        const char *url, *uri;
    } rows[] = {
        {"https://example.com/foo?param=value&pet=dog", "https://example.com/foo?param=value&pet=dog"},
        {"HTTPS://Example.com:443", "https://Example.com:443/"},
        {"http://[::1]:8080/?", "http://[::1]:8080/?"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct url url;
        struct message message = message_to(rows[i].url, &url);
        struct message_signature made;
        const struct message_key keys[] = {{bytes_of("default-v1a"), bytes_of("s")}};
        char expected[1024];
        assert_true(message_signature_make(&made, &message, keys, 1, digest_sha256, note));
        assert_true(bytes_equal_text(made.digest_value, DIGEST));
        assert_true(bytes_equal_text(made.input_value, "sig1=" PARAMETERS("default-v1a")));
        snprintf(expected, sizeof expected,
                 "\"@method\": POST\n\"@target-uri\": %s\n\"content-digest\": " DIGEST
                 "\n\"content-type\": application/json\n\"webhook-id\": 8\n\"@signature-params\": %s",
                 rows[i].uri, PARAMETERS("default-v1a"));
        assert_string_equal(signed_text, expected);
    }
}

static void a_signature_for_each_key_that_signs(void **state)
{
    struct url url;
    struct message message = message_to("https://example.com/", &url);
    struct message_signature made;
    const struct message_key keys[] = {
        {bytes_of("a"), bytes_of("")}, {bytes_of("b"), bytes_of("b")}, {bytes_of("c"), bytes_of("c")}};
    assert_true(message_signature_make(&made, &message, keys, 3, digest_sha256, note));
    assert_true(bytes_equal_text(made.input_value, "sig1=" PARAMETERS("b") ", sig2=" PARAMETERS("c")));
    assert_true(bytes_starts(made.signature_value, "sig1=:YmJi"));
    assert_false(message_signature_make(&made, &message, keys, 1, digest_sha256, note));
}

/* The longest URL and as many keys as there can be fit. */
static void the_largest(void **state)
{
    char text[URL_LEN_MAX + 1] = "https://example.com/";
    unsigned char seed[ED25519_SEED_LEN] = {7}, raw[ED25519_SIGNATURE_LEN];
    char private_key[ED25519_TEXT_LEN_MAX], public_key[ED25519_TEXT_LEN_MAX];
    struct message_key keys[MESSAGE_KEYS_MAX];
    struct message_signature made;
    struct url url;
    memset(text + strlen(text), 'x', URL_LEN_MAX - strlen(text));
    text[URL_LEN_MAX] = '\0';
    struct message message = message_to(text, &url);
    message.webhook_id = bytes_of("9223372036854775807");
    message.content_type = bytes_of("application/cloudevents+json; charset=utf-8");
    message.created_s = 99999999999;
    ed25519_spell(seed, private_key, public_key);
    for (int i = 0; i < MESSAGE_KEYS_MAX; i++)
        keys[i] = (struct message_key){bytes_of("0123456789abcdef"), bytes_of(private_key)};
    assert_true(message_signature_make(&made, &message, keys, MESSAGE_KEYS_MAX, digest_sha256, ed25519_sign));
    made.signature[made.signature_value.len - 1] = '\0';
    assert_non_null(strstr(made.signature, "sig9=:"));
    assert_false(ed25519_sign(bytes_of(public_key), message.body, raw)); /* not a private key */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_signed),
        cmocka_unit_test(a_signature_for_each_key_that_signs),
        cmocka_unit_test(the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
