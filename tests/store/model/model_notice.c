/* The model's notices about endpoints, and the endpoints that get them. */
#include "model_state.h"

static const char *const model_notice_types[] = {"endpoint_failing", "endpoint_recovered",
                                                 "endpoint_disabled", "delivery_given_up"};

/* A name of the list stands for the type, and not for every type. */
static bool model_names(struct bytes list, const char *type)
{
    size_t len = strlen(type);
    while (list.len > 0) {
        struct bytes name = bytes_cut(&list, ' ');
        bool open_end = name.data[name.len - 1] == '*';
        if (open_end ? name.len > 1 && name.len - 1 <= len && memcmp(name.data, type, name.len - 1) == 0
                     : bytes_equal_text(name, type))
            return true;
    }
    return false;
}

static bool model_names_any(struct bytes list)
{
    bool any = false;
    for (int i = 0; i < NOTICE_KINDS; i++)
        any = any || model_names(list, model_notice_types[i]);
    return any;
}

bool model_gets_notice(struct store *store, const struct store_notice *notice,
                       const struct endpoint *endpoint)
{
    const struct model_row *about = model_find_endpoint(store->disk, notice->endpoint_id);
    if (endpoint->id == notice->endpoint_id)
        return false;
    if (endpoint->owner_id == about->endpoint.owner_id && model_names_any(about->endpoint.event_types))
        return false;
    return model_names(endpoint->event_types, model_notice_types[notice->kind]);
}

static bool model_somebody_asks(struct store *store, const struct model_row *about, enum notice_kind kind)
{
    int64_t owner_id = about->endpoint.owner_id,
            master_id = model_find_user(store->disk, owner_id)->master_id;
    struct store_notice notice = {.endpoint_id = about->endpoint.id, .kind = kind};
    for (int i = 0; i < store->disk->endpoint_count; i++) {
        const struct model_row *row = &store->disk->endpoints[i];
        bool meant = row->endpoint.owner_id == owner_id || row->endpoint.owner_id == master_id;
        if (meant && !row->removed && row->endpoint.url.len > 0 &&
            model_gets_notice(store, &notice, &row->endpoint))
            return true;
    }
    return false;
}

void model_notices(struct store *store, struct model_row *row, const struct store_op *op, bool given_up)
{
    const struct pace *pace = &model_view(store, row->endpoint.id)->pace;
    struct model_notice *failing = &row->notices[NOTICE_FAILING];
    int64_t now = model_service_now_ms(store);
    if (op->outcome.answered) {
        if (failing->told && model_somebody_asks(store, row, NOTICE_RECOVERED))
            row->notices[NOTICE_RECOVERED].count++;
        *failing = (struct model_notice){0};
        return;
    }
    bool counts =
        op->outcome.decision.kind == DECISION_RETRY || op->outcome.decision.kind == DECISION_GIVE_UP;
    if (!counts || row->removed)
        return;
    if (given_up && model_somebody_asks(store, row, NOTICE_GIVEN_UP))
        row->notices[NOTICE_GIVEN_UP].count++;
    bool fails = !row->endpoint.paused && pace->failures_in_a_row >= 5 && failing->due_ms <= now;
    if (op->count)
        *failing = (struct model_notice){0};
    if (op->count && model_somebody_asks(store, row, NOTICE_DISABLED))
        row->notices[NOTICE_DISABLED].count++;
    else if (!op->count && fails && model_somebody_asks(store, row, NOTICE_FAILING))
        failing->count = 1;
}

bool model_notice_told(struct store *store, const struct store_notice *told)
{
    struct model_row *row = model_find_endpoint(store->disk, told->endpoint_id);
    struct model_notice *notice = row ? &row->notices[told->kind] : NULL;
    int64_t day_ms = store->config.pace.day_ms, now = model_service_now_ms(store);
    if (!notice || notice->count == 0)
        return false;
#ifndef PLANT_NOTICE_TWICE /* as if nobody had been told */
    notice->count = notice->count > told->count ? notice->count - told->count : 0;
#endif
    notice->told = told->kind == NOTICE_FAILING;
    notice->due_ms = told->kind == NOTICE_FAILING    ? now + day_ms
                     : told->kind == NOTICE_GIVEN_UP ? now + day_ms / 1440
                                                     : 0;
    return true;
}

void model_notices_due(struct store *store, struct store_op *op)
{
    int64_t now = model_service_now_ms(store), wall = clock_wall_ms(&store->config.clock);
    op->notices.count = 0;
    for (int i = 0; i < store->disk->endpoint_count; i++)
        for (int kind = 0; kind < NOTICE_KINDS; kind++) {
            const struct model_row *row = &store->disk->endpoints[i];
            const struct model_notice *notice = &row->notices[kind];
            if (notice->count == 0 || notice->due_ms > now || op->notices.count == op->notices.room)
                continue;
            int64_t since = row->fails_since_ms ? wall - (now - row->fails_since_ms) : 0;
            bool ends = since && row->endpoint.disable_after;
            op->notices.rows[op->notices.count++] = (struct store_notice){
                .endpoint_id = row->endpoint.id,
                .owner_id = row->endpoint.owner_id,
                .kind = (enum notice_kind)kind,
                .count = notice->count,
                .paused = row->endpoint.paused,
                .disabled = row->endpoint.disabled,
                .since_ms = since,
                .disabled_at_ms = ends ? since + row->endpoint.disable_after * store->config.pace.day_ms : 0};
        }
}
