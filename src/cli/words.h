/* words: numbers and outcomes as a person would say them. */
#pragma once
#include "failure.h"
#include "text.h"

/* The two largest units that count: "2 min 40 s", "3 d 1 h", "0.4 s". */
void words_put_duration(struct text *out, int64_t ms);
/* "once", "twice", "3 times". */
void words_put_times(struct text *out, int64_t count);
/* How an attempt ended: `reason` is a failure's name (failure.h), `status` 0 when no answer came. */
struct words_outcome {
    struct bytes reason;
    int64_t status;
    struct bytes success; /* what acknowledges, as words: "200 to 299"; len 0: 200 */
    struct bytes detail;  /* what the server says of it; len 0: nothing */
};
/* Its detail has more than the failure's own sentence, which the API gives where it has no other. */
bool words_says_more(const struct words_outcome *outcome);
/* "your server said 204; we need 200", or the detail, or the failure's sentence. No full stop. */
void words_put_outcome(struct text *out, const struct words_outcome *outcome);
/* How an answer began, a stranger's bytes, in quotes and escaped; cut at WORDS_ANSWER_MAX bytes. */
enum { WORDS_ANSWER_MAX = 1024 };
void words_put_answer(struct text *out, struct bytes answer);
/* NONE, too, for a name that this program does not know. */
enum failure words_failure(struct bytes reason);
