#include "jsonapi.h"
#include "instant.h"

enum { NAME_SHOWN_MAX = 64 };

/* ---- names and ids ---- */

int jsonapi_shown_len(struct bytes name)
{
    return name.len < NAME_SHOWN_MAX ? (int)name.len : NAME_SHOWN_MAX;
}

bool jsonapi_id(const struct json_value *value, struct bytes *id)
{
    if (!json_is(value, JSON_INTEGER) && !json_is(value, JSON_STRING))
        return false;
    *id = bytes_equal_text(value->text, "-0") ? bytes_of("0") : value->text;
    return true;
}

bool jsonapi_read_linkage(struct call *call, struct json_value *linkage, const char *pointer,
                          struct bytes *type, struct bytes *id)
{
    struct json_value *value = json_member(linkage, "id");
    if (!json_is(linkage, JSON_OBJECT))
        return call_fail(call, API_RELATIONSHIP_INVALID, SOURCE_POINTER, pointer,
                         "A resource identifier must be an object with type and id.");
    if (!json_member_text(linkage, "type", type) || !model_type_valid(*type))
        return call_fail(call, API_RELATIONSHIP_INVALID, SOURCE_POINTER, pointer,
                         "A resource needs a type of 1 to %d letters, digits, '_', '.' or '-'.",
                         MODEL_TYPE_LEN_MAX);
    if (!jsonapi_id(value, id) || !model_id_valid(*id))
        return call_fail(
            call, API_RELATIONSHIP_INVALID, SOURCE_POINTER, pointer,
            "A resource needs an id: a text of 1 to %d bytes without control bytes, or an integer.",
            MODEL_ID_LEN_MAX);
    if (json_is(value, JSON_INTEGER))
        json_become_string(value, *id);
    return true;
}

/* ---- what is asked for ---- */

bool jsonapi_read_owner(struct call *call, int64_t *owner_id)
{
    *owner_id = call->caller.user_id;
    if (!query_has(&call->query, QUERY_USER))
        return true;
    int64_t user_id;
    if (!bytes_to_int64(call->query.values[QUERY_USER], &user_id) || user_id == 0)
        return call_fail(call, API_PARAMETER_INVALID, SOURCE_PARAMETER, "filter[user]",
                         "filter[user] must be the id of a user.");
    if (call->caller.role != USER_MASTER && user_id != call->caller.user_id)
        return call_fail(call, API_FORBIDDEN, SOURCE_PARAMETER, "filter[user]",
                         "Only a Master may read another user's data.");
    *owner_id = user_id;
    return call_may_see(call, user_id) || call_not_found(call, "user");
}

bool jsonapi_read_include(struct call *call, const char *const *names, unsigned *wanted)
{
    struct bytes list = call->query.values[QUERY_INCLUDE];
    *wanted = 0;
    while (query_has(&call->query, QUERY_INCLUDE) && list.len) {
        const char *comma = memchr(list.data, ',', list.len);
        size_t len = comma ? (size_t)(comma - list.data) : list.len, skip = comma ? len + 1 : len;
        int i = 0;
        while (names[i] && !bytes_equal_text(bytes_make(list.data, len), names[i]))
            i++;
        if (!names[i] || (comma && skip == list.len))
            return call_fail(call, API_PARAMETER_INVALID, SOURCE_PARAMETER, "include",
                             "\"%.*s\" cannot be included here.", (int)(len > 64 ? 64 : len), list.data);
        *wanted |= 1u << i;
        list = bytes_make(list.data + skip, list.len - skip);
    }
    return true;
}

/* ---- writing ---- */

void jsonapi_begin(struct text *out, struct arena *arena)
{
    text_init(out, arena, CALL_ANSWER_LEN_MAX);
    text_puts(out, "{\"jsonapi\":{\"version\":\"1.1\"}");
}

void jsonapi_put_query(struct text *out, const struct call *call)
{
    char separator = '?';
    query_put(out, &call->query, 0, &separator);
}

void jsonapi_put_self(struct text *out, const struct call *call, const char *path, int64_t id)
{
    text_puts(out, ",\"links\":{\"self\":\"");
    text_puts(out, path);
    text_put_int64(out, id);
    jsonapi_put_query(out, call);
    text_puts(out, "\"}");
}

void jsonapi_end(struct text *out, struct call *call, struct bytes meta_members)
{
    if (!meta_members.len && !call->warning_count) {
        text_putc(out, '}');
        return;
    }
    text_puts(out, ",\"meta\":{");
    text_put(out, meta_members);
    if (call->warning_count)
        text_puts(out, meta_members.len ? ",\"warnings\":[" : "\"warnings\":[");
    for (int i = 0; i < call->warning_count; i++) {
        const struct warning *warning = &call->warnings[i];
        text_printf(out, "%s{\"code\":\"%s\",\"detail\":", i ? "," : "", warning->code);
        text_put_json(out, bytes_of(warning->detail));
        if (warning->line)
            text_printf(out, ",\"line\":%d,\"column\":%d", warning->line, warning->column);
        text_putc(out, '}');
    }
    text_puts(out, call->warning_count ? "]}}" : "}}");
}

void jsonapi_put_text(struct text *out, struct bytes value)
{
    if (value.len)
        text_put_json(out, value);
    else
        text_puts(out, "null");
}

void jsonapi_put_instant(struct text *out, int64_t wall_ms)
{
    char date[INSTANT_LEN];
    if (wall_ms)
        instant_format(wall_ms, date);
    jsonapi_put_text(out, bytes_make(date, wall_ms ? INSTANT_LEN : 0));
}

bool jsonapi_answer(struct call *call, int status, const struct text *out)
{
    return out->overflow ? call_too_large(call) : call_answer(call, status, text_bytes(out));
}
