#include "json_builder.h"

void json_builder_name(struct json_builder *builder, struct bytes name, bool plain)
{
    builder->name = name;
    builder->name_plain = plain;
}

static struct json_value *add(struct json_builder *builder, enum json_kind kind)
{
    struct json_value *parent = builder->depth ? builder->open[builder->depth - 1] : NULL;
    struct json_value *value = arena_zero(builder->arena, sizeof *value);
    if (!value) {
        builder->full = true;
        return NULL;
    }
    value->kind = kind;
    if (!parent) {
        builder->root = value;
        return value;
    }
    if (parent->kind == JSON_OBJECT) {
        value->name = builder->name;
        value->name_plain = builder->name_plain;
    }
    if (parent->last)
        parent->last->next = value;
    else
        parent->first = value;
    parent->last = value;
    parent->count++;
    return value;
}

void json_builder_value(struct json_builder *builder, enum json_kind kind, struct bytes text, bool plain)
{
    struct json_value *value = builder->full ? NULL : add(builder, kind);
    if (!value)
        return;
    value->text = text;
    value->text_plain = plain;
}

void json_builder_open(struct json_builder *builder, enum json_kind kind)
{
    struct json_value *value = builder->full ? NULL : add(builder, kind);
    if (value)
        builder->open[builder->depth++] = value;
}

void json_builder_close(struct json_builder *builder)
{
    if (!builder->full)
        builder->depth--;
}
