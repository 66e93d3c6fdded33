#include "push_settings.h"

static const struct push_settings defaults;

#define SUM_NOTHING(name, max)
#define SUM_BYTES(name, max) +(max)
_Static_assert(0 PUSH_SETTINGS_LIST(SUM_NOTHING, SUM_BYTES, SUM_BYTES) < PUSH_SETTINGS_LEN_MAX, "they fit");

bool push_settings_equal(const struct push_settings *a, const struct push_settings *b)
{
#define AND_NUMBER(name, max) &&a->name == b->name
#define AND_BYTES(name, max)  &&bytes_equal(a->name, b->name)
    return true PUSH_SETTINGS_LIST(AND_NUMBER, AND_BYTES, AND_BYTES);
}

size_t push_settings_size(const struct push_settings *settings)
{
#define ADD_NOTHING(name, max)
#define ADD_BYTES(name, max) +settings->name.len
    return push_settings_equal(settings, &defaults)
               ? 0
               : sizeof *settings PUSH_SETTINGS_LIST(ADD_NOTHING, ADD_BYTES, ADD_BYTES);
}

static inline char *place(char *at, struct bytes from, struct bytes *to)
{
    if (from.len > 0)
        memcpy(at, from.data, from.len);
    *to = bytes_make(at, from.len);
    return at + from.len;
}

const struct push_settings *push_settings_copy(const struct push_settings *settings, void *memory)
{
    struct push_settings *copy = memory;
    char *at = (char *)(copy + 1);
    *copy = *settings;
#define COPY_NOTHING(name, max)
#define COPY_BYTES(name, max) at = place(at, settings->name, &copy->name);
    PUSH_SETTINGS_LIST(COPY_NOTHING, COPY_BYTES, COPY_BYTES)
    (void)at;
    return copy;
}

const struct push_settings *push_settings_of(const struct push_settings *settings)
{
    return settings ? settings : &defaults;
}
