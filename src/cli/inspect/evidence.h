/*
 * evidence: prints the record of a delivery's attempts for people: the address, the last try, the answer, the
 * results of the last attempts. From the API's documents; text from outside is escaped.
 */
#pragma once
#include "bytes.h"

struct json_object;

struct evidence {
    struct json_object *attributes; /* of the delivery, with its `attempts`, oldest first */
    struct bytes delivery_id;
    struct bytes url;                /* of the user as it is now; len 0: none, or not known */
    struct bytes user_id, user_name; /* whose it is; the name may be empty */
    bool is_caller;                  /* the user is who asks */
    bool for_operator;               /* the advice is for the server's operator */
};

void evidence_print(const struct evidence *evidence);
/* Prints the answer of each attempt, for `deliveries show`. */
void evidence_print_answers(struct json_object *attributes);
/* The beginning of an attempt's answer, at most WORDS_ANSWER_MAX bytes, escaped, without quotes; "": none.
 * The caller frees it. */
char *evidence_answer(struct json_object *attempt);
/* NULL: there was none. */
struct json_object *evidence_last(struct json_object *attributes);
