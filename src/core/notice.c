#include "notice.h"

enum { MINUTES_A_DAY = 24 * 60 };

const char *const notice_names[] = {"endpoint_failing", "endpoint_recovered", "endpoint_disabled",
                                    "delivery_given_up", NULL};

void notice_add(struct notice_row *row)
{
    if (row->count < INT32_MAX)
        row->count++;
}

void notice_settle(struct notice_row *row, enum notice_kind kind, int64_t count,
                   const struct pace_config *config, int64_t now_ms)
{
    row->count = row->count > count ? row->count - count : 0;
    row->told = true;
    row->due_ms = now_ms;
    if (kind == NOTICE_FAILING)
        row->due_ms += config->day_ms;
    else if (kind == NOTICE_GIVEN_UP)
        row->due_ms += config->day_ms / MINUTES_A_DAY;
}
