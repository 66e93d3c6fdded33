/* The results, from their list in posthorn.h: names, sentences, and HTTP statuses. */
#include "posthorn.h"

static const struct {
    const char *name, *sentence;
    int http;
} results[POSTHORN_RESULT_COUNT] = {
#define RESULT_ROW(symbol, name, http, sentence) {name, sentence, http},
    POSTHORN_RESULTS(RESULT_ROW)
#undef RESULT_ROW
};

static bool known(enum posthorn_result result)
{
    return (unsigned)result < POSTHORN_RESULT_COUNT;
}

const char *posthorn_result_name(enum posthorn_result result)
{
    return known(result) ? results[result].name : "unknown";
}

const char *posthorn_result_sentence(enum posthorn_result result)
{
    return known(result) ? results[result].sentence : "unknown result";
}

int posthorn_http_status(enum posthorn_result result)
{
    return known(result) ? results[result].http : 500;
}
