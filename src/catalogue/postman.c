#include "postman.h"
#include "catalogue.h"
#include "json.h"
#include "json_tree.h"
#include "memory.h"
#include <stdarg.h>
#include <stdio.h>

enum { SCRIPT_LINES_MAX = 16 };

/* ---- building JSON ------------------------------------------------------------------------------------- */

static struct json_object *text(const char *value)
{
    struct json_object *made = json_object_new_string(value);
    if (!made)
        memory_exhausted();
    return made;
}

/* Names and values in turn, NULL at the end; takes the values. A value of NULL is left out. */
static struct json_object *object(const char *name, ...) __attribute__((sentinel));

static struct json_object *object(const char *name, ...)
{
    struct json_object *made = json_object_new_object();
    va_list args;

    va_start(args, name);
    for (; name; name = va_arg(args, const char *)) {
        struct json_object *value = va_arg(args, struct json_object *);
        if (value)
            json_object_object_add(made, name, value);
    }
    va_end(args);
    return made;
}

static struct json_object *array_of_one(struct json_object *value)
{
    struct json_object *made = json_object_new_array();
    json_object_array_add(made, value);
    return made;
}

static struct json_object *text_or_none(const char *value)
{
    return value ? text(value) : NULL;
}

/* A script that runs at "prerequest" or "test". */
static struct json_object *event(const char *listen, const char *const *lines, int count)
{
    struct json_object *exec = json_object_new_array();
    for (int i = 0; i < count; i++)
        json_object_array_add(exec, text(lines[i]));
    return object("listen", text(listen), "script",
                  object("type", text("text/javascript"), "exec", exec, NULL), NULL);
}

static struct json_object *header(const char *key, const char *value)
{
    return object("key", text(key), "value", text(value), NULL);
}

static struct json_object *raw_body(const struct text *raw)
{
    return object("mode", text("raw"), "raw", text(raw->data), "options",
                  object("raw", object("language", text("json"), NULL), NULL), NULL);
}

/* ---- example pushes ------------------------------------------------------------------------------------ */

static struct json_object *push(const struct catalogue *catalogue, const struct catalogue_type *type)
{
    struct json_object *headers = json_object_new_array();
    char description[1024];

    struct arena arena;
    struct text raw;

    arena_init(&arena, CATALOGUE_EXAMPLE_MEMORY_MAX + 4 * (size_t)CATALOGUE_EXAMPLES_LEN_MAX);
    text_init(&raw, &arena, CATALOGUE_EXAMPLES_LEN_MAX);
    struct json_value *example = catalogue_example(&arena, catalogue, type);
    json_become_string(json_member(json_member(example, "data"), "id"), bytes_of("{{new_event_id}}"));
    json_tree_put_pretty(&raw, example); /* indented, because people will edit it */
    json_object_array_add(headers, header("Content-Type", "application/json"));
    json_object_array_add(headers, header("WEBHOOK-AUTH", "{{webhook_auth}}"));
    snprintf(description, sizeof description, "%.400s\n\n%.400s%s%.200s", type->en, type->es,
             type->note ? "\n\n" : "", type->note ? type->note : "");
    struct json_object *request =
        object("method", text("POST"), "header", headers, "body", raw_body(&raw), "url",
               object("raw", text("{{webhook_url}}"), "host", array_of_one(text("{{webhook_url}}")), NULL),
               "description", text(description), NULL);
    arena_fini(&arena);
    return object("name", text(type->name), "request", request, NULL);
}

static struct json_object *push_section(const struct catalogue *catalogue, const char *section)
{
    struct json_object *items = json_object_new_array();
    for (int i = 0; i < catalogue_count(catalogue); i++) {
        const struct catalogue_type *type = catalogue_at(catalogue, i);
        if (strcmp(type->section, section) == 0)
            json_object_array_add(items, push(catalogue, type));
    }
    return object("name", text(section), "item", items, NULL);
}

static struct json_object *pushes(const struct catalogue *catalogue)
{
    static const char *const before[] = {
        "// The digest is of your API key alone: change the body as you like, it stays right.",
        "const key = pm.variables.get('your_api_key') || '';",
        "pm.variables.set('webhook_auth', require('crypto-js').SHA256(key).toString());",
        "// A new id each time, as a server gives it. Write a fixed one into the body to send a duplicate.",
        "pm.variables.set('new_event_id', `${Date.now()}${Math.floor(1e5 + Math.random() * 9e5)}`);",
    };
    static const char *const after[] = {
        "pm.test('200 OK: anything else would be sent again', () => pm.response.to.have.status(200));",
    };
    struct json_object *items = json_object_new_array(), *events = json_object_new_array();

    for (int i = 0; i < catalogue_count(catalogue); i++)
        if (catalogue_opens_section(catalogue, i))
            json_object_array_add(items, push_section(catalogue, catalogue_at(catalogue, i)->section));
    json_object_array_add(events, event("prerequest", before, sizeof before / sizeof *before));
    json_object_array_add(events, event("test", after, sizeof after / sizeof *after));
    return object(
        "name", text("Example pushes"), "description",
        text("What your web-callbacks handler will receive, sent to {{webhook_url}}. Change the bodies to "
             "meet your needs."),
        "item", items, "event", events, NULL);
}

/* ---- requests of the API ------------------------------------------------------------------------------- */

/* The segments of a path like "/api/events/:id", with the values of the example for its variables. */
static struct json_object *path_of(const char *pattern, const struct json_value *variables, struct text *raw)
{
    struct json_object *parts = json_object_new_array();
    char part[128];

    while (*pattern == '/') {
        size_t len = strcspn(++pattern, "/");
        snprintf(part, sizeof part, "%.*s", (int)len, pattern);
        const char *value = part[0] == ':' ? json_member_string(variables, part + 1) : part;
        json_object_array_add(parts, text(value ? value : part));
        text_printf(raw, "/%s", value ? value : part);
        pattern += len;
    }
    return parts;
}

static struct json_object *query_of(const struct json_value *values, struct text *raw)
{
    struct json_object *query = json_object_new_array();
    char separator = '?';

    for (const struct json_value *value = json_first(values); value; value = value->next) {
        json_object_array_add(query, header(value->name.data, value->text.data));
        text_printf(raw, "%c%s=%s", separator, value->name.data, value->text.data);
        separator = '&';
    }
    return query;
}

static struct json_object *url_of(const struct json_value *operation)
{
    const struct json_value *example = json_member(operation, "try");
    struct arena arena;
    struct text raw;

    arena_init(&arena, 1 << 16);
    text_init(&raw, &arena, 1 << 12);
    text_puts(&raw, "{{domain}}");
    struct json_object *path =
        path_of(json_member_string(operation, "path"), json_member(example, "variables"), &raw);
    struct json_object *query = query_of(json_member(example, "query"), &raw);
    struct json_object *url = object("raw", text(raw.data), "host", array_of_one(text("{{domain}}")), "path",
                                     path, "query", query, NULL);
    arena_fini(&arena);
    return url;
}

/* The test script: checks the status, and keeps the values that later requests need. */
static struct json_object *check_of(const struct json_value *operation)
{
    const struct json_value *example = json_member(operation, "try"), *keep = json_member(example, "keep");
    int other = (int)json_member_integer(example, "or", json_member_integer(operation, "or", 0));
    char written[SCRIPT_LINES_MAX][256];
    const char *lines[SCRIPT_LINES_MAX];
    int count = 0, status = (int)json_member_integer(operation, "status", 0);

    if (other)
        snprintf(written[count++], sizeof *written,
                 "pm.test('%d or %d', () => pm.expect(pm.response.code).to.be.oneOf([%d, %d]));", status,
                 other, status, other);
    else
        snprintf(written[count++], sizeof *written, "pm.test('%d', () => pm.response.to.have.status(%d));",
                 status, status);
    for (const struct json_value *place = json_first(keep); place && count < SCRIPT_LINES_MAX;
         place = place->next)
        snprintf(written[count++], sizeof *written,
                 "pm.collectionVariables.set('%s', pm.response.json().%s);", place->name.data,
                 place->text.data);
    for (int i = 0; i < count; i++)
        lines[i] = written[i];
    return array_of_one(event("test", lines, count));
}

/* A line of a batch is one line. Other bodies are indented, because people will edit them. */
static struct json_object *body_of(const struct json_value *document, bool one_line)
{
    struct arena arena;
    struct text raw;

    arena_init(&arena, 1 << 16);
    text_init(&raw, &arena, 1 << 14);
    if (one_line)
        json_tree_put(&raw, document);
    else
        json_tree_put_pretty(&raw, document);
    struct json_object *body = raw_body(&raw);
    arena_fini(&arena);
    return body;
}

static struct json_object *request_of(const struct json_value *operation)
{
    const struct json_value *body = json_member(json_member(operation, "try"), "body");
    struct json_object *headers = json_object_new_array();
    const char *media = json_member_string(operation, "media");
    bool lines = json_member(operation, "lines") != NULL;

    json_object_array_add(headers, header("Accept", media ? media : "application/vnd.api+json"));
    json_object_array_add(headers, header("Authorization", "{{your_api_key}}"));
    if (body)
        json_object_array_add(headers,
                              header("Content-Type", lines ? "application/x-ndjson" : "application/json"));
    return object("method", text(json_member_string(operation, "method")), "header", headers, "body",
                  body ? body_of(body, lines) : NULL, "url", url_of(operation), "description",
                  text_or_none(json_member_string(operation, "description")), NULL);
}

static struct json_object *api_folder(const struct catalogue *catalogue)
{
    const struct json_value *operations = json_member(catalogue_api_json(catalogue), "operations");
    struct json_object *items = json_object_new_array();

    for (const struct json_value *operation = json_first(operations); operation; operation = operation->next)
        json_object_array_add(items, object("name", text(json_member_string(operation, "summary")), "request",
                                            request_of(operation), "event", check_of(operation), NULL));
    return object(
        "name", text("API"), "description",
        text("The server's API at {{domain}}. In this order, the whole folder runs: what one request "
             "makes, the next ones use."),
        "item", items, NULL);
}

/* ---- the documents ------------------------------------------------------------------------------------- */

static void add_value(struct json_object *values, const char *key, const char *value, const char *type)
{
    json_object_array_add(values, object("key", text(key), "value", text(value), "type", text(type), NULL));
}

static struct json_object *values_of(const struct postman_values *values)
{
    struct json_object *all = json_object_new_array();
    add_value(all, "webhook_url", values->webhook_url, "default");
    add_value(all, "your_api_key", "your_api_key", "secret");
    add_value(all, "domain", values->domain, "default");
    return all;
}

struct json_object *postman_collection(const struct catalogue *catalogue, const struct postman_values *values)
{
    struct json_object *folders = json_object_new_array();

    json_object_array_add(folders, pushes(catalogue));
    json_object_array_add(folders, api_folder(catalogue));
    return object("info",
                  object("_postman_id", text("9d1f0c52-7a43-4c5e-8b0e-5f6a70737468"), "name",
                         text("posthorn"), "schema",
                         text("https://schema.getpostman.com/json/collection/v2.1.0/collection.json"),
                         "description",
                         text("Set webhook_url to your handler's address and run the example pushes. For the "
                              "API, set domain and "
                              "your_api_key."),
                         NULL),
                  "item", folders, "variable", values_of(values), NULL);
}

struct json_object *postman_environment(const struct postman_values *values)
{
    struct json_object *all = values_of(values);

    for (size_t i = 0; i < json_length(all); i++)
        json_object_object_add(json_object_array_get_idx(all, i), "enabled", json_object_new_boolean(true));
    return object("id", text("1b0b7d0e-5d0c-4a35-9a57-706f7374686e"), "name", text("posthorn"), "values", all,
                  "_postman_variable_scope", text("environment"), NULL);
}
