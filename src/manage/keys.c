/*
 * posthorn keys new: makes an API key without a server, for the case that the Master key is lost. Write
 * access to the data folder is the permission.
 */
#include "digest.h"
#include "manage.h"
#include "rate.h"
#include <stdio.h>

enum { KEY_RANDOM_LEN = 32, LABEL_LEN_MAX = 256 };

static const char details[] =
    "Creates an API key and prints it once. The server must be stopped. Use this when the last key of a\n"
    "Master is lost. If you have a Master's key, use POST /api/api_keys instead.";

struct keys_options {
    struct manage manage;
    const char *label, *rate;
    int64_t user_id; /* -1: the first Master */
    int64_t rate_per_s;
};

/* NULL: there is no such user. */
static const struct user *find_user(struct store *store, int64_t id, struct arena *arena)
{
    struct store_query query = {
        .kind = id > 0 ? STORE_GET_USER : STORE_LIST_USERS, .id = id > 0 ? id : 0, .limit = 100};
    struct store_answer answer;
    do {
        if (store_read(store, 0, &query, arena, &answer) != STORE_OK)
            return NULL;
        for (int i = 0; i < answer.count; i++)
            if (id > 0 || answer.users[i].role == USER_MASTER)
                return &answer.users[i];
        query.after_id = answer.count ? answer.users[answer.count - 1].id : 0;
    } while (answer.more && answer.count);
    return NULL;
}

static bool tell(const struct manage *manage, const struct user *user, const char *token)
{
    if (manage->invocation->json)
        printf("{\"user_id\":\"%lld\",\"api_key\":\"%s\"}\n", (long long)user->id, token);
    else
        printf("user:    %lld (%s)\napi key: %s\n\nThe key is shown this once; only its SHA-256 is kept.\n",
               (long long)user->id, user->role == USER_MASTER ? "Master" : "Regular", token);
    return command_flush(manage->invocation);
}

/* Prints the key before it stores it: a key that cannot be shown is useless. */
static int make_key(struct keys_options *wanted)
{
    struct manage *manage = &wanted->manage;
    const struct user *user = find_user(manage->opened, wanted->user_id, &manage->arena);
    if (!user && wanted->user_id > 0)
        return command_failed(manage->invocation, "there is no user %lld", (long long)wanted->user_id);
    if (!user)
        return command_failed(manage->invocation, "there is no Master");
    char token[2 * KEY_RANDOM_LEN + 1];
    struct store_op op = {.kind = STORE_KEY_CREATE,
                          .key = {.user_id = user->id,
                                  .label = bytes_of(wanted->label),
                                  .rate_per_s = wanted->rate_per_s,
                                  .created_at_ms = clock_wall_ms(&manage->options.clock)}};
    struct store_op *ops[] = {&op};
    struct store_batch batch = {.ops = ops, .op_count = 1};
    if (!wanted->rate)
        op.key.rate_per_s = user->role == USER_MASTER ? -1 : 0;
    digest_random_hex(token, KEY_RANDOM_LEN);
    digest_sha256_hex(bytes_of(token), op.key.digest);
    if (!tell(manage, user, token))
        return EXIT_FAILED;
    enum store_status status = store_write(manage->opened, &batch);
    if (status == STORE_OK && op.result == STORE_DONE)
        return EXIT_DONE;
    return command_failed(manage->invocation, "the key above was not made: %s",
                          store_status_sentence(status));
}

static int make(const struct invocation *invocation, void *options)
{
    struct keys_options *wanted = options;
    wanted->rate_per_s = -1;
    if (wanted->rate && strcmp(wanted->rate, "unlimited") != 0 &&
        (!bytes_to_int64(bytes_of(wanted->rate), &wanted->rate_per_s) || wanted->rate_per_s < 1 ||
         wanted->rate_per_s > RATE_PER_S_MAX))
        return command_wrong(invocation, "--rate must be `unlimited` or a number from 1 to %d, not '%.40s'",
                             RATE_PER_S_MAX, wanted->rate);
    if (strlen(wanted->label) > LABEL_LEN_MAX || !bytes_are_utf8(bytes_of(wanted->label)))
        return command_wrong(invocation, "--label must be a text of at most %d bytes", LABEL_LEN_MAX);
    return make_key(wanted);
}

#define AT(field) offsetof(struct keys_options, field)
static const struct option_row rows[] = {
    {"user", OPTION_NUMBER, AT(user_id), "", "ID", "user of the key; without it, the first Master", 1,
     INT64_MAX},
    {"rate", OPTION_TEXT, AT(rate), "", "N",
     "requests a second, or `unlimited`; without it, rate-limit, and for a Master no limit"},
    {"label", OPTION_TEXT, AT(label), "made by posthorn keys new", "TEXT", "label in lists of keys"},
};

const struct command keys_command = {
    .name = "keys",
    .summary = "create an API key without a server",
    .details = details,
    .verbs = {{"new", "", make}},
    .rows = OPTION_TABLE(rows),
    .required = "--data DATA",
    MANAGE_COMMAND(struct keys_options, manage_run_on_store),
};
