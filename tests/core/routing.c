/* The table of who gets an event. That the model store says the same is shown by tests/store/rules.c. */
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
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(routing_judge(&table[i].event, &table[i].endpoint), table[i].verdict);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints_are_judged),
        cmocka_unit_test(terms_follow_from_the_producer),
        cmocka_unit_test(the_snapshot_of_an_event_is_its_resources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
