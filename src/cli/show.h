/* show: output for people (lines, tables) and for programs (JSON). Text from outside is escaped. */
#pragma once
#include "text.h"
#include <stdio.h>

struct json_object;
struct json_value;

/* A line of at most 16 KiB. One write prints it, so that lines of several threads stay whole. */
struct line {
    struct arena arena;
    struct text text;
};
/* The text to append to. */
struct text *line_begin(struct line *line);
/* With a line end. Frees the line. */
void line_print(struct line *line, FILE *out);
void line_drop(struct line *line);

struct show_column {
    const char *title; /* NULL ends the list of columns */
    const char *path;  /* "attributes.event_type"; a linkage {type, id} is shown as type/id */
    int width;
    bool sentence; /* from the server, which has escaped text from outside */
};

/* A line for each object, under a line of titles. Text from outside is escaped. */
void show_table(struct json_object *objects, const struct show_column *columns);
/* A table of one object. */
void show_one(struct json_object *object, const struct show_column *columns);
/* A faint line above a table: its server. */
void show_place(const char *place);
/* Indented. Text from outside gets JSON's escapes, so its meaning stays. */
void show_json(struct json_object *value);
void show_json_tree(const struct json_value *value);
/* The same for JSON that is already text, and a line end. */
void show_json_line(struct bytes json);
