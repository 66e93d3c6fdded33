/*
 * filter: does an event's document match a pattern? Pure.
 *
 * A pattern is a JSON object in the style of EventBridge event patterns. Its members name members of the
 * document. The value of a member is either a pattern for the object there, or an array of alternatives for
 * the value there. An alternative is a text, a number, true, false or null, which must be equal, or
 *
 *   {"prefix": "pay"}, {"suffix": "_ok"}       of a text
 *   {"anything-but": V}                        V: a text, a number, an array of them, a prefix or a suffix
 *   {"numeric": [">", 0, "<=", 5]}             one or two of = < <= > >=, and a number behind each
 *   {"exists": true}, {"exists": false}        the member is there (null included), or is not
 *
 * All members must match, of each member one alternative. The member "$or" is an array of patterns for the
 * same object, of which one must match. An array in the document matches if one of its elements does; so all
 * that a pattern says of an object in an array is said of the same element. A member that is not there
 * matches {"exists": false} alone. Numbers are compared by value (decimal.h), texts byte for byte after
 * their escapes.
 *
 * Cost: one pass over the members that the pattern names, for each place in the pattern that names them;
 * what is not named is skipped. Steps bound it for all filters of an event together. A filter that they
 * do not suffice for is FILTER_UNJUDGED, and the event is sent: nothing is lost because it was costly.
 */
#pragma once
#include "json_tree.h"

enum {
    FILTER_LEN_MAX = 4096,           /* bytes of a pattern, as JSON; the caller looks */
    FILTER_LEVELS_MAX = 8,           /* objects within objects, "$or" included */
    FILTER_MEMBERS_MAX = 512,        /* that a pattern names on one level */
    FILTER_STEPS_MAX = 1 << 16,      /* for all filters of an event: about a millisecond */
    FILTER_POINTER_LEN_MAX = 6 << 10 /* of a place in a pattern */
};

struct filter;
struct filter_member; /* of a pattern */

struct filter_problem {
    const char *pointer; /* JSON pointer of the place in the pattern; "" is the whole */
    const char *detail;  /* a sentence: what must stand there */
};

/* On the arena, where it views the pattern's texts: these must live as long. NULL: `problem` says why; its
 * pointer is on the arena. `problem->pointer` NULL: the arena is full. */
const struct filter *filter_compile(struct arena *arena, const struct json_value *pattern,
                                    struct filter_problem *problem);

enum filter_verdict {
    FILTER_MATCHES,
    FILTER_DIFFERS,
    FILTER_UNJUDGED /* the steps were used up, or the document is no JSON: damaged in the store */
};

/* `steps` is FILTER_STEPS_MAX for the first filter of an event, and is counted down. If the verdict is
 * FILTER_DIFFERS and `member` is not NULL, it gets the member of the pattern that did not match first, for
 * filter_pointer; NULL there: a "$or". */
enum filter_verdict filter_judge(const struct filter *filter, struct bytes document, int64_t *steps,
                                 const struct filter_member **member);

/* The JSON pointer of that member, on the arena. NULL: the arena is full. */
const char *filter_pointer(struct arena *arena, const struct filter_member *member);
