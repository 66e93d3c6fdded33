/* outcomes: counts and prints the outcomes of the events that posthorn trigger sends. */
#include "trigger.h"

#include "command.h"
#include "show.h"
#include "words.h"

enum { FAILURES_SHOWN_MAX = 5 };

void outcomes_begin(struct trigger *trigger)
{
    int64_t total = trigger->times * trigger->examples.count * (trigger->duplicate ? 2 : 1);

    trigger->outcomes = (struct trigger_outcomes){0};
    progress_begin(&trigger->progress, trigger->times > 1 ? total : 0);
    trigger->outcomes.begun_ms = clock_mono_ms(&trigger->progress.clock);
}

static void count(struct trigger_outcomes *outcomes, const char *outcome)
{
    size_t i = 0, last = sizeof outcomes->rows / sizeof *outcomes->rows - 1;

    while (i < last && outcomes->rows[i].outcome && strcmp(outcomes->rows[i].outcome, outcome) != 0)
        i++;
    outcomes->rows[i].outcome = outcome;
    outcomes->rows[i].count++;
}

static void print_line(const struct trigger *trigger, const struct outcomes_entry *entry)
{
    struct line line, answer;
    struct text *text = line_begin(&line);

    if (trigger->invocation->json) {
        text_puts(text, "{\"event_type\":");
        text_put_json(text, entry->event_type);
        text_printf(text, ",\"id\":\"%s\",\"status\":%d,\"outcome\":\"%s\"", entry->id, entry->status,
                    entry->outcome);
        if (entry->answer.len > 0) {
            text_put_printable(line_begin(&answer), entry->answer);
            text_puts(text, ",\"answer\":");
            text_put_json(text, text_bytes(&answer.text));
            line_drop(&answer);
        }
        text_putc(text, '}');
    } else {
        text_printf(text, "%s%3d %-9s%s ",
                    colour_start(trigger->colours, entry->good ? COLOUR_GOOD : COLOUR_BAD), entry->status,
                    entry->outcome, colour_end(trigger->colours));
        text_put_printable(text, entry->event_type);
        text_printf(text, " %s%s%s", entry->id, entry->sentence ? ": " : "",
                    entry->sentence ? entry->sentence : "");
        if (entry->answer.len > 0) {
            text_puts(text, "\n    it said ");
            words_put_answer(text, entry->answer);
        }
        if (entry->remedy && *entry->remedy)
            text_printf(text, "\n    %s", entry->remedy);
    }
    line_print(&line, stdout);
}

void outcomes_add(struct trigger *trigger, const struct outcomes_entry *entry)
{
    struct trigger_outcomes *outcomes = &trigger->outcomes;

    outcomes->sent++;
    outcomes->failed += !entry->good;
    count(outcomes, entry->outcome);
    if (trigger->times == 1 || trigger->invocation->json ||
        (!entry->good && outcomes->failed <= FAILURES_SHOWN_MAX)) {
        progress_clear(&trigger->progress);
        print_line(trigger, entry);
    }
    if (trigger->progress.total > 0)
        progress_step(&trigger->progress);
}

int outcomes_end(struct trigger *trigger)
{
    const struct trigger_outcomes *outcomes = &trigger->outcomes;

    progress_clear(&trigger->progress);
    if (trigger->times > 1 && !trigger->invocation->json) {
        int64_t took_ms = clock_mono_ms(&trigger->progress.clock) - outcomes->begun_ms;
        printf("%lld sent in %lld.%01lld s:", (long long)outcomes->sent, (long long)(took_ms / 1000),
               (long long)(took_ms % 1000 / 100));
        for (size_t i = 0; i < sizeof outcomes->rows / sizeof *outcomes->rows && outcomes->rows[i].outcome;
             i++)
            printf("%s %lld %s", i ? "," : "", (long long)outcomes->rows[i].count, outcomes->rows[i].outcome);
        printf("\n");
    }
    return outcomes->failed == 0 ? EXIT_DONE : EXIT_FAILED;
}
