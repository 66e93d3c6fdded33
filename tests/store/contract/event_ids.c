/* Ids of events: the store gives them, in the order of the commits; a repeated write has the same ones. */
#include "body.h"
#include "contract.h"
#include "ids.h"
#include <stdio.h>

/* The fate of its commit was unknown, so it is done again. */
static void same_event_twice(struct fixture *f)
{
    int64_t user = fixture_user(f, "https://example.com/");
    struct store_op op = fixture_event_op(f, user), again;
    fixture_accept(f, &op);
    again = op;
    assert_int_equal(fixture_do(f, again, STORE_DONE), op.id);
    struct store_query list = {.kind = STORE_LIST_DELIVERIES, .id = op.id, .limit = 9};
    assert_int_equal(fixture_read(f, list).count, 1);
    /* And if it was not there after all: whoever has read the one behind it must find it. */
    struct store_op lost = fixture_event_op(f, user);
    lost.event.event.id = op.id - 1;
    fixture_accept(f, &lost);
    assert_true(lost.id > op.id);
    assert_int_equal(fixture_read(f, list).count, 1);
    list = (struct store_query){.kind = STORE_LIST_EVENTS, .after_id = op.id, .limit = 9};
    assert_int_equal(fixture_read(f, list).events[0].id, lost.id);
}

/* In the order of the commits, over restarts, whatever the clock says; 19 digits, in the document as well. */
static void ids_rise(struct fixture *f)
{
    static const int64_t jumps_ms[] = {0, 1, -3600000, 86400000, -1699999999000};
    int64_t user = fixture_user(f, NULL), last = 0;
    for (size_t i = 0; i < sizeof jumps_ms / sizeof *jumps_ms; i++) {
        struct store_op ops[70]; /* more than a millisecond has */
        f->wall_ms += jumps_ms[i];
        if (i % 2)
            fixture_reopen(f);
        for (int j = 0; j < 70; j++)
            ops[j] = fixture_event_op(f, user);
        fixture_write(f, ops, 70, 0);
        for (int j = 0; j < 70; j++) {
            char begins[64];
            snprintf(begins, sizeof begins, BODY_BEGINS "%lld\",", (long long)ops[j].id);
            assert_int_equal(strlen(begins), BODY_ID_AT + IDS_DIGITS + 2);
            assert_true(bytes_starts(fixture_event(f, ops[j].id).document, begins));
            assert_true(ops[j].id > last);
            last = ops[j].id;
        }
    }
}

/* The clock of a new installation may say 1970: its ids have their 19 digits all the same. */
static void ids_of_1970(struct fixture *f)
{
    f->wall_ms = 5000;
    fixture_reopen(f);
    struct store_op op = fixture_event_op(f, fixture_user(f, NULL));
    fixture_accept(f, &op);
    assert_true(op.id >= 1000000000000000000);
}

const struct contract_test contract_event_ids[] = {
    {"the same event twice is one", same_event_twice},
    {"event ids rise with the commits", ids_rise},
    {"event ids have 19 digits in 1970, too", ids_of_1970},
    {0},
};
