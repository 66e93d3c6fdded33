/* Rows that nobody wrote, in the way of claims, outcomes and the purge: the others are served, and it ends.
 * damage.c tries every column; here are those that once held something up. */
#include "fixture.h"
#include "sqlite_parts.h"

/* A claim says when it wants to be asked again: never at once, if it found nothing. */
static void claim_and_rest(struct fixture *f, int filled)
{
    fixture_claim(f, FIXTURE_BOXES, filled);
    fixture_claim(f, FIXTURE_BOXES, 0);
    assert_true(f->next_due_in_ms != 0);
}

/* 8.12: rows that a claim finds and cannot take, and the sound ones beside them. */
static void damaged_rows_do_not_hold_up_claims(void **state)
{
    static const char *const damages[] = {
        "DELETE FROM events WHERE id = (SELECT min(id) FROM events)",
        "UPDATE events SET stamp_offset = 'x' WHERE id = (SELECT min(id) FROM events)",
        "UPDATE deliveries SET event_id = 'x' WHERE id = (SELECT min(id) FROM deliveries)",
        "UPDATE deliveries SET state = 99 WHERE id = (SELECT min(id) FROM deliveries)",
        "UPDATE deliveries SET state = 2 WHERE id = (SELECT min(id) FROM deliveries)",
        "UPDATE deliveries SET queue = 12345 WHERE id = (SELECT min(id) FROM deliveries)",
        "UPDATE deliveries SET queue = 'x' WHERE id = (SELECT min(id) FROM deliveries)",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        int64_t user = fixture_user(f, "https://example.com/");
        struct store_op ops[3] = {fixture_event_op(f, user), fixture_event_op(f, user),
                                  fixture_event_op(f, user)};
        fixture_write(f, ops, 3, 0);
        f->backend->close(f->store);
        fixture_say(f, damages[i]);
        assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
        claim_and_rest(f, 2);
        for (int box = 0; box < 2; box++)
            fixture_do(f, fixture_outcome_op(f, &f->boxes[box], DECISION_DELIVERED, 0), STORE_DONE);
        fixture_say(f, "UPDATE deliveries SET queue = NULL, state = 2 WHERE queue IS NOT NULL");
        fixture_reopen(f);
        fixture_say(f, "DELETE FROM events; DELETE FROM deliveries; DELETE FROM attempts");
    }
}

/* A purge has passed it over, for it waited; then a claim gives it up. */
static void damaged_events_are_purged(void **state)
{
    struct fixture *f = *state;
    fixture_do(f, fixture_event_op(f, fixture_user(f, "https://example.com/")), STORE_DONE);
    struct store_op purge = {.kind = STORE_PURGE, .purge.rows_max = 100};
    for (int left = 1; left >= 0; left--) {
        fixture_advance(f, 1000);
        purge.purge.before_ms = f->wall_ms;
        fixture_do(f, purge, STORE_DONE);
        assert_int_equal(fixture_ask(f, "SELECT count(*) FROM events"), left);
        fixture_say(f, "UPDATE events SET stamp_offset = 'x'");
        fixture_claim(f, 1, 0);
    }
}

/* 8.12: numbers that are none. What can be sent is sent; of a time that is none, it is now. */
static void damaged_numbers_are_claimed(void **state)
{
    static const char *const damages[] = {
        "UPDATE deliveries SET due_at = 'x'",
        "UPDATE deliveries SET due_at = NULL",
        "UPDATE deliveries SET due_at = x'00'",
        "UPDATE deliveries SET due_at = 1.5",
        "UPDATE deliveries SET lease = 'x', lost = 'x', attempt = 'x', aged_from = 'x'",
        "UPDATE deliveries SET lease = 9223372036854775807, aged_from = -9223372036854775808, attempt = 1",
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        int64_t user = fixture_user(f, "https://example.com/");
        struct store_op op = fixture_event_op(f, user);
        fixture_write(f, &op, 1, 0);
        fixture_claim(f, 1, 1);
        fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_RETRY, 0),
                   STORE_DONE); /* has an attempt */
        f->backend->close(f->store);
        fixture_say(f, damages[i]);
        assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
        claim_and_rest(f, 1);
        fixture_do(f, fixture_outcome_op(f, &f->boxes[0], DECISION_DELIVERED, 0), STORE_DONE);
        fixture_say(f, "DELETE FROM deliveries; DELETE FROM events; DELETE FROM attempts");
        fixture_reopen(f);
    }
}

/* 8.12: while the server runs. The endpoint rests, and what is sound goes after that. */
static void damage_under_way_is_no_loop(void **state)
{
    struct fixture *f = *state;
    int64_t user = fixture_user(f, "https://example.com/");
    fixture_prove(f, user);
    struct store_op ops[2] = {fixture_event_op(f, user), fixture_event_op(f, user)};
    fixture_write(f, ops, 1, 0);
    fixture_reopen(f); /* what waited in memory waits in the table */
    fixture_say(f, "UPDATE deliveries SET due_at = 'x' WHERE queue > 0");
    claim_and_rest(f, 0);
    fixture_write(f, &ops[1], 1, 0);
    fixture_advance(f, 1000);
    claim_and_rest(f, 1);
}

/* 8.12: the index of what waits has a row that has been delivered long since. It is not sent again. */
static void an_index_that_disagrees_sends_nothing(void **state)
{
    struct fixture *f = *state;
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op ops[2] = {fixture_event_op(f, user), fixture_event_op(f, user)};
    fixture_write(f, ops, 1, 0);
    f->backend->close(f->store);
    fixture_say(f, "CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'deliveries_queue';"
                   "PRAGMA writable_schema = 1; DELETE FROM sqlite_schema WHERE name = 'deliveries_queue'");
    fixture_say(f, "UPDATE deliveries SET state = 1, queue = NULL, due_at = NULL");
    fixture_say(f, "PRAGMA writable_schema = 1; INSERT INTO sqlite_schema SELECT * FROM kept");
    fixture_say(f, "DROP TABLE kept");
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
    claim_and_rest(f, 0);
    fixture_write(f, &ops[1], 1, 0);
    for (int i = 0; i < 3; i++) {
        fixture_advance(f, 1000);
        claim_and_rest(f, i == 0);
    }
    assert_int_equal(fixture_ask(f, "SELECT state FROM deliveries ORDER BY id LIMIT 1"), 1);
}

static void claim_in_time(struct fixture *f, int wanted)
{
    for (int filled = 0, i = 0; filled < wanted; i++) {
        assert_true(i < 20);
        fixture_advance(f, 1000);
        fixture_write(f, NULL, 0, FIXTURE_BOXES);
        filled += f->filled;
    }
}

/* 8.12: more entries of the index without a row than one claim reads. What is due between and behind them
 * goes, and so does what is due before them once they were passed. */
static void entries_without_a_row_are_passed(void **state)
{
    struct fixture *f = *state;
    int64_t user = fixture_user(f, "https://example.com/");
    fixture_prove(f, user);
    struct store_op ops[3];
    for (int i = 0; i < 3; i++)
        ops[i] = fixture_event_op(f, user);
    fixture_write(f, ops, 2, 0);
    f->backend->close(f->store);
    fixture_say(
        f, "UPDATE deliveries SET due_at = 250 WHERE id = (SELECT min(id) FROM deliveries WHERE queue > 0);"
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)"
           " INSERT INTO deliveries (id, event_id, endpoint_id, queue, due_at, lease, lost)"
           " SELECT i, 1, 1, (SELECT max(queue) FROM deliveries), i / 2, 0, 0 FROM n;"
           "CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'deliveries_queue';"
           "PRAGMA writable_schema = 1; DELETE FROM sqlite_schema WHERE name = 'deliveries_queue'");
    fixture_say(f, "DELETE FROM deliveries WHERE id <= 600");
    fixture_say(f, "PRAGMA writable_schema = 1; INSERT INTO sqlite_schema SELECT * FROM kept");
    fixture_say(f, "DROP TABLE kept");
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
    claim_in_time(f, 2);
    fixture_write(f, &ops[2], 1, 0);
    fixture_say(f, "UPDATE deliveries SET due_at = 0 WHERE queue > 0");
    claim_in_time(f, 1);
}

/* 8.12: rows that nobody can look for again do not keep the purge going. */
static void damaged_rows_do_not_hurry_the_purge(void **state)
{
    struct fixture *f = *state;
    f->backend->close(f->store);
    fixture_say(f, "INSERT INTO owned VALUES ('x', 1, 1), (x'00', 'x', 1);"
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
                   " INSERT INTO ended_late SELECT 0.5, i FROM n");
    assert_int_equal(f->backend->open(&f->config, &f->store), STORE_OK);
    struct store_op op = {.kind = STORE_PURGE, .purge = {.before_ms = 1000, .rows_max = 10, .more = true}};
    for (int i = 0; i < 100 && op.purge.more; i++)
        fixture_write(f, &op, 1, 0);
    assert_false(op.purge.more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SQLITE_TEST(damaged_events_are_purged),           SQLITE_TEST(damaged_rows_do_not_hold_up_claims),
        SQLITE_TEST(damaged_numbers_are_claimed),         SQLITE_TEST(damage_under_way_is_no_loop),
        SQLITE_TEST(damaged_rows_do_not_hurry_the_purge), SQLITE_TEST(an_index_that_disagrees_sends_nothing),
        SQLITE_TEST(entries_without_a_row_are_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
