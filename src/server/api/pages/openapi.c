#include "openapi.h"
#include "catalogue.h"
#include "errors.h"
#include "json_tree.h"
#include "resource_schemas.h"
#include "route.h"
#include <stdio.h>

#define SCHEMAS  "#/components/schemas/"
#define JSON_API "application/vnd.api+json"

struct openapi {
    const struct catalogue *catalogue;
    const struct json_value *words; /* catalogue/api.json */
};

/* A method of a route, and its words in api.json. */
struct operation {
    const struct route *route;
    const struct route_method *method;
    const struct json_value *words;
};

/* ---- small pieces -------------------------------------------------------------------------------------- */

/* `"name":"value",` or nothing. */
static void put_text(struct text *out, const char *name, const char *value)
{
    if (!value)
        return;
    text_printf(out, "\"%s\":", name);
    text_put_json(out, bytes_of(value));
    text_putc(out, ',');
}

/* A comma before each member but the first. */
static void put_separator(struct text *out, bool *first)
{
    if (!*first)
        text_putc(out, ',');
    *first = false;
}

static void put_ref(struct text *out, const char *schema)
{
    text_printf(out, "{\"$ref\":\"" SCHEMAS "%s\"}", schema);
}

static bool is_set(const struct operation *operation, const char *name)
{
    return json_member_flag(operation->words, name);
}

static bool is_method(const struct operation *operation, const char *method)
{
    return strcmp(operation->method->name, method) == 0;
}

/* Everything that can be read alone has an ETag (docs/api.md). */
static bool has_etag(const struct operation *operation)
{
    enum route_access access = operation->method->access;
    if (is_method(operation, "GET"))
        return (!is_set(operation, "list") || is_set(operation, "etag")) && access != ROUTE_HEALTH &&
               access != ROUTE_METRICS;
    return !is_method(operation, "POST") || is_set(operation, "etag");
}

static bool is_public(const struct operation *operation)
{
    return operation->method->access < ROUTE_USER;
}

/* The words of api.json for a request. A test checks that each request has some. */
static const struct json_value *find_words(const struct openapi *openapi, const char *method,
                                           const char *path)
{
    const struct json_value *all = json_member(openapi->words, "operations");

    for (const struct json_value *words = json_first(all); words; words = words->next)
        if (strcmp(json_member_string(words, "method"), method) == 0 &&
            strcmp(json_member_string(words, "path"), path) == 0)
            return words;
    return NULL;
}

static const struct json_value *find_operation(const struct openapi *openapi, const char *id)
{
    const struct json_value *all = json_member(openapi->words, "operations");

    for (const struct json_value *words = json_first(all); words; words = words->next)
        if (strcmp(json_member_string(words, "id"), id) == 0)
            return words;
    return NULL;
}

/* ---- parameters ---------------------------------------------------------------------------------------- */

static void put_path_parameters(struct text *out, const char *path, bool *first)
{
    for (const char *at = path; (at = strchr(at, ':')); at++) {
        put_separator(out, first);
        text_printf(out,
                    "{\"in\":\"path\",\"name\":\"%.*s\",\"required\":true,\"schema\":{\"type\":\"string\"}}",
                    (int)strcspn(at + 1, "/"), at + 1);
    }
}

/* A failure, by its name. */
static void put_reasons(struct text *out)
{
    text_puts(out, "{\"type\":\"string\",\"enum\":[");
    for (int failure = FAILURE_NONE + 1; failure < FAILURE_COUNT; failure++)
        text_printf(out, "%s\"%s\"", failure > FAILURE_NONE + 1 ? "," : "",
                    failure_name((enum failure)failure));
    text_puts(out, "]}");
}

/* catalogue/api.json has its words under its name, or under that which the operation has for it. */
static void put_parameter(struct text *out, const struct openapi *openapi, const struct operation *operation,
                          const char *in, const char *name)
{
    const char *other = json_member_string(json_member(operation->words, "described"), name);
    const struct json_value *words =
        json_member(json_member(openapi->words, "parameters"), other ? other : name);
    text_printf(out, "{\"in\":\"%s\",", in);
    put_text(out, "name", name);
    put_text(out, "description", json_member_string(words, "description"));
    text_puts(out, "\"schema\":");
    if (strcmp(name, query_name(QUERY_REASON)) == 0)
        put_reasons(out);
    else
        json_tree_put(out, json_member(words, "schema"));
    text_putc(out, '}');
}

/* `include=a,b` */
static void put_include(struct text *out, const struct operation *operation)
{
    text_puts(
        out,
        "{\"in\":\"query\",\"name\":\"include\",\"description\":\"Related resources to include.\",\"style\":"
        "\"form\",\"explode\":false,\"schema\":{\"type\":\"array\",\"items\":{\"type\":\"string\","
        "\"enum\":");
    json_tree_put(out, json_member(operation->words, "include"));
    text_puts(out, "}}}");
}

static bool includes(const struct operation *operation, const char *name)
{
    const struct json_value *names = json_member(operation->words, "include");
    for (const struct json_value *one = json_first(names); one; one = one->next)
        if (bytes_equal_text(one->text, name))
            return true;
    return false;
}

static void put_fieldset(struct text *out, const char *type, bool *first)
{
    put_separator(out, first);
    text_printf(out,
                "{\"in\":\"query\",\"name\":\"fields[%s]\",\"description\":\"Only these fields of %s, "
                "separated by commas.\",\"schema\":{\"type\":\"string\"}}",
                type, type);
}

/* A parameter for each of our types that the answer can hold. The types of a platform are not known here. */
static void put_fieldsets(struct text *out, const struct operation *operation, bool *first)
{
    const char *answer = json_member_string(operation->words, "answer");
    const struct shape *shape;
    char name[RESOURCE_NAME_LEN_MAX];

    for (int i = 0; (shape = shape_at(i)); i++) {
        resource_schema_name(shape->type, name);
        bool event = strcmp(name, "Event") == 0 && includes(operation, "event");
        bool attempt = strcmp(name, "Attempt") == 0 && includes(operation, "attempts");
        if (event || attempt || (answer && strcmp(answer, name) == 0))
            put_fieldset(out, shape->type, first);
    }
}

static void put_query_parameters(struct text *out, const struct openapi *openapi,
                                 const struct operation *operation, bool *first)
{
    for (int i = 0; i < QUERY_PARAMETER_COUNT; i++) {
        if (!(operation->method->query & QUERY_BIT(i)))
            continue;
        if (i == QUERY_FIELDS) {
            put_fieldsets(out, operation, first);
            continue;
        }
        put_separator(out, first);
        if (i == QUERY_INCLUDE)
            put_include(out, operation);
        else
            put_parameter(out, openapi, operation, "query", query_name((enum query_parameter)i));
    }
}

static void put_header_parameters(struct text *out, const struct openapi *openapi,
                                  const struct operation *operation, bool *first)
{
    bool etag = has_etag(operation), there = strchr(operation->route->pattern, ':') != NULL;
    bool get = is_method(operation, "GET"), put = is_method(operation, "PUT");
    const struct {
        const char *name;
        bool is_read;
    } rows[] = {{"X-Request-Id", true},
                {"Version", true},
                {"Idempotency-Key", is_set(operation, "idempotent")},
                {"If-Match", etag && (there || get)},
                {"If-None-Match", etag && (get || put)}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!rows[i].is_read)
            continue;
        put_separator(out, first);
        put_parameter(out, openapi, operation, "header", rows[i].name);
    }
}

static void put_parameters(struct text *out, const struct openapi *openapi, const struct operation *operation)
{
    bool first = true;

    text_puts(out, "\"parameters\":[");
    put_path_parameters(out, operation->route->pattern, &first);
    put_query_parameters(out, openapi, operation, &first);
    put_header_parameters(out, openapi, operation, &first);
    text_puts(out, "],");
}

/* ---- bodies and answers -------------------------------------------------------------------------------- */

static void put_request(struct text *out, const struct operation *operation)
{
    const char *schema = json_member_string(operation->words, "request");

    if (is_set(operation, "lines"))
        text_puts(out, "\"requestBody\":{\"required\":true,\"content\":{\"application/x-ndjson\":{\"schema\":"
                       "{\"type\":\"string\",\"pattern\":\"\\\\S\"}}}},");
    if (!schema)
        return;
    text_puts(out, "\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":");
    put_ref(out, schema);
    text_puts(out, "}}},");
}

/* "UserDocument", "UserCreatedDocument", "UserList" */
static const char *document_name(const struct json_value *words, char name[RESOURCE_NAME_LEN_MAX])
{
    const char *base = json_member_string(words, "meta") ? json_member_string(words, "meta")
                                                         : json_member_string(words, "answer");
    bool list = json_member_flag(words, "list");
    if (!base)
        return json_member_string(words, "document");
    snprintf(name, RESOURCE_NAME_LEN_MAX, "%s%s", base, list ? "List" : "Document");
    return name;
}

static void put_headers(struct text *out, const char *const *names)
{
    static const char *const every[] = {"X-Request-Id",
                                        "Version",
                                        "Posthorn-Mode",
                                        "RateLimit-Limit",
                                        "RateLimit-Remaining",
                                        "RateLimit-Reset",
                                        "Vary",
                                        "Cache-Control",
                                        "Access-Control-Allow-Origin",
                                        "Access-Control-Expose-Headers",
                                        NULL};
    const char *separator = ",\"headers\":{";
    for (int part = 0; part < 2; part++) {
        for (const char *const *name = part ? names : every; *name; name++) {
            text_printf(out, "%s\"%s\":{\"$ref\":\"#/components/headers/%s\"}", separator, *name, *name);
            separator = ",";
        }
    }
    text_putc(out, '}');
}

static void put_success_headers(struct text *out, const struct operation *operation, int status)
{
    const char *names[8];
    int count = 0;
    if (has_etag(operation) && status != 204)
        names[count++] = "ETag";
    if (status == 201 && !is_set(operation, "lines"))
        names[count++] = "Location";
    if (status == 207)
        names[count++] = "Retry-After";
    if (is_set(operation, "idempotent"))
        names[count++] = "Idempotency-Replayed";
    if (is_set(operation, "gzip"))
        names[count++] = "Content-Encoding";
    const char *media = json_member_string(operation->words, "media");
    if (media && strcmp(media, "text/html") == 0) {
        names[count++] = "Content-Security-Policy";
        names[count++] = "X-Content-Type-Options";
    }
    names[count] = NULL;
    put_headers(out, names);
}

#define NOT_MODIFIED "{\"description\":\"It still has the ETag of If-None-Match.\""

/* The 304 of a page has more headers than that of a resource. */
static void put_not_modified(struct text *out, const struct operation *operation)
{
    if (!has_etag(operation) || !is_method(operation, "GET"))
        return;
    if (!is_set(operation, "gzip")) {
        text_puts(out, "\"304\":{\"$ref\":\"#/components/responses/304\"},");
        return;
    }
    text_puts(out, "\"304\":" NOT_MODIFIED);
    put_success_headers(out, operation, 304);
    text_puts(out, "},");
}

/* The operations that can follow. Their id and type come from the answer, any other parameter from the
 * request. */
static void put_links(struct text *out, const struct openapi *openapi, const struct operation *operation)
{
    const struct json_value *next = json_member(operation->words, "next");

    for (const struct json_value *one = json_first(next); one; one = one->next) {
        const char *id = one->text.data;
        const char *path = json_member_string(find_operation(openapi, id), "path");
        const char *separator = "";
        text_printf(out, "%s\"%s\":{\"operationId\":\"%s\",\"parameters\":{",
                    one == next->first ? ",\"links\":{" : ",", id, id);
        for (const char *at = path; (at = strchr(at, ':')); at++) {
            struct bytes name = bytes_make(at + 1, strcspn(at + 1, "/"));
            bool answered = bytes_equal_text(name, "id") || bytes_equal_text(name, "type");
            text_printf(out, "%s\"%.*s\":\"%s%.*s\"", separator, BYTES_ARG(name),
                        answered ? "$response.body#/data/" : "$request.path.", BYTES_ARG(name));
            separator = ",";
        }
        text_puts(out, "}}");
    }
    text_puts(out, next ? "}" : "");
}

static void put_success(struct text *out, const struct openapi *openapi, const struct operation *operation,
                        int status)
{
    const char *media = json_member_string(operation->words, "media");
    char buffer[RESOURCE_NAME_LEN_MAX];
    const char *other = json_member_string(operation->words, "or_document");
    bool is_other = other && status == (int)json_member_integer(operation->words, "or", 0);
    const char *document = is_other ? other : document_name(operation->words, buffer);

    text_printf(out, "\"%d\":{\"description\":\"%s\"", status,
                status == 201   ? "Made, and durable."
                : status == 204 ? "Done."
                : status == 207 ? "Some lines are no events: each answer has its status in meta."
                : status == 503 ? "The store is down, or the server is stopping."
                                : "As asked.");
    put_success_headers(out, operation, status);
    if (is_set(operation, "lines"))
        media = "application/x-ndjson";
    if (document || media) {
        text_printf(out, ",\"content\":{\"%s\":{\"schema\":", media ? media : JSON_API);
        if (document)
            put_ref(out, document);
        else
            text_puts(out, "{\"type\":\"string\"}");
        text_puts(out, "}}");
    }
    put_links(out, openapi, operation);
    text_puts(out, "},");
}

static bool can_fail(const struct operation *operation, int status)
{
    bool writes = !is_method(operation, "GET");
    bool body = json_member_string(operation->words, "request") || is_set(operation, "lines");

    switch (status) {
    case 401:
        return !is_public(operation) || operation->method->access == ROUTE_METRICS;
    case 405:
        return false; /* of a method that is none of these */
    case 409:
    case 507:
        return writes;
    case 412:
        return has_etag(operation);
    case 415:
        return body;
    case 422:
        return body || is_set(operation, "idempotent"); /* a key that was used for another request */
    case 429:
        return operation->method->access != ROUTE_HEALTH;
    case 503:
        return operation->method->access != ROUTE_HEALTH; /* there it is an answer */
    default:
        return true; /* of any server, any request */
    }
}

/* Is this the first error with its status? */
static bool opens_status(int index)
{
    for (int i = 0; i < index; i++)
        if (api_error_row((enum api_error)i)->status == api_error_row((enum api_error)index)->status)
            return false;
    return true;
}

static void put_responses(struct text *out, const struct openapi *openapi, const struct operation *operation)
{
    int status = (int)json_member_integer(operation->words, "status", 0);

    text_puts(out, "\"responses\":{");
    put_success(out, openapi, operation, status);
    if (json_member(operation->words, "or"))
        put_success(out, openapi, operation, (int)json_member_integer(operation->words, "or", 0));
    if (is_set(operation, "lines"))
        put_success(out, openapi, operation, 207);
    if (operation->method->access == ROUTE_HEALTH)
        put_success(out, openapi, operation, 503);
    put_not_modified(out, operation);
    for (int i = 0; i < API_ERROR_COUNT; i++) {
        status = api_error_row((enum api_error)i)->status;
        if (opens_status(i) && can_fail(operation, status))
            text_printf(out, "\"%d\":{\"$ref\":\"#/components/responses/%d\"},", status, status);
    }
    text_puts(out, "\"default\":{\"$ref\":\"#/components/responses/default\"}}");
}

/* ---- the sections -------------------------------------------------------------------------------------- */

static void put_operation(struct text *out, const struct openapi *openapi, const struct operation *operation)
{
    const char *description = json_member_string(operation->words, "description"),
               *name = operation->method->name;

    text_putc(out, '"');
    for (const char *c = name; *c; c++)
        text_putc(out, (char)(*c | 0x20));
    text_puts(out, "\":{");
    put_text(out, "operationId", json_member_string(operation->words, "id"));
    put_text(out, "summary", json_member_string(operation->words, "summary"));
    put_text(out, "description",
             description                                 ? description
             : operation->method->access == ROUTE_MASTER ? "For Masters."
                                                         : NULL);
    text_puts(out, "\"tags\":[");
    text_put_json(out, bytes_of(json_member_string(operation->words, "tag")));
    text_puts(out, is_public(operation) ? "],\"security\":[]," : "],");
    put_parameters(out, openapi, operation);
    put_request(out, operation);
    put_responses(out, openapi, operation);
    text_putc(out, '}');
}

static void put_path(struct text *out, const char *path)
{
    text_putc(out, '"');
    for (const char *c = path; *c;) {
        size_t len = *c == ':' ? strcspn(c, "/") : 0;
        if (len)
            text_printf(out, "{%.*s}", (int)len - 1, c + 1);
        else
            text_putc(out, *c);
        c += len ? len : 1;
    }
    text_puts(out, "\":{");
}

static void put_paths(struct text *out, const struct openapi *openapi)
{
    const struct route *route;

    text_puts(out, "\"paths\":{");
    for (int i = 0; (route = route_at(i)); i++) {
        text_puts(out, i ? "}," : "");
        put_path(out, route->pattern);
        for (int k = 0; k < ROUTE_METHODS_MAX && route->methods[k].name; k++) {
            const struct route_method *method = &route->methods[k];
            text_puts(out, k ? "," : "");
            put_operation(
                out, openapi,
                &(struct operation){route, method, find_words(openapi, method->name, route->pattern)});
        }
    }
    text_puts(out, "}},");
}

static void put_webhook(struct text *out, const struct openapi *openapi, const struct catalogue_type *type)
{
    text_printf(out, "\"%s\":{\"post\":{\"operationId\":\"push_%s\",\"tags\":[\"push_%s\"],\"security\":[],",
                type->name, type->name, type->section);
    put_text(out, "summary", type->en);
    put_text(out, "description", type->note);
    put_text(out, "x-summary-es", type->es);
    put_text(out, "x-status", catalogue_status_names[type->status]);
    put_text(out, "x-resource", type->resource);
    put_text(out, "x-state", type->state);
    text_puts(out, "\"parameters\":");
    json_tree_put(out, json_member(openapi->words, "push_headers"));
    text_printf(
        out,
        ",\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":{\"allOf\":["
        "{\"$ref\":\"" SCHEMAS "Push\"},{\"type\":\"object\",\"properties\":{\"data\":{\"type\":\"object\","
        "\"properties\":{\"attributes\":{\"type\":\"object\",\"properties\":{\"event_type\":{\"type\":"
        "\"string\",\"enum\":[\"%s\"]}}}}}}}]},\"example\":",
        type->name);
    catalogue_put_example(out, openapi->catalogue, type);
    text_puts(out,
              "}}},\"responses\":{\"200\":{\"description\":\"You have it.\"},\"default\":{\"description\":"
              "\"Anything else: it is sent again, with an exponential backoff, for a few days.\"}}}}");
}

static void put_webhooks(struct text *out, const struct openapi *openapi)
{
    text_puts(out, "\"webhooks\":{");
    for (int i = 0; i < catalogue_count(openapi->catalogue); i++) {
        text_puts(out, i ? "," : "");
        put_webhook(out, openapi, catalogue_at(openapi->catalogue, i));
    }
    text_puts(out, "},");
}

/* The API's own tags, then a tag for the pushes of each section of types. */
static void put_tags(struct text *out, const struct openapi *openapi)
{
    const struct catalogue *catalogue = openapi->catalogue;
    const struct json_value *tags = json_member(openapi->words, "tags");

    text_puts(out, "\"tags\":[");
    for (const struct json_value *tag = json_first(tags); tag; tag = tag->next) {
        text_puts(out, tag == tags->first ? "" : ",");
        json_tree_put(out, tag);
    }
    for (int i = 0; i < catalogue_count(catalogue); i++)
        if (catalogue_opens_section(catalogue, i))
            text_printf(out, ",{\"name\":\"push_%s\",\"description\":\"Pushes about %s.\"}",
                        catalogue_at(catalogue, i)->section, catalogue_at(catalogue, i)->section);
    text_puts(out, "],");
}

static void put_error_content(struct text *out, const char *const *headers)
{
    put_headers(out, headers);
    text_puts(out, ",\"content\":{\"" JSON_API "\":{\"schema\":");
    put_ref(out, "Errors");
    text_puts(out, "}}}");
}

static void put_error_responses(struct text *out)
{
    static const char *const none[] = {NULL}, *const retry[] = {"Retry-After", NULL},
                             *const key[] = {"WWW-Authenticate", NULL}, *const etag[] = {"ETag", NULL},
                             *const any[] = {"Retry-After", "Allow", NULL};
    text_puts(out, "\"responses\":{");
    for (int i = 0; i < API_ERROR_COUNT; i++) {
        int status = api_error_row((enum api_error)i)->status;
        if (!opens_status(i) || status == 405)
            continue;
        bool waits = status == 409 || status == 429 || status == 503 || status == 507;
        text_printf(out, "\"%d\":{\"description\":\"", status);
        for (int k = i; k < API_ERROR_COUNT; k++) {
            const struct api_error_row *row = api_error_row((enum api_error)k);
            if (row->status == status)
                text_printf(out, "%s`%s`: %s.", k > i ? " " : "", row->code, row->title);
        }
        text_putc(out, '"');
        put_error_content(out, status == 401 ? key : waits ? retry : none);
        text_putc(out, ',');
    }
    text_puts(out, "\"304\":" NOT_MODIFIED);
    put_headers(out, etag);
    text_puts(out, "},\"default\":{\"description\":\"Any other error.\"");
    put_error_content(out, any);
    text_puts(out, "},");
}

static void put_headers_section(struct text *out, const struct openapi *openapi)
{
    text_puts(out, "\"headers\":");
    json_tree_put(out, json_member(openapi->words, "headers"));
    text_putc(out, ',');
}

/* ---- schemas ------------------------------------------------------------------------------------------- */

/* Is this the first operation that is answered with this document? */
static bool opens_document(const struct openapi *openapi, const struct json_value *words, const char *name)
{
    const struct json_value *other_words = json_first(json_member(openapi->words, "operations"));
    char buffer[RESOURCE_NAME_LEN_MAX];

    for (; other_words != words; other_words = other_words->next) {
        const char *other = document_name(other_words, buffer);
        if (other && strcmp(other, name) == 0)
            return false;
    }
    return true;
}

/* The document around a resource, or around a list of them. */
static void put_document(struct text *out, const struct json_value *words, const char *name)
{
    const char *answer = json_member_string(words, "answer"), *meta = json_member_string(words, "meta");
    bool list = json_member_flag(words, "list");
    text_printf(out,
                "\"%s\":{\"type\":\"object\",\"required\":[\"jsonapi\",\"data\"],\"properties\":{\"jsonapi\":"
                "{\"$ref\":\"" SCHEMAS "Version\"},\"links\":{\"$ref\":\"" SCHEMAS
                "%sLinks\"},\"meta\":{\"$ref\":\"" SCHEMAS "%sMeta\"},",
                name, list ? "List" : "",
                meta   ? meta
                : list ? "List"
                       : "");
    if (json_member(words, "include"))
        text_puts(out, "\"included\":{\"type\":\"array\",\"items\":{\"$ref\":\"" SCHEMAS "Resource\"}},");
    text_puts(out, list ? "\"data\":{\"type\":\"array\",\"items\":" : "\"data\":");
    put_ref(out, answer);
    text_puts(out, list ? "}}}," : "}},");
}

static void put_schemas(struct text *out, const struct openapi *openapi)
{
    const struct json_value *operations = json_member(openapi->words, "operations");
    char buffer[RESOURCE_NAME_LEN_MAX];
    bool first = true;

    text_puts(out, "\"schemas\":{");
    resource_schemas_put(out, openapi->words);
    for (const struct json_value *words = json_first(operations); words; words = words->next) {
        if (!json_member_string(words, "answer"))
            continue;
        const char *name = document_name(words, buffer);
        if (opens_document(openapi, words, name))
            put_document(out, words, name);
    }
    const struct json_value *others = json_member(openapi->words, "schemas");
    for (const struct json_value *schema = json_first(others); schema; schema = schema->next) {
        put_separator(out, &first);
        json_tree_put_member(out, schema);
    }
    text_puts(out, "}");
}

static void put_info(struct text *out, const struct openapi *openapi)
{
    const struct json_value *info = json_member(openapi->words, "info");

    text_puts(out, "{\"openapi\":\"3.1.0\",\"info\":{");
    put_text(out, "title", json_member_string(info, "title"));
    put_text(out, "summary", json_member_string(info, "summary"));
    put_text(out, "description", json_member_string(info, "description"));
    text_puts(out, "\"license\":");
    json_tree_put(out, json_member(info, "license"));
    text_puts(out, ",\"version\":\"" POSTHORN_VERSION "\"},\"servers\":[{\"url\":\"/\"}],"
                   "\"security\":[{\"key\":[]},{\"bearer\":[]}],");
}

void openapi_put(struct text *out, const struct catalogue *catalogue)
{
    const struct openapi openapi = {.catalogue = catalogue, .words = catalogue_api_json(catalogue)};

    put_info(out, &openapi);
    put_tags(out, &openapi);
    put_paths(out, &openapi);
    put_webhooks(out, &openapi);
    text_puts(out,
              "\"components\":{\"securitySchemes\":{\"key\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":"
              "\"Authorization\"},\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"}},");
    put_headers_section(out, &openapi);
    put_error_responses(out);
    put_schemas(out, &openapi);
    text_puts(out, "}}");
}
