/* The fault of caches: an answer that was true before. */
#include "endpoint_cache.h"
#include "delivery_rig.h"
#include "push_signer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* OWNER: of every endpoint here, which are further ones: no endpoint has its owner's id. */
enum { DAY_MS = 86400000, NOW_MS = 1700000000, OWNER = 4 };

struct rig {
    struct delivery_rig made;
    struct guard guard;
    struct endpoint_cache *cache;
};

static int setup_group(void **state)
{
    static struct rig rig;
    delivery_rig_open(&rig.made);
    *state = &rig;
    return 0;
}

static int teardown_group(void **state)
{
    struct rig *rig = *state;
    delivery_rig_close(&rig->made);
    return 0;
}

static int setup(void **state)
{
    struct rig *rig = *state;
    rig->cache = endpoint_cache_open(rig->made.vault, NULL);
    guard_init(&rig->guard);
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    endpoint_cache_close(rig->cache);
    return 0;
}

static enum failure find(struct rig *rig, struct store_work work, const struct cached_endpoint **endpoint)
{
    work.user_id = OWNER;
    work.endpoint_created_at_ms = NOW_MS;
    if (!work.url.len)
        work.url = bytes_of("https://a.example.com/");
    return endpoint_cache_find(rig->cache, &rig->guard, &work, endpoint);
}

/* ---- the URL ---- */

/* NULL: it may not be sent to. */
static const struct url *find_url(struct rig *rig, int64_t endpoint_id, const char *url)
{
    char text[256] = "?"; /* the box is filled anew each time: nothing may look at it later */
    const struct cached_endpoint *found;
    memcpy(text, url, strlen(url));
    enum failure failure =
        find(rig, (struct store_work){.endpoint_id = endpoint_id, .url = {text, strlen(url)}}, &found);
    memset(text, '#', sizeof text);
    assert_true(failure == FAILURE_NONE || failure == FAILURE_BLOCKED_URL);
    return failure == FAILURE_NONE ? &found->url : NULL;
}

static void assert_leads_to(const struct url *url, const char *host, const char *target)
{
    assert_non_null(url);
    assert_string_equal(url->host, host);
    assert_true(bytes_equal_text(url->authority, host));
    assert_true(bytes_equal_text(url->target, target));
}

static void its_own_text(void **state)
{
    for (int again = 0; again < 3; again++)
        assert_leads_to(find_url(*state, 5, "https://a.example.com/one"), "a.example.com", "/one");
}

static void another_url_of_the_same_endpoint(void **state)
{
    assert_leads_to(find_url(*state, 5, "https://a.example.com/one"), "a.example.com", "/one");
    assert_leads_to(find_url(*state, 5, "https://a.example.com/two"), "a.example.com", "/two");
    assert_leads_to(find_url(*state, 5, "https://a.example.com/tw"), "a.example.com", "/tw");
    assert_leads_to(find_url(*state, 5, "https://a.example.com/one"), "a.example.com", "/one");
}

static void two_endpoints_of_one_place(void **state)
{
    for (int i = 0; i < 5000; i++)
        assert_leads_to(find_url(*state, i % 7 + i % 2 * ENDPOINT_PLACES,
                                 i % 2 ? "https://a.example.com/" : "https://b.example.com/"),
                        i % 2 ? "a.example.com" : "b.example.com", "/");
}

static void what_is_not_allowed(void **state)
{
    for (int again = 0; again < 2; again++) {
        assert_null(find_url(*state, 5, " "));
        assert_null(find_url(*state, 6, "https://a.example.com/#x"));
        assert_null(find_url(*state, 7, "http://a.example.com/"));
        assert_null(find_url(*state, 8, "https://127.0.0.1/"));
    }
    assert_leads_to(find_url(*state, 8, "https://a.example.com/"), "a.example.com", "/");
}

static void a_guard_that_changed(void **state)
{
    struct rig *rig = *state;
    struct sockaddr_in ours = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x05060708)};
    assert_leads_to(find_url(rig, 5, "https://5.6.7.8/"), "5.6.7.8", "/");
    assert_true(guard_add_local(&rig->guard, (const struct sockaddr *)&ours));
    endpoint_cache_judge_again(rig->cache);
    assert_null(find_url(rig, 5, "https://5.6.7.8/"));
    guard_init(&rig->guard);
    endpoint_cache_judge_again(rig->cache);
    assert_leads_to(find_url(rig, 5, "https://5.6.7.8/"), "5.6.7.8", "/");
}

/* ---- the signing secrets ---- */

/* What a push of `work` would carry as webhook-signature. */
static struct bytes signatures(struct rig *rig, const struct store_work *work, int64_t at_ms,
                               struct push_headers *headers)
{
    const struct cached_endpoint *endpoint;
    void *signers[SIGNING_SECRETS_MAX];
    assert_int_equal(find(rig, *work, &endpoint), FAILURE_NONE);
    push_headers_make(
        headers, &(struct push_parts){.event_id = 8,
                                      .at_ms = at_ms,
                                      .document = bytes_make(work->document, work->document_len),
                                      .sign = push_signer_sign,
                                      .signers = signers,
                                      .signer_count = cached_endpoint_signers(endpoint, at_ms, signers)});
    return headers->count == 4 ? headers->list[3].value : (struct bytes){0};
}

/* Does one of them fit this secret? */
static bool fits(struct bytes value, const char *secret, const struct store_work *work, const char *timestamp)
{
    struct posthorn_text secrets = {secret, strlen(secret)}, id = {"8", 1},
                         at = {timestamp, strlen(timestamp)};
    struct posthorn_text given = {value.data, value.len}, body = {work->document, work->document_len};
    return posthorn_verify_signature(&secrets, 1, id, at, given, body, atoll(timestamp), 0) == POSTHORN_OK;
}

static void pushes_are_signed_by_every_active_secret(void **state)
{
    struct rig *rig = *state;
    char document[] = "{\"data\":1}";
    struct push_headers headers;
    struct signing signing;
    struct store_work work = {
        .endpoint_id = 5, .endpoint_version = 1, .document = document, .document_len = sizeof document - 1};
    assert_int_equal(signing_open(rig->made.vault, 5, NOW_MS, (struct bytes){0}, &signing), VAULT_OK);
    struct bytes value = signatures(rig, &work, NOW_MS, &headers);
    assert_true(fits(value, signing.secrets[0].secret, &work, "1700000"));

    assert_non_null(signing_add(&signing, true, NOW_MS, DAY_MS));
    assert_non_null(signing_add(&signing, false, NOW_MS, DAY_MS));
    work.signing = signing_seal(rig->made.vault, 5, &signing, &rig->made.arena);
    work.endpoint_version = 2;
    value = signatures(rig, &work, NOW_MS, &headers);
    assert_true(fits(value, signing.secrets[0].secret, &work, "1700000"));
    assert_true(fits(value, signing.secrets[1].public_key, &work, "1700000"));
    assert_true(fits(value, signing.secrets[2].secret, &work, "1700000"));

    value = signatures(rig, &work, NOW_MS + DAY_MS, &headers); /* expiry needs no new version */
    assert_false(fits(value, signing.secrets[0].secret, &work, "1786400"));
    assert_true(fits(value, signing.secrets[2].secret, &work, "1786400"));

    struct store_work other = work; /* in the same place, and back */
    other.endpoint_id = 5 + ENDPOINT_PLACES;
    other.signing = (struct bytes){0};
    assert_false(
        fits(signatures(rig, &other, NOW_MS, &headers), signing.secrets[2].secret, &other, "1700000"));
    assert_true(fits(signatures(rig, &work, NOW_MS, &headers), signing.secrets[2].secret, &work, "1700000"));

    work.signing = bytes_of("not sealed by anybody at all, just some text");
    work.endpoint_version = 3;
    assert_int_equal(signatures(rig, &work, NOW_MS, &headers).len, 0);
}

/* ---- the TLS identity ---- */

static struct store_work work_for(int64_t endpoint_id, int64_t version, struct bytes sealed)
{
    return (struct store_work){.endpoint_id = endpoint_id, .endpoint_version = version, .identity = sealed};
}

static struct identity *identity_for(struct rig *rig, struct store_work work)
{
    const struct cached_endpoint *endpoint;
    assert_int_equal(find(rig, work, &endpoint), FAILURE_NONE);
    return endpoint->identity;
}

static const char *name_of(const struct identity *identity)
{
    enum url_host_kind kind;
    return identity ? identity_server_name(identity, &kind) : "nobody";
}

static void expect(struct rig *rig, struct store_work work, const char *name)
{
    assert_string_equal(name_of(identity_for(rig, work)), name);
}

static const struct bytes none;

static void each_endpoint_has_its_own_in_its_newest_version(void **state)
{
    enum { FAR = ENDPOINT_PLACES };
    struct rig *rig = *state;
    struct bytes a = delivery_rig_seal(&rig->made, 5, "a"), b = delivery_rig_seal(&rig->made, 6, "b"),
                 c = delivery_rig_seal(&rig->made, 5, "c"),
                 far = delivery_rig_seal(&rig->made, 5 + FAR, "far");
    expect(rig, work_for(5, 1, none), "nobody");
    expect(rig, work_for(5, 2, a), "a");
    expect(rig, work_for(6, 2, b), "b");
    expect(rig, work_for(7, 2, none), "nobody");
    expect(rig, work_for(5 + FAR, 2, none), "nobody");
    expect(rig, work_for(5 + FAR, 2, far), "far");
    expect(rig, work_for(5, 2, a), "a");
    expect(rig, work_for(5, 3, c), "c");
    expect(rig, work_for(5, 2, a), "a"); /* work that was claimed before the change */
    expect(rig, work_for(5, 4, none), "nobody");
    expect(rig, work_for(5, 4, c), "c");
}

static void it_is_opened_once_a_version(void **state)
{
    struct rig *rig = *state;
    struct bytes sealed = delivery_rig_seal(&rig->made, 5, "a");
    struct identity *first = identity_hold(identity_for(rig, work_for(5, 2, sealed)));
    assert_ptr_equal(identity_for(rig, work_for(5, 2, sealed)), first);
    endpoint_cache_judge_again(rig->cache);
    assert_ptr_equal(identity_for(rig, work_for(5, 2, sealed)), first);
    struct identity *second = identity_hold(identity_for(rig, work_for(5, 3, sealed)));
    assert_ptr_not_equal(first, second);
    assert_string_equal(name_of(first), "a"); /* whoever holds it has it */
    identity_close(first);
    expect(rig, work_for(5, 4, none), "nobody");
    assert_ptr_not_equal(identity_for(rig, work_for(5, 3, sealed)), second); /* a removed one goes */
    identity_close(second);
}

static void what_does_not_open_is_not_nobody(void **state)
{
    struct rig *rig = *state;
    const struct cached_endpoint *endpoint;
    struct bytes foreign = delivery_rig_seal(&rig->made, 6, "a"), garbage = bytes_of("garbage");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(find(rig, work_for(5, 2, foreign), &endpoint), FAILURE_SEALED);
        assert_int_equal(find(rig, work_for(5, 3, garbage), &endpoint), FAILURE_SEALED);
    }
    struct identity_source empty = {.ca = {NULL, 0}}; /* opens, but is none */
    struct bytes sealed = identities_seal(rig->made.vault, 5, &empty, &rig->made.arena);
    assert_int_equal(find(rig, work_for(5, 4, sealed), &endpoint), FAILURE_SEALED);
    expect(rig, work_for(5, 5, delivery_rig_seal(&rig->made, 5, "a")), "a");
}

/* One more than may be open ends another's, whose next push opens it again. */
static void so_many_identities_are_open(void **state)
{
    struct rig *rig = *state;
    struct identity_source source = {.ca = bytes_of(rig->made.ca), .server_name = bytes_of("a")};
    struct identity *held[ENDPOINT_IDENTITIES_MAX + 1];
    struct bytes sealed[ENDPOINT_IDENTITIES_MAX + 1];
    int again = 0;
    for (int i = 0; i <= ENDPOINT_IDENTITIES_MAX; i++) {
        sealed[i] = identities_seal(rig->made.vault, 5 + 3 * i, &source, &rig->made.arena);
        held[i] = identity_hold(identity_for(rig, work_for(5 + 3 * i, 1, sealed[i])));
    }
    for (int i = ENDPOINT_IDENTITIES_MAX; i > 0; i--)
        assert_ptr_equal(identity_for(rig, work_for(5 + 3 * i, 1, sealed[i])), held[i]);
    for (int i = 0; i <= ENDPOINT_IDENTITIES_MAX; i++)
        again += identity_for(rig, work_for(5 + 3 * i, 1, sealed[i])) != held[i];
    assert_in_range(again, 1, ENDPOINT_IDENTITIES_MAX + 1);
    for (int i = 0; i <= ENDPOINT_IDENTITIES_MAX; i++)
        identity_close(held[i]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(its_own_text),
        TEST(another_url_of_the_same_endpoint),
        TEST(two_endpoints_of_one_place),
        TEST(what_is_not_allowed),
        TEST(a_guard_that_changed),
        TEST(pushes_are_signed_by_every_active_secret),
        TEST(each_endpoint_has_its_own_in_its_newest_version),
        TEST(it_is_opened_once_a_version),
        TEST(what_does_not_open_is_not_nobody),
        TEST(so_many_identities_are_open),
    };
    return cmocka_run_group_tests(tests, setup_group, teardown_group);
}
