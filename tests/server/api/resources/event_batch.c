/* POST /api/events/batch, or /api/events with application/x-ndjson: a line in, a line out. */
#include "api_fixture.h"

static int teardown(void **state)
{
    rig_fault(STORE_OK);
    rig_no_space(false);
    rig_close(&rig);
    return 0;
}

enum { LINES_MAX = 64 };

struct batch_reply {
    struct reply reply;
    struct reply lines[LINES_MAX]; /* each a document of its own */
    int count;
};

static struct batch_reply post_with(const char *body, const char *name, const char *value)
{
    const struct ask ask = {"POST", "/api/events",          RIG_REGULAR,
                            body,   "application/x-ndjson", {{name, value}}};
    struct batch_reply batch = {.reply = rig_ask(&rig, &ask)};
    if (!reply_header_is(&batch.reply, "Content-Type", "application/x-ndjson")) {
        reply_check(&batch.reply, &ask);
        return batch;
    }
    for (char *line = strtok(batch.reply.body, "\n"); line; line = strtok(NULL, "\n")) {
        struct reply *one = &batch.lines[batch.count++];
        assert_true(batch.count <= LINES_MAX);
        *one = (struct reply){.json = json_tokener_parse(line)};
        assert_string_equal(reply_text(one, "/jsonapi/version"), "1.1");
        one->status = atoi(reply_text(one, "/meta/status"));
        assert_true((reply_get(one, "/data") != NULL) == (one->status == 201));
        assert_true((reply_get(one, "/errors") != NULL) == (one->status != 201));
    }
    return batch;
}

static struct batch_reply post(const char *body)
{
    return post_with(body, NULL, NULL);
}

static void done(struct batch_reply *batch)
{
    for (int i = 0; i < batch->count; i++)
        json_object_put(batch->lines[i].json);
    reply_free(&batch->reply);
}

#define EVENT(type) "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"" type "\"}}}"
#define KEYED(key, type)                                                                                     \
    "{\"meta\":{\"idempotency_key\":\"" key "\"},\"data\":{\"type\":\"events\",\"attributes\":"              \
    "{\"event_type\":\"" type "\"}}}"

static int events_there(void)
{
    const struct ask ask = {"GET", "/api/events?page[size]=100", RIG_REGULAR};
    struct reply reply = rig_ask(&rig, &ask);
    assert_int_equal(reply.status, 200);
    int count = (int)json_object_array_length(reply_get(&reply, "/data"));
    reply_free(&reply);
    return count;
}

static void test_each_line_in_order(void **state)
{
    struct batch_reply batch = post(EVENT("a") "\n" EVENT("b") "\n" EVENT("c") "\n");
    assert_int_equal(batch.reply.status, 201);
    assert_int_equal(batch.count, 3);
    int64_t before = 0;
    for (int i = 0; i < 3; i++) {
        const char type[] = {(char)('a' + i), '\0'};
        char target[64];
        int64_t id = atoll(reply_text(&batch.lines[i], "/data/id"));
        assert_int_equal(atoi(reply_text(&batch.lines[i], "/meta/line")), i + 1);
        assert_true(id > before);
        before = id;
        snprintf(target, sizeof target, "/api/events/%lld", (long long)id);
        assert_string_equal(reply_text(&batch.lines[i], "/links/self"), target);
        const struct ask ask = {"GET", target, RIG_REGULAR};
        struct reply event = rig_ask(&rig, &ask);
        assert_string_equal(reply_text(&event, "/data/attributes/event_type"), type);
        reply_free(&event);
    }
    done(&batch);
}

/* A bad line stops no good one, and says what is wrong with its own place in the batch. */
static void test_bad_lines_stop_no_good_ones(void **state)
{
    struct batch_reply batch = post(EVENT(
        "a") "\r\n"
             "\n"
             "  {\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"b\",}}} \t\n"
             "{\"data\":{\"type\":\"events\",\"attributes\":{}}}\n"
             "{\"data\" 1}\n"
             "{\"data\":{\"type\":\"users\"}}\n"
             "null\n"
             "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"x\"},"
             "\"relationships\":{\"user\":{\"data\":{\"type\":\"users\",\"id\":\"5\"}}}}}\n" EVENT("c"));
    static const struct {
        int line, status;
        const char *code, *pointer;
    } rows[] = {{1, 201, "", ""},
                {3, 201, "", ""},
                {4, 422, "attribute_missing", "/data/attributes"},
                {5, 400, "json_syntax", ""},
                {6, 409, "type_conflict", "/data/type"},
                {7, 400, "json_syntax", ""},
                {8, 403, "forbidden", "/data/relationships/user/data/id"},
                {9, 201, "", ""}};
    assert_int_equal(batch.reply.status, 207);
    assert_int_equal(batch.count, 8);
    for (int i = 0; i < 8; i++) {
        const struct reply *line = &batch.lines[i];
        if (line->status != rows[i].status)
            fail_msg("line %d: %d", rows[i].line, line->status);
        assert_int_equal(atoi(reply_text(line, "/meta/line")), rows[i].line);
        assert_string_equal(reply_text(line, "/errors/0/code"), rows[i].code);
        assert_string_equal(reply_text(line, "/errors/0/source/pointer"), rows[i].pointer);
    }
    assert_string_equal(reply_text(&batch.lines[1], "/meta/warnings/0/code"), "json_trailing_comma");
    assert_int_equal(atoi(reply_text(&batch.lines[1], "/meta/warnings/0/line")), 3);
    assert_int_equal(atoi(reply_text(&batch.lines[3], "/errors/0/meta/line")), 5);
    assert_non_null(strstr(reply_text(&batch.lines[3], "/errors/0/detail"), "line 5, column 9"));
    assert_int_equal(events_there(), 3);
    done(&batch);
}

static void test_warnings_stay_with_their_line(void **state)
{
    static const char warned[] = "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"b\",}}}\n";
    char body[512];
    snprintf(body, sizeof body, "%s\n%s%s\n", EVENT("a"), warned, EVENT("c"));
    struct batch_reply batch = post(body);
    assert_int_equal(batch.reply.status, 201);
    for (int i = 0; i < 3; i++)
        assert_true((reply_get(&batch.lines[i], "/meta/warnings") != NULL) == (i == 1));
    done(&batch);
}

static void test_one_commit(void **state)
{
    char body[64 * 80] = "";
    for (int i = 0; i < 60; i++)
        strcat(body, i % 10 == 3 ? "{}\n" : EVENT("x") "\n");
    int writes = rig_event_writes();
    struct batch_reply batch = post(body);
    assert_int_equal(batch.reply.status, 207);
    assert_int_equal(batch.count, 60);
    assert_int_equal(rig_event_writes(), writes + 1);
    assert_int_equal(events_there(), 54);
    done(&batch);
}

/* ---- once, however often it is sent ---- */

static void test_keys_of_lines(void **state)
{
    struct batch_reply first = post(KEYED("k1", "a") "\n" KEYED("k2", "a") "\n" EVENT("a"));
    struct batch_reply again =
        post(KEYED("k2", "a") "\n" EVENT("a") "\n" KEYED("k1", "a") "\n" KEYED("k1", "b"));
    assert_int_equal(first.reply.status, 201);
    assert_int_equal(again.reply.status, 207);
    assert_string_equal(reply_text(&again.lines[0], "/data/id"), reply_text(&first.lines[1], "/data/id"));
    assert_string_equal(reply_text(&again.lines[2], "/data/id"), reply_text(&first.lines[0], "/data/id"));
    assert_string_not_equal(reply_text(&again.lines[1], "/data/id"), reply_text(&first.lines[2], "/data/id"));
    assert_int_equal(again.lines[3].status, 422);
    assert_string_equal(reply_text(&again.lines[3], "/errors/0/code"), "idempotency_conflict");
    assert_string_equal(reply_text(&again.lines[3], "/errors/0/source/pointer"), "/meta/idempotency_key");
    assert_int_equal(events_there(), 4);
    done(&first);
    done(&again);
    /* The same line twice in one batch is one event. */
    first = post(KEYED("k3", "a") "\n" KEYED("k3", "a"));
    assert_int_equal(first.reply.status, 201);
    assert_string_equal(reply_text(&first.lines[0], "/data/id"), reply_text(&first.lines[1], "/data/id"));
    assert_int_equal(events_there(), 5);
    done(&first);
}

static void test_a_key_for_the_whole_batch(void **state)
{
    static const char body[] = EVENT("a") "\nnonsense\n" EVENT("a") "\n" KEYED("own", "a");
    struct batch_reply first = post_with(body, "Idempotency-Key", "batch-1");
    struct batch_reply again = post_with(body, "Idempotency-Key", "batch-1");
    assert_int_equal(first.reply.status, 207);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(again.lines[i].status, first.lines[i].status);
        assert_string_equal(reply_text(&again.lines[i], "/data/id"), reply_text(&first.lines[i], "/data/id"));
    }
    assert_int_equal(events_there(), 3);
    done(&first);
    done(&again);
    again = post_with(EVENT("b"), "Idempotency-Key", "batch-1");
    assert_int_equal(again.lines[0].status, 422);
    assert_string_equal(reply_text(&again.lines[0], "/errors/0/source/header"), "Idempotency-Key");
    done(&again);
}

static void test_keys_that_are_none(void **state)
{
    static const char *const wrong[] = {"\"\"", "5", "null", "[]"};
    char body[1024], key[258];
    for (size_t i = 0; i < 4; i++) {
        snprintf(body, sizeof body,
                 "{\"meta\":{\"idempotency_key\":%s},\"data\":{\"type\":\"events\",\"attributes\":"
                 "{\"event_type\":\"a\"}}}",
                 wrong[i]);
        struct batch_reply batch = post(body);
        assert_int_equal(batch.lines[0].status, 422);
        assert_string_equal(reply_text(&batch.lines[0], "/errors/0/source/pointer"), "/meta/idempotency_key");
        done(&batch);
    }
    memset(key, 'k', 257);
    for (int len = 256; len <= 257; len++) {
        snprintf(body, sizeof body,
                 "{\"meta\":{\"idempotency_key\":\"%.*s\"},\"data\":{\"type\":\"events\",\"attributes\":"
                 "{\"event_type\":\"a\"}}}",
                 len, key);
        struct batch_reply batch = post(body);
        assert_int_equal(batch.lines[0].status, len == 256 ? 201 : 422);
        done(&batch);
    }
    key[245] = '\0';
    struct batch_reply batch = post_with(EVENT("a"), "Idempotency-Key", key);
    assert_int_equal(batch.reply.status, 400);
    assert_string_equal(reply_text(&batch.reply, "/errors/0/source/header"), "Idempotency-Key");
    done(&batch);
    batch = post_with(EVENT("a"), "Idempotency-Key", key + 1);
    assert_int_equal(batch.reply.status, 201);
    done(&batch);
    batch = post_with(EVENT("a"), "Idempotency-Key", "");
    assert_int_equal(batch.reply.status, 400);
    done(&batch);
}

/* ---- what cannot be ---- */

static void expect_whole(struct batch_reply batch, int status, const char *code)
{
    assert_int_equal(batch.reply.status, status);
    assert_int_equal(batch.count, 0);
    assert_string_equal(reply_text(&batch.reply, "/errors/0/code"), code);
    done(&batch);
}

static void test_whole_batches_refused(void **state)
{
    size_t size = 1002 * sizeof EVENT("x");
    char *body = calloc(1, size), *at = body;
    for (int i = 0; i < 1001; i++)
        at += snprintf(at, size - (size_t)(at - body), "%s\n", EVENT("x"));
    expect_whole(post(body), 413, "body_too_large");
    free(body);
    expect_whole(post("\n \r\n\t\n"), 400, "document_invalid");
    expect_whole(post(""), 400, "document_invalid");
    expect_whole(post_with(EVENT("x"), "Content-Encoding", "gzip"), 415, "media_type");
    rig.settings.queue_max = 2;
    expect_whole(post("{}\n{}\n{}"), 413, "body_too_large");
    rig.settings.queue_max = 0;
    /* More than the queue has room for: nothing was taken, and later it may be. */
    char lines[65 * sizeof EVENT("x") + 1] = "";
    for (int i = 0; i < 65; i++)
        strcat(lines, EVENT("x") "\n");
    struct batch_reply batch = post(lines);
    assert_true(reply_header_is(&batch.reply, "Retry-After", "1"));
    expect_whole(batch, 503, "busy");
    assert_int_equal(events_there(), 0);
    /* Only events come in batches. */
    const struct ask users = {"POST", "/api/users", RIG_MASTER, "{}", "application/x-ndjson"};
    struct reply reply = rig_ask(&rig, &users);
    assert_int_equal(reply.status, 415);
    reply_free(&reply);
}

static void test_what_is_accepted(void **state)
{
    static const struct {
        const char *type, *accept;
        int status, own_path_status; /* of /api/events/batch, which takes nothing but lines */
    } rows[] = {{"application/x-ndjson", "application/x-ndjson", 201, 201},
                {"application/x-ndjson", "*/*", 201, 201},
                {"application/x-ndjson", "application/vnd.api+json", 201, 201},
                {"application/x-ndjson", "text/html", 406, 406},
                {"application/x-ndjson; charset=UTF-8", "application/x-ndjson;q=0.5", 201, 201},
                {"application/x-ndjson; charset=utf-16", "*/*", 415, 415},
                {"application/json", "application/x-ndjson", 406, 406},
                {"application/json", "*/*", 201, 415}};
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        bool own = i % 2;
        const struct ask ask = {"POST",           own ? "/api/events/batch" : "/api/events",
                                RIG_REGULAR,      EVENT("x"),
                                rows[i / 2].type, {{"Accept", rows[i / 2].accept}}};
        struct reply reply = rig_ask(&rig, &ask);
        if (reply.status != (own ? rows[i / 2].own_path_status : rows[i / 2].status))
            fail_msg("%s %s, %s: %d", ask.target, rows[i / 2].type, rows[i / 2].accept, reply.status);
        reply_free(&reply);
    }
}

static void test_faults_of_the_store(void **state)
{
    static const struct {
        enum store_status status;
        int answer;
        const char *code;
    } rows[] = {{STORE_FULL, 507, "store_full"}, {STORE_DOWN, 503, "store_down"}};
    for (size_t i = 0; i < 2; i++) {
        rig_fault(rows[i].status);
        struct batch_reply batch = post(EVENT("a") "\n" EVENT("b"));
        size_t len;
        assert_non_null(reply_header(&batch.reply, "Retry-After", &len));
        expect_whole(batch, rows[i].answer, rows[i].code);
        batch = post(EVENT("a") "\n{}");
        assert_int_equal(batch.reply.status, 207);
        assert_int_equal(batch.lines[0].status, rows[i].answer);
        assert_int_equal(batch.lines[1].status, 400);
        done(&batch);
        rig_fault(STORE_OK);
    }
    rig_no_space(true);
    expect_whole(post(EVENT("a") "\n" EVENT("b")), 507, "store_full");
}

/* As large as may be: memory suffices, and no line gets lost. */
static void test_a_thousand_large_lines(void **state)
{
    size_t size = 1 << 20;
    char *body = malloc(size), *at = body;
    while ((size_t)(at - body) + 1100 < size)
        at += sprintf(at,
                      "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"x\"}},\"included\":"
                      "[{\"type\":\"a\",\"id\":1,\"attributes\":{\"n\":\"%0960d\"}}],,}\n",
                      0);
    struct reply reply;
    const struct ask ask = {"POST", "/api/events", RIG_REGULAR, body, "application/x-ndjson"};
    reply = rig_ask(&rig, &ask);
    assert_int_equal(reply.status, 207); /* every line is wrong: two commas */
    int lines = 0;
    for (const char *line = reply.body; *line; line = strchr(line, '\n') + 1)
        lines++;
    assert_in_range(lines, 900, 1000);
    reply_free(&reply);
    free(body);
}

int main(void)
{
#define WITH(f) cmocka_unit_test_setup_teardown(f, open_rig, teardown)
    const struct CMUnitTest tests[] = {WITH(test_each_line_in_order),
                                       WITH(test_bad_lines_stop_no_good_ones),
                                       WITH(test_warnings_stay_with_their_line),
                                       WITH(test_one_commit),
                                       WITH(test_keys_of_lines),
                                       WITH(test_a_key_for_the_whole_batch),
                                       WITH(test_keys_that_are_none),
                                       WITH(test_whole_batches_refused),
                                       WITH(test_what_is_accepted),
                                       WITH(test_faults_of_the_store),
                                       WITH(test_a_thousand_large_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
