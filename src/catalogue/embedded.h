/* embedded: the bytes of catalogue/, put into the program by embed.c at build time. A NUL follows each. */
#pragma once
#include <stddef.h>

extern const char catalogue_event_types[], catalogue_resources[], catalogue_state_machines[],
    catalogue_scenarios[], catalogue_api[];
extern const size_t catalogue_event_types_len, catalogue_resources_len, catalogue_state_machines_len,
    catalogue_scenarios_len, catalogue_api_len;
