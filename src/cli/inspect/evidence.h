/*
 * evidence: what the record of a delivery's attempts shows, in lines for people: where it went, when it was
 * last tried, what was answered, how the last attempts ended. From the API's documents; what strangers sent
 * is escaped.
 */
#pragma once
#include "bytes.h"

struct json_object;

struct evidence {
    struct json_object *attributes; /* of the delivery, with its `attempts`, oldest first */
    struct bytes delivery_id, endpoint_id;
    struct bytes url;                /* of the endpoint as it is now; len 0: none, or not known */
    struct bytes user_id, user_name; /* whose it is; the name may be empty */
    bool is_caller;                  /* the user is who asks */
    bool for_operator;               /* the advice is for whoever runs posthorn */
};

void evidence_print(const struct evidence *evidence);
/* Of each attempt with an answer what it said, for `deliveries show`. */
void evidence_print_answers(struct json_object *attributes);
/* How the answer of an attempt began, at most WORDS_ANSWER_MAX bytes, escaped, without quotes; "" for none.
 * The caller frees it. */
char *evidence_answer(struct json_object *attempt);
/* NULL: there was none. */
struct json_object *evidence_last(struct json_object *attributes);
