#include "dns_line.h"
#include "memory.h"
#include "owner.h"
#include <stdlib.h>

enum { EDNS_LEN_MAX = 1232, TRIES = 2 /* if no server answers */ };

struct dns_watch {
    uv_poll_t poll;
    struct dns_line *line;
    struct dns_watch *next;
    ares_socket_t fd;
};

bool dns_line_has_edns(const struct dns_line *line)
{
    struct ares_options options;
    int mask;
    if (ares_save_options(line->channel, &options, &mask) != ARES_SUCCESS)
        return true;
    bool has = options.flags & ARES_FLAG_EDNS;
    ares_destroy_options(&options);
    return has;
}

static void on_closed(uv_handle_t *timer)
{
    free(OWNER_OF(timer, struct dns_line, timer));
}

void dns_line_close(struct dns_line *line)
{
    ares_destroy(line->channel); /* drops its sockets */
    uv_close((uv_handle_t *)&line->timer, on_closed);
}

void dns_line_answered(struct dns_line *line)
{
    if (--line->running == 0)
        uv_timer_stop(&line->timer);
}

static void process(struct dns_line *line, ares_socket_t readable, ares_socket_t writable)
{
    void (*leave)(void *) = line->leave;
    void *ctx = line->ctx;
    line->enter(ctx);
    ares_process_fd(line->channel, readable, writable);
    leave(ctx);
}

static void on_timer(uv_timer_t *timer)
{
    struct dns_line *line = OWNER_OF(timer, struct dns_line, timer);
    if (!line->looked) { /* an answer that has come is read before a time-out is judged */
        line->looked = true;
        uv_timer_start(timer, on_timer, 1, 0);
        return;
    }
    line->looked = false;
    process(line, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

void dns_line_arm(struct dns_line *line)
{
    struct timeval tv;
    if (line->running == 0 || line->looked || !ares_timeout(line->channel, NULL, &tv))
        return;
    uv_timer_start(&line->timer, on_timer, (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000 + 1, 0);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct dns_watch *watch = poll->data;
    ares_socket_t fd = watch->fd;

    if (status < 0)
        events = UV_READABLE | UV_WRITABLE;
    process(watch->line, events & UV_READABLE ? fd : ARES_SOCKET_BAD,
            events & UV_WRITABLE ? fd : ARES_SOCKET_BAD);
}

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* c-ares asks to watch a socket for reading or writing; neither: it is about to close the socket. */
static void on_socket_state(void *ctx, ares_socket_t fd, int readable, int writable)
{
    struct dns_line *line = ctx;
    struct dns_watch **link = &line->watches, *watch;

    while (*link && (*link)->fd != fd)
        link = &(*link)->next;
    watch = *link;
    if (!readable && !writable) {
        if (!watch)
            return;
        *link = watch->next;
        uv_poll_stop(&watch->poll);
        uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
        return;
    }
    if (!watch) {
        watch = memory_zero(1, sizeof *watch);
        if (uv_poll_init_socket(line->loop, &watch->poll, fd) != 0) {
            free(watch); /* the look-up will time out */
            return;
        }
        watch->line = line;
        watch->fd = fd;
        watch->poll.data = watch;
        watch->next = line->watches;
        line->watches = watch;
    }
    uv_poll_start(&watch->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), on_poll);
}

int dns_line_servers(const struct dns_line *line)
{
    struct ares_addr_port_node *servers = NULL;
    int count = 0;

    if (ares_get_servers_ports(line->channel, &servers) == ARES_SUCCESS)
        for (const struct ares_addr_port_node *server = servers; server; server = server->next)
            count++;
    ares_free_data(servers);
    return count;
}

struct dns_line *dns_line_open(uv_loop_t *loop, const char *servers, int limit_ms, bool tcp)
{
    struct dns_line *line = memory_zero(1, sizeof *line);
    char lookups[] = "b";
    struct ares_options options = {.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP |
                                            (tcp ? ARES_FLAG_USEVC : ARES_FLAG_EDNS | ARES_FLAG_IGNTC),
                                   .timeout = limit_ms * 3 / 10, /* then twice that: 0.9 of the limit */
                                   .tries = TRIES,
                                   .lookups = lookups,
                                   .ednspsz = EDNS_LEN_MAX,
                                   .sock_state_cb = on_socket_state,
                                   .sock_state_cb_data = line};
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS |
               ARES_OPT_ROTATE | ARES_OPT_SOCK_STATE_CB | ARES_OPT_EDNSPSZ;

    if (ares_init_options(&line->channel, &options, mask) != ARES_SUCCESS) {
        free(line);
        return NULL;
    }
    if (servers && ares_set_servers_ports_csv(line->channel, servers) != ARES_SUCCESS) {
        ares_destroy(line->channel);
        free(line);
        return NULL;
    }
    line->loop = loop;
    line->tcp = tcp;
    uv_timer_init(loop, &line->timer);
    return line;
}
