#include "body.h"
#include "ids.h"
#include "instant.h"
#include <assert.h>

enum { HEAD_FIXED_LEN_MAX = 320 }; /* its own texts, ids and dates: 267 */

static const char data_begins[] = "{\"data\":";
static const char type_begins[] = "\",\"attributes\":{\"event_type\":";
static const char created_begins[] = ",\"created_at\":";
static const char sent_begins[] = ",\"sent_at\":\"";
static const char relationships_begin[] = "\"},\"relationships\":{";
static const char resource_begins[] = "\"resource\":{\"data\":{\"type\":";
static const char resource_id_begins[] = ",\"id\":";
static const char included_begins[] = ",\"included\":[";
static const char tail[] = "]}";

static const char placeholder[INSTANT_LEN + 1] = "------------------------";
static const char id_placeholder[IDS_DIGITS + 1] = "0000000000000000000";

static void put_instant(struct text *out, int64_t wall_ms)
{
    char instant[INSTANT_LEN];
    instant_format(wall_ms, instant);
    text_putc(out, '"');
    text_put(out, bytes_make(instant, sizeof instant));
    text_putc(out, '"');
}

static void put_relationships(struct text *out, const struct body_parts *parts)
{
    const char *comma = "";
    if (parts->resource_type.len) {
        text_puts(out, resource_begins);
        text_put_json(out, parts->resource_type);
        text_puts(out, resource_id_begins);
        text_put_json(out, parts->resource_id);
        text_puts(out, "}}");
        comma = ",";
    }
    if (parts->user_id) {
        text_puts(out, comma);
        text_puts(out, parts->user_apart ? "\"user\":{\"meta\":{\"account\":\""
                                         : "\"user\":{\"data\":{\"type\":\"users\",\"id\":\"");
        text_put_int64(out, parts->user_id);
        text_puts(out, "\"}}");
        comma = ",";
    }
    if (parts->relationships.len)
        text_puts(out, comma);
    text_put(out, parts->relationships);
}

static size_t head_len_max(const struct body_parts *parts)
{
    enum { ESCAPED_LEN_MAX = 6 };
    return HEAD_FIXED_LEN_MAX + parts->relationships.len +
           ESCAPED_LEN_MAX * (parts->event_type.len + parts->resource_type.len + parts->resource_id.len);
}

size_t body_put_id(struct text *out, int64_t id)
{
    size_t at = out->len;
    assert(id >= 0);
    if (id)
        text_put_int64(out, id);
    else
        text_puts(out, id_placeholder);
    return at;
}

static void put_head(struct text *out, const struct body_parts *parts, uint32_t *stamp_offset)
{
    text_puts(out, BODY_BEGINS);
    body_put_id(out, parts->id);
    text_puts(out, type_begins);
    text_put_json(out, parts->event_type);
    text_puts(out, created_begins);
    put_instant(out, parts->created_at_ms);
    text_puts(out, sent_begins);
    *stamp_offset = (uint32_t)out->len;
    text_puts(out, placeholder);
    text_puts(out, relationships_begin);
    put_relationships(out, parts);
    text_puts(out, "}}");
    text_puts(out, included_begins);
}

void body_render(struct text *out, const struct body_parts *parts, uint32_t *stamp_offset)
{
    put_head(out, parts, stamp_offset);
    text_put(out, parts->included);
    body_put_tail(out);
}

size_t body_leave_head(struct text *out, const struct body_parts *parts)
{
    size_t room = head_len_max(parts);
    out->len_max += room - parts->relationships.len + sizeof tail;
    text_leave_front(out, room);
    return room;
}

void body_put_tail(struct text *out)
{
    text_puts(out, tail);
}

struct bytes body_included(const struct text *out, size_t room)
{
    return bytes_make(out->data + room, out->len - room - (sizeof tail - 1));
}

struct bytes body_put_head(const struct text *out, size_t room, const struct body_parts *parts,
                           struct arena *arena, uint32_t *stamp_offset)
{
    struct text head;
    text_init(&head, arena, room);
    put_head(&head, parts, stamp_offset);
    if (head.overflow)
        return (struct bytes){0};
    char *document = out->data + room - head.len;
    memcpy(document, head.data, head.len);
    return bytes_make(document, head.len + out->len - room);
}

bool body_has_stamp(struct bytes document, int64_t stamp_offset)
{
    int64_t behind = (int64_t)document.len - INSTANT_LEN;
    return stamp_offset > 0 && stamp_offset < behind && document.data[stamp_offset - 1] == '"' &&
           document.data[stamp_offset + INSTANT_LEN] == '"';
}

/* Behind the string that begins at `at`; 0: it has no end. */
static size_t skip_string(struct bytes json, size_t at)
{
    for (at++; at < json.len && json.data[at] != '"'; at++)
        at += json.data[at] == '\\';
    return at < json.len ? at + 1 : 0;
}

size_t body_data_end(struct bytes document)
{
    size_t at = sizeof data_begins; /* behind its brace */
    if (!bytes_starts(document, data_begins) || at > document.len || document.data[at - 1] != '{')
        return 0;
    for (int depth = 1; depth > 0 && at > 0;) {
        if (at >= document.len)
            return 0;
        char c = document.data[at];
        depth += (c == '{') - (c == '}');
        at = c == '"' ? skip_string(document, at) : at + 1;
    }
    return at;
}

/* Takes a text from the front. */
static bool take(struct bytes *rest, const char *text)
{
    size_t len = strlen(text);
    if (!bytes_starts(*rest, text))
        return false;
    *rest = bytes_make(rest->data + len, rest->len - len);
    return true;
}

/* Takes a text and the string behind it. */
static bool take_string(struct bytes *rest, const char *before, struct bytes *inside)
{
    if (!take(rest, before) || rest->len == 0 || rest->data[0] != '"')
        return false;
    size_t end = skip_string(*rest, 0);
    if (end == 0)
        return false;
    *inside = bytes_make(rest->data + 1, end - 2);
    *rest = bytes_make(rest->data + end, rest->len - end);
    return true;
}

bool body_find_facts(struct bytes document, struct body_facts *facts)
{
    struct bytes rest = document;
    *facts = (struct body_facts){0};
    if (!take(&rest, BODY_BEGINS) || !memchr(rest.data, '"', rest.len))
        return false;
    facts->id = bytes_make(rest.data, (size_t)((const char *)memchr(rest.data, '"', rest.len) - rest.data));
    rest = bytes_make(rest.data + facts->id.len, rest.len - facts->id.len);
    if (!take_string(&rest, type_begins, &facts->event_type) ||
        !take_string(&rest, created_begins, &facts->created_at) || !take(&rest, sent_begins) ||
        rest.len < INSTANT_LEN)
        return false;
    rest = bytes_make(rest.data + INSTANT_LEN, rest.len - INSTANT_LEN);
    if (!take(&rest, relationships_begin))
        return false;
    return !bytes_starts(rest, resource_begins) ||
           (take_string(&rest, resource_begins, &facts->resource_type) &&
            take_string(&rest, resource_id_begins, &facts->resource_id));
}

static void view_data(struct bytes document, size_t stamp_offset, size_t end, struct body_view *view)
{
    size_t begin = sizeof data_begins - 1;
    *view = (struct body_view){.data = bytes_make(document.data + begin, end - begin),
                               .stamp = stamp_offset - begin};
}

bool body_read(struct bytes document, int64_t stamp_offset, struct body_view *view)
{
    size_t end = body_data_end(document), begin = sizeof included_begins - 1;
    if (!end || !body_has_stamp(document, stamp_offset) || (size_t)stamp_offset <= sizeof data_begins ||
        (size_t)stamp_offset + INSTANT_LEN >= end)
        return false;
    view_data(document, (size_t)stamp_offset, end, view);
    struct bytes rest = bytes_make(document.data + end, document.len - end);
    if (bytes_starts(rest, included_begins) && rest.len >= begin + (sizeof tail - 1))
        view->included = bytes_make(rest.data + begin, rest.len - begin - (sizeof tail - 1));
    return true;
}

void body_read_made(struct bytes document, uint32_t stamp_offset, size_t included_len, struct body_view *view)
{
    size_t behind = sizeof included_begins - 1 + included_len + (sizeof tail - 1);
    assert(document.len > behind);
    size_t end = document.len - behind;
    assert(document.data[end - 1] == '}');
    assert(bytes_starts(bytes_make(document.data + end, behind), included_begins));
    assert(body_has_stamp(document, stamp_offset));
    view_data(document, stamp_offset, end, view);
    view->included = bytes_make(document.data + end + sizeof included_begins - 1, included_len);
}

size_t body_put_data(struct text *out, const struct body_view *view, int64_t sent_at_ms)
{
    const char *data = view->data.data;
    size_t behind = view->stamp + INSTANT_LEN, end = view->data.len - 1;
    size_t id_at = out->len + BODY_ID_AT - (sizeof data_begins - 1);
    text_put(out, bytes_make(data, view->stamp - 1));
    if (sent_at_ms)
        put_instant(out, sent_at_ms);
    else
        text_puts(out, "null");
    text_put(out, bytes_make(data + behind + 1, end - behind - 1));
    return id_at;
}

void body_stamp(char *document, size_t len, uint32_t stamp_offset, int64_t sent_at_ms)
{
    assert(stamp_offset > 0 && stamp_offset + (size_t)INSTANT_LEN < len);
    assert(document[stamp_offset - 1] == '"' && document[stamp_offset + INSTANT_LEN] == '"');
    instant_format(sent_at_ms, document + stamp_offset);
}

void body_stamp_id(char *document, size_t len, int64_t id)
{
    assert(len > BODY_ID_AT + IDS_DIGITS);
    assert(document[BODY_ID_AT - 1] == '"' && document[BODY_ID_AT + IDS_DIGITS] == '"');
    ids_put(id, document + BODY_ID_AT);
}
