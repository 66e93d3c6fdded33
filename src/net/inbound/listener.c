#include "listener.h"
#include "exchange.h"
#include "listener_inbox.h"
#include "listener_loop.h"
#include "listener_socket.h"
#include "listener_tls.h"
#include "memory.h"
#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

enum { CLOSE_WAIT_MS_MAX = 5000 /* for clients that read their last answer slowly */ };

void listener_answer(struct listener_request *request, const struct listener_reply *reply)
{
    struct exchange *exchange = (struct exchange *)request;
    struct listener_loop *loop = exchange->loop;
    struct listener *listener = loop->listener;
    assert(reply->status >= 200 && reply->status <= 599);
    assert(!exchange->reply_head.data);
    exchange_render(exchange, reply);
    int phase = atomic_exchange(&exchange->phase, EXCHANGE_ANSWERED);
    /* The exchange may be freed from here on, unless it was suspended: its loop then waits for the message.
     */
    assert(phase == EXCHANGE_HANDLING || phase == EXCHANGE_SUSPENDED);
    if (phase == EXCHANGE_SUSPENDED)
        listener_inbox_answered(loop, exchange);
    atomic_fetch_sub(&listener->in_hand, 1);
}

enum listener_error listener_open(const struct listener_config *config, struct listener **out)
{
    assert(config->handle && config->threads >= 1 && config->connections_max >= 1);
    assert(config->tls.cert ? config->handshakes_max > 0 : !config->tls.client_ca);
    struct listener *listener = memory_zero(1, sizeof *listener);
    listener->config = *config;
    struct tls *tls = NULL;
    enum listener_error error = listener_socket(config->listen, &listener->fd, listener->address);
    if (error == LISTENER_OK && !listener_tls_open(config, &tls)) {
        close(listener->fd);
        error = LISTENER_TLS;
    }
    if (error != LISTENER_OK) {
        free(listener);
        return error;
    }
    listener->scope = listener_describe(listener->fd, listener->local);
    listener->secure = tls != NULL;
    listener->loop_count = config->threads;
    listener->loops = memory_zero((size_t)config->threads, sizeof *listener->loops);
    bool started = true;
    /* The door opens last, when every loop runs. */
    for (int i = config->threads - 1; i >= 0; i--)
        started = listener_loop_start(&listener->loops[i], listener, tls, i == 0) && started;
    tls_free(tls);
    if (!started) {
        listener_close(listener);
        return LISTENER_FAILED;
    }
    *out = listener;
    return LISTENER_OK;
}

const char *listener_address(const struct listener *listener)
{
    return listener->address;
}

const char *listener_local(const struct listener *listener)
{
    return listener->local;
}

const char *listener_scope(const struct listener *listener)
{
    return listener->scope;
}

bool listener_secure_again(struct listener *listener, const struct listener_files *files)
{
    struct tls *tls;
    struct listener_config config = listener->config;
    config.tls = *files;
    assert(listener->secure && files->cert);
    if (!listener_tls_open(&config, &tls))
        return false;
    for (int i = 0; i < listener->loop_count; i++)
        listener_inbox_secure(&listener->loops[i], tls);
    tls_free(tls);
    return true;
}

void listener_quiesce(struct listener *listener)
{
    if (!atomic_exchange(&listener->quiescing, true) && listener->loops[0].made)
        listener_inbox_quiesce(&listener->loops[0]);
}

void listener_close(struct listener *listener)
{
    listener_quiesce(listener);
    atomic_store(&listener->closing, true);
    while (atomic_load(&listener->in_hand) > 0)
        clock_pause_us(1000);
    for (int i = 0; i < CLOSE_WAIT_MS_MAX && atomic_load(&listener->replying) > 0; i++)
        clock_pause_us(1000);
    for (int i = 0; i < listener->loop_count; i++)
        listener_loop_stop(&listener->loops[i]);
    for (int i = 0; i < listener->loop_count; i++)
        listener_loop_fini(&listener->loops[i]);
    if (listener->fd >= 0)
        close(listener->fd);
    free(listener->loops);
    free(listener);
}

const char *listener_error_sentence(enum listener_error error)
{
    switch (error) {
    case LISTENER_OK:
        return "listening";
    case LISTENER_BAD_ADDRESS:
        return "not an address of this machine; write host:port, for example 127.0.0.1:8080, [::1]:8080, "
               "[fe80::1%eth0]:8080 or :8080";
    case LISTENER_IN_USE:
        return "the address is in use by another program; choose another port or stop that program";
    case LISTENER_DENIED:
        return "not permitted; ports below 1024 need the right to bind them";
    case LISTENER_EXHAUSTED:
        return "no file descriptor or no memory is left for it; raise the limit (ulimit -n)";
    case LISTENER_TLS:
        return "the certificate, its key or the client authorities cannot be used; the log says why";
    case LISTENER_FAILED:
        break;
    }
    return "the HTTP server could not be started";
}
