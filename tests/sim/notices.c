/*
 * Notices: in some seeds an endpoint of the Master asks for all. It is paused, so that they wait and the rest
 * of the world goes on as without them. Each is written twice, as after a commit of unknown fate.
 */
#include "body.h"
#include "sim.h"
#include <assert.h>

enum { NOTICES_MAX = 32 };

/* In every eleventh seed. */
void notices_populate(struct sim *sim)
{
    if (sim->seed % 11 != 6)
        return;
    struct store_op op = {.kind = STORE_ENDPOINT_CREATE};
    op.endpoint.endpoint = (struct endpoint){.owner_id = sim->receivers[0].user_id,
                                             .url = bytes_of("https://asker.example/"),
                                             .event_types = bytes_of("endpoint_* delivery_given_up"),
                                             .paused = true};
    bool made = disk_write_op(sim, &sim->nodes[0], &op);
    assert(made && op.result == STORE_DONE);
    (void)made;
    sim->asker_id = op.id;
}

static struct store_op event_of(struct sim *sim, const struct node *node, const struct store_notice *notice)
{
    struct text text;
    int64_t wall_ms = node_wall_ms(node);
    struct store_op op = {.kind = STORE_EVENT};
    op.event.event = (struct event){.owner_id = notice->owner_id,
                                    .event_type = bytes_of(notice_names[notice->kind]),
                                    .created_at_ms = wall_ms,
                                    .received_at_ms = wall_ms};
    arena_reset(&sim->oracle.arena);
    text_init(&text, &sim->oracle.arena, DOCUMENT_LEN_MAX);
    body_render(&text,
                &(struct body_parts){.event_type = op.event.event.event_type, .created_at_ms = wall_ms},
                &op.event.event.stamp_offset);
    op.event.event.document = text_bytes(&text);
    op.event.requester_id = notice->owner_id;
    op.event.notice = notice;
    return op;
}

static void tell(struct sim *sim, struct node *node, const struct store_notice *notice)
{
    struct store_op op = event_of(sim, node, notice), again = op;
    if (!disk_write_op(sim, node, &op) || op.result != STORE_DONE)
        return;
    sim_trace(sim, node->number, "notice", "endpoint", notice->endpoint_id, "kind", notice->kind, "count",
              notice->count);
    sim->oracle.told[notice->kind] += notice->count;
    sim->oracle.notices++;
    if (disk_write_op(sim, node, &again) && again.result == STORE_DONE)
        sim_fail(sim, "notices", "endpoint %lld: notice %d was told twice", (long long)notice->endpoint_id,
                 notice->kind);
}

void notices_tell(struct sim *sim, struct node *node)
{
    struct store_notice rows[NOTICES_MAX];
    struct store_op op = {.kind = STORE_NOTICES, .notices = {.rows = rows, .room = NOTICES_MAX}};
    if (!sim->asker_id || !disk_write_op(sim, node, &op))
        return;
    for (int i = 0; i < op.notices.count; i++)
        tell(sim, node, &rows[i]);
}

void notices_at_end(struct sim *sim)
{
    struct node *node = sim->nodes;
    while (node < sim->nodes + sim->node_count && !node->store)
        node++;
    if (!sim->asker_id || node == sim->nodes + sim->node_count)
        return;
    sim->now_ms += DAY; /* what was put off is due */
    notices_tell(sim, node);
    const struct oracle *oracle = &sim->oracle;
    if (oracle->told[NOTICE_GIVEN_UP] != oracle->given_up)
        sim_fail(sim, "notices", "%lld deliveries were given up, and %lld were told",
                 (long long)oracle->given_up, (long long)oracle->told[NOTICE_GIVEN_UP]);
    if (oracle->told[NOTICE_DISABLED] != oracle->disabled)
        sim_fail(sim, "notices", "endpoints were disabled %lld times, and %lld were told",
                 (long long)oracle->disabled, (long long)oracle->told[NOTICE_DISABLED]);
}
