/*
 * jsonapi: the documents of JSON:API 1.1, read strictly and written.
 */
#pragma once
#include "call.h"

/* ---- reading a body ---- */

struct request_document {
    struct json_value *root, *data;
    struct json_value *attributes, *relationships; /* NULL when absent */
    const char *attributes_at, *relationships_at;  /* pointers to them, or to the nearest thing there is */
};

/* Content type, JSON, `data` with its type, objects where objects must be. Warnings of the lenient reading
 * and of members nobody knows go to the call. The tree is on the request's arena and views its body. */
bool jsonapi_read(struct call *call, const char *type, struct request_document *document);

/* The same of one line of a batch, its tree on an arena of its own: `text` ends with a NUL, its line number
 * is call->line, and the content type has been seen to. */
bool jsonapi_read_line(struct call *call, struct arena *arena, struct bytes text, const char *type,
                       struct request_document *document);
/* Warns of members that JSON:API allows and that are not kept: links, meta, and the lid. */
void jsonapi_warn_ignored(struct call *call, const struct request_document *document);
/* Content-Encoding is refused: 415. */
bool jsonapi_check_encoding(struct call *call);

/* How much of a name that somebody sent is repeated in an answer. */
int jsonapi_shown_len(struct bytes name);

/* The value of `value` as text of at most len_max bytes without control bytes; null gives len 0. 422. */
bool jsonapi_read_text(struct call *call, const struct json_value *value, const char *pointer, size_t len_max,
                       struct bytes *text);
bool jsonapi_read_bool(struct call *call, const struct json_value *value, const char *pointer, bool *flag);

/* An id as a string or as an integer, as text. False: neither (nothing is recorded). */
bool jsonapi_id(const struct json_value *value, struct bytes *id);
/* `data.id`, where there is one, must be this id: 409. */
bool jsonapi_check_id(struct call *call, const struct request_document *document, int64_t id);
/* A new resource's id is ours to choose: 403. */
bool jsonapi_refuse_id(struct call *call, const struct request_document *document);

/* 422 with this detail when the request has any. */
bool jsonapi_refuse_relationships(struct call *call, const struct request_document *document,
                                  const char *detail);

/* A resource identifier: `type` and `id`, else 422. An integer id is replaced by its text in place. */
bool jsonapi_read_linkage(struct call *call, struct json_value *linkage, const char *pointer,
                          struct bytes *type, struct bytes *id);
/* The `user` relationship: a user the caller may act for. *user_id stays as it is when there is none. Regular
 * naming another 403, a Master naming nobody of theirs 404. */
bool jsonapi_read_user(struct call *call, const struct request_document *document, int64_t *user_id);

/* The path's id, decimal. False: there is no such resource (404 with `what`). */
bool jsonapi_path_id(struct call *call, const char *what, int64_t *id);

/* ---- what is asked for ---- */

/* The relationships named in `include`, as bits of their places in `names` (which ends with NULL). Any other:
 * 400. */
bool jsonapi_read_include(struct call *call, const char *const *names, unsigned *wanted);
/* filter[user] for Masters: a user the caller may see, else 404; absent: the caller. Regular: itself only. */
bool jsonapi_read_owner(struct call *call, int64_t *owner_id);

/* ---- writing ---- */

/* The rows' arena, for an answer that is made from what a query returned. */
void jsonapi_begin(struct text *out, struct arena *arena);
/* The request's own parameters, behind a `?`, for a document's `self`. */
void jsonapi_put_query(struct text *out, const struct call *call);
/* `,"links":{"self":"/api/events/7?include=resource"}`, where `path` ends with a slash. */
void jsonapi_put_self(struct text *out, const struct call *call, const char *path, int64_t id);
/* `,"meta":{...}}`: members (already JSON, may be empty) and the call's warnings. */
void jsonapi_end(struct text *out, struct call *call, struct bytes meta_members);
/* A JSON string, null when it is empty; a date, null when it is 0. */
void jsonapi_put_text(struct text *out, struct bytes value);
void jsonapi_put_instant(struct text *out, int64_t wall_ms);
/* Answers with what was written, or 413 when it did not fit. */
bool jsonapi_answer(struct call *call, int status, const struct text *out);

/* ---- sparse fieldsets ---- */

/* The names after fields[TYPE]; NULL: it was not asked for, and all fields are shown. */
const struct bytes *fieldset_find(const struct call *call, struct bytes type);
bool fieldset_has(const struct bytes *names, struct bytes name); /* NULL has all */
/* Appends a resource object that was stored, without its last brace. Its members are those of the tree. */
void fieldset_put(struct text *out, const struct call *call, const struct json_value *resource);
