#include "show.h"
#include "json.h"
#include "terminal.h"
#include "text.h"

enum { LINE_LEN_MAX = 8 * 1024, LINE_MEMORY_MAX = 4 * LINE_LEN_MAX, DOCUMENT_LEN_MAX = 32 << 20 };

static struct json_object *descend(struct json_object *value, const char *path)
{
    char name[64];

    while (value && *path) {
        size_t len = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)len, path);
        value = json_get(value, name);
        path += len + (path[len] == '.');
    }
    return value;
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

void show_place(const char *place)
{
    struct colours colours = colours_for(stdout);
    printf("%s%s%s\n", colour_start(colours, COLOUR_FAINT), place, colour_end(colours));
}

void show_table(struct json_object *objects, const struct show_column *columns, size_t count)
{
    struct colours colours = colours_for(stdout);
    size_t rows = objects ? json_object_array_length(objects) : 0;

    /* Row 0 holds the titles. */
    for (size_t row = 0; row <= rows; row++) {
        struct arena arena;
        struct text line;
        size_t until = 0;
        arena_init(&arena, LINE_MEMORY_MAX);
        text_init(&line, &arena, LINE_LEN_MAX);
        for (size_t i = 0; i < count; i++) {
            if (i > 0)
                pad(&line, until);
            if (row == 0)
                text_puts(&line, columns[i].title);
            else
                put_value(&line, descend(json_object_array_get_idx(objects, row - 1), columns[i].path),
                          columns[i].sentence);
            until += (size_t)columns[i].width + 1;
        }
        printf("%s%.*s%s\n", row == 0 ? colour_start(colours, COLOUR_FAINT) : "", (int)line.len, line.data,
               row == 0 ? colour_end(colours) : "");
        arena_fini(&arena);
    }
}

void show_json(struct json_object *value)
{
    struct arena arena;
    struct text out;

    arena_init(&arena, 3 * (size_t)DOCUMENT_LEN_MAX);
    text_init(&out, &arena, DOCUMENT_LEN_MAX);
    json_put_pretty(&out, value);
    show_json_line(text_bytes(&out));
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
