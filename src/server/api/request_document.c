#include "jsonapi.h"
#include <assert.h>

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
                  "line %d, column %d: %s, which strict JSON does not have, was ignored", line,
                  warning->column, warning->kind == JSON_WARNING_COMMENT ? "a comment" : "a trailing comma");
    }
}

/* What is said of a line of its own is said of the batch's line. */
static const char *place_in_batch(struct call *call, const struct json_problem *problem)
{
    static const char own_line[] = "line 1, ";
    bool placed = call->line && bytes_starts(bytes_of(problem->detail), own_line);
    return placed ? call_printf(call, "line %d, %s", call->line, problem->detail + sizeof own_line - 1)
                  : problem->detail;
}

static bool read_json(struct call *call, char *text, size_t len)
{
    struct json_reading read, *reading = &read;
    bool lenient = !call->api->config.config->strict_json;
    call->body = json_read(text, len, lenient, reading);
    if (!call->body) {
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

bool jsonapi_check_encoding(struct call *call)
{
    return !listener_header(call->request, "Content-Encoding", NULL).data ||
           call_fail(call, API_MEDIA_TYPE, SOURCE_HEADER, "Content-Encoding",
                     "Bodies are read as they are; no Content-Encoding is supported.");
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
    return call_fail(call, API_MEDIA_TYPE, SOURCE_HEADER, "Content-Type",
                     "Send application/json or application/vnd.api+json, in UTF-8 and without extensions.");
}

/* ---- the body as a JSON:API document ---- */

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(name, *names) == 0)
            return true;
    return false;
}

static void warn_unknown(struct call *call, struct json_object *object, const char *const *known,
                         const char *where)
{
    struct json_object_iterator i = json_object_iter_begin(object), end = json_object_iter_end(object);
    for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
        const char *name = json_object_iter_peek_name(&i);
        if (!is_one_of(name, known) && name[0] != '@')
            call_warn(call, "member_unknown", 0, 0, "%s has a member \"%.64s\", which was ignored", where,
                      name);
    }
}

static bool check_root(struct call *call, struct request_document *document)
{
    static const char *const known[] = {"data", "included", "meta", "links", "jsonapi", NULL};
    struct json_object *root = call->body, *unused;
    if (!json_object_is_type(root, json_type_object))
        return call_fail(call, API_DOCUMENT_INVALID, SOURCE_POINTER, "", "The document must be an object.");
    document->root = root;
    document->data = json_get_object(root, "data");
    if (json_object_object_get_ex(root, "errors", &unused) &&
        json_object_object_get_ex(root, "data", &unused))
        return call_fail(call, API_DOCUMENT_INVALID, SOURCE_POINTER, "/errors",
                         "A document has data or errors, not both.");
    if (document->data) {
        warn_unknown(call, root, known, "the document");
        return true;
    }
    if (json_object_object_get_ex(root, "data", &unused))
        return call_fail(call, API_DOCUMENT_INVALID, SOURCE_POINTER, "/data",
                         "data must be one resource object.");
    return call_fail(call, API_DOCUMENT_INVALID, SOURCE_POINTER, "", "The document has no data.");
}

static bool check_type(struct call *call, const struct request_document *document, const char *type)
{
    struct json_object *value;
    struct bytes given;
    if (!json_object_object_get_ex(document->data, "type", &value))
        return call_fail(call, API_DOCUMENT_INVALID, SOURCE_POINTER, "/data",
                         "The resource has no type; here it is \"%s\".", type);
    if (!json_get_text(document->data, "type", &given) || !bytes_equal_text(given, type))
        return call_fail(call, API_TYPE_CONFLICT, SOURCE_POINTER, "/data/type", "The type here is \"%s\".",
                         type);
    return true;
}

/* An object that may be missing. */
static bool get_part(struct call *call, struct json_object *data, const char *name, const char *pointer,
                     struct json_object **part)
{
    struct json_object *value;
    *part = json_get_object(data, name);
    if (*part || !json_object_object_get_ex(data, name, &value))
        return true;
    return call_fail(call, API_DOCUMENT_INVALID, SOURCE_POINTER, pointer, "%s must be an object.", name);
}

static bool read_document(struct call *call, const char *type, struct request_document *document)
{
    static const char *const known[] = {"type",          "id",    "lid",  "attributes",
                                        "relationships", "links", "meta", NULL};
    *document = (struct request_document){0};
    if (!check_root(call, document) || !check_type(call, document, type))
        return false;
    struct json_object *data = document->data;
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
    return check_content_type(call) && read_json(call, call->request->body, call->request->body_len) &&
           read_document(call, type, document);
}

bool jsonapi_read_line(struct call *call, struct bytes text, const char *type,
                       struct request_document *document)
{
    assert(call->line > 0 && text.data[text.len] == '\0');
    return read_json(call, (char *)text.data, text.len) && read_document(call, type, document);
}

/* ---- attributes ---- */

static const struct jsonapi_attribute *find_row(const struct jsonapi_attribute *rows, int row_count,
                                                const char *name)
{
    for (int i = 0; i < row_count; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

bool jsonapi_read_attributes(struct call *call, const struct request_document *document,
                             const struct jsonapi_attribute *rows, int row_count, void *target)
{
    if (!document->attributes)
        return true;
    struct json_object_iterator i = json_object_iter_begin(document->attributes),
                                end = json_object_iter_end(document->attributes);
    for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
        const char *name = json_object_iter_peek_name(&i);
        const struct jsonapi_attribute *row = find_row(rows, row_count, name);
        if (row && row->read) {
            if (!row->read(call, target, json_object_iter_peek_value(&i), row->pointer))
                return false;
            continue;
        }
        const char *pointer = call_pointer(call, "/data/attributes", name);
        if (row)
            return call_fail(call, API_ATTRIBUTE_READ_ONLY, SOURCE_POINTER, pointer,
                             "%s is written by the server only.", row->name);
        return call_fail(call, API_ATTRIBUTE_UNKNOWN, SOURCE_POINTER, pointer,
                         "There is no attribute \"%.64s\" here.", name);
    }
    return true;
}

static bool has_control_bytes(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7F)
            return true;
    return false;
}

bool jsonapi_read_text(struct call *call, struct json_object *value, const char *pointer, size_t len_max,
                       struct bytes *text)
{
    *text = (struct bytes){0};
    if (!value)
        return true;
    if (json_object_is_type(value, json_type_string))
        *text = bytes_make(json_object_get_string(value), (size_t)json_object_get_string_len(value));
    if (text->data && text->len <= len_max && !has_control_bytes(*text))
        return true;
    return call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, pointer,
                     "This must be a text of at most %zu bytes without control bytes, or null.", len_max);
}

bool jsonapi_read_bool(struct call *call, struct json_object *value, const char *pointer, bool *flag)
{
    if (!json_object_is_type(value, json_type_boolean))
        return call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, pointer, "This must be true or false.");
    *flag = json_object_get_boolean(value);
    return true;
}

/* ---- ids and linkage ---- */

bool jsonapi_id(struct call *call, struct json_object *value, struct bytes *id)
{
    if (json_object_is_type(value, json_type_int)) {
        const char *digits = arena_printf(&call->request->arena, "%s", json_object_to_json_string(value));
        *id = bytes_of(digits);
        return digits != NULL;
    }
    if (!json_object_is_type(value, json_type_string))
        return false;
    *id = bytes_make(json_object_get_string(value), (size_t)json_object_get_string_len(value));
    return true;
}

bool jsonapi_check_id(struct call *call, const struct request_document *document, int64_t id)
{
    struct json_object *value;
    struct bytes given;
    int64_t number;
    if (!json_object_object_get_ex(document->data, "id", &value))
        return true;
    if (jsonapi_id(call, value, &given) && bytes_to_int64(given, &number) && number == id)
        return true;
    return call_fail(call, API_ID_CONFLICT, SOURCE_POINTER, "/data/id",
                     "This resource's id is \"%lld\". The id may also be left out.", (long long)id);
}

bool jsonapi_refuse_id(struct call *call, const struct request_document *document)
{
    struct json_object *value;
    if (!json_object_object_get_ex(document->data, "id", &value))
        return true;
    return call_fail(call, API_ID_NOT_ACCEPTED, SOURCE_POINTER, "/data/id",
                     "The server chooses the id of a new resource: leave it out.");
}

bool jsonapi_read_linkage(struct call *call, struct json_object *linkage, const char *pointer,
                          struct bytes *type, struct bytes *id)
{
    struct json_object *value = NULL;
    if (!json_object_is_type(linkage, json_type_object))
        return call_fail(call, API_RELATIONSHIP_INVALID, SOURCE_POINTER, pointer,
                         "A resource is named by an object with type and id.");
    if (!json_get_text(linkage, "type", type) || !model_type_valid(*type))
        return call_fail(call, API_RELATIONSHIP_INVALID, SOURCE_POINTER, pointer,
                         "A resource needs a type of 1 to %d letters, digits, '_', '.' or '-'.",
                         MODEL_TYPE_LEN_MAX);
    bool found = json_object_object_get_ex(linkage, "id", &value) && jsonapi_id(call, value, id);
    if (!found || !model_id_valid(*id))
        return call_fail(
            call, API_RELATIONSHIP_INVALID, SOURCE_POINTER, pointer,
            "A resource needs an id: a text of 1 to %d bytes without control bytes, or an integer.",
            MODEL_ID_LEN_MAX);
    if (json_object_is_type(value, json_type_int))
        json_object_object_add(linkage, "id", json_object_new_string_len(id->data, (int)id->len));
    return true;
}

/* Linkage of any relationship: null, one, or a list. Only `type` and `id` of each are checked. */
static bool check_linkage(struct call *call, struct json_object *linkage)
{
    struct bytes type, id;
    if (!json_object_is_type(linkage, json_type_array))
        return !linkage || jsonapi_read_linkage(call, linkage, "", &type, &id);
    for (size_t i = 0; i < json_object_array_length(linkage); i++)
        if (!jsonapi_read_linkage(call, json_object_array_get_idx(linkage, i), "", &type, &id))
            return false;
    return true;
}

bool jsonapi_check_relationship(struct call *call, struct json_object *relationship)
{
    struct json_object *linkage;
    if (!json_object_is_type(relationship, json_type_object))
        return call_fail(call, API_RELATIONSHIP_INVALID, SOURCE_POINTER, "",
                         "A relationship is an object with data, links or meta.");
    return !json_object_object_get_ex(relationship, "data", &linkage) || check_linkage(call, linkage) ||
           call_within(call, "", "data");
}

bool jsonapi_check_relationships(struct call *call, const struct request_document *document)
{
    if (!document->relationships)
        return true;
    struct json_object_iterator i = json_object_iter_begin(document->relationships),
                                end = json_object_iter_end(document->relationships);
    for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i))
        if (!jsonapi_check_relationship(call, json_object_iter_peek_value(&i)))
            return call_within(call, "/data/relationships", json_object_iter_peek_name(&i));
    return true;
}

bool jsonapi_read_user(struct call *call, const struct request_document *document, int64_t *user_id)
{
    static const char at[] = "/data/relationships/user";
    struct json_object *relationship, *linkage;
    struct bytes type = {0}, id = {0};
    int64_t named;
    if (!document->relationships ||
        !json_object_object_get_ex(document->relationships, "user", &relationship))
        return true;
    if (!json_object_is_type(relationship, json_type_object) ||
        !json_object_object_get_ex(relationship, "data", &linkage))
        return call_fail(call, API_RELATIONSHIP_INVALID, SOURCE_POINTER, at, "The relationship has no data.");
    if (!jsonapi_read_linkage(call, linkage, "/data/relationships/user/data", &type, &id))
        return false;
    if (!bytes_equal_text(type, "users"))
        return call_fail(call, API_RELATIONSHIP_INVALID, SOURCE_POINTER, "/data/relationships/user/data/type",
                         "The type here is \"users\".");
    bool number = bytes_to_int64(id, &named);
    if (number && named == call->caller.user_id) {
        *user_id = named;
        return true;
    }
    if (call->caller.role != USER_MASTER)
        return call_fail(call, API_FORBIDDEN, SOURCE_POINTER, "/data/relationships/user/data/id",
                         "Only a Master acts for other users.");
    if (!number || !keyring_may_see(call->api->keyring, &call->caller, named))
        return call_fail(call, API_NOT_FOUND, SOURCE_POINTER, "/data/relationships/user/data/id",
                         "There is no such user.");
    *user_id = named;
    return true;
}

bool jsonapi_path_id(struct call *call, const char *what, int64_t *id)
{
    return (bytes_to_int64(call->id_text, id) && *id > 0) || call_not_found(call, what);
}
