#include "endpoint_fields.h"
#include "push_headers.h"
#include "routing.h"

enum { WORDS_LEN_MAX = MODEL_EVENT_TYPES_MAX * (MODEL_TYPE_LEN_MAX + 1), METADATA_LEN_MAX = 32 << 10 };

/* ---- url, status ---- */

bool endpoint_judge_url(struct call *call, struct bytes text, const char *pointer)
{
    struct url url;
    enum url_error error = url_parse(text, &url);
    if (error != URL_OK)
        return call_fail_code(call, API_URL, url_error_code(error), pointer, url_error_sentence(error));
    enum guard_verdict verdict = guard_url(&call->api->config.guard, &url);
    char out[GUARD_SENTENCE_LEN];
    return verdict == GUARD_ALLOWED || call_fail_code(call, API_URL, guard_verdict_code(verdict), pointer,
                                                      guard_sentence(verdict, &url, out));
}

bool endpoint_read_url(struct call *call, const struct field *field, struct json_value *value, void *place)
{
    struct bytes *text = place;
    *text = (struct bytes){0};
    if (json_is(value, JSON_NULL))
        return true;
    if (!json_is(value, JSON_STRING))
        return field_fail(call, field, "This must be a URL, or null.");
    *text = value->text;
    return endpoint_judge_url(call, *text, field->pointer);
}

const char *const endpoint_statuses[] = {"active", "paused", "disabled", NULL};

const char *endpoint_status(const struct endpoint *endpoint)
{
    return endpoint_statuses[!endpoint->paused ? 0 : endpoint->disabled == ENDPOINT_ENABLED ? 1 : 2];
}

void endpoint_set_paused_at(const struct call *call, struct endpoint *endpoint, bool was_paused)
{
    if (!endpoint->paused)
        endpoint->paused_at_ms = 0;
    else if (!was_paused)
        endpoint->paused_at_ms = clock_wall_ms(&call->api->config.clock);
}

void endpoint_log_status(const struct call *call, const struct endpoint *endpoint, const char *was)
{
    const char *is = endpoint_status(endpoint);
    if (is != was)
        log_write(call->api->config.log, LOG_LEVEL_INFO, "delivery",
                  "endpoint is %s%s: user=%lld endpoint=%lld by_user=%lld",
                  endpoint->paused ? "" : "no longer ", endpoint->paused ? is : was,
                  (long long)endpoint->owner_id, (long long)endpoint->id,
                  (long long)call->caller.key_user_id);
}

void endpoint_put_status(struct text *out, const struct call *call, const void *row)
{
    (void)call;
    text_printf(out, "\"%s\"", endpoint_status(row));
}

void endpoint_put_disabled_reason(struct text *out, const struct call *call, const void *row)
{
    static const char *const reasons[] = {"null", "\"gone\"", "\"failing\""};
    const struct endpoint *endpoint = row;
    (void)call;
    text_puts(out, reasons[endpoint->paused ? endpoint->disabled : ENDPOINT_ENABLED]);
}

/* ---- lists of words ---- */

static bool is_listed(struct bytes list, struct bytes word)
{
    while (list.len > 0)
        if (bytes_equal(bytes_cut(&list, ' '), word))
            return true;
    return false;
}

/* call_fail for the element at the index. */
static bool fail_at(struct call *call, const struct field *field, int index, const char *detail)
{
    (void)call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, "", "%s", detail);
    return call_within(call, field->pointer, bytes_of(call_printf(call, "%d", index)));
}

bool words_read(struct call *call, const struct field *field, const struct json_value *value,
                bool (*valid)(struct bytes word), const char *rule, struct bytes *words)
{
    struct text out;
    int index = 0;
    if (!json_is(value, JSON_NULL) && (!json_is(value, JSON_ARRAY) || value->count > field->maximum))
        return field_fail(call, field, "%s must be a list of at most %d, or null.", field->name,
                          (int)field->maximum);
    text_init(&out, &call->request->arena, WORDS_LEN_MAX);
    for (const struct json_value *word = value->first; word; word = word->next, index++) {
        if (!json_is(word, JSON_STRING) || !valid(word->text))
            return fail_at(call, field, index, rule);
        if (is_listed(text_bytes(&out), word->text))
            return fail_at(call, field, index, "This is in the list already.");
        text_puts(&out, out.len ? " " : "");
        text_put(&out, word->text);
    }
    *words = text_bytes(&out);
    return !out.overflow || call_too_large(call);
}

void words_put(struct text *out, struct bytes words)
{
    text_putc(out, '[');
    for (const char *comma = ""; words.len; comma = ",") {
        text_puts(out, comma);
        text_put_json(out, bytes_cut(&words, ' '));
    }
    text_putc(out, ']');
}

/* ---- success ---- */

bool endpoint_read_success(struct call *call, const struct field *field, struct json_value *value,
                           void *place)
{
    struct text out;
    int index = 0;
    if (json_is(value, JSON_NULL)) {
        *(struct bytes *)place = (struct bytes){0};
        return true;
    }
    if (json_is(value, JSON_STRING) &&
        (bytes_equal_text(value->text, "200") || bytes_equal_text(value->text, "2xx"))) {
        *(struct bytes *)place = bytes_equal_text(value->text, "2xx") ? value->text : (struct bytes){0};
        return true;
    }
    if (!json_is(value, JSON_ARRAY) || value->count == 0)
        return field_fail(call, field,
                          "success must be \"200\", \"2xx\" for every status from 200 to 299, or a list of "
                          "them: [200, 202].");
    text_init(&out, &call->request->arena, WORDS_LEN_MAX);
    for (const struct json_value *code = value->first; code; code = code->next, index++) {
        int64_t status;
        if (!json_integer(code, &status) || status < 200 || status > 299)
            return fail_at(call, field, index,
                           "Only the statuses 200 to 299 can acknowledge an event. A redirect (3xx) is not "
                           "followed and never acknowledges.");
        if (policy_acknowledges(text_bytes(&out), (int)status) && out.len > 0)
            return fail_at(call, field, index, "This is in the list already.");
        text_printf(&out, "%s%d", out.len ? " " : "", (int)status);
    }
    *(struct bytes *)place = text_bytes(&out);
    return !out.overflow || call_too_large(call);
}

void success_put(struct text *out, struct bytes success)
{
    if (success.len == 0 || bytes_equal_text(success, "2xx")) {
        text_puts(out, success.len == 0 ? "\"200\"" : "\"2xx\"");
        return;
    }
    text_putc(out, '[');
    for (const char *comma = ""; success.len > 0; comma = ",") {
        text_puts(out, comma);
        text_put(out, bytes_cut(&success, ' '));
    }
    text_putc(out, ']');
}

void endpoint_put_success(struct text *out, const struct call *call, const void *row)
{
    (void)call;
    success_put(out, ((const struct endpoint *)row)->push.success);
}

/* ---- event_types ---- */

static bool type_pattern_valid(struct bytes name)
{
    bool open_end = name.len > 0 && name.data[name.len - 1] == '*';
    return (open_end && name.len == 1) || model_type_valid(bytes_make(name.data, name.len - open_end));
}

bool endpoint_read_event_types(struct call *call, const struct field *field, struct json_value *value,
                               void *place)
{
    if (json_is(value, JSON_ARRAY) && value->count == 0)
        return field_fail(call, field,
                          "This list is empty: no event would match. null stands for all event types.");
    return words_read(call, field, value, type_pattern_valid,
                      "An event type has 1 to 128 letters, digits, '_', '.' or '-'. A '*' at its end stands "
                      "for any rest.",
                      place);
}

void endpoint_put_event_types(struct text *out, const struct call *call, const void *row)
{
    struct bytes event_types = ((const struct endpoint *)row)->event_types;
    if (event_types.len)
        words_put(out, event_types);
    else
        text_puts(out, "null");
}

/* ---- channels ---- */

bool channel_valid(struct bytes label)
{
    return label.len <= MODEL_CHANNEL_LEN_MAX && model_type_valid(label);
}

bool endpoint_read_channels(struct call *call, const struct field *field, struct json_value *value,
                            void *place)
{
    return words_read(call, field, value, channel_valid, CHANNEL_RULE, place);
}

void endpoint_put_channels(struct text *out, const struct call *call, const void *row)
{
    words_put(out, ((const struct endpoint *)row)->channels);
}

/* ---- signatures ---- */

/* Its bit; 0: there is no such name. */
static int signature_bit(struct bytes name)
{
    for (int i = 0; push_signature_names[i]; i++)
        if (bytes_equal_text(name, push_signature_names[i]))
            return 1 << i;
    return 0;
}

static bool signature_valid(struct bytes name)
{
    return signature_bit(name) != 0;
}

bool endpoint_read_signatures(struct call *call, const struct field *field, struct json_value *value,
                              void *place)
{
    int32_t *signatures = place, bits = 0;
    struct bytes names;
    if (json_is(value, JSON_ARRAY) && value->count == 0)
        return field_fail(call, field,
                          "This list is empty: pushes would not be signed. null stands for the default.");
    if (!words_read(call, field, value, signature_valid,
                    "A signature is \"webhook-auth\", \"standard\", \"stripe\", \"github\", "
                    "\"shopify\", \"slack\", \"standard-ed25519\" or \"rfc9421\".",
                    &names))
        return false;
    while (names.len > 0)
        bits |= signature_bit(bytes_cut(&names, ' '));
    *signatures = bits == PUSH_SIGNATURES_DEFAULT ? 0 : bits;
    return true;
}

void endpoint_put_signatures(struct text *out, const struct call *call, const void *row)
{
    int bits = ((const struct endpoint *)row)->push.signatures;
    const char *comma = "";
    bits = bits ? bits : PUSH_SIGNATURES_DEFAULT;
    text_putc(out, '[');
    for (int i = 0; push_signature_names[i]; i++)
        if (bits & 1 << i) {
            text_printf(out, "%s\"%s\"", comma, push_signature_names[i]);
            comma = ",";
        }
    text_putc(out, ']');
}

/* ---- filter ---- */

const struct filter *endpoint_compile_filter(struct call *call, const struct field *field,
                                             const struct json_value *value)
{
    struct filter_problem problem;
    const struct filter *filter = filter_compile(&call->request->arena, value, &problem);
    if (filter)
        return filter;
    if (!problem.pointer)
        (void)call_too_large(call);
    else
        (void)call_fail(call, API_FILTER_INVALID, SOURCE_POINTER,
                        call_printf(call, "%s%s", field->pointer, problem.pointer), "%s", problem.detail);
    return NULL;
}

bool endpoint_read_filter(struct call *call, const struct field *field, struct json_value *value, void *place)
{
    struct bytes *filter = place;
    struct text out;
    *filter = (struct bytes){0};
    if (json_is(value, JSON_NULL))
        return true;
    text_init(&out, &call->request->arena, FILTER_LEN_MAX);
    json_tree_put(&out, value);
    if (out.overflow)
        return field_fail(call, field, "A filter has at most %d bytes as compact JSON.", FILTER_LEN_MAX);
    *filter = text_bytes(&out);
    return endpoint_compile_filter(call, field, value) != NULL;
}

void endpoint_put_filter(struct text *out, const struct call *call, const void *row)
{
    struct bytes filter = ((const struct endpoint *)row)->filter;
    text_put(out, filter.len ? filter : bytes_of("null"));
}

/* ---- in_flight_max, timeout, disable_after, rate ---- */

bool endpoint_read_number(struct call *call, const struct field *field, struct json_value *value, void *place)
{
    int64_t number = 0;
    if (!json_is(value, JSON_NULL) &&
        (!json_integer(value, &number) || number < field->minimum || number > field->maximum))
        return field_fail(call, field, "%s must be a number from %lld to %lld, or null%s", field->name,
                          (long long)field->minimum, (long long)field->maximum, field->rule);
    *(int32_t *)place = (int32_t)number;
    return true;
}

static const char *const rate_pers[] = {"second", "minute", "hour", NULL};

static bool rate_per_read(const struct json_value *value, enum flow_per *per)
{
    for (int i = 0; json_is(value, JSON_STRING) && rate_pers[i]; i++)
        if (bytes_equal_text(value->text, rate_pers[i])) {
            *per = (enum flow_per)i;
            return true;
        }
    return false;
}

bool endpoint_read_rate(struct call *call, const struct field *field, struct json_value *value, void *place)
{
    struct endpoint_rate rate = {0};
    bool has_per = false;
    if (json_is(value, JSON_NULL)) {
        *(struct endpoint_rate *)place = rate;
        return true;
    }
    if (!json_is(value, JSON_OBJECT))
        return field_fail(call, field,
                          "rate must be {\"count\": number, \"per\": \"second\", \"minute\" or "
                          "\"hour\"}, or null.");
    for (const struct json_value *member = value->first; member; member = member->next) {
        int64_t count = 0;
        const char *wrong = NULL;
        if (bytes_equal_text(member->name, "count")) {
            if (!json_integer(member, &count) || count < 1 || count > MODEL_RATE_MAX)
                wrong = "count must be a number from 1 to 100000.";
            rate.count = (int32_t)count;
        } else if (bytes_equal_text(member->name, "per")) {
            has_per = rate_per_read(member, &rate.per);
            if (!has_per)
                wrong = "per must be \"second\", \"minute\" or \"hour\".";
        } else {
            wrong = "A rate has the members count and per.";
        }
        if (wrong) {
            (void)call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, "", "%s", wrong);
            return call_within(call, field->pointer, member->name);
        }
    }
    *(struct endpoint_rate *)place = rate;
    return (rate.count > 0 && has_per) || field_fail(call, field, "A rate needs both count and per.");
}

void endpoint_put_rate(struct text *out, const struct call *call, const void *row)
{
    const struct endpoint_rate *rate = &((const struct endpoint *)row)->flow.rate;
    if (rate->count > 0)
        text_printf(out, "{\"count\":%d,\"per\":\"%s\"}", (int)rate->count, rate_pers[rate->per]);
    else
        text_puts(out, "null");
}

/* ---- metadata ---- */

bool endpoint_read_metadata(struct call *call, const struct field *field, struct json_value *value,
                            void *place)
{
    struct bytes *metadata = place, text;
    struct text out;
    *metadata = (struct bytes){0};
    if (json_is(value, JSON_NULL) || (json_is(value, JSON_OBJECT) && value->count == 0))
        return true;
    if (!json_is(value, JSON_OBJECT) || value->count > MODEL_METADATA_MAX)
        return field_fail(call, field, "metadata must be an object with at most %d members, or null.",
                          MODEL_METADATA_MAX);
    for (const struct json_value *pair = value->first; pair; pair = pair->next) {
        if (pair->name.len == 0 || pair->name.len > MODEL_METADATA_NAME_LEN_MAX)
            return field_fail(call, field, "A name in metadata has 1 to %d bytes.",
                              MODEL_METADATA_NAME_LEN_MAX);
        if (!json_is(pair, JSON_STRING) ||
            !jsonapi_read_text(call, pair, "", MODEL_METADATA_VALUE_LEN_MAX, &text)) {
            (void)call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, "",
                            "A value in metadata has at most %d bytes of text, and no control characters.",
                            MODEL_METADATA_VALUE_LEN_MAX);
            return call_within(call, field->pointer, pair->name);
        }
    }
    text_init(&out, &call->request->arena, METADATA_LEN_MAX);
    json_tree_put(&out, value);
    *metadata = text_bytes(&out);
    return !out.overflow || call_too_large(call);
}

void endpoint_put_metadata(struct text *out, const struct call *call, const void *row)
{
    struct bytes metadata = ((const struct endpoint *)row)->metadata;
    text_put(out, metadata.len ? metadata : bytes_of("{}"));
}
