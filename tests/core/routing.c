/* The table of the endpoints that get an event. tests/store/rules.c compares it with the model store. */
#include "routing.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MASTER = 5, OWNER = 6, OTHER = 7 };

static void endpoints_are_judged(void **state)
{
    (void)state;
    static const struct {
        struct routing_event event;
        struct routing_endpoint endpoint;
        enum routing_verdict verdict;
    } table[] = {
        {{OWNER, MASTER, false}, {OWNER, true, false}, ROUTING_SENT},
        {{OWNER, MASTER, true}, {OWNER, true, false}, ROUTING_SENT},
        {{OWNER, 0, false}, {OWNER, true, false}, ROUTING_SENT},
        {{OWNER, MASTER, false}, {OWNER, false, false}, ROUTING_NO_URL},
        {{OWNER, MASTER, false}, {MASTER, true, true}, ROUTING_SENT},
        {{OWNER, MASTER, false}, {MASTER, false, true}, ROUTING_NO_URL},
        {{OWNER, MASTER, false}, {MASTER, true, false}, ROUTING_NOT_ASKED},
        {{OWNER, MASTER, true}, {MASTER, true, true}, ROUTING_OWNER_ONLY},
        {{OWNER, MASTER, false}, {OTHER, true, true}, ROUTING_FOREIGN},
        {{OWNER, 0, false}, {MASTER, true, true}, ROUTING_FOREIGN},
        {{MASTER, 0, false}, {MASTER, true, false}, ROUTING_SENT},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct routing_event event = table[i].event;
        assert_int_equal(routing_judge(&event, &table[i].endpoint), table[i].verdict);
    }
}

static void wishes_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *event_type, *channels, *wanted_types, *wanted_channels;
        enum routing_verdict verdict;
    } table[] = {
        {"payment_updated", "", "", "", ROUTING_SENT},
        {"payment_updated", "", "payment_updated", "", ROUTING_SENT},
        {"payment_updated", "", "user_enabled payment_updated", "", ROUTING_SENT},
        {"payment_updated", "", "payment", "", ROUTING_TYPE},
        {"payment_updated", "", "payment_updated_late", "", ROUTING_TYPE},
        {"payment_updated", "", "payment_*", "", ROUTING_SENT},
        {"payment_updated", "", "payment_updated*", "", ROUTING_SENT},
        {"payment_updated", "", "payment_updated_*", "", ROUTING_TYPE},
        {"payment_updated", "", "*", "", ROUTING_SENT},
        {"payment_updated", "eu", "", "", ROUTING_SENT},
        {"payment_updated", "eu us", "", "asia us", ROUTING_SENT},
        {"payment_updated", "eu", "", "us", ROUTING_CHANNEL},
        {"payment_updated", "e", "", "eu", ROUTING_CHANNEL},
        {"payment_updated", "", "", "eu", ROUTING_CHANNEL},
        {"payment_updated", "", "user_*", "eu", ROUTING_TYPE},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct routing_event event = {.owner_id = OWNER,
                                      .event_type = bytes_of(table[i].event_type),
                                      .channels = bytes_of(table[i].channels)};
        struct routing_wishes wishes = {bytes_of(table[i].wanted_types), bytes_of(table[i].wanted_channels),
                                        NULL};
        struct routing_endpoint endpoint = {OWNER, true, false, &wishes};
        assert_int_equal(routing_judge(&event, &endpoint), table[i].verdict);
        endpoint.has_url = false;
        assert_int_equal(routing_judge(&event, &endpoint), ROUTING_NO_URL);
    }
}

/* One that is too costly to judge lets the event through. */
static void filters_are_judged(void **state)
{
    (void)state;
    struct arena arena;
    struct json_reading reading;
    struct filter_problem problem;
    char pattern[] = "{\"a\":[1]}";
    arena_init(&arena, 1 << 16);
    struct routing_wishes wishes = {
        .filter = filter_compile(&arena, json_tree_read(&arena, pattern, sizeof pattern - 1, false, &reading),
                                 &problem)};
    struct routing_event event = {
        .owner_id = OWNER, .document = bytes_of("{\"a\":1}"), .steps = FILTER_STEPS_MAX};
    const struct routing_endpoint endpoint = {OWNER, true, false, &wishes};
    assert_int_equal(routing_judge(&event, &endpoint), ROUTING_SENT);
    event.document = bytes_of("{\"a\":2}");
    assert_int_equal(routing_judge(&event, &endpoint), ROUTING_FILTER);
    assert_true(event.steps < FILTER_STEPS_MAX);
    event.steps = 1;
    assert_int_equal(routing_judge(&event, &endpoint), ROUTING_SENT);
    arena_fini(&arena);
}

static void unmatched_is_kept_as_text(void **state)
{
    (void)state;
    char text[ROUTING_UNMATCHED_LEN_MAX];
    size_t len = routing_put_unmatched(text, true, (struct routing_unmatched){5, ROUTING_TYPE, false});
    len +=
        routing_put_unmatched(text + len, false, (struct routing_unmatched){INT64_MAX, ROUTING_FILTER, true});
    struct bytes rest = bytes_make(text, len);
    assert_true(bytes_equal_text(rest, "5:type 9223372036854775807:filter:master"));
    struct routing_unmatched one;
    assert_true(routing_next_unmatched(&rest, &one));
    assert_true(one.endpoint_id == 5 && one.verdict == ROUTING_TYPE && !one.is_masters);
    assert_true(routing_next_unmatched(&rest, &one));
    assert_true(one.endpoint_id == INT64_MAX && one.verdict == ROUTING_FILTER && one.is_masters);
    assert_false(routing_next_unmatched(&rest, &one));
    static const char *const damaged[] = {"x", "5", "5:", ":type", "5:types", "-5:type", "5:filter:type"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        rest = bytes_of(damaged[i]);
        assert_false(routing_next_unmatched(&rest, &one));
    }
}

static void terms_follow_from_the_producer(void **state)
{
    (void)state;
    static const struct {
        bool by_master;
        int64_t producer, master, owner;
        struct routing_terms terms;
    } table[] = {
        {true, MASTER, 0, MASTER, {.names_owner = false, .owner_only = false, .changes_resources = true}},
        {true, MASTER, 0, OWNER, {.names_owner = true, .owner_only = false, .changes_resources = true}},
        {true, OWNER, MASTER, OWNER, {.names_owner = true, .owner_only = false, .changes_resources = true}},
        {false, OWNER, MASTER, OWNER, {.names_owner = true, .owner_only = true, .changes_resources = false}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct routing_terms terms =
            routing_terms(table[i].by_master, table[i].producer, table[i].master, table[i].owner);
        assert_int_equal(terms.names_owner, table[i].terms.names_owner);
        assert_int_equal(terms.owner_only, table[i].terms.owner_only);
        assert_int_equal(terms.changes_resources, table[i].terms.changes_resources);
    }
}

static void the_snapshot_of_an_event_is_its_resources(void **state)
{
    (void)state;
    const struct event event = {.resource_type = bytes_of("payments"), .resource_id = bytes_of("7")};
    const struct resource included[] = {{.type = bytes_of("payments"), .id = bytes_of("8")},
                                        {.type = bytes_of("quotes"), .id = bytes_of("7")},
                                        {.type = bytes_of("payments"), .id = bytes_of("7")}};
    assert_ptr_equal(routing_own_snapshot(&event, included, 3), &included[2]);
    assert_null(routing_own_snapshot(&event, included, 2));
    assert_null(routing_own_snapshot(&event, NULL, 0));
}

/* A notice goes to those that ask for it by name: see routing.h. */
static void notices(void **state)
{
    static const struct {
        int64_t about_id, about_asks, id, user_id;
        const char *event_types;
        enum routing_verdict verdict;
    } table[] = {{5, 0, 6, OWNER, "endpoint_failing", ROUTING_SENT},
                 {5, 0, 6, OWNER, "payment_* endpoint_*", ROUTING_SENT},
                 {5, 0, 6, OWNER, "", ROUTING_NOT_ASKED},
                 {5, 0, 6, OWNER, "*", ROUTING_NOT_ASKED},
                 {5, 0, 6, OWNER, "endpoint_disabled", ROUTING_NOT_ASKED},
                 {5, 0, 5, OWNER, "endpoint_failing", ROUTING_NOT_ASKED},
                 {5, 1, 6, OWNER, "endpoint_failing", ROUTING_NOT_ASKED},
                 {5, 1, 9, MASTER, "endpoint_failing", ROUTING_SENT},
                 {5, 0, 9, MASTER, "endpoint_failing", ROUTING_SENT},
                 {5, 0, 9, MASTER, "", ROUTING_NOT_ASKED},
                 {5, 0, 9, OTHER, "endpoint_failing", ROUTING_FOREIGN}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct routing_notice about = {table[i].about_id, table[i].about_asks};
        struct routing_event event = {.owner_id = OWNER,
                                      .master_id = MASTER,
                                      .event_type = bytes_of("endpoint_failing"),
                                      .notice = &about};
        struct routing_wishes wishes = {.event_types = bytes_of(table[i].event_types)};
        struct routing_endpoint endpoint = {
            .id = table[i].id, .user_id = table[i].user_id, .has_url = true, .wishes = &wishes};
        assert_int_equal(routing_judge(&event, &endpoint), table[i].verdict);
        endpoint.has_url = false;
        assert_int_not_equal(routing_judge(&event, &endpoint), ROUTING_SENT);
    }
    assert_true(routing_asks_for_notices(bytes_of("a delivery_*")));
    assert_false(routing_asks_for_notices(bytes_of("a * payment_*")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notices),
        cmocka_unit_test(endpoints_are_judged),
        cmocka_unit_test(wishes_are_judged),
        cmocka_unit_test(filters_are_judged),
        cmocka_unit_test(unmatched_is_kept_as_text),
        cmocka_unit_test(terms_follow_from_the_producer),
        cmocka_unit_test(the_snapshot_of_an_event_is_its_resources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
