/*
 * /api/TYPE and /api/TYPE/ID: the latest snapshot of whatever events are about. Events that carry one keep it
 * current; a Master may put, change and remove one. Where a type has the name of a route ("users"), the route
 * keeps it, and the snapshots are at /api/resources/TYPE, as those of all types are.
 */
#include "edit.h"
#include "page.h"
#include "precondition.h"
#include "reference.h"
#include "resources.h"
#include "route.h"
#include "rules.h"

struct snapshot {
    struct page page;
    int64_t owner_id;
    struct bytes type, id;
    const struct json_value *data; /* of the change */
};

/* The path's type and id, and whose: the caller's, or with filter[user] a Master's user's. */
static struct snapshot *read_path(struct call *call, bool list)
{
    struct snapshot *snapshot = call_state(call, sizeof *snapshot);
    if (!snapshot || !jsonapi_read_owner(call, &snapshot->owner_id))
        return NULL;
    snapshot->type = call->type_text;
    snapshot->id = call->id_text;
    if (model_type_valid(snapshot->type) && (list || model_id_valid(snapshot->id)))
        return snapshot;
    call_not_found(call, "resource");
    return NULL;
}

/* ---- showing ---- */

static const char *path_of(struct call *call, struct bytes type)
{
    return call_printf(call, route_is_named(type) ? "/api/resources/%.*s" : "/api/%.*s", BYTES_ARG(type));
}

static void put_link(struct text *out, struct call *call, const struct resource *resource, bool with_query)
{
    text_printf(out, "\"links\":{\"self\":\"%s/", path_of(call, resource->type));
    query_put_encoded(out, resource->id);
    if (with_query)
        jsonapi_put_query(out, call);
    text_puts(out, "\"}");
}

static const char *etag_of(struct call *call, const struct resource *resource)
{
    return call_printf(call, "\"%lld\"", (long long)resource->version);
}

/* The snapshot as it is, and where it is; a platform's own links stay. */
static void put_resource(struct text *out, struct call *call, const struct resource *resource)
{
    struct json_reading reading;
    struct arena tree;
    arena_init(&tree, CALL_SCRATCH_LEN_MAX);
    /* Strict reading changes nothing. */
    const struct json_value *json =
        json_tree_read(&tree, (char *)resource->json.data, resource->json.len, false, &reading);
    if (!json) { /* damaged: an answer that nobody could read would hide all the others */
        text_puts(out, "{\"type\":");
        text_put_json(out, resource->type);
        text_puts(out, ",\"id\":");
        text_put_json(out, resource->id);
        text_puts(out, ",\"meta\":{\"damaged\":\"The stored snapshot is damaged and cannot be shown; "
                       "`posthorn check` finds all such.\"}");
    } else if (fieldset_find(call, resource->type)) {
        fieldset_put(out, call, json);
    } else {
        text_put(out, bytes_make(resource->json.data, resource->json.len - 1));
    }
    if (json && !json_member(json, "links")) {
        text_putc(out, ',');
        put_link(out, call, resource, false);
    }
    text_putc(out, '}');
    arena_fini(&tree);
}

/* Of the one that was read; NULL: there is none. */
static const char *read_etag(struct call *call)
{
    return call->read.answer.count ? etag_of(call, &call->read.answer.resources[0]) : NULL;
}

static bool answer_one(struct call *call, int status, const struct resource *resource)
{
    struct text out, meta;
    call->etag = etag_of(call, resource);
    jsonapi_begin(&out, &call->scratch);
    text_init(&meta, &call->request->arena, 256);
    text_putc(&out, ',');
    put_link(&out, call, resource, true);
    text_puts(&out, ",\"data\":");
    put_resource(&out, call, resource);
    text_printf(&meta, "\"user\":\"%lld\",\"event\":", (long long)resource->owner_id);
    if (resource->event_id)
        text_printf(&meta, "\"%lld\",", (long long)resource->event_id);
    else
        text_puts(&meta, "null,");
    text_puts(&meta, "\"updated_at\":");
    jsonapi_put_instant(&meta, resource->updated_at_ms);
    jsonapi_end(&out, call, text_bytes(&meta));
    return jsonapi_answer(call, status, &out);
}

static struct store_query query_of(const struct snapshot *snapshot)
{
    return (struct store_query){.kind = STORE_GET_RESOURCE,
                                .owner_id = snapshot->owner_id,
                                .resource_type = snapshot->type,
                                .resource_id = snapshot->id,
                                .limit = 1};
}

static bool show(struct call *call)
{
    const struct store_answer *answer = &call->read.answer;
    if (answer->count == 0)
        return call_not_found(call, "resource");
    return answer_one(call, 200, &answer->resources[0]);
}

bool snapshots_show(struct call *call)
{
    const struct snapshot *snapshot = read_path(call, false);
    if (!snapshot)
        return false;
    struct store_query query = query_of(snapshot);
    return call_query(call, &query, false, show);
}

/* An empty list of a type that nobody has heard of is rather a mistyped path. */
static bool is_known(struct call *call, struct bytes type)
{
    int count;
    const struct reference_type *types = reference_types(call->api->reference, &count);
    for (int i = 0; i < count; i++)
        if (bytes_equal(types[i].resource, type))
            return true;
    return false;
}

static bool show_list(struct call *call)
{
    const struct snapshot *snapshot = call->state;
    const struct store_answer *answer = &call->read.answer;
    struct page_rows rows = {.more = answer->more};
    struct text out;
    if (!answer->count && !snapshot->page.cursor.len && !is_known(call, snapshot->type))
        return call_not_found(call, "path, nor a resource of this type");
    jsonapi_begin(&out, &call->scratch);
    text_puts(&out, ",\"data\":[");
    for (int i = 0; i < answer->count && !rows.cut; i++) {
        const struct resource *resource = &answer->resources[page_row(&snapshot->page, answer, i)];
        text_puts(&out, i ? "," : "");
        put_resource(&out, call, resource);
        if (!rows.first.len)
            rows.first = resource->id;
        rows.last = resource->id;
        rows.cut = out.len > CALL_ANSWER_LEN_MAX / 2 && i + 1 < answer->count;
    }
    text_putc(&out, ']');
    page_put_end(&out, call, path_of(call, snapshot->type), &snapshot->page, &rows);
    return jsonapi_answer(call, 200, &out);
}

bool snapshots_list(struct call *call)
{
    struct snapshot *snapshot = read_path(call, true);
    if (!snapshot)
        return false;
    const char *name =
        call_printf(call, "%lld %.*s", (long long)snapshot->owner_id, BYTES_ARG(snapshot->type));
    if (!page_read(call, name, &snapshot->page))
        return false;
    struct store_query query = {
        .kind = STORE_LIST_RESOURCES, .owner_id = snapshot->owner_id, .resource_type = snapshot->type};
    return page_query(call, &snapshot->page, &query, false, show_list);
}

/* ---- what a Master does ---- */

static bool check_master(struct call *call)
{
    return call_is_masters(call) || call_fail(call, API_FORBIDDEN, SOURCE_HEADER, "Authorization",
                                              "Only a Master may change resources. Events change them too.");
}

/* The body is about the path's resource; its `user` relationship, if it has one, says whose that is. */
static bool read_change(struct call *call, struct snapshot *snapshot, struct request_document *document)
{
    struct bytes id;
    if (!jsonapi_read(call, call_printf(call, "%.*s", BYTES_ARG(snapshot->type)), document))
        return false;
    snapshot->data = document->data;
    const struct json_value *value = json_member(document->data, "id");
    if (value && (!jsonapi_id(value, &id) || !bytes_equal(id, snapshot->id)))
        return call_fail(call, API_ID_CONFLICT, SOURCE_POINTER, "/data/id",
                         "The id must be the one in the path. It may also be left out.");
    if (!rules_check_resource(call, document->data))
        return call_within(call, "", bytes_of("data"));
    return jsonapi_read_user(call, document, &snapshot->owner_id);
}

/* The resource object as it will be kept. */
static struct bytes render(struct call *call, const struct json_value *resource)
{
    static const char *const members[] = {"attributes", "relationships", "links", "meta"};
    const struct snapshot *snapshot = call->state;
    struct text out;
    text_init(&out, &call->scratch, CALL_ANSWER_LEN_MAX);
    text_puts(&out, "{\"type\":");
    text_put_json(&out, snapshot->type);
    text_puts(&out, ",\"id\":");
    text_put_json(&out, snapshot->id);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const struct json_value *value = json_member(resource, members[i]);
        if (!value)
            continue;
        text_printf(&out, ",\"%s\":", members[i]);
        json_tree_put(&out, value);
    }
    text_putc(&out, '}');
    return out.overflow ? (struct bytes){0} : text_bytes(&out);
}

static bool submit(struct call *call, struct bytes json, int64_t if_version, call_step *then)
{
    const struct snapshot *snapshot = call->state;
    if (!json.data || json.len > MODEL_BODY_LEN_MAX)
        return call_too_large(call);
    call->write.op =
        (struct store_op){.kind = STORE_RESOURCE_PUT,
                          .resource = {.resource = {.owner_id = snapshot->owner_id,
                                                    .type = snapshot->type,
                                                    .id = snapshot->id,
                                                    .json = json,
                                                    .updated_at_ms = clock_wall_ms(&call->api->config.clock)},
                                       .if_version = if_version}};
    return call_write(call, then);
}

static bool start(struct call *call, call_step *change, call_step *done)
{
    return edit_start(call, &(struct edit){.what = "resource",
                                           .query = query_of(call->state),
                                           .etag = read_etag,
                                           .change = change,
                                           .done = done});
}

/* The row that was read; NULL after call_fail. */
static const struct resource *read_resource(struct call *call)
{
    if (call->read.answer.count)
        return &call->read.answer.resources[0];
    call_not_found(call, "resource");
    return NULL;
}

static bool written(struct call *call)
{
    const struct store_op *op = &call->write.op;
    if (op->result == STORE_QUOTA)
        return call_fail_quota(call, op->resource.resource.owner_id, &op->reached);
    if (op->result != STORE_DONE)
        return call_not_found(call, "user");
    const struct resource *resource = &op->resource.resource;
    if (op->count) {
        struct text location;
        text_init(&location, &call->request->arena, 1024);
        text_printf(&location, "%s/", path_of(call, resource->type));
        query_put_encoded(&location, resource->id);
        call_header(call, "Location", text_bytes(&location));
    }
    return answer_one(call, op->count ? 201 : 200, resource);
}

static bool replace(struct call *call)
{
    const struct store_answer *answer = &call->read.answer;
    const struct snapshot *snapshot = call->state;
    int64_t if_version = answer->count ? answer->resources[0].version : 0;
    return submit(call, render(call, snapshot->data), if_version, edit_written);
}

bool snapshots_put(struct call *call)
{
    struct request_document document;
    struct snapshot *snapshot = check_master(call) ? read_path(call, false) : NULL;
    if (!snapshot || !read_change(call, snapshot, &document))
        return false;
    if (precondition_is_given(call->request))
        return start(call, replace, written);
    return submit(call, render(call, document.data), -1, written);
}

/* Members that are given replace those of the same name; others stay. */
static bool merge(struct arena *arena, struct json_value *resource, const struct json_value *change,
                  const char *part)
{
    struct json_value *into = json_member_of_kind(resource, part, JSON_OBJECT);
    const struct json_value *from = json_member_of_kind(change, part, JSON_OBJECT);
    bool done = true;
    if (from && !into) {
        into = json_add_object(arena, resource, part);
        done = into != NULL;
    }
    for (const struct json_value *member = from ? from->first : NULL; member && done; member = member->next)
        done = json_set_member(arena, into, member);
    return done;
}

static bool update(struct call *call)
{
    struct json_reading reading;
    const struct resource *resource = read_resource(call);
    if (!resource)
        return false;
    const struct json_value *change = ((struct snapshot *)call->state)->data;
    struct arena *arena = &call->scratch;
    struct json_value *merged =
        json_tree_read(arena, (char *)resource->json.data, resource->json.len, false, &reading);
    if (!merged || !merge(arena, merged, change, "attributes") ||
        !merge(arena, merged, change, "relationships") || !merge(arena, merged, change, "links") ||
        !merge(arena, merged, change, "meta"))
        return call_too_large(call);
    if (!rules_check_fields(call, json_member(merged, "attributes"), json_member(merged, "relationships"))) {
        call->failure.source = "/data"; /* one of the two is in what was there before */
        return false;
    }
    return submit(call, render(call, merged), resource->version, edit_written);
}

bool snapshots_update(struct call *call)
{
    struct request_document document;
    struct snapshot *snapshot = check_master(call) ? read_path(call, false) : NULL;
    return snapshot && read_change(call, snapshot, &document) && start(call, update, written);
}

static bool remove_it(struct call *call)
{
    const struct snapshot *snapshot = call->state;
    const struct resource *resource = read_resource(call);
    if (!resource)
        return false;
    call->write.op = (struct store_op){
        .kind = STORE_RESOURCE_DELETE,
        .resource = {.resource = {.owner_id = snapshot->owner_id, .type = snapshot->type, .id = snapshot->id},
                     .if_version = resource->version}};
    return edit_write(call);
}

static bool removed(struct call *call)
{
    return call->write.op.result == STORE_DONE ? call_answer(call, 204, (struct bytes){0})
                                               : call_not_found(call, "resource");
}

bool snapshots_delete(struct call *call)
{
    return check_master(call) && read_path(call, false) && start(call, remove_it, removed);
}
