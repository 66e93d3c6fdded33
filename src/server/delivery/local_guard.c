#include "local_guard.h"
#include <uv.h>

void local_guard_refresh(struct guard *guard, const struct guard *settings, struct log *log)
{
    uv_interface_address_t *addresses;
    int count;

    if (uv_interface_addresses(&addresses, &count) != 0)
        return;
    *guard = *settings;
    for (int i = 0; i < count; i++) {
        if (!guard_add_local(guard, (const struct sockaddr *)&addresses[i].address)) {
            log_write(log, LOG_LEVEL_WARN, "engine", "more interface addresses than the guard can hold");
            break;
        }
    }
    uv_free_interface_addresses(addresses, count);
}
