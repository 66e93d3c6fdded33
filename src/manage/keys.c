/*
 * posthorn keys new: an API key made on the machine itself. Whoever can write the data folder is trusted with
 * it; so a lost Master key has a way back.
 */
#include "digest.h"
#include "manage.h"
#include "rate.h"
#include <stdio.h>

enum { KEY_RANDOM_LEN = 32, LABEL_LEN_MAX = 256 };

static const char details[] =
    "Creates an API key and prints it once. The server must be stopped. Use this when the last key of a\n"
    "Master is lost. If you have a Master's key, use POST /api/api_keys instead.";

struct wanted {
    const char *user, *label, *rate;
    int64_t user_id, rate_per_s;
};

/* The user; 0: the first Master. NULL: there is none. */
static const struct user *find_user(struct store *store, int64_t id, struct arena *arena)
{
    struct store_query query = {.kind = id ? STORE_GET_USER : STORE_LIST_USERS, .id = id, .limit = 100};
    struct store_answer answer;
    do {
        if (store_read(store, 0, &query, arena, &answer) != STORE_OK)
            return NULL;
        for (int i = 0; i < answer.count; i++)
            if (id || answer.users[i].role == USER_MASTER)
                return &answer.users[i];
        query.after_id = answer.count ? answer.users[answer.count - 1].id : 0;
    } while (answer.more && answer.count);
    return NULL;
}

static bool tell(const struct manage *manage, const struct user *user, const char *token)
{
    if (manage->json)
        printf("{\"user_id\":\"%lld\",\"api_key\":\"%s\"}\n", (long long)user->id, token);
    else
        printf("user:    %lld (%s)\napi key: %s\n\nThe key is shown this once; only its SHA-256 is kept.\n",
               (long long)user->id, user->role == USER_MASTER ? "Master" : "Regular", token);
    return manage_flush(manage);
}

/* It is told before it is made: one that cannot be shown is of no use. */
static int make_key(struct manage *manage, struct store *store, const struct wanted *wanted)
{
    const struct user *user = find_user(store, wanted->user_id, &manage->arena);
    if (!user)
        return manage_failed(manage, wanted->user_id ? "there is no user %s" : "there is no Master%s",
                             wanted->user_id ? wanted->user : "");
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
        return MANAGE_FAILED;
    enum store_status status = store_write(store, &batch);
    if (status == STORE_OK && op.result == STORE_DONE)
        return MANAGE_DONE;
    return manage_failed(manage, "the key above was not made: %s", store_status_sentence(status));
}

static bool read_wanted(struct manage *manage, struct wanted *wanted, int *code)
{
    *code = MANAGE_USAGE;
    if (wanted->user && (!bytes_to_int64(bytes_of(wanted->user), &wanted->user_id) || wanted->user_id <= 0)) {
        manage_failed(manage, "--user must be a user's id, not '%.40s'", wanted->user);
        return false;
    }
    bool unlimited = wanted->rate && strcmp(wanted->rate, "unlimited") == 0;
    if (unlimited)
        wanted->rate_per_s = -1;
    else if (wanted->rate && (!bytes_to_int64(bytes_of(wanted->rate), &wanted->rate_per_s) ||
                              wanted->rate_per_s < 1 || wanted->rate_per_s > RATE_PER_S_MAX)) {
        manage_failed(manage, "--rate must be `unlimited` or a number from 1 to %d, not '%.40s'",
                      RATE_PER_S_MAX, wanted->rate);
        return false;
    }
    if (strlen(wanted->label) > LABEL_LEN_MAX || !bytes_are_utf8(bytes_of(wanted->label))) {
        manage_failed(manage, "--label must be a text of at most %d bytes", LABEL_LEN_MAX);
        return false;
    }
    return true;
}

static int keys_new(int argc, char **argv)
{
    struct wanted wanted = {.label = "made by posthorn keys new"};
    const struct manage_usage usage = {
        .command = "keys new",
        .synopsis = "keys new --data DIR [--user ID] [--rate N|unlimited] [--label TEXT]",
        .details = details,
        .options = {
            {"user", "ID", "user of the key [the first Master]", &wanted.user},
            {"rate", "N", "requests a second, or `unlimited` [for a Master: unlimited]", &wanted.rate},
            {"label", "TEXT", "label in lists of keys", &wanted.label}}};
    struct manage manage;
    struct store *store;
    int code;
    if (!manage_begin(&manage, &usage, argc, argv, &code))
        return code;
    if (read_wanted(&manage, &wanted, &code))
        code = manage_open_store(&manage, &store);
    if (code == MANAGE_DONE) {
        code = make_key(&manage, store, &wanted);
        store_close(store);
    }
    manage_end(&manage);
    return code;
}

int keys_main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "new") == 0)
        return keys_new(argc - 1, argv + 1);
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return keys_new(argc, argv);
    fputs("posthorn keys: write `posthorn keys new --data DIR`; list and revoke keys at /api/api_keys\n"
          "Try `posthorn keys --help`.\n",
          stderr);
    return MANAGE_USAGE;
}
