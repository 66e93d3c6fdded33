#include "posthorn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The vectors of the Standard Webhooks reference implementations. */
static const struct vector {
    const char *secret, *verify_with, *id;
    long long timestamp_s;
    const char *body, *signature;
} vectors[] = {
    {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
     "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}",
     "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    {"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
     "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553,
     "{\"email\":\"test@example.com\",\"username\":\"test_user\"}",
     "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="},
    {"whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
     "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
     "{\"test\": 2432232314}",
     "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="},
};
enum { VECTORS = sizeof vectors / sizeof *vectors };

static struct posthorn_text text(const char *data)
{
    return (struct posthorn_text){data, strlen(data)};
}

static enum posthorn_result verify(const char *secret, const char *id, const char *timestamp,
                                   const char *signatures, const char *body, long long now_s)
{
    struct posthorn_text secrets = text(secret);
    return posthorn_verify_signature(&secrets, 1, text(id), text(timestamp), text(signatures), text(body),
                                     now_s, POSTHORN_TOLERANCE_S);
}

static enum posthorn_result verify_vector(const struct vector *vector, const char *body, long long now_s)
{
    char timestamp[24];
    snprintf(timestamp, sizeof timestamp, "%lld", vector->timestamp_s);
    return verify(vector->verify_with, vector->id, timestamp, vector->signature, body, now_s);
}

static void the_vectors_sign_and_verify(void **state)
{
    for (int i = 0; i < VECTORS; i++) {
        const struct vector *vector = &vectors[i];
        struct posthorn_signer *signer;
        char signature[POSTHORN_SIGNATURE_LEN_MAX];
        assert_int_equal(posthorn_signer_open(text(vector->secret), &signer), POSTHORN_OK);
        for (int again = 0; again < 2; again++) { /* the prepared key is used again */
            assert_int_equal(posthorn_signer_sign(signer, text(vector->id), vector->timestamp_s,
                                                  text(vector->body), signature),
                             POSTHORN_OK);
            assert_string_equal(signature, vector->signature);
        }
        posthorn_signer_close(signer);
        assert_int_equal(verify_vector(vector, vector->body, vector->timestamp_s), POSTHORN_OK);
        assert_int_equal(verify_vector(vector, "{}", vector->timestamp_s), POSTHORN_SIGNATURE_WRONG);
    }
}

static void the_clock_is_named_only_when_the_signature_is_right(void **state)
{
    const struct vector *vector = &vectors[0];
    long long at_s = vector->timestamp_s;
    assert_int_equal(verify_vector(vector, vector->body, at_s + POSTHORN_TOLERANCE_S), POSTHORN_OK);
    assert_int_equal(verify_vector(vector, vector->body, at_s - POSTHORN_TOLERANCE_S), POSTHORN_OK);
    assert_int_equal(verify_vector(vector, vector->body, at_s + POSTHORN_TOLERANCE_S + 1),
                     POSTHORN_SIGNATURE_TIME);
    assert_int_equal(verify_vector(vector, vector->body, at_s - POSTHORN_TOLERANCE_S - 1),
                     POSTHORN_SIGNATURE_TIME);
    assert_int_equal(verify_vector(vector, "{}", at_s + 9999), POSTHORN_SIGNATURE_WRONG);
}

static void one_right_signature_among_several_is_enough(void **state)
{
    const struct vector *vector = &vectors[0];
    char several[256];
    snprintf(several, sizeof several, "v1,AAAA  v1a,%s v2,x %s", vectors[2].signature, vector->signature);
    assert_int_equal(verify(vector->secret, vector->id, "1614265330", several, vector->body, 1614265330),
                     POSTHORN_OK);
    assert_int_equal(
        verify(vector->secret, vector->id, "1614265330", vector->signature + 1, vector->body, 1614265330),
        POSTHORN_SIGNATURE_WRONG);
    assert_int_equal(
        verify(vector->secret, vector->id, "1614265331", vector->signature, vector->body, 1614265331),
        POSTHORN_SIGNATURE_WRONG);
    assert_int_equal(
        verify(vector->secret, "msg_x", "1614265330", vector->signature, vector->body, 1614265330),
        POSTHORN_SIGNATURE_WRONG);
    assert_int_equal(verify(vector->secret, vector->id, "1614265330", "", vector->body, 1614265330),
                     POSTHORN_SIGNATURE_MISSING);
}

static void malformed_secrets_are_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "whsec_",
                                        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
                                        "whsec_AAAA",
                                        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
                                        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa==x",
                                        "whpk_AAAA",
                                        "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir5=",
                                        "whsk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="};
    struct posthorn_signer *signer;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(posthorn_signer_open(text(wrong[i]), &signer), POSTHORN_BAD_ARGUMENT);
        assert_null(signer);
        assert_int_equal(verify(wrong[i], "m", "1", "v1,AAAA", "{}", 1), POSTHORN_BAD_ARGUMENT);
    }
    /* A private key in a receiver is a mistake to be told, as is a public one that is to sign. */
    assert_int_equal(verify(vectors[2].secret, "m", "1", "v1a,AAAA", "{}", 1), POSTHORN_BAD_ARGUMENT);
    assert_int_equal(posthorn_signer_open(text(vectors[2].verify_with), &signer), POSTHORN_BAD_ARGUMENT);
}

static void new_secrets_work_and_differ(void **state)
{
    for (int ed25519 = 0; ed25519 <= 1; ed25519++) {
        char secret[POSTHORN_SECRET_LEN_MAX], other[POSTHORN_SECRET_LEN_MAX],
            public_key[POSTHORN_SECRET_LEN_MAX];
        char signature[POSTHORN_SIGNATURE_LEN_MAX];
        struct posthorn_signer *signer;
        assert_int_equal(posthorn_secret_new(ed25519, other, public_key), POSTHORN_OK);
        assert_int_equal(posthorn_secret_new(ed25519, secret, public_key), POSTHORN_OK);
        assert_string_not_equal(secret, other);
        assert_int_equal(posthorn_signer_open(text(secret), &signer), POSTHORN_OK);
        assert_int_equal(posthorn_signer_sign(signer, text("8"), 1, text("{}"), signature), POSTHORN_OK);
        posthorn_signer_close(signer);
        assert_int_equal(verify(ed25519 ? public_key : secret, "8", "1", signature, "{}", 1), POSTHORN_OK);
        assert_int_equal(strlen(public_key), ed25519 ? 5 + 44 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_sign_and_verify),
        cmocka_unit_test(the_clock_is_named_only_when_the_signature_is_right),
        cmocka_unit_test(one_right_signature_among_several_is_enough),
        cmocka_unit_test(malformed_secrets_are_refused),
        cmocka_unit_test(new_secrets_work_and_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
