#include "body.h"
#include "ids.h"
#include "instant.h"
#include <assert.h>

enum { HEAD_FIXED_LEN_MAX = 320 }; /* its own texts, ids and dates: 267 */

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
        text_puts(out, "\"resource\":{\"data\":{\"type\":");
        text_put_json(out, parts->resource_type);
        text_puts(out, ",\"id\":");
        text_put_json(out, parts->resource_id);
        text_puts(out, "}}");
        comma = ",";
    }
    if (parts->user_id) {
        text_puts(out, comma);
        text_puts(out, "\"user\":{\"data\":{\"type\":\"users\",\"id\":\"");
        text_put_int64(out, parts->user_id);
        text_puts(out, "\"}}");
        comma = ",";
    }
    if (parts->relationships.len)
        text_puts(out, comma);
    text_put(out, parts->relationships);
}

size_t body_head_len_max(const struct body_parts *parts)
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

void body_render_head(struct text *out, const struct body_parts *parts, uint32_t *stamp_offset)
{
    text_puts(out, BODY_BEGINS);
    body_put_id(out, parts->id);
    text_puts(out, "\",\"attributes\":{\"event_type\":");
    text_put_json(out, parts->event_type);
    text_puts(out, ",\"created_at\":");
    put_instant(out, parts->created_at_ms);
    text_puts(out, ",\"sent_at\":\"");
    *stamp_offset = (uint32_t)out->len;
    text_puts(out, placeholder);
    text_puts(out, "\"},\"relationships\":{");
    put_relationships(out, parts);
    text_puts(out, "}},\"included\":[");
}

void body_render(struct text *out, const struct body_parts *parts, uint32_t *stamp_offset)
{
    body_render_head(out, parts, stamp_offset);
    text_put(out, parts->included);
    text_puts(out, BODY_TAIL);
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
    static const char begins[] = "{\"data\":{";
    size_t at = sizeof begins - 1;
    if (!bytes_starts(document, begins))
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
