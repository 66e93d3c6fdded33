/* The document of a request: its body as JSON, and what JSON:API wants of it (jsonapi.h). */
#include "jsonapi.h"
#include "rules.h"
#include <assert.h>

enum { SHOWN_MAX = 80 };

/* ---- the body as JSON ---- */

static const char *warning_code(int kind)
{
    return kind == JSON_WARNING_COMMENT ? "json_comment" : "json_trailing_comma";
}

static void warn_lenient(struct call *call, const struct json_reading *reading)
{
    for (int i = 0; i < reading->warning_count && i < JSON_WARNINGS_MAX; i++) {
        const struct json_warning *warning = &reading->warnings[i];
        int line = call->line ? call->line : warning->line;
        call_warn(call, warning_code(warning->kind), line, warning->column,
                  "line %d, column %d: %s was ignored; strict JSON does not allow it", line, warning->column,
                  warning->kind == JSON_WARNING_COMMENT ? "a comment" : "a trailing comma");
    }
}

/* A position in the line becomes one in the batch. */
static const char *place_in_batch(struct call *call, const struct json_problem *problem)
{
    static const char own_line[] = "line 1, ";
    bool placed = call->line && bytes_starts(bytes_of(problem->detail), own_line);
    const char *text = placed ? arena_printf(&call->request->arena, "line %d, %s", call->line,
                                             problem->detail + sizeof own_line - 1)
                              : NULL;
    return text ? text : problem->detail;
}

static bool read_json(struct call *call, struct arena *arena, char *text, size_t len,
                      struct json_value **root)
{
    struct json_reading read, *reading = &read;
    bool lenient = !call->api->config.config->strict_json;
    *root = json_tree_read(arena, text, len, lenient, reading);
    if (!*root) {
        enum json_error error = reading->problem.error;
        call_fail_code(call, error == JSON_RANGE ? API_JSON_RANGE : API_JSON, json_error_code(error), "",
                       place_in_batch(call, &reading->problem));
        call->failure.line = call->line ? call->line : reading->problem.line;
        call->failure.column = reading->problem.column;
        return false;
    }
    warn_lenient(call, reading);
    return true;
}

/* The part of a header that is shown. */
static struct bytes shortened(struct bytes value)
{
    return bytes_make(value.data, value.len < SHOWN_MAX ? value.len : SHOWN_MAX);
}

bool jsonapi_check_encoding(struct call *call)
{
    struct bytes encoding = listener_header(call->request, "Content-Encoding", NULL);
    return !encoding.data ||
           call_fail(
               call, API_MEDIA_TYPE, SOURCE_HEADER, "Content-Encoding",
               "Compressed bodies are not supported: send this one without Content-Encoding, not in '%.*s'.",
               BYTES_ARG(shortened(encoding)));
}

/* Says what was sent, and what in it is to be changed: never a text that the sender has followed already. */
static bool refuse_content_type(struct call *call, struct bytes type, int count)
{
    bool lines = bytes_equal_text(call->request->path, "/api/events");
    struct bytes parameter = negotiation_parameter(type, lines);
    if (count != 1)
        return call_fail(call, API_MEDIA_TYPE, SOURCE_HEADER, "Content-Type", "%s",
                         count ? "There is more than one Content-Type. Send one."
                               : "There is no Content-Type. Send Content-Type: application/json.");
    if (parameter.len)
        return call_fail(
            call, API_MEDIA_TYPE, SOURCE_HEADER, "Content-Type",
            "The Content-Type is '%.*s'. Leave '%.*s' out: bodies are UTF-8, JSON:API's own type has no "
            "parameter for it, and no extension is supported.",
            BYTES_ARG(shortened(type)), BYTES_ARG(shortened(parameter)));
    if (bytes_equal_nocase(type, "application/x-www-form-urlencoded"))
        return call_fail(
            call, API_MEDIA_TYPE, SOURCE_HEADER, "Content-Type",
            "The Content-Type is '%.*s', the default of curl: add -H 'Content-Type: application/json'.",
            BYTES_ARG(type));
    return call_fail(call, API_MEDIA_TYPE, SOURCE_HEADER, "Content-Type",
                     "The Content-Type is '%.*s'. Send application/json or application/vnd.api+json%s.",
                     BYTES_ARG(shortened(type)),
                     lines ? ", or application/x-ndjson for one event a line" : "");
}

static bool check_content_type(struct call *call)
{
    int count = 0;
    if (!jsonapi_check_encoding(call))
        return false;
    struct bytes type = listener_header(call->request, "Content-Type", &count);
    if (call->request->body_len == 0)
        return true; /* reading it says what is wrong */
    if (count == 1 && negotiation_reads(type))
        return true;
    return refuse_content_type(call, type, count);
}

/* ---- the body as a JSON:API document ---- */

static bool is_one_of(struct bytes name, const char *const *names)
{
    for (; *names; names++)
        if (bytes_equal_text(name, *names))
            return true;
    return false;
}

static void warn_unknown(struct call *call, const struct json_value *object, const char *const *known,
                         const char *where)
{
    for (const struct json_value *member = object->first; member; member = member->next)
        if (!is_one_of(member->name, known) && !bytes_starts(member->name, "@"))
            call_warn(call, "member_unknown", 0, 0, "%s has a member \"%.*s\", which was ignored", where,
                      jsonapi_shown_len(member->name), member->name.data);
}

static void warn_ignored(struct call *call, const struct json_value *object, const char *where,
                         const char *name)
{
    if (json_member(object, name))
        call_warn(call, "member_ignored", 0, 0, "%s has a member \"%s\", which is not kept and was ignored",
                  where, name);
}

/* meta.idempotency_key of a line, and nothing else? */
static bool is_key_of_line(const struct call *call, const struct json_value *meta)
{
    return call->line > 0 && meta && meta->first && !meta->first->next &&
           bytes_equal_text(meta->first->name, "idempotency_key");
}

void jsonapi_warn_ignored(struct call *call, const struct request_document *document)
{
    if (!is_key_of_line(call, json_member(document->root, "meta")))
        warn_ignored(call, document->root, "the document", "meta");
    warn_ignored(call, document->root, "the document", "links");
    warn_ignored(call, document->data, "data", "meta");
    warn_ignored(call, document->data, "data", "links");
    if (json_member(document->data, "lid"))
        call_warn(call, "member_ignored", 0, 0,
                  "the lid was ignored: nothing else in the document can name this resource by it");
}

static bool check_root(struct call *call, struct json_value *root, struct request_document *document)
{
    static const char *const known[] = {"data", "included", "meta", "links", "jsonapi", NULL};
    if (!json_is(root, JSON_OBJECT))
        return call_fail(call, API_DOCUMENT_INVALID, SOURCE_POINTER, "", "The document must be an object.");
    document->root = root;
    document->data = json_member_of_kind(root, "data", JSON_OBJECT);
    if (json_member(root, "errors") && json_member(root, "data"))
        return call_fail(call, API_DOCUMENT_INVALID, SOURCE_POINTER, "/errors",
                         "A document may have data or errors, not both.");
    if (document->data) {
        warn_unknown(call, root, known, "the document");
        return true;
    }
    if (json_member(root, "data"))
        return call_fail(call, API_DOCUMENT_INVALID, SOURCE_POINTER, "/data",
                         "data must be one resource object.");
    return call_fail(call, API_DOCUMENT_INVALID, SOURCE_POINTER, "", "The document has no data.");
}

static bool check_type(struct call *call, const struct request_document *document, const char *type)
{
    struct bytes given;
    if (!json_member(document->data, "type"))
        return call_fail(call, API_DOCUMENT_INVALID, SOURCE_POINTER, "/data",
                         "The resource has no type. It must be \"%s\".", type);
    if (!json_member_text(document->data, "type", &given) || !bytes_equal_text(given, type))
        return call_fail(call, API_TYPE_CONFLICT, SOURCE_POINTER, "/data/type", "The type must be \"%s\".",
                         type);
    return true;
}

/* An object that may be missing. */
static bool get_part(struct call *call, struct json_value *data, const char *name, const char *pointer,
                     struct json_value **part)
{
    *part = json_member_of_kind(data, name, JSON_OBJECT);
    if (*part || !json_member(data, name))
        return true;
    return call_fail(call, API_DOCUMENT_INVALID, SOURCE_POINTER, pointer, "%s must be an object.", name);
}

static bool read_document(struct call *call, struct json_value *root, const char *type,
                          struct request_document *document)
{
    static const char *const known[] = {"type",          "id",    "lid",  "attributes",
                                        "relationships", "links", "meta", NULL};
    *document = (struct request_document){0};
    if (!check_root(call, root, document) || !check_type(call, document, type) ||
        !rules_check_document(call, root))
        return false;
    struct json_value *data = document->data;
    if (!get_part(call, data, "attributes", "/data/attributes", &document->attributes) ||
        !get_part(call, data, "relationships", "/data/relationships", &document->relationships))
        return false;
    document->attributes_at = document->attributes ? "/data/attributes" : "/data";
    document->relationships_at = document->relationships ? "/data/relationships" : "/data";
    warn_unknown(call, data, known, "data");
    return true;
}

bool jsonapi_read(struct call *call, const char *type, struct request_document *document)
{
    struct listener_request *request = call->request;
    struct json_value *root;
    return check_content_type(call) &&
           read_json(call, &request->arena, request->body, request->body_len, &root) &&
           read_document(call, root, type, document);
}

bool jsonapi_read_line(struct call *call, struct arena *arena, struct bytes text, const char *type,
                       struct request_document *document)
{
    struct json_value *root;
    assert(call->line > 0 && text.data[text.len] == '\0');
    return read_json(call, arena, (char *)text.data, text.len, &root) &&
           read_document(call, root, type, document);
}

/* ---- values ---- */

static bool has_control_bytes(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7F)
            return true;
    return false;
}

bool jsonapi_read_text(struct call *call, const struct json_value *value, const char *pointer, size_t len_max,
                       struct bytes *text)
{
    *text = (struct bytes){0};
    if (json_is(value, JSON_NULL))
        return true;
    if (json_is(value, JSON_STRING))
        *text = value->text;
    if (text->data && text->len <= len_max && !has_control_bytes(*text))
        return true;
    return call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, pointer,
                     "This must be a text of at most %zu bytes without control bytes, or null.", len_max);
}

bool jsonapi_read_bool(struct call *call, const struct json_value *value, const char *pointer, bool *flag)
{
    *flag = json_is(value, JSON_TRUE);
    return *flag || json_is(value, JSON_FALSE) ||
           call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, pointer, "This must be true or false.");
}

/* ---- ids and linkage ---- */

bool jsonapi_check_id(struct call *call, const struct request_document *document, int64_t id)
{
    const struct json_value *value = json_member(document->data, "id");
    struct bytes given;
    int64_t number;
    if (!value)
        return true;
    if (jsonapi_id(value, &given) && bytes_to_int64(given, &number) && number == id)
        return true;
    return call_fail(call, API_ID_CONFLICT, SOURCE_POINTER, "/data/id",
                     "This resource's id is \"%lld\". The id may also be left out.", (long long)id);
}

bool jsonapi_refuse_id(struct call *call, const struct request_document *document)
{
    if (!json_member(document->data, "id"))
        return true;
    return call_fail(call, API_ID_NOT_ACCEPTED, SOURCE_POINTER, "/data/id",
                     "The server chooses the id of a new resource: leave it out.");
}

bool jsonapi_refuse_relationships(struct call *call, const struct request_document *document,
                                  const char *detail)
{
    const struct json_value *one = document->relationships ? document->relationships->first : NULL;
    while (one && bytes_starts(one->name, "@"))
        one = one->next;
    return !one ||
           call_fail(call, API_RELATIONSHIP_UNKNOWN, SOURCE_POINTER, "/data/relationships", "%s", detail);
}

bool jsonapi_read_user(struct call *call, const struct request_document *document, int64_t *user_id)
{
    static const char at[] = "/data/relationships/user";
    const struct json_value *relationship = json_member(document->relationships, "user");
    struct json_value *linkage = json_member(relationship, "data");
    struct bytes type = {0}, id = {0};
    int64_t named;
    if (!relationship)
        return true;
    if (!linkage)
        return call_fail(call, API_RELATIONSHIP_INVALID, SOURCE_POINTER, at, "The relationship has no data.");
    if (!jsonapi_read_linkage(call, linkage, "/data/relationships/user/data", &type, &id))
        return false;
    if (!bytes_equal_text(type, "users"))
        return call_fail(call, API_RELATIONSHIP_INVALID, SOURCE_POINTER, "/data/relationships/user/data/type",
                         "The type must be \"users\".");
    bool number = bytes_to_int64(id, &named);
    if (number && named == call->caller.user_id) {
        *user_id = named;
        return true;
    }
    if (call->caller.role != USER_MASTER)
        return call_fail(call, API_FORBIDDEN, SOURCE_POINTER, "/data/relationships/user/data/id",
                         "Only a Master may act for other users.");
    if (!number || !call_may_see(call, named))
        return call_fail(call, API_NOT_FOUND, SOURCE_POINTER, "/data/relationships/user/data/id",
                         "There is no such user.");
    *user_id = named;
    return true;
}

bool jsonapi_path_id(struct call *call, const char *what, int64_t *id)
{
    return (bytes_to_int64(call->id_text, id) && *id > 0) || call_not_found(call, what);
}
