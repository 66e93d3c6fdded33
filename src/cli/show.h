/* show: output for people (lines, tables) and for programs (JSON). What comes from strangers is escaped. */
#pragma once
#include "text.h"
#include <stdio.h>

struct json_object;
struct json_value;

/* A line in the making: at most 16 KiB, for one write, so that lines of several threads stay whole. */
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
    bool sentence; /* one of the server's, in which what came from strangers is escaped already */
};

/* A line an object, under a line of titles. What comes from strangers is made printable. */
void show_table(struct json_object *objects, const struct show_column *columns);
/* A faint line above a table: where it comes from. */
void show_place(const char *place);
/* Indented; what comes from strangers is escaped as JSON has it, and stays what it is for programs. */
void show_json(struct json_object *value);
void show_json_tree(const struct json_value *value);
/* JSON that is text already, the same way, and a line end. */
void show_json_line(struct bytes json);
