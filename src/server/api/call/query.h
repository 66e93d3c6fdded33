/*
 * query: the query string of a request, decoded and strict. Each route says which parameters it knows; any
 * other one, a repeated one (but `endpoint`, whose values are joined by commas) and a malformed escape are
 * errors (mission: "Unknown query parameters are 400").
 */
#pragma once
#include "arena.h"
#include "text.h"

#define QUERY_PARAMETER_LIST(X)                                                                              \
    X(EVENT_TYPE, "filter[event_type]")                                                                      \
    X(RESOURCE_TYPE, "filter[resource_type]")                                                                \
    X(RESOURCE_ID, "filter[resource_id]")                                                                    \
    X(SECTION, "filter[section]")                                                                            \
    X(STATUS, "filter[status]")                                                                              \
    X(USER, "filter[user]")                                                                                  \
    X(STATE, "filter[state]")                                                                                \
    X(TO_ENDPOINT, "filter[endpoint]")                                                                       \
    X(REASON, "filter[reason]")                                                                              \
    X(SINCE, "filter[since]")                                                                                \
    X(UNDELIVERED, "filter[undelivered]")                                                                    \
    X(SORT, "sort")                                                                                          \
    X(INCLUDE, "include")                                                                                    \
    X(FIELDS, "fields[TYPE]")                                                                                \
    X(ENDPOINT, "endpoint")                                                                                  \
    X(PAGE_SIZE, "page[size]")                                                                               \
    X(PAGE_AFTER, "page[after]")                                                                             \
    X(PAGE_BEFORE, "page[before]")

#define QUERY_ENUM(symbol, name) QUERY_##symbol,
enum query_parameter { QUERY_PARAMETER_LIST(QUERY_ENUM) QUERY_PARAMETER_COUNT };
#undef QUERY_ENUM

#define QUERY_BIT(parameter) (1u << (parameter))

enum { QUERY_FIELDSETS_MAX = 8 };

/* fields[payments]=state,amount */
struct query_fieldset {
    struct bytes name; /* fields[payments] */
    struct bytes type, names;
};

struct query {
    unsigned given; /* QUERY_BITs */
    struct bytes values[QUERY_PARAMETER_COUNT];
    struct query_fieldset fieldsets[QUERY_FIELDSETS_MAX];
    int fieldset_count;
};

enum query_error { QUERY_OK, QUERY_MALFORMED, QUERY_UNKNOWN, QUERY_REPEATED };

const char *query_name(enum query_parameter parameter);
static inline bool query_has(const struct query *query, enum query_parameter parameter)
{
    return (query->given & QUERY_BIT(parameter)) != 0;
}

/* `name` is the parameter that is wrong, decoded as far as it could be. */
enum query_error query_parse(struct arena *arena, struct bytes text, unsigned allowed, struct query *query,
                             struct bytes *name);

/* Writes the parameters that were given, but those of the QUERY_BITs in `left_out`, each behind *separator:
 * '?' before the first, '&' from then on. */
void query_put(struct text *out, const struct query *query, unsigned left_out, char *separator);
void query_put_parameter(struct text *out, char *separator, struct bytes name, struct bytes value);
/* Percent-encodes all but RFC 3986's unreserved characters. */
void query_put_encoded(struct text *out, struct bytes value);
/* Percent-decoding into the arena, RFC 3986; `plus` reads + as a space, as forms do. data == NULL: a bad
 * escape, a NUL, not UTF-8, or too large. */
struct bytes query_decode(struct arena *arena, struct bytes text, bool plus);
