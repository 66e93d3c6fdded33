/* filter_parts: a compiled pattern, which pattern.c makes and filter.c judges by. */
#pragma once
#include "filter.h"

enum filter_test_kind {
    TEST_TEXT,
    TEST_NUMBER,
    TEST_WORD,
    TEST_PREFIX,
    TEST_SUFFIX,
    TEST_NUMERIC,
    TEST_EXISTS,
    TEST_ABSENT,
    TEST_ANYTHING_BUT
};

enum filter_relation {
    RELATION_EQUAL,
    RELATION_LESS,
    RELATION_LESS_EQUAL,
    RELATION_MORE,
    RELATION_MORE_EQUAL
};

/* One alternative. */
struct filter_test {
    enum filter_test_kind kind;
    struct bytes text;             /* a text, decoded; a number or a word (true, false, null), as written */
    enum filter_relation relation; /* NUMERIC */
    /* NUMERIC: the other end, which must hold too. ANYTHING_BUT: the first of those that must not. */
    const struct filter_test *inner;
    const struct filter_test *next;
};

/* A member that the pattern names. */
struct filter_member {
    struct bytes name;
    int place;                        /* of its bit, on its level */
    bool absent_matches;              /* what is true of it when the document has no such member */
    const struct filter_test *tests;  /* or */
    const struct filter_level *below; /* a pattern for the object there */
    const struct filter_member *above;
    const struct filter_member *next; /* of the level */
};

/* The conditions on the members of a level. */
struct filter_term {
    enum { TERM_MEMBER, TERM_ALL, TERM_ANY } kind;
    const struct filter_member *member;
    const struct filter_term *first, *next;
};

/* A pattern for one object. The members of the patterns in its "$or" are members of the same level, so that
 * one pass over the object answers for all. */
struct filter_level {
    const struct filter_member *members;
    int count;
    const struct filter_term *term;
    bool absent_matches;
};

struct filter {
    struct filter_level level;
};

/* Is the term true, by the bits of its level's members? bits NULL: those when no member is there. */
bool filter_term_holds(const struct filter_term *term, const uint64_t *bits);
