#include "postman.h"
#include "catalogue.h"
#include "json_tree.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

enum { SCRIPT_LINES_MAX = 16 };

/* ---- building JSON ------------------------------------------------------------------------------------- */

static struct json_value *make(struct arena *a, enum json_kind kind)
{
    struct json_value *made = arena_zero(a, sizeof *made);
    assert(made); /* the catalogue bounds what its examples have in all */
    made->kind = kind;
    return made;
}

/* NULL: none. */
static struct json_value *text(struct arena *a, const char *value)
{
    struct json_value *made = value ? make(a, JSON_STRING) : NULL;
    struct bytes copy = value ? arena_copy(a, bytes_of(value)) : (struct bytes){0};
    assert(copy.data || !value);
    if (made)
        made->text = copy;
    return made;
}

/* Names and values in turn, NULL at the end; takes the values. A value of NULL is left out. */
static struct json_value *object(struct arena *a, const char *name, ...) __attribute__((sentinel));

static struct json_value *object(struct arena *a, const char *name, ...)
{
    struct json_value *made = make(a, JSON_OBJECT);
    va_list args;

    va_start(args, name);
    for (; name; name = va_arg(args, const char *)) {
        struct json_value *value = va_arg(args, struct json_value *);
        if (value) {
            value->name = bytes_of(name);
            json_append(made, value);
        }
    }
    va_end(args);
    return made;
}

static struct json_value *array_of_one(struct arena *a, struct json_value *value)
{
    struct json_value *made = make(a, JSON_ARRAY);
    json_append(made, value);
    return made;
}

/* A script that runs at "prerequest" or "test". */
static struct json_value *event(struct arena *a, const char *listen, const char *const *lines, int count)
{
    struct json_value *exec = make(a, JSON_ARRAY);
    for (int i = 0; i < count; i++)
        json_append(exec, text(a, lines[i]));
    return object(a, "listen", text(a, listen), "script",
                  object(a, "type", text(a, "text/javascript"), "exec", exec, NULL), NULL);
}

static struct json_value *header(struct arena *a, const char *key, const char *value)
{
    return object(a, "key", text(a, key), "value", text(a, value), NULL);
}

static struct json_value *raw_body(struct arena *a, const struct text *raw)
{
    return object(a, "mode", text(a, "raw"), "raw", text(a, raw->data), "options",
                  object(a, "raw", object(a, "language", text(a, "json"), NULL), NULL), NULL);
}

/* ---- example pushes ------------------------------------------------------------------------------------ */

static struct json_value *push(struct arena *a, const struct catalogue *catalogue,
                               const struct catalogue_type *type)
{
    struct json_value *headers = make(a, JSON_ARRAY);
    char description[1024];

    struct arena arena;
    struct text raw;

    arena_init(&arena, CATALOGUE_EXAMPLE_MEMORY_MAX + 4 * (size_t)CATALOGUE_EXAMPLES_LEN_MAX);
    text_init(&raw, &arena, CATALOGUE_EXAMPLES_LEN_MAX);
    struct json_value *example = catalogue_example(&arena, catalogue, type);
    json_become_string(json_member(json_member(example, "data"), "id"), bytes_of("{{new_event_id}}"));
    json_tree_put_pretty(&raw, example); /* indented, because people will edit it */
    json_append(headers, header(a, "Content-Type", "application/json"));
    json_append(headers, header(a, "WEBHOOK-AUTH", "{{webhook_auth}}"));
    snprintf(description, sizeof description, "%.400s\n\n%.400s%s%.200s", type->en, type->es,
             type->note ? "\n\n" : "", type->note ? type->note : "");
    struct json_value *request =
        object(a, "method", text(a, "POST"), "header", headers, "body", raw_body(a, &raw), "url",
               object(a, "raw", text(a, "{{webhook_url}}"), "host",
                      array_of_one(a, text(a, "{{webhook_url}}")), NULL),
               "description", text(a, description), NULL);
    arena_fini(&arena);
    return object(a, "name", text(a, type->name), "request", request, NULL);
}

static struct json_value *push_section(struct arena *a, const struct catalogue *catalogue,
                                       const char *section)
{
    struct json_value *items = make(a, JSON_ARRAY);
    for (int i = 0; i < catalogue_count(catalogue); i++) {
        const struct catalogue_type *type = catalogue_at(catalogue, i);
        if (strcmp(type->section, section) == 0)
            json_append(items, push(a, catalogue, type));
    }
    return object(a, "name", text(a, section), "item", items, NULL);
}

static struct json_value *pushes(struct arena *a, const struct catalogue *catalogue)
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
    struct json_value *items = make(a, JSON_ARRAY), *events = make(a, JSON_ARRAY);

    for (int i = 0; i < catalogue_count(catalogue); i++)
        if (catalogue_opens_section(catalogue, i))
            json_append(items, push_section(a, catalogue, catalogue_at(catalogue, i)->section));
    json_append(events, event(a, "prerequest", before, sizeof before / sizeof *before));
    json_append(events, event(a, "test", after, sizeof after / sizeof *after));
    return object(
        a, "name", text(a, "Example pushes"), "description",
        text(a, "The events that your handler will receive, sent to {{webhook_url}}. Change the bodies to "
                "meet your needs."),
        "item", items, "event", events, NULL);
}

/* ---- requests of the API ------------------------------------------------------------------------------- */

/* The segments of a path like "/api/events/:id", with the values of the example for its variables. */
static struct json_value *path_of(struct arena *a, const char *pattern, const struct json_value *variables,
                                  struct text *raw)
{
    struct json_value *parts = make(a, JSON_ARRAY);
    char part[128];

    while (*pattern == '/') {
        size_t len = strcspn(++pattern, "/");
        snprintf(part, sizeof part, "%.*s", (int)len, pattern);
        const char *value = part[0] == ':' ? json_member_string(variables, part + 1) : part;
        json_append(parts, text(a, value ? value : part));
        text_printf(raw, "/%s", value ? value : part);
        pattern += len;
    }
    return parts;
}

static struct json_value *query_of(struct arena *a, const struct json_value *values, struct text *raw)
{
    struct json_value *query = make(a, JSON_ARRAY);
    char separator = '?';

    for (const struct json_value *value = json_first(values); value; value = value->next) {
        json_append(query, header(a, value->name.data, value->text.data));
        text_printf(raw, "%c%s=%s", separator, value->name.data, value->text.data);
        separator = '&';
    }
    return query;
}

static struct json_value *url_of(struct arena *a, const struct json_value *operation)
{
    const struct json_value *example = json_member(operation, "try");
    struct arena arena;
    struct text raw;

    arena_init(&arena, 1 << 16);
    text_init(&raw, &arena, 1 << 12);
    text_puts(&raw, "{{domain}}");
    struct json_value *path =
        path_of(a, json_member_string(operation, "path"), json_member(example, "variables"), &raw);
    struct json_value *query = query_of(a, json_member(example, "query"), &raw);
    struct json_value *url =
        object(a, "raw", text(a, raw.data), "host", array_of_one(a, text(a, "{{domain}}")), "path", path,
               "query", query, NULL);
    arena_fini(&arena);
    return url;
}

/* The test script: checks the status, and keeps the values that later requests need. */
static struct json_value *check_of(struct arena *a, const struct json_value *operation)
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
    return array_of_one(a, event(a, "test", lines, count));
}

/* A line of a batch is one line. Other bodies are indented, because people will edit them. */
static struct json_value *body_of(struct arena *a, const struct json_value *document, bool one_line)
{
    struct arena arena;
    struct text raw;

    arena_init(&arena, 1 << 16);
    text_init(&raw, &arena, 1 << 14);
    if (one_line)
        json_tree_put(&raw, document);
    else
        json_tree_put_pretty(&raw, document);
    struct json_value *body = raw_body(a, &raw);
    arena_fini(&arena);
    return body;
}

static struct json_value *request_of(struct arena *a, const struct json_value *operation)
{
    const struct json_value *body = json_member(json_member(operation, "try"), "body");
    struct json_value *headers = make(a, JSON_ARRAY);
    const char *media = json_member_string(operation, "media");
    bool lines = json_member(operation, "lines") != NULL;

    json_append(headers, header(a, "Accept", media ? media : "application/vnd.api+json"));
    json_append(headers, header(a, "Authorization", "{{your_api_key}}"));
    if (body)
        json_append(headers, header(a, "Content-Type", lines ? "application/x-ndjson" : "application/json"));
    return object(a, "method", text(a, json_member_string(operation, "method")), "header", headers, "body",
                  body ? body_of(a, body, lines) : NULL, "url", url_of(a, operation), "description",
                  text(a, json_member_string(operation, "description")), NULL);
}

static struct json_value *api_folder(struct arena *a, const struct catalogue *catalogue)
{
    const struct json_value *operations = json_member(catalogue_api_json(catalogue), "operations");
    struct json_value *items = make(a, JSON_ARRAY);

    for (const struct json_value *operation = json_first(operations); operation; operation = operation->next)
        json_append(items, object(a, "name", text(a, json_member_string(operation, "summary")), "request",
                                  request_of(a, operation), "event", check_of(a, operation), NULL));
    return object(
        a, "name", text(a, "API"), "description",
        text(a, "The server's API at {{domain}}. In this order, the whole folder runs: what one request "
                "makes, the next ones use."),
        "item", items, NULL);
}

/* ---- the documents ------------------------------------------------------------------------------------- */

static void add_value(struct arena *a, struct json_value *values, const char *key, const char *value,
                      const char *type)
{
    json_append(values, object(a, "key", text(a, key), "value", text(a, value), "type", text(a, type), NULL));
}

static struct json_value *values_of(struct arena *a, const struct postman_values *values)
{
    struct json_value *all = make(a, JSON_ARRAY);
    add_value(a, all, "webhook_url", values->webhook_url, "default");
    add_value(a, all, "your_api_key", "your_api_key", "secret");
    add_value(a, all, "domain", values->domain, "default");
    return all;
}

struct json_value *postman_collection(struct arena *a, const struct catalogue *catalogue,
                                      const struct postman_values *values)
{
    struct json_value *folders = make(a, JSON_ARRAY);

    json_append(folders, pushes(a, catalogue));
    json_append(folders, api_folder(a, catalogue));
    return object(
        a, "info",
        object(a, "_postman_id", text(a, "9d1f0c52-7a43-4c5e-8b0e-5f6a70737468"), "name", text(a, "posthorn"),
               "schema", text(a, "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"),
               "description",
               text(a, "Set webhook_url to your handler's address and run the example pushes. For the "
                       "API, set domain and "
                       "your_api_key."),
               NULL),
        "item", folders, "variable", values_of(a, values), NULL);
}

struct json_value *postman_environment(struct arena *a, const struct postman_values *values)
{
    struct json_value *all = values_of(a, values);

    for (struct json_value *one = json_first(all); one; one = one->next) {
        struct json_value *enabled = make(a, JSON_TRUE);
        enabled->name = bytes_of("enabled");
        json_append(one, enabled);
    }
    return object(a, "id", text(a, "1b0b7d0e-5d0c-4a35-9a57-706f7374686e"), "name", text(a, "posthorn"),
                  "values", all, "_postman_variable_scope", text(a, "environment"), NULL);
}
