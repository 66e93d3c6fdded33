/* words: numbers and outcomes in words for people. */
#pragma once
#include "failure.h"
#include "text.h"

/* In the two largest units: "2 min 40 s", "3 d 1 h", "0.4 s". */
void words_put_duration(struct text *out, int64_t ms);
/* "once", "twice", "3 times". */
void words_put_times(struct text *out, int64_t count);
/* The outcome of an attempt. `reason`: a failure's name (failure.h); `status` 0: no answer. */
struct words_outcome {
    struct bytes reason;
    int64_t status;
    struct bytes success; /* the statuses that acknowledge: "200 to 299"; len 0: 200 */
    struct bytes detail;  /* the server's detail; len 0: none */
};
/* True: its detail is more than the failure's own sentence, which the API gives without a better one. */
bool words_says_more(const struct words_outcome *outcome);
/* "your server said 204; we need 200", or the detail, or the failure's sentence. No full stop. */
void words_put_outcome(struct text *out, const struct words_outcome *outcome);
/* The beginning of an answer, in quotes and escaped; cut at WORDS_ANSWER_MAX bytes. */
enum { WORDS_ANSWER_MAX = 1024 };
void words_put_answer(struct text *out, struct bytes answer);
/* NONE also for an unknown name. */
enum failure words_failure(struct bytes reason);
