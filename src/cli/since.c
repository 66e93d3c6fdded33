#include "since.h"
#include "clock.h"
#include "option.h"

const char *since_of(const char *given, char at[SINCE_LEN])
{
    static const struct option_row duration = {.kind = OPTION_DURATION, .max = INT64_MAX};
    char wrong[OPTION_WRONG_LEN];
    int64_t ago_ms;
    struct clock clock = clock_system();
    if (!given || !option_set(&duration, &ago_ms, given, NULL, wrong))
        return given;
    int64_t now_ms = clock_wall_ms(&clock);
    instant_format(ago_ms < now_ms ? now_ms - ago_ms : 0, at);
    at[INSTANT_LEN] = '\0';
    return at;
}
