#include "format.h"
#include "body.h"
#include "json_escape.h"
#include <assert.h>

static const char source[] = "/api/events";
static const char data_type[] = "application/vnd.api+json";

const char *const push_format_names[] = {"guide", "cloudevents", "cloudevents-binary", "thin", NULL};

static void add(struct format_push *push, struct bytes piece)
{
    assert(push->piece_count < FORMAT_PIECES_MAX);
    push->pieces[push->piece_count++] = piece;
    push->len += piece.len;
}

/* `before` and a string of the document, whose escapes are JSON's already. */
static void add_text(struct format_push *push, const char *before, struct bytes raw)
{
    add(push, bytes_of(before));
    add(push, raw);
}

static void render_structured(struct bytes document, const struct body_facts *facts, struct format_push *push)
{
    push->content_type = bytes_of("application/cloudevents+json");
    add_text(push, "{\"specversion\":\"1.0\",\"id\":\"", facts->id);
    add_text(push, "\",\"source\":\"", bytes_of(source));
    add_text(push, "\",\"type\":\"", facts->event_type);
    if (facts->resource_type.len) {
        add_text(push, "\",\"subject\":\"", facts->resource_type);
        add_text(push, "/", facts->resource_id);
    }
    add_text(push, "\",\"time\":\"", facts->created_at);
    add_text(push, "\",\"datacontenttype\":\"", bytes_of(data_type));
    add_text(push, "\",\"data\":", document);
    add(push, bytes_of("}"));
}

/* CloudEvents HTTP binding 1.0.2, section 3.1.3.2: what is not printable ASCII, and space, quote and percent.
 * False: no room. */
static bool put_value(struct format_push *push, struct bytes raw)
{
    static const char digits[] = "0123456789ABCDEF";
    char character[JSON_UNESCAPED_LEN_MAX];
    while (raw.len > 0) {
        size_t len = json_unescape_next(&raw, character);
        if (push->values_len + 3 * len > sizeof push->values)
            return false;
        for (size_t i = 0; i < len; i++) {
            unsigned char c = (unsigned char)character[i];
            bool plain = c > 0x20 && c < 0x7f && c != '"' && c != '%';
            push->values[push->values_len++] = (char)(plain ? c : '%');
            if (plain)
                continue;
            push->values[push->values_len++] = digits[c >> 4];
            push->values[push->values_len++] = digits[c & 15];
        }
    }
    return true;
}

/* The text, and if there is a second one, a slash and that. */
static bool add_header(struct format_push *push, const char *name, struct bytes raw, struct bytes second)
{
    size_t at = push->values_len;
    if (!put_value(push, raw) ||
        (second.len && (!put_value(push, bytes_of("/")) || !put_value(push, second))))
        return false;
    assert(push->header_count < FORMAT_HEADERS_MAX);
    push->headers[push->header_count++] =
        (struct header){bytes_of(name), bytes_make(push->values + at, push->values_len - at)};
    return true;
}

static bool render_binary(struct bytes document, const struct body_facts *facts, struct format_push *push)
{
    const struct bytes none = {0};
    push->content_type = bytes_of(data_type);
    add(push, document);
    return add_header(push, "ce-specversion", bytes_of("1.0"), none) &&
           add_header(push, "ce-id", facts->id, none) &&
           add_header(push, "ce-source", bytes_of(source), none) &&
           add_header(push, "ce-type", facts->event_type, none) &&
           (!facts->resource_type.len ||
            add_header(push, "ce-subject", facts->resource_type, facts->resource_id)) &&
           add_header(push, "ce-time", facts->created_at, none);
}

static bool render_thin(struct bytes document, struct format_push *push)
{
    size_t end = body_data_end(document);
    add(push, bytes_make(document.data, end));
    add(push, bytes_of("}"));
    return end > 0;
}

bool format_render(enum push_format format, struct bytes document, struct format_push *push)
{
    struct body_facts facts;
    push->header_count = push->piece_count = 0;
    push->len = push->values_len = 0;
    push->content_type = bytes_of("application/json");
    if (format == FORMAT_GUIDE)
        add(push, document);
    else if (format == FORMAT_THIN)
        return render_thin(document, push);
    else if (!body_find_facts(document, &facts))
        return false;
    else if (format == FORMAT_CLOUDEVENTS)
        render_structured(document, &facts, push);
    else
        return render_binary(document, &facts, push);
    return true;
}

void format_write(const struct format_push *push, char *out)
{
    for (int i = 0; i < push->piece_count; i++) {
        memcpy(out, push->pieces[i].data, push->pieces[i].len);
        out += push->pieces[i].len;
    }
}
