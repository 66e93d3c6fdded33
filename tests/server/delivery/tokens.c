/* The rules of the kept tokens, in a time and with a sender that the test has in its hand. */
#include "tokens.h"
#include "push_secrets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define AUTH "oauth2\nhttps://login.example.com/token?x=1\nthe id\na b"

enum { SENT_MAX = 8, OWNER = 4, CREATED_AT_MS = 1700000000, SECOND_MS = 1000 };

static struct {
    int64_t now_ms;
    int count;
    struct {
        sender_done *done;
        void *ctx;
        char authorization[128], body[128], target[64];
        int timeout_s;
        bool client_certificate;
    } sent[SENT_MAX];
} fake;

/* In the place of the real one. */
void sender_start(struct sender *sender, const struct sender_request *request, uint32_t tag,
                  sender_done *done, void *ctx)
{
    assert_int_equal(request->age_ms_max, 0); /* a connection of its own */
    assert_true(request->once);
    assert_int_equal(request->header_count, 2);
    int i = fake.count++ % SENT_MAX;
    fake.sent[i].done = done;
    fake.sent[i].ctx = ctx;
    fake.sent[i].timeout_s = request->timeout_s;
    fake.sent[i].client_certificate = request->identity != NULL;
    snprintf(fake.sent[i].authorization, 128, "%.*s", BYTES_ARG(request->headers[1].value));
    snprintf(fake.sent[i].body, 128, "%.*s", BYTES_ARG(request->body));
    snprintf(fake.sent[i].target, 64, "%.*s", BYTES_ARG(request->url->target));
}

static int64_t now(void *ctx)
{
    return fake.now_ms;
}

/* Its memory is wiped when it was read. */
static void answer_with(int i, int status, const char *body)
{
    char copy[256];
    snprintf(copy, sizeof copy, "%s", body);
    struct sender_result result = {
        .status = status, .retry_after_ms = -1, .json = true, .response = bytes_of(copy)};
    fake.sent[i].done(fake.sent[i].ctx, 0, &result);
    for (size_t at = 0; at < strlen(body); at++)
        assert_int_equal(copy[at], 0);
}

static void answer_token(int i, const char *token, int expires_in_s)
{
    char body[256];
    snprintf(body, sizeof body, "{\"access_token\":\"%s\",\"token_type\":\"Bearer\",\"expires_in\":%d}",
             token, expires_in_s);
    answer_with(i, 200, body);
}

static void answer_failure(int i, enum failure failure)
{
    struct sender_result result = {.failure = failure, .retry_after_ms = -1};
    fake.sent[i].done(fake.sent[i].ctx, 0, &result);
}

struct waiter {
    struct token_wait wait;
    int done;
    enum failure failure;
    char detail[256], text[64];
};

static void on_done(struct token_wait *wait, const struct token_outcome *outcome)
{
    struct waiter *waiter = (struct waiter *)(void *)wait; /* its first member */
    waiter->done++;
    waiter->failure = outcome->failure;
    snprintf(waiter->detail, sizeof waiter->detail, "%s", outcome->detail);
    if (outcome->token)
        snprintf(waiter->text, sizeof waiter->text, "%.*s", BYTES_ARG(token_authorization(outcome->token)));
    token_drop(outcome->token);
}

struct rig {
    char folder[64], path[96];
    struct vault *vault;
    struct arena arena;
    struct guard guard;
    struct tokens *tokens;
    struct push_settings push;
};

static int setup(void **state)
{
    static struct rig rig;
    memset(&fake, 0, sizeof fake);
    memset(&rig, 0, sizeof rig);
    fake.now_ms = 1000000;
    snprintf(rig.folder, sizeof rig.folder, "/tmp/posthorn-tokens-XXXXXX");
    assert_non_null(mkdtemp(rig.folder));
    snprintf(rig.path, sizeof rig.path, "%s/key", rig.folder);
    assert_int_equal(vault_make(rig.path, &rig.vault), VAULT_OK);
    arena_init(&rig.arena, 1 << 20);
    guard_init(&rig.guard);
    rig.push.auth = bytes_of(AUTH);
    struct push_secret secret = push_secret_auth(OWNER, CREATED_AT_MS, &rig.push);
    rig.push.auth_secret = push_secret_seal(rig.vault, &secret, bytes_of("the secret"), &rig.arena);
    rig.tokens = tokens_open(&(struct tokens_config){
        .vault = rig.vault, .guard = &rig.guard, .clock = {.wall_ms = now, .mono_ms = now}});
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;
    tokens_close(rig->tokens);
    vault_close(rig->vault);
    arena_fini(&rig->arena);
    unlink(rig->path);
    return rmdir(rig->folder);
}

static struct store_work work_of(const struct rig *rig, int64_t endpoint_id, int64_t version)
{
    return (struct store_work){.endpoint_id = endpoint_id,
                               .endpoint_version = version,
                               .user_id = OWNER,
                               .endpoint_created_at_ms = CREATED_AT_MS,
                               .push = &rig->push};
}

static struct waiter wait_for(struct rig *rig, int64_t endpoint_id, int64_t version, struct waiter *waiter)
{
    struct store_work work = work_of(rig, endpoint_id, version);
    memset(waiter, 0, sizeof *waiter);
    waiter->wait.done = on_done;
    tokens_wait(rig->tokens, &work, &waiter->wait);
    return *waiter;
}

static bool has(struct rig *rig, int64_t endpoint_id, int64_t version, const char *text)
{
    struct store_work work = work_of(rig, endpoint_id, version);
    struct token *token = tokens_find(rig->tokens, &work);
    bool found = token && bytes_equal_text(token_authorization(token), text);
    assert_true(found || !token);
    token_drop(token);
    return found;
}

static void one_request_serves_all_who_wait(void **state)
{
    struct rig *rig = *state;
    struct waiter waiters[3];
    for (int i = 0; i < 3; i++)
        wait_for(rig, 7, 1, &waiters[i]);
    assert_int_equal(fake.count, 1);
    assert_string_equal(fake.sent[0].authorization, "Basic dGhlK2lkOnRoZStzZWNyZXQ="); /* the+id:the+secret */
    assert_string_equal(fake.sent[0].body, "grant_type=client_credentials&scope=a+b");
    assert_string_equal(fake.sent[0].target, "/token?x=1");
    assert_int_equal(fake.sent[0].timeout_s, TOKENS_REQUEST_S_MAX);
    assert_false(fake.sent[0].client_certificate);
    answer_token(0, "abc", 100);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(waiters[i].done, 1);
        assert_int_equal(waiters[i].failure, FAILURE_NONE);
        assert_string_equal(waiters[i].text, "Bearer abc");
    }
    assert_true(has(rig, 7, 1, "Bearer abc"));
    assert_false(has(rig, 7, 2, "Bearer abc"));
    assert_false(has(rig, 8, 1, "Bearer abc"));
}

static void it_ends_a_tenth_before_it_expires_at_most_30_s(void **state)
{
    struct rig *rig = *state;
    static const struct {
        int expires_in_s, used_s;
    } rows[] = {{100, 90}, {10, 9}, {3600, 3570}, {300, 270}, {1000000, 24 * 3600 - 30}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct waiter waiter;
        int64_t began_ms = fake.now_ms;
        int request = fake.count % SENT_MAX;
        wait_for(rig, 7, (int64_t)i, &waiter);
        fake.now_ms += SECOND_MS; /* the answer took so long, and its time began before it came */
        answer_token(request, "abc", rows[i].expires_in_s);
        fake.now_ms = began_ms + rows[i].used_s * SECOND_MS - 1;
        tokens_tick(rig->tokens);
        assert_true(has(rig, 7, (int64_t)i, "Bearer abc"));
        fake.now_ms++;
        assert_false(has(rig, 7, (int64_t)i, "Bearer abc"));
    }
}

static void a_refused_token_is_forgotten_but_not_the_one_after_it(void **state)
{
    struct rig *rig = *state;
    struct store_work work = work_of(rig, 7, 1);
    struct waiter waiter;
    wait_for(rig, 7, 1, &waiter);
    answer_token(0, "old", 100);
    struct token *old = tokens_find(rig->tokens, &work);
    tokens_forget(rig->tokens, &work, old);
    assert_false(has(rig, 7, 1, "Bearer old"));
    wait_for(rig, 7, 1, &waiter);
    tokens_forget(rig->tokens, &work, old); /* while the next is requested */
    answer_token(1, "new", 100);
    tokens_forget(rig->tokens, &work, old); /* a 401 that was late */
    assert_true(has(rig, 7, 1, "Bearer new"));
    assert_true(bytes_equal_text(token_authorization(old), "Bearer old"));
    token_drop(old);
}

static void a_changed_endpoint_has_a_request_of_its_own(void **state)
{
    struct rig *rig = *state;
    struct waiter former, later;
    wait_for(rig, 7, 1, &former);
    wait_for(rig, 7, 2, &later);
    assert_int_equal(fake.count, 2);
    answer_token(1, "later", 100);
    answer_token(0, "former", 100);
    assert_string_equal(former.text, "Bearer former");
    assert_string_equal(later.text, "Bearer later");
    assert_true(has(rig, 7, 2, "Bearer later"));
    assert_false(has(rig, 7, 1, "Bearer former"));
}

static void work_of_a_former_version_leaves_the_token_of_the_newer_one(void **state)
{
    struct rig *rig = *state;
    struct waiter former, newer, late;
    wait_for(rig, 7, 1, &former);
    answer_token(0, "former", 600);
    struct store_work work = work_of(rig, 7, 1);
    struct token *token = tokens_find(rig->tokens, &work);
    assert_non_null(token);
    wait_for(rig, 7, 2, &newer);
    assert_false(tokens_forget(rig->tokens, &work, token));
    token_drop(token);
    wait_for(rig, 7, 1, &late); /* in vain for the others: its token is not kept */
    assert_int_equal(fake.count, 3);
    answer_token(1, "newer", 600);
    answer_token(2, "late", 600);
    assert_string_equal(late.text, "Bearer late");
    assert_true(has(rig, 7, 2, "Bearer newer"));
    assert_false(has(rig, 7, 1, "Bearer late"));
}

static void failures_are_told_to_all_and_not_kept(void **state)
{
    struct rig *rig = *state;
    struct waiter waiters[2];
    wait_for(rig, 7, 1, &waiters[0]);
    wait_for(rig, 7, 1, &waiters[1]);
    answer_failure(0, FAILURE_RESET);
    assert_int_equal(waiters[1].failure, FAILURE_NO_TOKEN);
    assert_string_equal(waiters[1].detail, "the request to the token server failed: reset");
    wait_for(rig, 7, 1, &waiters[0]);
    answer_failure(1, FAILURE_SHUTDOWN); /* nobody's failure but ours: the attempt counts for nothing */
    assert_int_equal(waiters[0].failure, FAILURE_SHUTDOWN);
    wait_for(rig, 7, 1, &waiters[0]);
    answer_with(2, 401, "{\"error\":\"invalid_client\",\"error_description\":\"hush\"}");
    assert_string_equal(waiters[0].detail, "the token server answered 401 invalid_client");
    assert_int_equal(waiters[0].done, 1);
}

static void without_a_request_it_says_so_at_once(void **state)
{
    struct rig *rig = *state;
    struct waiter waiter;
    struct bytes sealed = rig->push.auth_secret;
    rig->push.auth_secret = bytes_of("not sealed by anybody");
    wait_for(rig, 7, 1, &waiter);
    assert_int_equal(waiter.failure, FAILURE_SEALED);
    rig->push.auth_secret = sealed;
    rig->push.auth =
        bytes_of("oauth2\nhttps://login.example.com/token?x=1\nthe id\na"); /* it is sealed for another */
    wait_for(rig, 7, 1, &waiter);
    assert_int_equal(waiter.failure, FAILURE_SEALED);
    rig->push.auth = bytes_of("oauth2\nhttp://login.example.com/token\nthe id\n");
    wait_for(rig, 7, 1, &waiter);
    assert_int_equal(waiter.failure, FAILURE_NO_TOKEN);
    rig->push.auth = bytes_of("oauth2\nhttps://10.0.0.1/token\nthe id\n");
    wait_for(rig, 7, 1, &waiter);
    assert_int_equal(waiter.failure, FAILURE_NO_TOKEN);
    assert_int_equal(waiter.done, 1);
    assert_int_equal(fake.count, 0);
}

static void the_request_leaves_half_of_the_timeout(void **state)
{
    struct rig *rig = *state;
    struct store_work work = work_of(rig, 7, 1);
    static const int rows[][2] = {{0, 10}, {1, 1}, {2, 1}, {3, 1}, {8, 4}, {20, 10}, {60, 10}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        rig->push.timeout = rows[i][0];
        assert_int_equal(tokens_request_s(&work), rows[i][1]);
    }
}

static void the_first_makes_room_when_all_places_are_taken(void **state)
{
    struct rig *rig = *state;
    struct waiter waiter;
    for (int64_t id = 1; id <= TOKENS_MAX + 1; id++) {
        int request = fake.count % SENT_MAX;
        wait_for(rig, id, 1, &waiter);
        answer_token(request, "abc", 100);
    }
    assert_false(has(rig, 1, 1, "Bearer abc"));
    assert_true(has(rig, 2, 1, "Bearer abc"));
    assert_true(has(rig, TOKENS_MAX + 1, 1, "Bearer abc"));
    fake.now_ms += 90 * SECOND_MS;
    tokens_tick(rig->tokens);
    assert_false(has(rig, 2, 1, "Bearer abc"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_request_serves_all_who_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(it_ends_a_tenth_before_it_expires_at_most_30_s, setup, teardown),
        cmocka_unit_test_setup_teardown(a_refused_token_is_forgotten_but_not_the_one_after_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_changed_endpoint_has_a_request_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(work_of_a_former_version_leaves_the_token_of_the_newer_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(failures_are_told_to_all_and_not_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_request_it_says_so_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_request_leaves_half_of_the_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_makes_room_when_all_places_are_taken, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
