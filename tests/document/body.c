#include "body.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "json_c.h"
#include <cmocka.h>
#include <stdlib.h>

struct fixture {
    struct arena arena;
    struct text out;
    uint32_t stamp_offset;
};

static void render(struct fixture *f, const struct body_parts *parts)
{
    arena_init(&f->arena, 1 << 16);
    text_init(&f->out, &f->arena, 1 << 12);
    body_render(&f->out, parts, &f->stamp_offset);
    assert_false(f->out.overflow);
}

static struct json_object *parse(struct fixture *f)
{
    struct json_reading reading;
    struct json_object *document = json_read(f->out.data, f->out.len, false, &reading);
    if (!document)
        fail_msg("%s: %s", reading.problem.detail, f->out.data);
    return document;
}

#define VIEW(literal)                                                                                        \
    {                                                                                                        \
        literal, sizeof literal - 1                                                                          \
    }

static const struct body_parts whole = {
    .id = 8,
    .event_type = VIEW("user_enabled"),
    .created_at_ms = 946684800000,
    .resource_type = VIEW("concierge_requests"),
    .resource_id = VIEW("1"),
    .relationships = VIEW("\"failures\":{\"data\":[]}"),
    .included = VIEW("{\"type\":\"concierge_requests\",\"id\":\"1\",\"attributes\":{\"amount\":0.10}}"),
};

/* webhooks-guide lines 29 to 66, member by member and in that order. */
static void the_guide_s_document(void **state)
{
    struct fixture f;
    render(&f, &whole);
    body_stamp(f.out.data, f.out.len, f.stamp_offset, 946684801234);
    assert_string_equal(
        f.out.data,
        "{\"data\":{\"type\":\"events\",\"id\":\"8\",\"attributes\":{\"event_type\":\"user_enabled\","
        "\"created_at\":\"2000-01-01T00:00:00.000Z\",\"sent_at\":\"2000-01-01T00:00:01.234Z\"},"
        "\"relationships\":{\"resource\":{\"data\":{\"type\":\"concierge_requests\",\"id\":\"1\"}},"
        "\"failures\":{\"data\":[]}}},"
        "\"included\":[{\"type\":\"concierge_requests\",\"id\":\"1\",\"attributes\":{\"amount\":0.10}}]}");
    json_object_put(parse(&f));
    arena_fini(&f.arena);
}

/* A maker of documents leaves so much room before it knows id and dates. */
static void the_head_fits(void **state)
{
    char control[64];
    struct fixture f;
    struct body_parts parts = whole;
    memset(control, 1, sizeof control); /* six bytes each as JSON */
    parts.id = parts.user_id = INT64_MAX;
    parts.event_type = parts.resource_type = parts.resource_id = bytes_make(control, sizeof control);
    parts.included = (struct bytes){0};
    render(&f, &parts);
    struct text other;
    text_init(&other, &f.arena, parts.relationships.len);
    assert_true(f.out.len - strlen("]}") <= body_leave_head(&other, &parts));
    arena_fini(&f.arena);
}

/* What is included first, the head last: the same bytes, where the elements have been all the time. */
static void made_from_its_end(void **state)
{
    struct fixture f;
    struct body_parts head = whole;
    struct text out;
    uint32_t stamp_offset;
    render(&f, &whole);
    head.included = (struct bytes){0};
    text_init(&out, &f.arena, whole.relationships.len + whole.included.len);
    size_t room = body_leave_head(&out, &head);
    text_put(&out, whole.included);
    body_put_tail(&out);
    assert_false(out.overflow);
    struct bytes included = body_included(&out, room);
    assert_true(bytes_equal(included, whole.included));
    struct bytes document = body_put_head(&out, room, &head, &f.arena, &stamp_offset);
    assert_true(bytes_equal(document, text_bytes(&f.out)));
    assert_int_equal(stamp_offset, f.stamp_offset);
    assert_ptr_equal(body_included(&out, room).data, included.data);

    struct arena small;
    arena_init(&small, 16);
    assert_null(body_put_head(&out, room, &head, &small, &stamp_offset).data);
    arena_fini(&small);
    arena_fini(&f.arena);
}

/* ---- read ---- */

static void expect_data(struct fixture *f, const struct body_view *view, int64_t sent_at_ms, const char *date)
{
    struct text shown, expected;
    size_t begin = strlen("{\"data\":"), behind = f->stamp_offset + 24 + strlen("\"");
    size_t end = (size_t)((char *)memmem(f->out.data, f->out.len, "}},\"included\"", 13) + 1 - f->out.data);
    text_init(&shown, &f->arena, 4096);
    text_init(&expected, &f->arena, 4096);
    body_put_data(&shown, view, sent_at_ms);
    text_put(&expected, bytes_make(f->out.data + begin, f->stamp_offset - 1 - begin));
    text_puts(&expected, date);
    text_put(&expected, bytes_make(f->out.data + behind, end - behind));
    assert_string_equal(shown.data, expected.data);
}

static void read_back(void **state)
{
    struct fixture f;
    struct body_view view, made;
    render(&f, &whole);
    assert_true(body_read(text_bytes(&f.out), f.stamp_offset, &view));
    assert_true(bytes_equal(view.included, whole.included));
    assert_true(bytes_starts(view.data, "{\"type\":\"events\""));
    expect_data(&f, &view, 0, "null");
    expect_data(&f, &view, 1700000000000, "\"2023-11-14T22:13:20.000Z\"");
    body_read_made(text_bytes(&f.out), f.stamp_offset, whole.included.len, &made);
    assert_memory_equal(&made, &view, sizeof view);
    arena_fini(&f.arena);
}

/* Cut anywhere, or with a stamp that is not there. */
static void damaged_is_not_read(void **state)
{
    struct fixture f;
    struct body_view view;
    render(&f, &whole);
    size_t data_end = (size_t)((char *)memmem(f.out.data, f.out.len, ",\"included\"", 11) - f.out.data);
    for (size_t len = 0; len < f.out.len; len++) {
        char *cut = malloc(len + 1); /* so that a sanitizer sees who reads far behind it */
        memcpy(cut, f.out.data, len);
        assert_int_equal(body_read(bytes_make(cut, len), f.stamp_offset, &view), len >= data_end);
        assert_true(len < data_end || view.included.len <= whole.included.len);
        free(cut);
    }
    static const int64_t stamps[] = {INT64_MIN, -1, 0, 1, 8, 9, INT64_MAX};
    for (size_t i = 0; i < sizeof stamps / sizeof *stamps; i++)
        assert_false(body_read(text_bytes(&f.out), stamps[i], &view));
    assert_false(body_read(text_bytes(&f.out), f.stamp_offset + 1, &view));
    assert_false(body_read(bytes_of("[]"), f.stamp_offset, &view));
    arena_fini(&f.arena);

    struct body_parts dated = whole; /* in what is included, something stands as the stamp does */
    dated.included = bytes_of("{\"at\":\"2023-11-14T22:13:20.000Z\"}");
    render(&f, &dated);
    int64_t other = (char *)memmem(f.out.data, f.out.len, "2023", 4) - f.out.data;
    assert_true(body_has_stamp(text_bytes(&f.out), other));
    assert_false(body_read(text_bytes(&f.out), other, &view));
    arena_fini(&f.arena);
}

static void parts_that_are_missing(void **state)
{
    static const struct {
        bool resource, relationships;
        const char *expected;
    } table[] = {
        {false, false, "\"relationships\":{}}"},
        {true, false,
         "\"relationships\":{\"resource\":{\"data\":{\"type\":\"concierge_requests\",\"id\":\"1\"}}}}"},
        {false, true, "\"relationships\":{\"failures\":{\"data\":[]}}}"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct fixture f;
        struct body_parts parts = whole;
        if (!table[i].resource)
            parts.resource_type = parts.resource_id = bytes_of("");
        if (!table[i].relationships)
            parts.relationships = bytes_of("");
        parts.included = bytes_of("");
        render(&f, &parts);
        assert_non_null(strstr(f.out.data, table[i].expected));
        assert_non_null(strstr(f.out.data, "\"included\":[]}"));
        json_object_put(parse(&f));
        arena_fini(&f.arena);
    }
}

static void hostile_names_stay_inside_their_quotes(void **state)
{
    struct fixture f;
    struct body_parts parts = whole;
    parts.resource_id = bytes_of("1\"},\"x\":{\"\\\n\x01");
    parts.event_type = bytes_of("a\"b");
    render(&f, &parts);
    struct json_object *document = parse(&f);
    struct bytes id;
    struct json_object *relationships = json_get_object(json_get_object(document, "data"), "relationships");
    struct json_object *linkage = json_get_object(json_get_object(relationships, "resource"), "data");
    assert_true(json_get_text(linkage, "id", &id) && bytes_equal(id, parts.resource_id));
    assert_int_equal(json_object_object_length(relationships), 2);
    json_object_put(document);
    arena_fini(&f.arena);
}

/* Promise P5: the stamp changes 24 bytes and no other. */
static void the_stamp_is_the_only_change(void **state)
{
    struct fixture f;
    render(&f, &whole);
    char *before = malloc(f.out.len);
    assert_non_null(before);
    memcpy(before, f.out.data, f.out.len);
    body_stamp(f.out.data, f.out.len, f.stamp_offset, 1700000000000);
    assert_memory_equal(before, f.out.data, f.stamp_offset);
    size_t tail = f.stamp_offset + 24;
    assert_memory_equal(f.out.data + f.stamp_offset, "2023-11-14T22:13:20.000Z", 24);
    assert_memory_equal(before + tail, f.out.data + tail, f.out.len - tail);
    free(before);
    arena_fini(&f.arena);
}

static void an_append_counts_from_the_start_of_out(void **state)
{
    struct fixture f;
    arena_init(&f.arena, 1 << 16);
    text_init(&f.out, &f.arena, 1 << 12);
    text_puts(&f.out, "before");
    body_render(&f.out, &whole, &f.stamp_offset);
    body_stamp(f.out.data, f.out.len, f.stamp_offset, 0);
    assert_non_null(strstr(f.out.data, "\"sent_at\":\"1970-01-01T00:00:00.000Z\"}"));
    arena_fini(&f.arena);
}

/* The store gives it later: the same bytes as if it had been known. */
static void an_id_finds_its_place(void **state)
{
    struct fixture known, later;
    struct body_parts parts = whole;
    parts.id = 3700000000000000001;
    render(&known, &parts);
    parts.id = 0;
    render(&later, &parts);
    assert_int_equal(known.out.len, later.out.len);
    assert_int_equal(known.stamp_offset, later.stamp_offset);
    assert_true(body_has_stamp(text_bytes(&later.out), later.stamp_offset));
    body_stamp_id(later.out.data, later.out.len, 3700000000000000001);
    assert_memory_equal(known.out.data, later.out.data, known.out.len);
    arena_fini(&known.arena);
    arena_fini(&later.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_guide_s_document),
        cmocka_unit_test(the_head_fits),
        cmocka_unit_test(made_from_its_end),
        cmocka_unit_test(read_back),
        cmocka_unit_test(damaged_is_not_read),
        cmocka_unit_test(parts_that_are_missing),
        cmocka_unit_test(hostile_names_stay_inside_their_quotes),
        cmocka_unit_test(the_stamp_is_the_only_change),
        cmocka_unit_test(an_append_counts_from_the_start_of_out),
        cmocka_unit_test(an_id_finds_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
