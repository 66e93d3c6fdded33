#include "openapi.h"
#include "catalogue.h"
#include "json.h"

static const char schemas_at[] = "#/components/schemas/";

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

/* Inside an object: puts the comma between, not before the first. */
static void put_separator(struct text *out, bool *first)
{
    if (!*first)
        text_putc(out, ',');
    *first = false;
}

static const char *text_of(struct json_object *object, const char *name)
{
    struct bytes text;
    return json_get_text(object, name, &text) ? text.data : NULL;
}

static void put_ref(struct text *out, const char *schema)
{
    text_printf(out, "{\"$ref\":\"%s%s\"}", schemas_at, schema);
}

/* `name` of api.json, as it stands there. */
static void put_part(struct text *out, const struct openapi *openapi, const char *name)
{
    text_printf(out, "\"%s\":", name);
    json_put(out, json_get(catalogue_api_json(openapi->catalogue), name));
}

/* What api.json says of a request; NULL: nothing. */
static struct json_object *find_words(const struct openapi *openapi,
                                      const struct openapi_operation *operation)
{
    struct json_object *all = json_get_array(catalogue_api_json(openapi->catalogue), "operations");

    for (size_t i = 0; i < json_object_array_length(all); i++) {
        struct json_object *words = json_object_array_get_idx(all, i);
        if (strcmp(text_of(words, "method"), operation->method) == 0 &&
            strcmp(text_of(words, "path"), operation->path) == 0)
            return words;
    }
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

static void put_parameters(struct text *out, const struct openapi *openapi,
                           const struct openapi_operation *operation)
{
    struct json_object *known = json_get_object(catalogue_api_json(openapi->catalogue), "parameters");
    bool first = true;

    text_puts(out, "\"parameters\":[");
    put_path_parameters(out, operation->path, &first);
    for (int i = 0; i < operation->parameter_count; i++) {
        const char *name = operation->parameters[i];
        struct json_object *words = json_get_object(known, name), *schema = json_get(words, "schema");
        put_separator(out, &first);
        if (json_get(words, "in")) { /* a whole parameter object */
            json_put(out, words);
            continue;
        }
        text_puts(out, "{\"in\":\"query\",");
        put_text(out, "name", name);
        put_text(out, "description", text_of(words, "description"));
        text_puts(out, "\"schema\":");
        if (schema)
            json_put(out, schema);
        else
            text_puts(out, "{\"type\":\"string\"}");
        text_putc(out, '}');
    }
    text_puts(out, "],");
}

/* ---- bodies and answers -------------------------------------------------------------------------------- */

static void put_request(struct text *out, struct json_object *words)
{
    const char *schema = text_of(words, "request");

    if (!schema)
        return;
    text_puts(out, "\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":");
    put_ref(out, schema);
    text_puts(out, "},\"application/vnd.api+json\":{\"schema\":");
    put_ref(out, schema);
    text_puts(out, json_get(words, "lines")
                       ? "},\"application/x-ndjson\":{\"schema\":{\"type\":\"string\"}}}},"
                       : "}}},");
}

/* The document around a resource, or around a list of them. */
static void put_document(struct text *out, const char *schema, bool list)
{
    text_printf(out,
                "{\"type\":\"object\",\"required\":[\"jsonapi\",\"data\"],\"properties\":{\"jsonapi\":"
                "{\"$ref\":\"%sVersion\"},\"links\":{\"$ref\":\"%sLinks\"},\"meta\":{\"$ref\":\"%sMeta\"},",
                schemas_at, schemas_at, schemas_at);
    text_printf(
        out, "\"included\":{\"type\":\"array\",\"items\":{\"$ref\":\"%sResource\"}},\"data\":", schemas_at);
    if (list)
        text_puts(out, "{\"type\":\"array\",\"items\":");
    put_ref(out, schema);
    text_puts(out, list ? "}}}" : "}}");
}

static void put_success(struct text *out, struct json_object *words)
{
    const char *schema = text_of(words, "answer"), *media = text_of(words, "media");
    int status = json_get(words, "status") ? json_object_get_int(json_get(words, "status")) : 200;

    text_printf(out, "\"%d\":{\"description\":\"%s\"", status,
                status == 201   ? "Made, and durable."
                : status == 204 ? "Done."
                                : "As asked.");
    if (media) {
        text_printf(out, ",\"content\":{\"%s\":{\"schema\":{\"type\":\"%s\"}}}", media,
                    strcmp(media, "application/json") == 0 ? "object" : "string");
    } else if (schema) {
        text_puts(out, ",\"content\":{\"application/vnd.api+json\":{\"schema\":");
        if (strcmp(schema, "About") == 0)
            put_ref(out, schema);
        else
            put_document(out, schema, json_object_get_boolean(json_get(words, "list")));
        text_puts(out, "}}");
    }
    text_putc(out, '}');
    if (json_get(words, "lines"))
        text_puts(out,
                  ",\"207\":{\"description\":\"Of the lines, some: each answer has its status in meta.\","
                  "\"content\":{\"application/x-ndjson\":{\"schema\":{\"type\":\"string\"}}}}");
}

static bool can_fail(const struct openapi_operation *operation, struct json_object *words, int status)
{
    bool writes = strcmp(operation->method, "GET") != 0, body = text_of(words, "request") != NULL;

    switch (status) {
    case 400:
        return true;
    case 401:
    case 406:
    case 429:
        return !operation->is_public;
    case 403:
        return !operation->is_public && (writes || operation->is_masters || operation->parameter_count);
    case 404:
        return strchr(operation->path, ':') != NULL;
    case 409:
    case 507:
        return writes;
    case 412:
    case 413:
    case 415:
    case 422:
        return body;
    case 503:
        return !operation->is_public;
    default:
        return false; /* 405, 408, 414, 431, 5xx: of any server, any request */
    }
}

/* Is this the first error with its status? */
static bool opens_status(const struct openapi *openapi, int index)
{
    for (int i = 0; i < index; i++)
        if (openapi->errors[i].status == openapi->errors[index].status)
            return false;
    return true;
}

static void put_responses(struct text *out, const struct openapi *openapi,
                          const struct openapi_operation *operation, struct json_object *words)
{
    text_puts(out, "\"responses\":{");
    put_success(out, words);
    for (int i = 0; i < openapi->error_count; i++) {
        int status = openapi->errors[i].status;
        if (opens_status(openapi, i) && can_fail(operation, words, status))
            text_printf(out, ",\"%d\":{\"$ref\":\"#/components/responses/%d\"}", status, status);
    }
    text_putc(out, '}');
}

/* ---- the sections -------------------------------------------------------------------------------------- */

static void put_operation(struct text *out, const struct openapi *openapi,
                          const struct openapi_operation *operation)
{
    struct json_object *words = find_words(openapi, operation);

    text_putc(out, '"');
    for (const char *c = operation->method; *c; c++)
        text_putc(out, (char)(*c | 0x20));
    text_puts(out, "\":{");
    put_text(out, "operationId", text_of(words, "id"));
    put_text(out, "summary", text_of(words, "summary"));
    put_text(out, "description",
             text_of(words, "description") ? text_of(words, "description")
             : operation->is_masters       ? "For Masters."
                                           : NULL);
    text_puts(out, "\"tags\":[");
    text_put_json(out, bytes_of(text_of(words, "tag") ? text_of(words, "tag") : "Reference"));
    text_puts(out, operation->is_public ? "],\"security\":[]," : "],");
    put_parameters(out, openapi, operation);
    put_request(out, words);
    put_responses(out, openapi, operation, words);
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
    const char *path = NULL;

    text_puts(out, "\"paths\":{");
    for (int i = 0; i < openapi->operation_count; i++) {
        const struct openapi_operation *operation = &openapi->operations[i];
        bool same = path && strcmp(path, operation->path) == 0;
        if (!same && path)
            text_puts(out, "},");
        if (same)
            text_putc(out, ',');
        else
            put_path(out, operation->path);
        path = operation->path;
        put_operation(out, openapi, operation);
    }
    text_puts(out, path ? "}}," : "},");
}

static void put_webhook(struct text *out, const struct openapi *openapi, const struct catalogue_type *type)
{
    text_printf(out, "\"%s\":{\"post\":{\"operationId\":\"push_%s\",\"tags\":[\"%s\"],\"security\":[],",
                type->name, type->name, type->section);
    put_text(out, "summary", type->en);
    put_text(out, "description", type->note);
    put_text(out, "x-summary-es", type->es);
    put_text(out, "x-status", catalogue_status_name(type->status));
    put_text(out, "x-resource", type->resource);
    put_text(out, "x-state", type->state);
    text_puts(out, "\"parameters\":");
    json_put(out, json_get(catalogue_api_json(openapi->catalogue), "push_headers"));
    text_printf(
        out,
        ",\"requestBody\":{\"required\":true,\"content\":{\"application/json\":{\"schema\":{\"allOf\":["
        "{\"$ref\":\"%sPush\"},{\"properties\":{\"data\":{\"properties\":{\"attributes\":"
        "{\"properties\":{\"event_type\":{\"const\":\"%s\"}}}}}}}]},\"example\":",
        schemas_at, type->name);
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

/* The API's own tags, then a tag for each section of types. */
static void put_tags(struct text *out, const struct openapi *openapi)
{
    const struct catalogue *catalogue = openapi->catalogue;
    struct json_object *tags = json_get_array(catalogue_api_json(catalogue), "tags");

    text_puts(out, "\"tags\":[");
    for (size_t i = 0; i < json_object_array_length(tags); i++) {
        json_put(out, json_object_array_get_idx(tags, i));
        text_putc(out, ',');
    }
    for (int i = 0, count = 0; i < catalogue_count(catalogue); i++) {
        if (!catalogue_opens_section(catalogue, i))
            continue;
        text_printf(out, "%s{\"name\":\"%s\",\"description\":\"Event types.\"}", count++ ? "," : "",
                    catalogue_at(catalogue, i)->section);
    }
    text_puts(out, "],");
}

static void put_error_responses(struct text *out, const struct openapi *openapi)
{
    text_puts(out, "\"responses\":{");
    for (int i = 0; i < openapi->error_count; i++) {
        int status = openapi->errors[i].status;
        if (!opens_status(openapi, i))
            continue;
        text_printf(out, "%s\"%d\":{\"description\":\"", i ? "," : "", status);
        for (int k = i; k < openapi->error_count; k++)
            if (openapi->errors[k].status == status)
                text_printf(out, "%s`%s`: %s.", k > i ? " " : "", openapi->errors[k].code,
                            openapi->errors[k].title);
        text_printf(out,
                    "\",\"content\":{\"application/vnd.api+json\":{\"schema\":{\"$ref\":\"%sErrors\"}}}}",
                    schemas_at);
    }
    text_puts(out, "}");
}

void openapi_put(struct text *out, const struct openapi *openapi)
{
    struct json_object *info = json_get_object(catalogue_api_json(openapi->catalogue), "info");

    text_puts(out, "{\"openapi\":\"3.1.0\",\"info\":{");
    put_text(out, "title", text_of(info, "title"));
    put_text(out, "summary", text_of(info, "summary"));
    put_text(out, "description", text_of(info, "description"));
    text_printf(out, "\"version\":\"%s\"},\"servers\":[{\"url\":\"/\"}],", openapi->version);
    text_puts(out, "\"security\":[{\"key\":[]},{\"bearer\":[]}],");
    put_tags(out, openapi);
    put_paths(out, openapi);
    put_webhooks(out, openapi);
    text_puts(out,
              "\"components\":{\"securitySchemes\":{\"key\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":"
              "\"Authorization\"},\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\"}},");
    put_error_responses(out, openapi);
    text_putc(out, ',');
    put_part(out, openapi, "schemas");
    text_puts(out, "}}");
}
