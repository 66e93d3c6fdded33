/*
 * json: the strict check of a JSON text, with the position and likely fix of an error.
 *
 * json_check scans the whole text once: UTF-8 without BOM, lone surrogates, duplicate members,
 * depth, number syntax, trailing bytes. With `lenient`, comments and trailing commas (nothing
 * else, mission row 41) are overwritten with spaces in place and reported as warnings. Integers
 * beyond 64 bits are refused. json_tree.h reads a text; the commands read theirs with json_c.h.
 */
#pragma once
#include "arena.h"
#include "text.h"

enum json_error {
    JSON_OK,
    JSON_EMPTY,     /* nothing but white space */
    JSON_SYNTAX,    /* with the position and the expected token */
    JSON_ENCODING,  /* BOM, UTF-16, bad UTF-8, lone surrogate, NUL */
    JSON_DUPLICATE, /* the same member twice */
    JSON_DEPTH,     /* deeper than 64 */
    JSON_MEMBERS,   /* more than 10,000 members and elements in all */
    JSON_RANGE,     /* an integer beyond 64 bits: the API answers 422 for this one */
    JSON_TRAILING   /* bytes after the document */
};

enum { JSON_DEPTH_MAX = 64, JSON_MEMBERS_MAX = 10000 };

struct json_problem {
    enum json_error error;
    int line, column; /* from 1; column counts bytes */
    char detail[160]; /* "line 11, column 39: a comma is missing before \"created_at\"" */
};

struct json_warning {
    int line, column;
    enum { JSON_WARNING_COMMENT, JSON_WARNING_TRAILING_COMMA } kind;
};

enum { JSON_WARNINGS_MAX = 16 };

struct json_reading {
    struct json_problem problem;
    struct json_warning warnings[JSON_WARNINGS_MAX];
    int warning_count; /* may be larger than the array; the rest is only counted */
};

/* `text` is modified only when lenient. */
enum json_error json_check(char *text, size_t len, bool lenient, struct json_reading *reading);
const char *json_error_code(enum json_error error); /* "json_syntax", ... */
