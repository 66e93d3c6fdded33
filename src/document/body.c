#include "body.h"
#include "instant.h"
#include <assert.h>

static const char placeholder[INSTANT_LEN + 1] = "------------------------";

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

void body_render(struct text *out, const struct body_parts *parts, uint32_t *stamp_offset)
{
    assert(parts->id > 0);
    text_puts(out, "{\"data\":{\"type\":\"events\",\"id\":\"");
    text_put_int64(out, parts->id);
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
    text_put(out, parts->included);
    text_puts(out, "]}");
}

void body_stamp(char *document, size_t len, uint32_t stamp_offset, int64_t sent_at_ms)
{
    assert(stamp_offset > 0 && stamp_offset + (size_t)INSTANT_LEN < len);
    assert(document[stamp_offset - 1] == '"' && document[stamp_offset + INSTANT_LEN] == '"');
    instant_format(sent_at_ms, document + stamp_offset);
}
