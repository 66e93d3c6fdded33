#include "not_sent.h"
#include "json.h"
#include "show.h"

#include <stdlib.h>

static struct json_object *text_of(struct bytes text)
{
    return json_object_new_string_len(text.data, (int)text.len);
}

/* The object of an array whose member has this text; NULL: none. */
static struct json_object *find(struct json_object *array, const char *path, const char *name,
                                struct bytes text)
{
    for (size_t i = 0; i < json_length(array); i++) {
        struct json_object *one = json_object_array_get_idx(array, i);
        if (bytes_equal(json_string(*path ? json_at(one, path) : one, name), text))
            return one;
    }
    return NULL;
}

/* Ids of events and of further endpoints come from one source, in order; a default endpoint has its user's,
 * which is small. */
static bool is_later(struct bytes endpoint_id, struct bytes event_id)
{
    int64_t endpoint, event;
    return bytes_to_int64(endpoint_id, &endpoint) && bytes_to_int64(event_id, &event) && endpoint > event;
}

static void add(struct json_object *to, struct bytes endpoint_id, struct json_object *endpoint,
                struct bytes reason)
{
    struct json_object *one = json_object_new_object();
    struct bytes url = json_string(json_get(endpoint, "attributes"), "url");
    json_object_object_add(one, "endpoint", text_of(endpoint_id));
    json_object_object_add(one, "url", url.len > 0 ? text_of(url) : NULL);
    json_object_object_add(one, "reason", text_of(reason));
    json_object_array_add(to, one);
}

struct json_object *not_sent_of(struct json_object *event, struct json_object *unmatched,
                                struct json_object *endpoints, struct json_object *deliveries)
{
    struct json_object *not_sent = json_object_new_array();
    struct bytes event_id = json_string(event, "id");
    bool ping = bytes_equal_text(json_string(json_get(event, "attributes"), "event_type"), "ping");
    for (size_t i = 0; i < json_length(unmatched); i++) {
        struct json_object *one = json_object_array_get_idx(unmatched, i);
        struct bytes id = json_string(one, "endpoint");
        add(not_sent, id, find(endpoints, "", "id", id), json_string(one, "reason"));
    }
    for (size_t i = 0; i < json_length(endpoints); i++) {
        struct json_object *endpoint = json_object_array_get_idx(endpoints, i);
        struct bytes id = json_string(endpoint, "id");
        if (find(unmatched, "", "endpoint", id) || find(deliveries, "relationships.endpoint.data", "id", id))
            continue;
        add(not_sent, id, endpoint,
            bytes_of(is_later(id, event_id) ? "created_later"
                     : ping                 ? "ping"
                                            : "no_url"));
    }
    return not_sent;
}

static void put_reason(struct text *out, struct bytes reason, struct bytes event_type)
{
    static const struct {
        const char *reason, *sentence;
    } rows[] = {
        {"channel", "it and the event have no channel in common"},
        {"filter", "its filter does not match; POST /api/endpoints/ID/test_filter says which key decides"},
        {"created_later", "it was created later"},
        {"ping", "a ping goes to one endpoint alone"},
        {"no_url", "it had no URL when the event came"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (bytes_equal_text(reason, rows[i].reason)) {
            text_puts(out, rows[i].sentence);
            return;
        }
    text_puts(out, "its event_types do not name ");
    text_put_printable(out, event_type);
}

void not_sent_print(struct json_object *not_sent, struct bytes event_type)
{
    if (json_length(not_sent) > 0)
        puts("Not sent to:");
    for (size_t i = 0; i < json_length(not_sent); i++) {
        struct json_object *one = json_object_array_get_idx(not_sent, i);
        struct bytes url = json_string(one, "url");
        struct line line;
        text_puts(line_begin(&line), "  endpoint ");
        text_put_printable(&line.text, json_string(one, "endpoint"));
        if (url.len > 0) {
            text_puts(&line.text, " (");
            text_put_printable(&line.text, url);
            text_puts(&line.text, ")");
        }
        text_puts(&line.text, ": ");
        put_reason(&line.text, json_string(one, "reason"), event_type);
        line_print(&line, stdout);
    }
}
