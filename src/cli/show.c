#include "show.h"
#include "json_c.h"
#include "json_tree.h"
#include "terminal.h"
#include "text.h"

enum { LINE_LEN_MAX = 16 * 1024, DOCUMENT_LEN_MAX = 32 << 20 };

struct text *line_begin(struct line *line)
{
    arena_init(&line->arena, 4 * (size_t)LINE_LEN_MAX);
    text_init(&line->text, &line->arena, LINE_LEN_MAX);
    return &line->text;
}

void line_print(struct line *line, FILE *out)
{
    fprintf(out, "%.*s\n", (int)line->text.len, line->text.len ? line->text.data : "");
    fflush(out);
    line_drop(line);
}

void line_drop(struct line *line)
{
    arena_fini(&line->arena);
}

static void put_value(struct text *line, struct json_object *value, bool sentence)
{
    struct bytes type, id;

    if (json_get_text(value, "type", &type) && json_get_text(value, "id", &id)) {
        text_put_printable(line, type);
        text_putc(line, '/');
        text_put_printable(line, id);
    } else if (value) {
        struct bytes text = bytes_of(json_object_get_string(value));
        if (sentence)
            text_put_escaped(line, text);
        else
            text_put_printable(line, text);
    } else {
        text_putc(line, '-');
    }
}

static void pad(struct text *line, size_t until)
{
    do
        text_putc(line, ' ');
    while (line->len < until);
}

void show_one(struct json_object *object, const struct show_column *columns)
{
    struct json_object *one = json_object_new_array();
    json_object_array_add(one, json_object_get(object));
    show_table(one, columns);
    json_object_put(one);
}

void show_place(const char *place)
{
    struct colours colours = colours_for(stdout);
    printf("%s%s%s\n", colour_start(colours, COLOUR_FAINT), place, colour_end(colours));
}

void show_table(struct json_object *objects, const struct show_column *columns)
{
    struct colours colours = colours_for(stdout);
    size_t rows = objects ? json_object_array_length(objects) : 0;

    /* Row 0 has the titles. */
    for (size_t row = 0; row <= rows; row++) {
        struct line line;
        struct text *text = line_begin(&line);
        size_t until = 0;
        text_puts(text, row == 0 ? colour_start(colours, COLOUR_FAINT) : "");
        size_t front = text->len;
        for (const struct show_column *column = columns; column->title; column++) {
            if (column > columns)
                pad(text, front + until);
            if (row == 0)
                text_puts(text, column->title);
            else
                put_value(text, json_at(json_object_array_get_idx(objects, row - 1), column->path),
                          column->sentence);
            until += (size_t)column->width + 1;
        }
        text_puts(text, row == 0 ? colour_end(colours) : "");
        line_print(&line, stdout);
    }
}

static void show_indented(struct bytes compact)
{
    struct arena arena;
    struct text out;

    arena_init(&arena, 3 * (size_t)DOCUMENT_LEN_MAX);
    text_init(&out, &arena, DOCUMENT_LEN_MAX);
    json_put_indented(&out, compact);
    show_json_line(text_bytes(&out));
    arena_fini(&arena);
}

void show_json(struct json_object *value)
{
    show_indented(json_text(value));
}

void show_json_tree(const struct json_value *value)
{
    struct arena arena;
    struct text out;

    arena_init(&arena, 3 * (size_t)DOCUMENT_LEN_MAX);
    text_init(&out, &arena, DOCUMENT_LEN_MAX);
    json_tree_put(&out, value);
    show_indented(text_bytes(&out));
    arena_fini(&arena);
}

void show_json_line(struct bytes json)
{
    struct arena arena;
    struct text out;

    arena_init(&arena, 3 * (size_t)DOCUMENT_LEN_MAX);
    text_init(&out, &arena, DOCUMENT_LEN_MAX);
    text_put_json_shown(&out, json);
    printf("%.*s\n", (int)out.len, out.data);
    arena_fini(&arena);
}
