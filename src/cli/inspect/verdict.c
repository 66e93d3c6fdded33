#include "verdict.h"
#include "failure.h"
#include "remedy.h"

const char *verdict_hold_name(enum verdict_hold hold)
{
    static const char *const names[] = {NULL, "no_url", "paused", "disabled", "no_key"};
    return names[hold];
}

static bool is_state(const struct verdict *verdict, const char *name)
{
    return bytes_equal_text(verdict->state, name);
}

static bool has_outcome(const struct verdict *verdict)
{
    return verdict->last.reason.len > 0 || verdict->last.status > 0;
}

static enum failure_class class_of(const struct verdict *verdict)
{
    return failure_class_of(words_failure(verdict->last.reason));
}

/* " Last: your server said 204; we need 200." */
static void put_last(struct text *out, const struct verdict *verdict)
{
    if (!has_outcome(verdict))
        return;
    enum failure_class class = class_of(verdict);
    text_puts(out, class == FAILURE_CLASS_POLICY ? " Last: blocked before anything was sent: " : " Last: ");
    words_put_outcome(out, &verdict->last);
    text_putc(out, '.');
    if (class == FAILURE_CLASS_OURS)
        text_puts(out, " That is our own fault, and uses up none of your tries.");
    if (class == FAILURE_CLASS_CROSSED)
        text_puts(out, " It is sent again at once, and that uses up none of your tries.");
}

static void put_remedy(struct text *out, const struct verdict *verdict)
{
    const char *remedy = remedy_of(&verdict->last);
    if (*remedy)
        text_printf(out, " %s", remedy);
}

/* " Held: endpoint 7 is paused since 2026-01-31T12:00:00.000Z." */
static void put_paused(struct text *out, const struct verdict *verdict)
{
    bool disabled = verdict->hold == VERDICT_DISABLED;
    text_printf(out, " Held: endpoint %.*s is %s", BYTES_ARG(verdict->endpoint_id),
                disabled ? "disabled" : "paused");
    if (verdict->paused_at.len)
        text_printf(out, " since %.*s", BYTES_ARG(verdict->paused_at));
    if (bytes_equal_text(verdict->disabled_reason, "gone"))
        text_puts(out, ", as it answered 410 (gone)");
    else if (bytes_equal_text(verdict->disabled_reason, "failing"))
        text_puts(out, ", as it had only failed for the days of its disable_after");
    else if (verdict->disabled_reason.len)
        text_printf(out, " (%.*s)", BYTES_ARG(verdict->disabled_reason));
    text_printf(out, ". `posthorn endpoints %s %.*s` sends it.", disabled ? "enable" : "resume",
                BYTES_ARG(verdict->endpoint_id));
}

static void put_hold(struct text *out, const struct verdict *verdict)
{
    switch (verdict->hold) {
    case VERDICT_NOT_HELD:
        break;
    case VERDICT_NO_URL:
        if (verdict->is_default)
            text_puts(out, " Held: there is no webhook_url. It is sent as soon as one is set.");
        else
            text_printf(out, " Held: endpoint %.*s has no url. It is sent as soon as one is set.",
                        BYTES_ARG(verdict->endpoint_id));
        break;
    case VERDICT_PAUSED:
    case VERDICT_DISABLED:
        put_paused(out, verdict);
        break;
    case VERDICT_NO_KEY:
        text_puts(out, " Held: the user has no active API key, and WEBHOOK-AUTH is made from one. It is sent "
                       "as soon as there is a key.");
    }
}

static void put_next(struct text *out, const struct verdict *verdict)
{
    if (verdict->in_flight) {
        text_puts(out, verdict->attempt_count ? " The next try is under way." : " A try is under way.");
    } else if (verdict->hold != VERDICT_NOT_HELD) {
        put_hold(out, verdict);
    } else if (verdict->next_ms > 0) {
        text_puts(out, " Next try in ");
        words_put_duration(out, verdict->next_ms);
        text_putc(out, '.');
    } else if (verdict->next_ms == 0) {
        text_puts(out, " Next try as soon as its turn comes.");
    }
}

static void put_pending(struct text *out, const struct verdict *verdict)
{
    if (verdict->attempt_count > 0) {
        text_puts(out, "Tried ");
        words_put_times(out, verdict->attempt_count);
        text_putc(out, '.');
    } else {
        text_puts(out, "Not sent yet.");
    }
    put_last(out, verdict);
    put_next(out, verdict);
    put_remedy(out, verdict);
}

/* "Given up after 14 tries, 3 d 1 h after the first one, at 2000-01-04T01:00:00.000Z." */
static void put_end(struct text *out, const char *how, const struct verdict *verdict)
{
    int64_t count = verdict->attempt_count - verdict->again_count;
    if (count <= 0)
        text_printf(out, verdict->overtaken ? "%s while it was being sent" : "%s before it was sent", how);
    else if (count == 1)
        text_printf(out, is_state(verdict, "delivered") ? "%s at the first try" : "%s after one try", how);
    else
        text_printf(out, "%s after %lld tries", how, (long long)count);
    if (count > 1 && verdict->took_ms >= 1000) {
        text_puts(out, ", ");
        words_put_duration(out, verdict->took_ms);
        text_puts(out, " after the first one");
    }
    if (verdict->finished_at.len > 0)
        text_printf(out, ", at %.*s", BYTES_ARG(verdict->finished_at));
    text_putc(out, '.');
    if (verdict->again_count == 0 && !verdict->resending)
        put_last(out, verdict);
}

/* Facts that do not change the verdict. */
static void put_again(struct text *out, const struct verdict *verdict)
{
    if (verdict->again_count > 0) {
        text_puts(out, " Sent again since, ");
        words_put_times(out, verdict->again_count);
        text_putc(out, '.');
        put_last(out, verdict);
    }
    if (verdict->resending) {
        text_puts(out, " It is to be sent once more.");
        put_next(out, verdict);
    }
}

static void put_overtaken(struct text *out, const struct verdict *verdict)
{
    if (!verdict->overtaken)
        return;
    text_puts(out, " A send was under way when it was cancelled: ");
    words_put_outcome(out, &verdict->after_all);
    text_putc(out, '.');
}

void verdict_put(struct text *out, const struct verdict *verdict)
{
    if (is_state(verdict, "delivered")) {
        put_end(out, "Delivered", verdict);
        put_again(out, verdict);
        put_overtaken(out, verdict);
        if (verdict->request_unread)
            text_puts(
                out,
                " It answered before it had taken most of the request: does your handler read the body?");
    } else if (is_state(verdict, "given_up")) {
        put_end(out, "Given up", verdict);
        put_remedy(out, verdict);
        text_printf(out, " It is kept: POST /api/deliveries/%.*s/resend starts again.",
                    BYTES_ARG(verdict->delivery_id));
    } else if (is_state(verdict, "cancelled")) {
        put_end(out, "Cancelled", verdict);
        put_overtaken(out, verdict);
        text_printf(out, " POST /api/deliveries/%.*s/resend sends it after all.",
                    BYTES_ARG(verdict->delivery_id));
    } else if (is_state(verdict, "skipped")) {
        text_puts(out, "Sent to nobody: no webhook_url was set when it came.");
        text_puts(out, verdict->hold == VERDICT_NO_URL ? " Set one, and then" : " With one set,");
        text_printf(out, " POST /api/deliveries/%.*s/resend sends it.", BYTES_ARG(verdict->delivery_id));
    } else {
        put_pending(out, verdict);
    }
}

void verdict_put_not_sent(struct text *out, struct bytes endpoint_id, struct bytes reason,
                          struct bytes event_type)
{
    static const struct {
        const char *reason, *sentence;
    } rows[] = {{"channel", "its channels and those of the event have none in common"},
                {"filter", "its filter does not match"},
                {"created_later", "it was created later"},
                {"no_url", "it had no url when the event came"},
                {"ping", "a ping goes to one endpoint alone"},
                {"notice",
                 "a notice goes to the endpoints that ask for it by name, but for the one that it is about"}};
    text_puts(out, "Not sent to endpoint ");
    text_put_printable(out, endpoint_id);
    text_puts(out, ": ");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (bytes_equal_text(reason, rows[i].reason))
            text_puts(out, rows[i].sentence);
    if (bytes_equal_text(reason, "type")) {
        text_puts(out, "its event_types do not name ");
        text_put_printable(out, event_type);
    }
    text_putc(out, '.');
}
