/* show: JSON:API documents on stdout, for people as a table and for programs as they are. */
#pragma once
#include "bytes.h"
#include <stddef.h>

struct json_object;

struct show_column {
    const char *title;
    const char *path; /* "attributes.event_type"; a linkage {type, id} is shown as type/id */
    int width;
    bool sentence; /* one of the server's, in which what came from strangers is escaped already */
};

/* A line an object, under a line of titles. What comes from strangers is made printable. */
void show_table(struct json_object *objects, const struct show_column *columns, size_t count);
/* A faint line above a table: where it comes from. */
void show_place(const char *place);
/* Indented; what comes from strangers is escaped as JSON has it, and stays what it is for programs. */
void show_json(struct json_object *value);
/* JSON that is text already, the same way, and a line end. */
void show_json_line(struct bytes json);
