#include "words.h"

#include <stdio.h>

void words_put_duration(struct text *out, int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
    enum { COUNT = sizeof units / sizeof *units };

    if (ms < 1000) {
        text_printf(out, "0.%lld s", (long long)(ms < 0 ? 0 : ms / 100));
        return;
    }
    int first = 0;
    while (ms < units[first].ms)
        first++;
    text_printf(out, "%lld %s", (long long)(ms / units[first].ms), units[first].name);
    if (first + 1 == COUNT)
        return;
    int64_t rest = ms % units[first].ms / units[first + 1].ms;
    if (rest > 0)
        text_printf(out, " %lld %s", (long long)rest, units[first + 1].name);
}

void words_put_times(struct text *out, int64_t count)
{
    if (count == 1 || count == 2)
        text_puts(out, count == 1 ? "once" : "twice");
    else
        text_printf(out, "%lld times", (long long)count);
}

enum failure words_failure(struct bytes reason)
{
    char name[64];

    snprintf(name, sizeof name, "%.*s", BYTES_ARG(reason));
    enum failure failure = failure_parse(name);
    return failure == FAILURE_COUNT ? FAILURE_NONE : failure;
}

bool words_says_more(const struct words_outcome *outcome)
{
    const char *sentence = failure_sentence(words_failure(outcome->reason));
    return outcome->detail.len > 0 && !bytes_equal_text(outcome->detail, sentence);
}

void words_put_outcome(struct text *out, const struct words_outcome *outcome)
{
    enum failure failure = words_failure(outcome->reason);
    bool answered = failure == FAILURE_NONE || failure == FAILURE_UNEXPECTED_STATUS;
    bool more = words_says_more(outcome);
    char status[16];

    if (answered && outcome->status > 0) {
        text_printf(out, "your server said %lld", (long long)outcome->status);
        if (failure == FAILURE_UNEXPECTED_STATUS)
            text_printf(out, "; we need %.*s",
                        BYTES_ARG(outcome->success.len ? outcome->success : bytes_of("200")));
        if (failure == FAILURE_UNEXPECTED_STATUS && more) {
            text_puts(out, "; ");
            text_put_escaped(out, outcome->detail);
        }
    } else if (failure != FAILURE_NONE) {
        const char *sentence = failure_sentence(failure);
        text_put_escaped(out, more ? outcome->detail : bytes_of(sentence));
        snprintf(status, sizeof status, "%lld", (long long)outcome->status);
        if (outcome->status > 0 && (more || !strstr(sentence, status)))
            text_printf(out, " (%s)", status);
    } else {
        text_put_printable(out, outcome->reason);
    }
}

void words_put_answer(struct text *out, struct bytes answer)
{
    bool cut = answer.len > WORDS_ANSWER_MAX;

    text_put_quoted(out, bytes_make(answer.data, cut ? WORDS_ANSWER_MAX : answer.len));
    text_puts(out, cut ? "..." : "");
}
