/* Idempotency-Key on what makes users, keys and signing secrets: once, across a restart too. */
#include "rig.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct rig rig;

static int setup(void **state)
{
    rig_open(&rig);
    return 0;
}

static int teardown(void **state)
{
    rig_close(&rig);
    return 0;
}

static struct reply post(const char *target, enum rig_user as, const char *body, const char *key)
{
    struct ask ask = {"POST", target, as, body, NULL, {{"Idempotency-Key", key}}};
    struct reply reply = rig_ask(&rig, &ask);
    if (reply.status / 100 != 2)
        reply_check(&reply, &ask);
    return reply;
}

static int count_of(const char *target)
{
    struct ask ask = {"GET", target, RIG_MASTER};
    struct reply reply = rig_ask(&rig, &ask);
    assert_int_equal(reply.status, 200);
    int count = (int)json_object_array_length(reply_get(&reply, "/data"));
    reply_free(&reply);
    return count;
}

static const struct {
    const char *target, *body, *other;
    const char *secrets[2]; /* what the first answer alone shows */
} makers[] = {{"/api/users",
               "{\"data\":{\"type\":\"users\",\"attributes\":{\"name\":\"a\"}}}",
               "{\"data\":{\"type\":\"users\",\"attributes\":{\"name\":\"b\"}}}",
               {"/meta/api_key", "/meta/signing_secret"}},
              {"/api/api_keys",
               "{\"data\":{\"type\":\"api_keys\",\"attributes\":{\"label\":\"a\"}}}",
               "{\"data\":{\"type\":\"api_keys\",\"attributes\":{\"label\":\"b\"}}}",
               {"/data/attributes/token", "/data/attributes/token"}},
              {"/api/signing_secrets",
               "{\"data\":{\"type\":\"signing_secrets\",\"attributes\":{\"algorithm\":\"v1\"}}}",
               "{\"data\":{\"type\":\"signing_secrets\",\"attributes\":{\"algorithm\":\"v1a\"}}}",
               {"/data/attributes/secret", "/data/attributes/secret"}}};
enum { MAKERS = sizeof makers / sizeof *makers };

static void test_once(void **state)
{
    for (int i = 0; i < MAKERS; i++) {
        int before = count_of(makers[i].target);
        struct reply first = post(makers[i].target, RIG_MASTER, makers[i].body, "once");
        assert_int_equal(first.status, 201);
        assert_true(reply_header_is(&first, "Idempotency-Replayed", NULL));
        static const char *const same[] = {"once", "\"once\"", "once", "\"on\\\\ce\""};
        for (int k = 0; k < 3; k++) {
            struct reply again = post(makers[i].target, RIG_MASTER, makers[i].body, same[k]);
            assert_int_equal(again.status, 201);
            assert_true(reply_header_is(&again, "Idempotency-Replayed", "true"));
            assert_string_equal(reply_text(&again, "/data/id"), reply_text(&first, "/data/id"));
            size_t len, first_len;
            const char *location = reply_header(&again, "Location", &len);
            assert_memory_equal(location, reply_header(&first, "Location", &first_len), len);
            assert_string_equal(reply_text(&again, "/meta/warnings/0/code"), "replayed");
            for (int s = 0; s < 2; s++) {
                const char *secret = reply_text(&first, makers[i].secrets[s]);
                assert_true(strlen(secret) > 20);
                assert_null(strstr(again.body, secret));
            }
            reply_free(&again);
            rig_restart(&rig);
        }
        struct reply other = post(makers[i].target, RIG_MASTER, makers[i].other, "once");
        assert_int_equal(other.status, 422);
        assert_string_equal(reply_text(&other, "/errors/0/code"), "idempotency_conflict");
        reply_free(&other);
        other = post(makers[i].target, RIG_MASTER, makers[i].body, same[3]); /* it is another text */
        assert_int_equal(other.status, 201);
        assert_string_not_equal(reply_text(&other, "/data/id"), reply_text(&first, "/data/id"));
        reply_free(&other);
        assert_int_equal(count_of(makers[i].target), before + 2);
        reply_free(&first);
    }
}

/* A limit that is reached refuses a new one, and not the replay of one that is among those. */
static void test_at_a_limit(void **state)
{
    struct reply first[MAKERS];
    for (int i = 0; i < MAKERS; i++)
        first[i] = post(makers[i].target, RIG_MASTER_2, makers[i].body, "k");
    rig.settings.users_max = 1;
    rig.settings.keys_max = 1;
    for (int i = 0, status = 201; status == 201; i++) {
        char key[16];
        snprintf(key, sizeof key, "fill-%d", i);
        struct reply reply = post("/api/signing_secrets", RIG_MASTER_2, makers[2].body, key);
        status = reply.status;
        reply_free(&reply);
        assert_true(i < 100);
    }
    for (int i = 0; i < MAKERS; i++) {
        struct reply again = post(makers[i].target, RIG_MASTER_2, makers[i].body, "k");
        assert_int_equal(again.status, 201);
        assert_string_equal(reply_text(&again, "/data/id"), reply_text(&first[i], "/data/id"));
        reply_free(&again);
        struct reply more = post(makers[i].target, RIG_MASTER_2, makers[i].body, "l");
        assert_int_equal(more.status, 409);
        reply_free(&more);
        reply_free(&first[i]);
    }
    rig.settings.users_max = rig.settings.keys_max = 0;
}

/* Keys are their requester's, and their path's. */
static void test_whose(void **state)
{
    struct reply a = post("/api/api_keys", RIG_REGULAR, makers[1].body, "mine"),
                 b = post("/api/api_keys", RIG_OTHER, makers[1].body, "mine"),
                 c = post("/api/signing_secrets", RIG_OTHER, makers[2].body, "mine");
    assert_int_equal(a.status, 201);
    assert_int_equal(b.status, 201);
    assert_int_equal(c.status, 201);
    assert_string_not_equal(reply_text(&a, "/data/id"), reply_text(&b, "/data/id"));
    reply_free(&a);
    reply_free(&b);
    reply_free(&c);
}

/* What is gone by now cannot be shown again, and is not made again either. */
static void test_gone(void **state)
{
    struct reply made = post("/api/signing_secrets", RIG_MASTER, makers[2].body, "gone");
    char target[128];
    snprintf(target, sizeof target, "/api/signing_secrets/%s", reply_text(&made, "/data/id"));
    reply_free(&made);
    struct ask remove = {"DELETE", target, RIG_MASTER};
    struct reply reply = rig_ask(&rig, &remove);
    assert_int_equal(reply.status, 204);
    reply_free(&reply);
    int before = count_of("/api/signing_secrets");
    reply = post("/api/signing_secrets", RIG_MASTER, makers[2].body, "gone");
    assert_int_equal(reply.status, 404);
    reply_free(&reply);
    assert_int_equal(count_of("/api/signing_secrets"), before);
}

/* What was refused, or could not be written, leaves its key free. */
static void test_a_failure_keeps_no_key(void **state)
{
    for (int i = 0; i < MAKERS; i++) {
        rig_fault(STORE_DOWN);
        struct reply reply = post(makers[i].target, RIG_MASTER, makers[i].body, "later");
        assert_int_equal(reply.status, 503);
        reply_free(&reply);
        rig_fault(STORE_OK);
        reply = post(makers[i].target, RIG_MASTER, makers[i].other, "later");
        assert_int_equal(reply.status, 201);
        reply_free(&reply);
    }
}

int main(void)
{
#define WITH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {WITH(test_once), WITH(test_at_a_limit), WITH(test_whose),
                                       WITH(test_gone), WITH(test_a_failure_keeps_no_key)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
