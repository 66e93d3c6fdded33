#include "routing.h"
#include "notice.h"
#include <assert.h>

struct routing_terms routing_terms(bool by_master, int64_t producer_id, int64_t producer_master_id,
                                   int64_t owner_id)
{
    return (struct routing_terms){.names_owner = producer_master_id != 0 || owner_id != producer_id,
                                  .owner_only = !by_master,
                                  .changes_resources = by_master};
}

/* ---- by its endpoints ---- */

const char *const routing_verdict_names[] = {"type", "channel", "filter", NULL};

bool routing_type_listed(struct bytes event_type, struct bytes event_types)
{
    while (event_types.len > 0) {
        struct bytes name = bytes_cut(&event_types, ' ');
        bool open_end = name.len > 0 && name.data[name.len - 1] == '*';
        size_t len = name.len - open_end;
        if ((open_end ? event_type.len >= len : event_type.len == len) &&
            memcmp(event_type.data, name.data, len) == 0)
            return true;
    }
    return false;
}

static bool asks_by_name(struct bytes event_type, struct bytes event_types)
{
    while (event_types.len > 0) {
        struct bytes name = bytes_cut(&event_types, ' ');
        if (!bytes_equal_text(name, "*") && routing_type_listed(event_type, name))
            return true;
    }
    return false;
}

bool routing_asks_for_notices(struct bytes event_types)
{
    for (int kind = 0; kind < NOTICE_KINDS; kind++)
        if (asks_by_name(bytes_of(notice_names[kind]), event_types))
            return true;
    return false;
}

bool routing_channels_meet(struct bytes of_event, struct bytes of_endpoint)
{
    if (of_endpoint.len == 0)
        return true;
    while (of_endpoint.len > 0) {
        struct bytes label = bytes_cut(&of_endpoint, ' '), rest = of_event;
        while (rest.len > 0)
            if (bytes_equal(bytes_cut(&rest, ' '), label))
                return true;
    }
    return false;
}

static enum routing_verdict judge_wishes(struct routing_event *event, const struct routing_wishes *wishes)
{
    if (wishes->event_types.len > 0 && !routing_type_listed(event->event_type, wishes->event_types))
        return ROUTING_TYPE;
    if (!routing_channels_meet(event->channels, wishes->channels))
        return ROUTING_CHANNEL;
    bool differs = wishes->filter && filter_judge(wishes->filter, event->document, &event->steps,
                                                  &event->differs) == FILTER_DIFFERS;
    return differs ? ROUTING_FILTER : ROUTING_SENT;
}

bool routing_asks_for(const struct routing_event *event, const struct routing_endpoint *endpoint)
{
    bool own = endpoint->user_id == event->owner_id;
    if (endpoint->id == event->notice->about_id || (own && event->notice->about_asks))
        return false;
    return endpoint->wishes && asks_by_name(event->event_type, endpoint->wishes->event_types);
}

static enum routing_verdict judge_notice(struct routing_event *event, const struct routing_endpoint *endpoint)
{
    if (!routing_asks_for(event, endpoint))
        return ROUTING_NOT_ASKED;
    return endpoint->has_url ? judge_wishes(event, endpoint->wishes) : ROUTING_NO_URL;
}

enum routing_verdict routing_judge(struct routing_event *event, const struct routing_endpoint *endpoint)
{
    bool own = endpoint->user_id == event->owner_id;
    if (!own && endpoint->user_id != event->master_id)
        return ROUTING_FOREIGN;
    if (event->notice)
        return judge_notice(event, endpoint);
    if (!own && event->owner_only)
        return ROUTING_OWNER_ONLY;
    if (!own && !endpoint->receives_users_events)
        return ROUTING_NOT_ASKED;
    if (!endpoint->has_url)
        return ROUTING_NO_URL;
    return endpoint->wishes ? judge_wishes(event, endpoint->wishes) : ROUTING_SENT;
}

bool routing_is_unmatched(enum routing_verdict verdict)
{
    return verdict >= ROUTING_TYPE;
}

static char *append(char *at, struct bytes piece)
{
    memcpy(at, piece.data, piece.len);
    return at + piece.len;
}

size_t routing_put_unmatched(char *out, bool first, struct routing_unmatched unmatched)
{
    char digits[BYTES_INT64_LEN_MAX], *at = out;
    assert(routing_is_unmatched(unmatched.verdict));
    if (!first)
        *at++ = ' ';
    at = append(at, bytes_from_int64(unmatched.endpoint_id, digits));
    *at++ = ':';
    at = append(at, bytes_of(routing_verdict_names[unmatched.verdict - ROUTING_TYPE]));
    if (unmatched.is_masters)
        at = append(at, bytes_of(":master"));
    return (size_t)(at - out);
}

bool routing_next_unmatched(struct bytes *rest, struct routing_unmatched *unmatched)
{
    if (rest->len == 0)
        return false;
    struct bytes whose = bytes_cut(rest, ' ');
    bool sound = bytes_to_int64(bytes_cut(&whose, ':'), &unmatched->endpoint_id);
    struct bytes name = bytes_cut(&whose, ':');
    unmatched->is_masters = bytes_equal_text(whose, "master");
    for (int i = 0; sound && (whose.len == 0 || unmatched->is_masters) && routing_verdict_names[i]; i++)
        if (bytes_equal_text(name, routing_verdict_names[i])) {
            unmatched->verdict = (enum routing_verdict)(ROUTING_TYPE + i);
            return true;
        }
    return false;
}

/* ---- by its snapshots ---- */

const struct resource *routing_own_snapshot(const struct event *event, const struct resource *included,
                                            int count)
{
    for (int i = 0; i < count; i++)
        if (bytes_equal(included[i].type, event->resource_type) &&
            bytes_equal(included[i].id, event->resource_id))
            return &included[i];
    return NULL;
}
