/* posthorn trigger --to: pushes examples to a URL, without a server. */
#include "trigger.h"

#include "command.h"
#include "instant.h"
#include "json_c.h"
#include "push.h"
#include "remedy.h"
#include "text.h"

enum { ROUND_LEN_MAX = 64 << 20 };

/* Renders in the order of the examples, so that ids and dates do not depend on the order of sending. */
static bool render_round(const struct trigger *trigger, struct push *push, struct arena *arena,
                         struct push_event events[EXAMPLES_EVENTS_MAX])
{
    for (int i = 0; i < trigger->examples.count; i++)
        if (!push_render(push, arena, trigger->examples.documents[i], &events[i])) {
            command_failed(trigger->invocation, "an event is larger than 1 MiB");
            return false;
        }
    return true;
}

static void push_one(struct trigger *trigger, struct push *push, const struct push_event *event,
                     struct json_object *document)
{
    struct push_outcome outcome;

    push_send(push, event, &outcome);
    struct outcomes_entry entry = {.event_type = examples_event_type(document), .id = event->id};
    entry.status = outcome.status;
    entry.good = outcome.failure == FAILURE_NONE && outcome.status == 200;
    if (outcome.failure != FAILURE_NONE) {
        entry.outcome = failure_name(outcome.failure);
        entry.sentence = outcome.detail[0] ? outcome.detail : failure_sentence(outcome.failure);
    } else {
        entry.outcome = entry.good ? "delivered"
                                   : failure_name(outcome.status / 100 == 3 ? FAILURE_REDIRECT
                                                                            : FAILURE_UNEXPECTED_STATUS);
        entry.sentence = entry.good          ? NULL
                         : outcome.detail[0] ? outcome.detail
                                             : "only 200 acknowledges; the server would try again";
    }
    if (!entry.good) {
        entry.answer = bytes_make(outcome.answer, outcome.answer_len);
        entry.remedy = remedy_of(&(struct words_outcome){
            .reason = bytes_of(entry.outcome), .status = outcome.status, .detail = bytes_of(outcome.detail)});
    }
    outcomes_add(trigger, &entry);
}

int trigger_push(struct trigger *trigger)
{
    struct push_event events[EXAMPLES_EVENTS_MAX];
    struct arena arena;
    struct push *push;
    int code = push_open(trigger->invocation, trigger->to, trigger->api_key, &trigger->secrets,
                         trigger->signatures, NULL, &push);
    bool rendered = true;

    if (code != EXIT_DONE)
        return code;
    arena_init(&arena, ROUND_LEN_MAX);
    outcomes_begin(trigger);
    for (int64_t round = 0; round < trigger->times && rendered; round++) {
        arena_reset(&arena);
        rendered = render_round(trigger, push, &arena, events);
        for (int turn = 0; turn < trigger->examples.count && rendered; turn++) {
            int index = trigger_turn(trigger, turn);
            for (int i = 0; i < (trigger->duplicate ? 2 : 1); i++)
                push_one(trigger, push, &events[index], trigger->examples.documents[index]);
        }
    }
    arena_fini(&arena);
    push_close(push);
    code = outcomes_end(trigger);
    return rendered ? code : EXIT_FAILED;
}
