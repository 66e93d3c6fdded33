#include "failure.h"
#include <assert.h>
#include <string.h>

struct description {
    const char *name, *sentence;
    enum failure_class class;
};

#define DESCRIPTION(symbol, name, class, sentence) {name, sentence, FAILURE_CLASS_##class},
static const struct description descriptions[FAILURE_COUNT] = {FAILURE_LIST(DESCRIPTION)};
#undef DESCRIPTION

static const struct description *describe(enum failure failure)
{
    assert((unsigned)failure < FAILURE_COUNT);
    return &descriptions[failure];
}

const char *failure_name(enum failure failure)
{
    return describe(failure)->name;
}

const char *failure_sentence(enum failure failure)
{
    return describe(failure)->sentence;
}

enum failure_class failure_class_of(enum failure failure)
{
    return describe(failure)->class;
}

enum failure failure_parse(const char *name)
{
    for (int i = 0; i < FAILURE_COUNT; i++)
        if (strcmp(descriptions[i].name, name) == 0)
            return (enum failure)i;
    return FAILURE_COUNT;
}
