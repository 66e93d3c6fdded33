#include "retry.h"

const char *const retry_member_names[] = {"base", "factor", "cap", "window", NULL};

int32_t retry_member_max(enum retry_member member)
{
    return member == RETRY_FACTOR ? RETRY_FACTOR_MAX : RETRY_S_MAX;
}

static bool take(struct bytes *text, int64_t min, int64_t max, int32_t *number)
{
    int64_t value;
    if (!bytes_to_int64(bytes_cut(text, ' '), &value) || value < min || value > max)
        return false;
    *number = (int32_t)value;
    return true;
}

bool retry_parse(struct bytes text, struct retry *retry)
{
    struct bytes kind = bytes_cut(&text, ' ');
    *retry = (struct retry){0};
    if (bytes_equal_text(kind, "schedule")) {
        while (text.len > 0 && retry->steps < RETRY_STEPS_MAX)
            if (!take(&text, 1, RETRY_S_MAX, &retry->step_s[retry->steps++]))
                return false;
        return text.len == 0 && retry->steps > 0;
    }
    if (!bytes_equal_text(kind, "backoff"))
        return false;
    for (int i = 0; i < RETRY_MEMBERS; i++)
        if (!take(&text, 0, retry_member_max((enum retry_member)i), &retry->backoff[i]))
            return false;
    return text.len == 0;
}
