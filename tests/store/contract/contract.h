/* contract: the duties of every backend, as tests over a fixture. contract.c runs them on each backend. */
#pragma once
#include "fixture.h"

struct contract_test {
    const char *name;
    void (*run)(struct fixture *fixture);
};

extern const struct contract_test contract_users[], contract_events[], contract_claims[], contract_reads[],
    contract_resources[], contract_purge[], contract_quotas[], contract_event_ids[], contract_endpoints[],
    contract_flow[], contract_failing[], contract_jobs[], contract_notices[], contract_hours[];
