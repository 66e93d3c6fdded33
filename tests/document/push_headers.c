#include "push_headers.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* A signer is its name, and shows what it was given; one without a name fails. */
static bool sign(void *signer, struct bytes id, int64_t at_s, struct bytes document,
                 char out[PUSH_SIGNATURE_LEN_MAX])
{
    const char *name = signer;
    snprintf(out, PUSH_SIGNATURE_LEN_MAX, "%s,%.*s.%lld.%.*s", name, BYTES_ARG(id), (long long)at_s,
             BYTES_ARG(document));
    return *name;
}

static char one[] = "v1", two[] = "v1a", broken[] = "";

/* As a receiver sees them, a line each. */
static void expect(const struct push_parts *parts, const char *expected)
{
    struct push_headers headers;
    char lines[1024];
    int len = 0;
    memset(&headers, 'x', sizeof headers); /* nothing in it counts */
    push_headers_make(&headers, parts);
    assert_in_range(headers.count, 1, PUSH_HEADERS_MAX);
    for (int i = 0; i < headers.count; i++)
        len += snprintf(lines + len, sizeof lines - (size_t)len, "%.*s: %.*s\n",
                        BYTES_ARG(headers.list[i].name), BYTES_ARG(headers.list[i].value));
    assert_string_equal(lines, expected);
}

static struct push_parts parts_with(void *const *signers, int count)
{
    return (struct push_parts){.event_id = 8,
                               .at_ms = 1700000000999,
                               .document = bytes_of("{}"),
                               .digest = bytes_of("00ff"),
                               .sign = sign,
                               .signers = signers,
                               .signer_count = count};
}

static void the_whole_of_it(void **state)
{
    void *signers[] = {one, two};
    struct push_parts parts = parts_with(signers, 2);
    expect(&parts, "Content-Type: application/json\n"
                   "WEBHOOK-AUTH: 00ff\n"
                   "webhook-id: 8\n"
                   "webhook-timestamp: 1700000000\n"
                   "webhook-signature: v1,8.1700000000.{} v1a,8.1700000000.{}\n");
}

static void without_a_key_or_without_secrets(void **state)
{
    void *signers[] = {one};
    struct push_parts parts = parts_with(NULL, 0);
    expect(&parts, "Content-Type: application/json\nWEBHOOK-AUTH: 00ff\n");
    parts = parts_with(signers, 1);
    parts.digest = (struct bytes){0};
    expect(&parts, "Content-Type: application/json\n"
                   "webhook-id: 8\n"
                   "webhook-timestamp: 1700000000\n"
                   "webhook-signature: v1,8.1700000000.{}\n");
}

static void a_signer_that_fails_is_left_out(void **state)
{
    void *signers[] = {broken, one, broken, two, broken};
    struct push_parts parts = parts_with(signers, 5);
    expect(&parts, "Content-Type: application/json\n"
                   "WEBHOOK-AUTH: 00ff\n"
                   "webhook-id: 8\n"
                   "webhook-timestamp: 1700000000\n"
                   "webhook-signature: v1,8.1700000000.{} v1a,8.1700000000.{}\n");
    parts = parts_with(signers, 1); /* all three headers or none */
    expect(&parts, "Content-Type: application/json\nWEBHOOK-AUTH: 00ff\n");
}

static bool sign_long(void *signer, struct bytes id, int64_t at_s, struct bytes document,
                      char out[PUSH_SIGNATURE_LEN_MAX])
{
    memset(out, 'A', PUSH_SIGNATURE_LEN_MAX - 1);
    out[PUSH_SIGNATURE_LEN_MAX - 1] = '\0';
    return true;
}

static void as_many_as_there_is_room_for(void **state)
{
    void *signers[100] = {0};
    struct push_headers headers;
    struct push_parts parts = parts_with(signers, 100);
    parts.sign = sign_long;
    push_headers_make(&headers, &parts);
    size_t len = headers.list[4].value.len;
    assert_int_equal((len + 1) % PUSH_SIGNATURE_LEN_MAX, 0); /* whole ones */
    assert_in_range(len, sizeof headers.signatures - 2 * PUSH_SIGNATURE_LEN_MAX, sizeof headers.signatures);
}

/* Shows what it was given: the key's first byte, how many bytes, and the first and last of them. */
static void mac(struct bytes secret, const struct bytes *pieces, int count, unsigned char out[PUSH_MAC_LEN])
{
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += pieces[i].len;
    memset(out, 0, PUSH_MAC_LEN);
    out[0] = (unsigned char)secret.data[0];
    out[1] = (unsigned char)len;
    out[2] = (unsigned char)pieces[0].data[0];
    out[PUSH_MAC_LEN - 1] = 0xff;
}
#define ZEROS_28 "00000000000000000000000000000000000000000000000000000000"

static void as_other_services_sign(void **state)
{
    const struct bytes secrets[] = {bytes_of("new"), bytes_of("old")};
    void *signers[] = {one};
    struct push_parts parts = parts_with(signers, 1);
    parts.mac = mac;
    parts.secrets = secrets;
    parts.secret_count = 2;
    parts.signatures = PUSH_SIGNATURES_OTHERS;
    expect(&parts, "Content-Type: application/json\n"
                   "Stripe-Signature: t=1700000000,v1=6e0d31" ZEROS_28 "ff,v1=6f0d31" ZEROS_28 "ff\n"
                   "X-Slack-Request-Timestamp: 1700000000\n"
                   "X-Slack-Signature: v0=6e1076" ZEROS_28 "ff\n"
                   "X-Hub-Signature-256: sha256=6e027b" ZEROS_28 "ff\n"
                   "X-Shopify-Hmac-Sha256: bgJ7AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAP8=\n");
    parts.secret_count = 0; /* they do not open: nothing is made up */
    expect(&parts, "Content-Type: application/json\n");
    parts.signatures = PUSH_WEBHOOK_AUTH | PUSH_GITHUB;
    expect(&parts, "Content-Type: application/json\nWEBHOOK-AUTH: 00ff\n");
}

static void the_owners_come_last(void **state)
{
    const struct header own[] = {{bytes_of("X-A"), bytes_of("one")}, {bytes_of("x-b"), bytes_of("two")}};
    struct push_parts parts = parts_with(NULL, 0);
    parts.own = own;
    parts.own_count = 2;
    expect(&parts, "Content-Type: application/json\nWEBHOOK-AUTH: 00ff\nX-A: one\nx-b: two\n");
}

/* Every header that a push can have, and those of the protocol. */
static void no_owner_may_use_these(void **state)
{
    static const char *const free_ones[] = {"X-A",     "Cookie", "hosts", "contents",
                                            "webhook", "ce",     "",      "Authorization"};
    static const char *const reserved[] = {
        "HOST",  "tE",         "Content-",     "content-x", "Proxy-Authorization",
        "Ce-Id", "posthorn-x", "Webhook-Auth", "User-Agent"};
    void *signers[] = {one};
    const struct bytes secrets[] = {bytes_of("new")};
    struct push_headers headers;
    struct push_parts parts = parts_with(signers, 1);
    parts.mac = mac;
    parts.secrets = secrets;
    parts.secret_count = 1;
    parts.signatures = PUSH_SIGNATURES_DEFAULT | PUSH_SIGNATURES_OTHERS;
    push_headers_make(&headers, &parts);
    for (int i = 0; i < headers.count; i++)
        assert_true(push_header_reserved(headers.list[i].name));
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        assert_true(push_header_reserved(bytes_of(reserved[i])));
    for (size_t i = 0; i < sizeof free_ones / sizeof *free_ones; i++)
        assert_false(push_header_reserved(bytes_of(free_ones[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_owners_come_last),
        cmocka_unit_test(no_owner_may_use_these),
        cmocka_unit_test(the_whole_of_it),
        cmocka_unit_test(without_a_key_or_without_secrets),
        cmocka_unit_test(a_signer_that_fails_is_left_out),
        cmocka_unit_test(as_other_services_sign),
        cmocka_unit_test(as_many_as_there_is_room_for),
    };
    return cmocka_run_group_tests_name("document/push_headers", tests, NULL, NULL);
}
