/* The server's descriptions: the event types, OpenAPI, the page; and that words and routes agree. */
#include "reference.h"
#include "api_fixture.h"
#include "catalogue.h"
#include "json_c.h"
#include "json_tree.h"
#include "route.h"

static struct reply get(const char *target)
{
    struct ask asked = {"GET", target, RIG_NOBODY};
    return rig_ask(&rig, &asked);
}

static int expect_types(const char *target)
{
    struct reply reply = get(target);
    assert_int_equal(reply.status, 200);
    assert_true(reply_header_is(&reply, "Content-Type", "application/vnd.api+json"));
    assert_string_equal(reply_text(&reply, "/jsonapi/version"), "1.1");
    int count = (int)json_object_array_length(reply_get(&reply, "/data"));
    reply_free(&reply);
    return count;
}

static struct json_object *example_of(const struct catalogue *catalogue, const struct catalogue_type *type)
{
    struct json_reading reading;
    struct arena arena;
    struct text text;
    arena_init(&arena, 1 << 20);
    text_init(&text, &arena, 1 << 18);
    catalogue_put_example(&text, catalogue, type);
    struct json_object *example = json_read(text.data, text.len, false, &reading);
    arena_fini(&arena);
    return example;
}

static void the_types_are_the_catalogues(void **state)
{
    struct catalogue *catalogue = catalogue_open();
    struct reply reply = get("/api/event_types");
    struct json_object *data = reply_get(&reply, "/data");

    assert_int_equal(json_object_array_length(data), catalogue_count(catalogue));
    for (int i = 0; i < catalogue_count(catalogue); i++) {
        const struct catalogue_type *type = catalogue_at(catalogue, i);
        struct json_object *shown = json_object_array_get_idx(data, (size_t)i);
        struct json_object *example = example_of(catalogue, type);
        assert_string_equal(json_object_get_string(json_get(shown, "id")), type->name);
        assert_true(json_object_equal(json_get(json_get(shown, "attributes"), "example"), example));
        json_object_put(example);
    }
    reply_free(&reply);
    catalogue_close(catalogue);
}

static void types_are_filtered(void **state)
{
    int all = expect_types("/api/event_types");

    assert_int_equal(expect_types("/api/event_types?filter[status]=documented"), 14);
    assert_int_equal(expect_types("/api/event_types?filter%5Bsection%5D=payments"), 1);
    assert_int_equal(expect_types("/api/event_types?filter[section]=users&filter[status]=documented"), 2);
    assert_int_equal(expect_types("/api/event_types?filter[section]=nowhere"), 0);
    assert_int_equal(expect_types("/api/event_types?filter[status]=documented") +
                         expect_types("/api/event_types?filter[status]=stated") +
                         expect_types("/api/event_types?filter[status]=inferred") +
                         expect_types("/api/event_types?filter[status]=posthorn"),
                     all);
}

static void wrong_questions_are_named(void **state)
{
    static const struct {
        const char *target;
        int status;
        const char *code, *parameter;
    } rows[] = {
        {"/api/event_types?filter[status]=old", 400, "parameter_invalid", "filter[status]"},
        {"/api/event_types?filter[name]=a", 400, "parameter_unknown", "filter[name]"},
        {"/api/event_types?page[size]=1", 400, "parameter_unknown", "page[size]"},
        {"/api/event_types/nope", 404, "not_found", ""},
        {"/openapi.json?x=1", 400, "parameter_unknown", "x"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct reply reply = get(rows[i].target);
        assert_int_equal(reply.status, rows[i].status);
        assert_string_equal(reply_text(&reply, "/errors/0/code"), rows[i].code);
        assert_string_equal(reply_text(&reply, "/errors/0/source/parameter"), rows[i].parameter);
        reply_free(&reply);
    }
}

static void one_type_is_found_by_its_name(void **state)
{
    struct reply reply = get("/api/event_types/user_enabled");

    assert_int_equal(reply.status, 200);
    assert_string_equal(reply_text(&reply, "/links/self"), "/api/event_types/user_enabled");
    assert_string_equal(reply_text(&reply, "/data/attributes/resource"), "users");
    assert_string_equal(reply_text(&reply, "/data/attributes/example/included/0/type"), "users");
    reply_free(&reply);
}

/* ---- words and routes ---------------------------------------------------------------------------------- */

static bool has_words(const struct json_value *operations, const char *method, const char *path)
{
    for (const struct json_value *words = json_first(operations); words; words = words->next)
        if (strcmp(json_member_string(words, "method"), method) == 0 &&
            strcmp(json_member_string(words, "path"), path) == 0)
            return true;
    return false;
}

/* A new route needs its row in catalogue/api.json, and a row there its route. */
static void every_route_has_words_and_every_word_a_route(void **state)
{
    struct catalogue *catalogue = catalogue_open();
    const struct json_value *operations = json_member(catalogue_api_json(catalogue), "operations");
    const struct json_value *parameters = json_member(catalogue_api_json(catalogue), "parameters");
    size_t count = 0;
    const struct route *route;

    for (int i = 0; (route = route_at(i)); i++) {
        for (int k = 0; k < ROUTE_METHODS_MAX && route->methods[k].name; k++, count++) {
            if (!has_words(operations, route->methods[k].name, route->pattern))
                fail_msg("catalogue/api.json says nothing of %s %s", route->methods[k].name, route->pattern);
            for (int q = 0; q < QUERY_PARAMETER_COUNT; q++)
                if (route->methods[k].query & QUERY_BIT(q) && q != QUERY_FIELDS && q != QUERY_INCLUDE &&
                    !json_member(parameters, query_name((enum query_parameter)q)))
                    fail_msg("catalogue/api.json says nothing of %s", query_name((enum query_parameter)q));
        }
    }
    assert_int_equal(operations->count, count);
    catalogue_close(catalogue);
}

/* Every $ref leads somewhere. */
static void check_refs(struct json_object *root, struct json_object *value)
{
    struct json_object *found = NULL;

    if (json_object_is_type(value, json_type_array))
        for (size_t i = 0; i < json_object_array_length(value); i++)
            check_refs(root, json_object_array_get_idx(value, i));
    if (!json_object_is_type(value, json_type_object))
        return;
    json_object_object_foreach(value, name, member)
    {
        if (strcmp(name, "$ref") == 0 &&
            json_pointer_get(root, json_object_get_string(member) + 1, &found) != 0)
            fail_msg("%s", json_object_get_string(member));
        check_refs(root, member);
    }
}

static void the_openapi_document_holds_together(void **state)
{
    struct reply reply = get("/openapi.json");
    struct json_object *paths = reply_get(&reply, "/paths");
    const struct route *route;

    assert_int_equal(reply.status, 200);
    assert_string_equal(reply_text(&reply, "/openapi"), "3.1.0");
    check_refs(reply.json, reply.json);
    for (int i = 0; (route = route_at(i)); i++) {
        char path[128];
        size_t len = 0;
        for (const char *c = route->pattern; *c; c++) { /* :id is {id} there */
            size_t name = *c == ':' ? strcspn(c, "/") : 0;
            len += (size_t)snprintf(path + len, sizeof path - len, name ? "{%.*s}" : "%.*s",
                                    name ? (int)name - 1 : 1, name ? c + 1 : c);
            c += name ? name - 1 : 0;
        }
        assert_non_null(json_get(paths, path));
    }
    struct json_object *public = reply_get(&reply, "/paths/~1api~1event_types/get/security");
    assert_int_equal(json_object_array_length(public), 0);
    assert_null(reply_get(&reply, "/paths/~1api~1events/get/security"));
    assert_string_equal(reply_text(&reply, "/paths/~1api~1events~1{id}/get/parameters/0/in"), "path");
    assert_non_null(reply_get(&reply, "/paths/~1api~1events/post/responses/422"));
    reply_free(&reply);
}

static void the_page_asks_for_nothing(void **state)
{
    struct reply reply = get("/docs");

    assert_int_equal(reply.status, 200);
    assert_true(reply_header_is(&reply, "Content-Type", "text/html; charset=utf-8"));
    assert_true(
        reply_header_is(&reply, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"));
    assert_null(strstr(reply.body, "<script"));
    assert_null(strstr(reply.body, "src="));
    assert_null(strstr(reply.body, "<link"));
    assert_null(strstr(reply.body, "@import"));
    assert_non_null(strstr(reply.body, "prefers-color-scheme:dark"));
    reply_free(&reply);
}

static void a_platforms_own_types_are_everywhere(void **state)
{
    static const char own[] =
        "{\"event_types\":[{\"name\":\"order_paid\",\"section\":\"shop\",\"resource\":\"orders\","
        "\"en\":\"Paid <b>&\",\"example\":{\"attributes\":{\"note\":\"it's </pre>\"}}}]}";
    struct reference *reference = reference_open(bytes_of(own), "production");
    int count;
    const struct reference_type *types = reference_types(reference, &count);

    assert_true(bytes_equal_text(types[count - 1].name, "order_paid"));
    assert_true(bytes_equal_text(types[count - 1].section, "shop"));
    assert_non_null(strstr(reference_openapi(reference)->text.data, "\"push_order_paid\""));
    const char *docs = reference_docs(reference)->text.data;
    assert_non_null(strstr(docs, "id=\"order_paid\""));
    assert_non_null(strstr(docs, "id=\"resource-orders\""));
    assert_non_null(strstr(docs, "Paid &lt;b&gt;&amp;"));
    assert_non_null(strstr(docs, "it'\\''s &lt;/pre&gt;"));
    assert_null(strstr(docs, "Paid <b>"));
    reference_close(reference);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_types_are_the_catalogues),
        cmocka_unit_test(types_are_filtered),
        cmocka_unit_test(wrong_questions_are_named),
        cmocka_unit_test(one_type_is_found_by_its_name),
        cmocka_unit_test(every_route_has_words_and_every_word_a_route),
        cmocka_unit_test(the_openapi_document_holds_together),
        cmocka_unit_test(the_page_asks_for_nothing),
        cmocka_unit_test(a_platforms_own_types_are_everywhere),
    };
    return cmocka_run_group_tests_name("server/api/pages/reference", tests, open_rig, close_rig);
}
