/*
 * shape: what the resources of one type look like. A table for each type has a row for each field; the table
 * reads a request into a struct, writes a struct as a resource object, and leaves out what fields[TYPE] does
 * not name. (A field is an attribute or a relationship: JSON:API 1.1 section 7.2.2.)
 *
 * A row also says what a description of the API needs: the kind, whether it may be null, who may write it and
 * when, its maximum and its values. The words about it are found by the type and the name.
 */
#pragma once
#include "jsonapi.h"
#include <stddef.h>

enum field_kind {
    FIELD_TEXT,    /* struct bytes; len 0: null */
    FIELD_CHARS,   /* an array of char; "": null */
    FIELD_FLAG,    /* bool */
    FIELD_CHOICE,  /* bool or an enum from 0 on: the place of its text in `choices` */
    FIELD_INTEGER, /* int, int32_t or int64_t; with FIELD_NULLABLE 0 is null; with `choices` it may be a word
                    */
    FIELD_INSTANT, /* int64_t, wall clock; 0: null */
    FIELD_JSON,    /* as `put` writes it and `schema` describes it */
    FIELD_LIST,    /* an array, as `put` writes it: of texts, or of what `schema` describes */
    FIELD_SHOWN_ONCE,  /* a secret: call->shown_once, and left out where that is NULL */
    FIELD_TO_ONE,      /* a relationship: int64_t, the id of a resource of the type `related`; 0: null */
    FIELD_RELATIONSHIP /* any other, as `put` writes it */
};

enum field_flags {
    FIELD_ON_CREATE = 1, /* a request may give it, else it is read-only */
    FIELD_ON_UPDATE = 2,
    FIELD_ALWAYS = FIELD_ON_CREATE | FIELD_ON_UPDATE,
    FIELD_NULLABLE = 4,
    FIELD_WRITE_ONLY = 8,   /* in no answer */
    FIELD_NULL_CLEARS = 16, /* null may be written, and is never shown */
    FIELD_REQUIRED = 32,    /* in a request that makes one */
    FIELD_IGNORED = 64      /* a request may have it, with any value */
};

struct field {
    const char *name, *pointer;
    enum field_kind kind;
    unsigned flags;
    size_t offset, size;      /* in the struct */
    size_t len_max;           /* of a text in a request, bytes */
    int64_t minimum, maximum; /* of a number in a request; of a list: how many */
    const char *pattern;      /* ECMA-262, escaped for JSON, of a text in a request, or of those in a list;
                                 NULL: no control bytes, or any if it has a read */
    const char *schema; /* its name in components.schemas of openapi.json; of a relationship: in answers */
    const char *const *choices;
    int choices_given;   /* so many of them, the first, may be given in a request; 0: all */
    const char *rule;    /* what is told of a value that is none of its choices, or out of its range */
    const char *related; /* the type at the other end; NULL: any */
    /* In the place of its kind's own; `place` is where the value goes. False after call_fail. */
    bool (*read)(struct call *call, const struct field *field, struct json_value *value, void *place);
    void (*put)(struct text *out, const struct call *call, const void *row);
    bool (*is_shown)(const struct call *call, const void *row); /* NULL: always */
};
#define FIELD_NO_MEMBER(field_name, field_kind, field_flags)                                                 \
    .name = (field_name), .pointer = "/data/attributes/" field_name, .kind = (field_kind),                   \
    .flags = (field_flags)
/* The row of a member of a struct; more columns may follow by name. */
#define FIELD(field_name, field_kind, field_flags, type, member)                                             \
    FIELD_NO_MEMBER(field_name, field_kind, field_flags), .offset = offsetof(type, member),                  \
                                                          .size = sizeof(((type *)0)->member)

/* 422 at the field, with this detail. */
#define field_fail(call, field, ...)                                                                         \
    call_fail(call, API_ATTRIBUTE_INVALID, SOURCE_POINTER, (field)->pointer, __VA_ARGS__)

enum { SHAPE_FIELDS_MAX = 32 /* a bit for each */ };

struct shape {
    const char *type;
    const char *self, *related; /* links, with :id where the id goes; NULL: it has none */
    size_t size;                /* of the struct */
    size_t place;               /* of the int64_t in it that its lists are in the order of */
    void (*put_id)(struct text *out, const void *row);   /* NULL: the struct begins with an int64_t, the id */
    void (*put_self)(struct text *out, const void *row); /* NULL: as `self` says */
    const char *meta;             /* the schema of the resource's own meta; NULL: it has none */
    bool has_other_relationships; /* than those of the table */
    int field_count;
    const struct field *fields;
};
/* The columns that every shape has. */
#define SHAPE(type_name, row_type, table)                                                                    \
    .type = (type_name), .size = sizeof(row_type), .field_count = sizeof(table) / sizeof *(table),           \
    .fields = (table)
/* The tables of all types, in order; NULL behind the last. They stand above, beside the table of routes. */
const struct shape *shape_at(int index);
/* For put_id, when the struct begins with struct bytes, the id. */
void shape_put_text_id(struct text *out, const void *row);

/* Reads every attribute that the request has: 422 for one without a row, 403 for one that may not be written
 * then (FIELD_ON_CREATE or FIELD_ON_UPDATE). *given gets a bit for each row that was read. */
bool shape_read(struct call *call, const struct shape *shape, const struct request_document *document,
                unsigned when, void *row, unsigned *given);
/* Whether the attribute of this name is among the given. */
bool shape_gave(const struct shape *shape, unsigned given, const char *name);
/* Copies the given fields. */
void shape_apply(const struct shape *shape, unsigned given, const void *from, void *to);

/* Appends the resource object. */
void shape_put(struct text *out, const struct call *call, const struct shape *shape, const void *row);
/* Appends its attributes as an object, whole. */
void shape_put_attributes(struct text *out, const struct call *call, const struct shape *shape,
                          const void *row);
/* A document with one resource, but for its end. */
void shape_begin_document(struct text *out, struct call *call, const struct shape *shape, const void *row);
/* Answers with one; meta as in jsonapi_end. */
bool shape_answer(struct call *call, int status, const struct shape *shape, const void *row,
                  struct bytes meta);
