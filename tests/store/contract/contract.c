/* The contract suite: every test of every table on every backend, each on a fresh store. */
#include "contract.h"
#include "model_store.h"
#include <stdio.h>
#include <stdlib.h>

enum { TESTS_MAX = 320 };

struct contract_case {
    const struct store_backend *backend;
    const struct contract_test *test;
    char name[128];
};

static void run(void **state)
{
    const struct contract_case *one = *state;
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fixture_open(fixture, one->backend);
    one->test->run(fixture);
    fixture_close(fixture);
    free(fixture);
}

int main(void)
{
    static const struct store_backend *const engines[] = {&store_model, &store_sqlite};
    static const struct contract_test *const tables[] = {
        contract_users,   contract_events, contract_claims,    contract_reads,     contract_resources,
        contract_purge,   contract_quotas, contract_event_ids, contract_endpoints, contract_flow,
        contract_failing, contract_jobs,   contract_notices,   contract_hours};
    static struct contract_case cases[TESTS_MAX];
    static struct CMUnitTest tests[TESTS_MAX];
    size_t count = 0;
    for (size_t backend = 0; backend < sizeof engines / sizeof *engines; backend++)
        for (size_t table = 0; table < sizeof tables / sizeof *tables; table++)
            for (const struct contract_test *test = tables[table]; test->name; test++) {
                assert_true(count < TESTS_MAX);
                struct contract_case *one = &cases[count];
                one->backend = engines[backend];
                one->test = test;
                snprintf(one->name, sizeof one->name, "%s: %s", one->backend->name, test->name);
                tests[count++] =
                    (struct CMUnitTest){.name = one->name, .test_func = run, .initial_state = one};
            }
    return _cmocka_run_group_tests("store contract", tests, count, NULL, NULL);
}
