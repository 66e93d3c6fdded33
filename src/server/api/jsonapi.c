#include "jsonapi.h"
#include "cursor.h"
#include "instant.h"

/* ---- lists ---- */

static bool read_size(struct call *call, struct page *page)
{
    int64_t size = PAGE_SIZE_DEFAULT;
    if (query_has(&call->query, QUERY_PAGE_SIZE) &&
        (!bytes_to_int64(call->query.values[QUERY_PAGE_SIZE], &size) || size < 1 || size > PAGE_SIZE_MAX))
        return call_fail(call, API_PARAMETER_INVALID, SOURCE_PARAMETER, "page[size]",
                         "page[size] is a number from 1 to %d.", PAGE_SIZE_MAX);
    page->size = (int)size;
    return true;
}

static bool read_sort(struct call *call, struct page *page)
{
    struct bytes sort = call->query.values[QUERY_SORT];
    page->descending = false;
    if (!query_has(&call->query, QUERY_SORT) || bytes_equal_text(sort, "id"))
        return true;
    page->descending = bytes_equal_text(sort, "-id");
    return page->descending || call_fail(call, API_PARAMETER_INVALID, SOURCE_PARAMETER, "sort",
                                         "Lists can be sorted by id, or by -id for the newest first.");
}

static bool is_filter(int parameter)
{
    return parameter <= QUERY_UNDELIVERED;
}

/* Whose list it is, which, filtered how and in what order; lengths keep neighbours apart. */
static bool make_scope(struct call *call, const char *list, struct page *page)
{
    struct text scope;
    text_init(&scope, &call->request->arena, CALL_ANSWER_LEN_MAX);
    text_printf(&scope, "%s %lld %c", list, (long long)call->caller.user_id, page->descending ? '-' : '+');
    for (int i = 0; i < QUERY_PARAMETER_COUNT; i++) {
        if (!is_filter(i) || !query_has(&call->query, (enum query_parameter)i))
            continue;
        text_printf(&scope, " %d:%zu:", i, call->query.values[i].len);
        text_put(&scope, call->query.values[i]);
    }
    page->scope = text_bytes(&scope);
    return !scope.overflow || call_too_large(call);
}

bool jsonapi_read_page(struct call *call, const char *list, struct page *page)
{
    page->after_id = 0;
    if (!read_size(call, page) || !read_sort(call, page) || !make_scope(call, list, page))
        return false;
    if (query_has(&call->query, QUERY_PAGE_AFTER) &&
        !cursor_parse(call->query.values[QUERY_PAGE_AFTER], page->scope, &page->after_id))
        return call_fail(call, API_CURSOR_INVALID, SOURCE_PARAMETER, "page[after]",
                         "Take page[after] as it stands in links.next or meta.cursor, with the same filters "
                         "and order.");
    return true;
}

static void put_query_value(struct text *out, struct bytes value)
{
    static const char unreserved[] = "-._~";
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c && strchr(unreserved, c));
        if (plain)
            text_putc(out, (char)c);
        else
            text_printf(out, "%%%02X", c);
    }
}

static void put_list_link(struct text *out, struct call *call, const char *path, const char *after)
{
    text_printf(out, "\"%s", path);
    char separator = '?';
    for (int i = 0; i < QUERY_PARAMETER_COUNT; i++) {
        if (i == QUERY_PAGE_AFTER ? !after : !query_has(&call->query, (enum query_parameter)i))
            continue;
        text_putc(out, separator);
        put_query_value(out, bytes_of(query_name((enum query_parameter)i)));
        text_putc(out, '=');
        put_query_value(out, i == QUERY_PAGE_AFTER ? bytes_of(after) : call->query.values[i]);
        separator = '&';
    }
    text_putc(out, '"');
}

void jsonapi_put_page(struct text *out, struct call *call, const char *path, const struct page *page,
                      int64_t last_id, bool more)
{
    char here[CURSOR_LEN + 1], next[CURSOR_LEN + 1];
    if (page->after_id)
        cursor_format(page->after_id, page->scope, here);
    if (last_id)
        cursor_format(last_id, page->scope, next);
    const char *cursor = last_id ? next : page->after_id ? here : NULL;
    text_puts(out, ",\"links\":{\"self\":");
    put_list_link(out, call, path, page->after_id ? here : NULL);
    text_puts(out, ",\"next\":");
    if (more && last_id)
        put_list_link(out, call, path, next);
    else
        text_puts(out, "null");
    text_puts(out, "}");
    /* Where a poller goes on when there is no next page yet. */
    const char *meta = cursor ? call_printf(call, "\"cursor\":\"%s\"", cursor) : "\"cursor\":null";
    jsonapi_end(out, call, bytes_of(meta));
}

bool jsonapi_read_owner(struct call *call, int64_t *owner_id)
{
    *owner_id = call->caller.user_id;
    if (!query_has(&call->query, QUERY_USER))
        return true;
    int64_t user_id;
    if (!bytes_to_int64(call->query.values[QUERY_USER], &user_id) || user_id == 0)
        return call_fail(call, API_PARAMETER_INVALID, SOURCE_PARAMETER, "filter[user]",
                         "filter[user] is the id of a user.");
    if (call->caller.role != USER_MASTER && user_id != call->caller.user_id)
        return call_fail(call, API_FORBIDDEN, SOURCE_PARAMETER, "filter[user]",
                         "Only a Master sees what is another user's.");
    *owner_id = user_id;
    return keyring_may_see(call->api->keyring, &call->caller, user_id) || call_not_found(call, "user");
}

/* ---- writing ---- */

void jsonapi_begin(struct text *out, struct arena *arena)
{
    text_init(out, arena, CALL_ANSWER_LEN_MAX);
    text_puts(out, "{\"jsonapi\":{\"version\":\"1.1\"}");
}

void jsonapi_put_self(struct text *out, const char *format, int64_t id)
{
    text_printf(out, ",\"links\":{\"self\":\"%s%lld\"}", format, (long long)id);
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

void jsonapi_put_text(struct text *out, const char *name, struct bytes value)
{
    text_printf(out, "\"%s\":", name);
    if (value.len)
        text_put_json(out, value);
    else
        text_puts(out, "null");
}

void jsonapi_put_instant(struct text *out, const char *name, int64_t wall_ms)
{
    char date[INSTANT_LEN];
    if (wall_ms)
        instant_format(wall_ms, date);
    jsonapi_put_text(out, name, bytes_make(date, wall_ms ? INSTANT_LEN : 0));
}

bool jsonapi_answer(struct call *call, int status, const struct text *out)
{
    return out->overflow ? call_too_large(call) : call_answer(call, status, text_bytes(out));
}
