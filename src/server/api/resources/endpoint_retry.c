/* The attribute `retry` of an endpoint, which is stored as text (retry.h). */
#include "endpoint_fields.h"

enum { TEXT_LEN_MAX = 1024 };

static bool fail_within(struct call *call, enum api_error error, const char *base, struct bytes name,
                        const char *detail)
{
    (void)call_fail(call, error, SOURCE_POINTER, "", "%s", detail);
    return call_within(call, base, name);
}

static bool read_schedule(struct call *call, const struct field *field, const struct json_value *list,
                          struct retry *retry)
{
    const char *base = call_printf(call, "%s/schedule", field->pointer);
    int64_t sum = 0;
    if (!json_is(list, JSON_ARRAY) || list->count == 0 || list->count > RETRY_STEPS_MAX)
        return fail_within(
            call, API_ATTRIBUTE_INVALID, field->pointer, list->name,
            call_printf(call, "schedule is a list of 1 to %d numbers of seconds.", RETRY_STEPS_MAX));
    for (const struct json_value *step = list->first; step; step = step->next) {
        struct bytes index = bytes_of(call_printf(call, "%d", retry->steps));
        int64_t seconds;
        if (!json_integer(step, &seconds) || seconds < 1 || seconds > RETRY_S_MAX)
            return fail_within(
                call, API_ATTRIBUTE_INVALID, base, index,
                call_printf(call, "A step of a schedule is a number of seconds from 1 to %d.", RETRY_S_MAX));
        sum += seconds;
        if (sum > RETRY_S_MAX)
            return fail_within(call, API_RETRY_LIMIT, base, index,
                               call_printf(call,
                                           "Up to here the steps of this schedule come to %lld s. It "
                                           "may last for 14 days, which are %d s.",
                                           (long long)sum, RETRY_S_MAX));
        retry->step_s[retry->steps++] = (int32_t)seconds;
    }
    return true;
}

static bool read_member(struct call *call, const struct field *field, const struct json_value *value,
                        struct retry *retry)
{
    int64_t number;
    int member = 0;
    while (retry_member_names[member] && !bytes_equal_text(value->name, retry_member_names[member]))
        member++;
    if (member == RETRY_MEMBERS)
        return fail_within(call, API_ATTRIBUTE_INVALID, field->pointer, value->name,
                           "retry has the member schedule, or base, factor, cap and window.");
    int32_t max = retry_member_max((enum retry_member)member);
    if (!json_integer(value, &number) || number < 1 || number > max)
        return fail_within(call, API_ATTRIBUTE_INVALID, field->pointer, value->name,
                           call_printf(call,
                                       "%s must be a number from 1 to %d. Leave it out to have the "
                                       "server's setting.",
                                       retry_member_names[member], (int)max));
    retry->backoff[member] = (int32_t)number;
    return true;
}

/* Together with the settings, for what it leaves out. */
static bool check_backoff(struct call *call, const struct field *field, const struct retry *retry)
{
    struct policy policy = config_policy(call->api->config.config);
    struct policy own = policy_with(&policy, retry);
    if (own.base_ms > own.cap_ms)
        return call_fail(call, API_RETRY_LIMIT, SOURCE_POINTER, field->pointer,
                         "base is above cap. A member that retry leaves out has the server's setting.");
    return policy_retries(&policy, retry) <= RETRY_STEPS_MAX ||
           call_fail(call, API_RETRY_LIMIT, SOURCE_POINTER, field->pointer,
                     "These are more than %d retries within the window. Raise base, factor or cap, or "
                     "shorten the window. A member that retry leaves out has the server's setting.",
                     RETRY_STEPS_MAX);
}

static struct bytes as_text(struct call *call, const struct retry *retry)
{
    const int32_t *numbers = retry->steps > 0 ? retry->step_s : retry->backoff;
    int count = retry->steps > 0 ? retry->steps : RETRY_MEMBERS;
    struct text out;
    text_init(&out, &call->request->arena, TEXT_LEN_MAX);
    text_puts(&out, retry->steps > 0 ? "schedule" : "backoff");
    for (int i = 0; i < count; i++)
        text_printf(&out, " %d", (int)numbers[i]);
    return text_bytes(&out);
}

bool endpoint_read_retry(struct call *call, const struct field *field, struct json_value *value, void *place)
{
    struct bytes *text = place;
    struct retry retry = {0};
    *text = (struct bytes){0};
    if (json_is(value, JSON_NULL))
        return true;
    if (!json_is(value, JSON_OBJECT) || value->count == 0)
        return field_fail(call, field,
                          "retry must be {\"schedule\": [seconds, ...]}, or an object with base, factor, cap "
                          "and window, or null, which stands for the server's settings.");
    for (const struct json_value *member = value->first; member; member = member->next) {
        bool is_schedule = bytes_equal_text(member->name, "schedule");
        if (is_schedule && value->count > 1)
            return field_fail(call, field, "retry has either a schedule, or base, factor, cap and window.");
        if (is_schedule ? !read_schedule(call, field, member, &retry)
                        : !read_member(call, field, member, &retry))
            return false;
    }
    *text = as_text(call, &retry);
    if (text->len == 0)
        return call_too_large(call);
    return retry.steps > 0 || check_backoff(call, field, &retry);
}

void endpoint_put_retry(struct text *out, const struct call *call, const void *row)
{
    struct retry retry;
    const char *comma = "";
    (void)call;
    if (!retry_parse(((const struct endpoint *)row)->push.retry, &retry)) {
        text_puts(out, "null");
        return;
    }
    text_puts(out, retry.steps > 0 ? "{\"schedule\":[" : "{");
    for (int i = 0; i < retry.steps; i++, comma = ",")
        text_printf(out, "%s%d", comma, (int)retry.step_s[i]);
    for (int i = 0; retry.steps == 0 && i < RETRY_MEMBERS; i++)
        if (retry.backoff[i] > 0) {
            text_printf(out, "%s\"%s\":%d", comma, retry_member_names[i], (int)retry.backoff[i]);
            comma = ",";
        }
    text_puts(out, retry.steps > 0 ? "]}" : "}");
}
