#include "format.h"
#include "body.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define DATA(resource)                                                                                       \
    "{\"data\":{\"type\":\"events\",\"id\":\"8\",\"attributes\":{\"event_type\":\"user_enabled\","           \
    "\"created_at\":\"2000-01-01T00:00:00.000Z\",\"sent_at\":\"2000-01-01T00:00:01.234Z\"},"                 \
    "\"relationships\":{" resource "}}"
#define RESOURCE "\"resource\":{\"data\":{\"type\":\"payments\",\"id\":\"a \\\"%\\\\ü\"}}"
#define INCLUDED ",\"included\":[{\"type\":\"payments\",\"id\":\"}\"}]}"
#define ATTRIBUTES(subject)                                                                                  \
    "{\"specversion\":\"1.0\",\"id\":\"8\",\"source\":\"/api/events\",\"type\":\"user_enabled\"," subject    \
    "\"time\":\"2000-01-01T00:00:00.000Z\",\"datacontenttype\":\"application/vnd.api+json\",\"data\":"

static const char whole[] = DATA(RESOURCE) INCLUDED;
static const char bare[] = DATA("") ",\"included\":[]}";

static void check(enum push_format format, const char *document, const char *type, const char *body)
{
    struct format_push push;
    char out[1024] = "";
    assert_true(format_render(format, bytes_of(document), &push));
    assert_true(push.len < sizeof out);
    format_write(&push, out);
    assert_string_equal(out, body);
    assert_int_equal(push.len, strlen(body));
    assert_true(bytes_equal_text(push.content_type, type));
}

static void every_format(void **state)
{
    (void)state;
    check(FORMAT_GUIDE, whole, "application/json", whole);
    check(FORMAT_THIN, whole, "application/json", DATA(RESOURCE) "}");
    check(FORMAT_THIN, bare, "application/json", DATA("") "}");
    check(FORMAT_CLOUDEVENTS_BINARY, whole, "application/vnd.api+json", whole);
    check(FORMAT_CLOUDEVENTS, whole, "application/cloudevents+json",
          ATTRIBUTES("\"subject\":\"payments/a \\\"%\\\\ü\",") DATA(RESOURCE) INCLUDED "}");
    check(FORMAT_CLOUDEVENTS, bare, "application/cloudevents+json",
          ATTRIBUTES("") DATA("") ",\"included\":[]}}");
}

static void check_headers(const char *document, const char *expected)
{
    struct format_push push;
    char out[1024] = "";
    assert_true(format_render(FORMAT_CLOUDEVENTS_BINARY, bytes_of(document), &push));
    for (int i = 0; i < push.header_count; i++) {
        strncat(out, push.headers[i].name.data, push.headers[i].name.len);
        strcat(out, ": ");
        strncat(out, push.headers[i].value.data, push.headers[i].value.len);
        strcat(out, "\n");
    }
    assert_string_equal(out, expected);
}

static void binary_headers(void **state)
{
    (void)state;
    check_headers(whole, "ce-specversion: 1.0\nce-id: 8\nce-source: /api/events\nce-type: user_enabled\n"
                         "ce-subject: payments/a%20%22%25\\%C3%BC\nce-time: 2000-01-01T00:00:00.000Z\n");
    check_headers(bare, "ce-specversion: 1.0\nce-id: 8\nce-source: /api/events\nce-type: user_enabled\n"
                        "ce-time: 2000-01-01T00:00:00.000Z\n");
}

/* As body.c makes it, so that both parts know one layout. */
static void of_a_made_document(void **state)
{
    struct arena arena;
    struct text out;
    uint32_t stamp;
    struct format_push push;
    (void)state;
    arena_init(&arena, 1 << 16);
    text_init(&out, &arena, 1 << 12);
    body_render(&out,
                &(struct body_parts){.id = 8,
                                     .event_type = bytes_of("a"),
                                     .created_at_ms = 1,
                                     .resource_type = bytes_of("t"),
                                     .resource_id = bytes_of("\x01")},
                &stamp);
    body_stamp(out.data, out.len, stamp, 2);
    assert_true(format_render(FORMAT_CLOUDEVENTS_BINARY, text_bytes(&out), &push));
    assert_true(bytes_equal_text(push.headers[4].value, "t/%01"));
    arena_fini(&arena);
}

/* Every document that is cut is damaged, or is long enough for what is read of it; no byte behind it is. */
static void cut_documents(void **state)
{
    struct format_push push;
    (void)state;
    for (size_t len = 0; len < sizeof DATA(RESOURCE) - 4; len++) {
        char copy[sizeof whole];
        memcpy(copy, whole, len);
        assert_false(format_render(FORMAT_THIN, bytes_make(copy, len), &push));
        if (len < strlen(DATA(RESOURCE)) - 4)
            assert_true(!format_render(FORMAT_CLOUDEVENTS, bytes_make(copy, len), &push) ||
                        push.pieces[push.piece_count - 2].len == len);
    }
    assert_false(format_render(FORMAT_CLOUDEVENTS, bytes_of("{}"), &push));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format),
        cmocka_unit_test(binary_headers),
        cmocka_unit_test(of_a_made_document),
        cmocka_unit_test(cut_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
