#include "serve.h"
#include "config.h"
#include "descriptors.h"
#include "memory.h"
#include "reload.h"
#include "server_parts.h"
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* What the program itself needs: files, wake-ups, resolvers; what a loop has beyond its share for a moment.
 */
enum { OWN_DESCRIPTORS = 48, READER_DESCRIPTORS = 4, LOOP_DESCRIPTORS = 20, METRICS_DESCRIPTORS = 84 };
enum { PLENTY = 1024 /* descriptors for each side: fewer are worth a warning */ };
enum { SETTINGS_ARENA_MAX = 2 << 20, SIGNAL_POLL_MS = 100 };
enum { MMAP_THRESHOLD = 4 << 20, TRIM_THRESHOLD = 8 << 20 };

/* ---- both commands ---- */

struct start {
    const char *config_file; /* an option; the first member */
    const struct invocation *invocation;
    struct arena arena;
    struct config config;
    struct reload *reload;
};

/* EXIT_DONE, or the code to leave with after saying why. */
static int read_settings(struct start *start, const struct invocation *invocation)
{
    start->invocation = invocation;
    arena_init(&start->arena, SETTINGS_ARENA_MAX);
    int code = config_load_for(invocation, start, &start->config, &start->arena);
    if (code == EXIT_DONE && !start->config.data)
        code = command_wrong(invocation, "--data DIR is missing: name the data folder");
    if (code == EXIT_DONE)
        start->reload =
            reload_open(invocation->setting_count, invocation->settings, start->config_file, &start->config);
    return code;
}

static struct log *open_log(const struct start *start, struct clock clock)
{
    const struct config *config = &start->config;
    enum log_level level = LOG_LEVEL_INFO;
    log_level_parse(config->log_level, &level);
    if (start->invocation->command == &init_command && level == LOG_LEVEL_INFO)
        level = LOG_LEVEL_WARN; /* its output is the key and the call to make with it */
    return log_open(STDERR_FILENO, level, config->log_json, clock);
}

/* ---- what is shown once ---- */

/* The guide's own call ("Configuring your web-callbacks handler"), ready to paste. */
static void print_call(const struct server_first *first, const char *address)
{
    printf("(`posthorn secrets reveal` shows the signing secret again: receivers check webhook-signature "
           "with it.)\n"
           "Set the webhook URL with the key:\n\n"
           "curl --location --request PATCH '%s/api/users/me' \\\n"
           "--header 'Content-Type: application/json' \\\n"
           "--header 'Authorization: %s' \\\n"
           "--data-raw '{\n"
           "    \"data\": {\n"
           "        \"id\": \"%lld\",\n"
           "        \"type\": \"users\",\n"
           "        \"attributes\": {\n"
           "            \"webhook_url\": \"https://example.com\",\n"
           "        }\n"
           "    }\n"
           "}'\n\n",
           address, first->api_key, (long long)first->user_id);
}

/* Before the key is anybody's: one that could not be shown would be lost, and it is the only one. */
static bool tell_first(void *ctx, const struct server_first *first)
{
    const struct start *start = ctx;
    if (start->invocation->json)
        printf("{\"user_id\":\"%lld\",\"api_key\":\"%s\",\"signing_secret\":\"%s\"}\n",
               (long long)first->user_id, first->api_key, first->signing_secret);
    else
        printf("user:    %lld (Master)\n"
               "api key: %s\n"
               "signing secret: %s\n\n"
               "The key is shown this once; only its SHA-256 is kept.\n",
               (long long)first->user_id, first->api_key, first->signing_secret);
    return command_flush(start->invocation);
}

/* ---- init ---- */

/* Where a server with these settings can be called from this machine. */
static void callable_address(const struct config *config, char address[128])
{
    static const struct {
        const char *everywhere, *local;
    } hosts[] = {{":", "127.0.0.1:"}, {"0.0.0.0:", "127.0.0.1:"}, {"[::]:", "[::1]:"}};
    const char *local = "", *rest = config->listen;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        if (strncmp(config->listen, hosts[i].everywhere, strlen(hosts[i].everywhere)) == 0) {
            local = hosts[i].local;
            rest = config->listen + strlen(hosts[i].everywhere);
        }
    const char *port = strrchr(rest, ':') ? strrchr(rest, ':') + 1 : rest;
    bool any_port = strcmp(port, "0") == 0; /* it will be known when the server runs */
    snprintf(address, 128, "http%s://%s%.*s%s", config->tls_cert ? "s" : "", local,
             any_port ? (int)(port - rest) : 80, rest, any_port ? "PORT" : "");
}

static int init_in(struct start *start)
{
    const struct config *config = &start->config;
    struct clock clock = clock_system();
    struct server_options options = {.config = config,
                                     .clock = clock,
                                     .log = open_log(start, clock),
                                     .ctx = start,
                                     .tell_first = tell_first,
                                     .own_key = true};
    struct server_first first;
    char error_text[256];
    enum server_error error = server_init_data(&options, &first, error_text);
    log_close(options.log);
    if (error != SERVER_OK)
        return server_failed(start->invocation, error, error_text);
    if (!first.created)
        return command_failed(start->invocation,
                              "%s is already set up; its key is not stored and cannot be shown again",
                              config->data);
    if (!start->invocation->json) {
        char address[128];
        callable_address(config, address);
        print_call(&first, address);
        if (strstr(address, ":PORT"))
            puts("(PORT: `posthorn serve` takes a free port with this --listen, and prints it.)");
    }
    return EXIT_DONE;
}

static int init(const struct invocation *invocation, void *options)
{
    struct start *start = options;
    signal(SIGPIPE, SIG_IGN); /* that the key cannot be shown is an error to tell, not an end */
    umask(077);
    int code = read_settings(start, invocation);
    if (code == EXIT_DONE)
        code = init_in(start);
    reload_close(start->reload);
    arena_fini(&start->arena);
    return code;
}

const struct command init_command = {
    .name = "init",
    .summary = "create a data folder, the first user and its API key",
    .details = "Creates the data folder, the first Master user (id 5) and its API key, which is shown once.",
    .statuses = ", 3 a server is running on DIR,\n6 a key without its database",
    .verbs = {{NULL, "", init}},
    .options_len = sizeof(struct start),
    .required = "--data DIR",
    .shared = &config_file_option,
    .settings = &config_settings,
    .settings_shown = "data",
    .json = JSON_OPTION("print {\"user_id\":\"5\",\"api_key\":\"...\",\"signing_secret\":\"whsec_...\"}"),
};

/* ---- signals ---- */

enum { STAGE_DRAINING, STAGE_CLOSING, STAGE_DONE };

/* From the first SIGTERM on. */
struct ending {
    pthread_mutex_t lock;
    int stage;
    struct server *server;
    sigset_t signals;
};

static sigset_t ending_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

/* A closed terminal does not end a server. What comes while it starts waits; what comes while it ends is left
 * alone. */
static void prepare_signals(void)
{
    signal(SIGPIPE, SIG_IGN);
    sigset_t set = ending_signals();
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* for every thread that is started from here on */
    signal(SIGHUP, SIG_DFL);                /* ignored (nohup), it need not be kept for us */
}

static int ending_stage(struct ending *ending)
{
    pthread_mutex_lock(&ending->lock);
    int stage = ending->stage;
    pthread_mutex_unlock(&ending->lock);
    return stage;
}

static void ending_enter(struct ending *ending, int stage)
{
    pthread_mutex_lock(&ending->lock);
    ending->stage = stage;
    pthread_mutex_unlock(&ending->lock);
}

static void second_signal(struct ending *ending)
{
    pthread_mutex_lock(&ending->lock);
    if (ending->stage == STAGE_DRAINING)
        server_abort(ending->server);
    pthread_mutex_unlock(&ending->lock);
}

static void *ending_watch(void *argument)
{
    struct ending *ending = argument;
    const struct timespec wait = {.tv_nsec = SIGNAL_POLL_MS * 1000000L};
    for (int count = 1; ending_stage(ending) != STAGE_DONE;) {
        if (sigtimedwait(&ending->signals, NULL, &wait) < 0)
            continue;
        if (++count == 2)
            second_signal(ending);
        else
            _exit(EXIT_FAILED); /* whatever holds it up: what was accepted is on disk */
    }
    return NULL;
}

/* The first of those that end the server. */
static int wait_for_end(struct server *server, const struct server_options *options, struct reload *reload)
{
    const struct timespec second = {.tv_sec = 1};
    sigset_t set = ending_signals();
    sigaddset(&set, SIGHUP);
    server_tidy(server); /* what it has before there is any load */
    for (;;) {
        int number = sigtimedwait(&set, NULL, &second);
        if (number == SIGHUP)
            reload_run(reload, server, options->log);
        else if (number > 0)
            return number;
        server_tidy(server);
    }
}

/* Waits for the first signal that ends it, then drains and closes. */
static void run_until_signal(struct server *server, const struct server_options *options,
                             struct reload *reload)
{
    struct ending ending = {.lock = PTHREAD_MUTEX_INITIALIZER, .server = server, .signals = ending_signals()};
    int number = wait_for_end(server, options, reload);
    log_write(options->log, LOG_LEVEL_INFO, "serve", "%s: waiting at most %lld ms for attempts in progress",
              number == SIGTERM ? "SIGTERM" : "SIGINT", (long long)options->config->drain_ms);
    pthread_t watch;
    bool watched = pthread_create(&watch, NULL, ending_watch, &ending) == 0;
    server_drain(server, options->config->drain_ms);
    ending_enter(&ending, STAGE_CLOSING);
    server_close(server);
    ending_enter(&ending, STAGE_DONE);
    if (watched)
        pthread_join(watch, NULL);
}

/* ---- serve ---- */

/* sd_notify(3)'s protocol: one datagram to the socket named in the environment. */
static void tell_systemd(const char *state)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (!name || strlen(name) >= sizeof address.sun_path || (name[0] != '/' && name[0] != '@'))
        return;
    memcpy(address.sun_path, name, strlen(name));
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, len);
    close(fd);
}

/* Bodies come from the heap, where they cost no page faults again and again; left to itself malloc raises
 * both numbers as it likes and gives nothing back. server_tidy does. */
static void bound_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
    mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD);
}

/* Connections are kept as far as there is room beside clients, and attempts, which need it, take it from
 * them. */
static void bound_idle(struct config *config, int64_t left)
{
    int64_t room = left - config->connections_max;
    if (config->idle_connections_max > room)
        config->idle_connections_max = room > 1 ? room : 1;
}

/* Settings that need more descriptors than there are would let clients stop deliveries, or receivers the API:
 * so they are cut down to what each can have. */
static void share_descriptors(struct config *config, struct log *log)
{
    int64_t own = OWN_DESCRIPTORS + READER_DESCRIPTORS * config->reader_threads +
                  LOOP_DESCRIPTORS * config->http_threads +
                  (config->metrics_listen ? METRICS_DESCRIPTORS : 0);
    struct descriptor_shares shares =
        descriptors_share(descriptors_limit(), own, config->connections_max, config->slots);
    if (shares.needed <= shares.limit) {
        bound_idle(config, shares.limit - own);
        return;
    }
    int64_t connections_max = config->connections_max, slots = config->slots;
    bool plenty = shares.connections >= PLENTY && shares.deliveries >= PLENTY;
    config->connections_max = shares.connections;
    config->slots = shares.deliveries;
    bound_idle(config, shares.limit - own);
    log_write(log, plenty ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "serve",
              "connections-max %lld and slots %lld need %lld file descriptors, but the limit is %lld: they "
              "are lowered to %lld and %lld. Raise the limit (ulimit -n, LimitNOFILE=) or lower the settings",
              (long long)connections_max, (long long)slots, (long long)shares.needed, (long long)shares.limit,
              (long long)config->connections_max, (long long)config->slots);
}

static void warn_loudly(const struct config *config)
{
    if (config->dev)
        fputs(
            "posthorn: --dev: webhook URLs may be plain http and point to this machine (127.0.0.0/8, ::1).\n"
            "posthorn: --dev: every API key can make this server call programs on this machine.\n"
            "posthorn: --dev: do not use it where others can reach this server.\n",
            stderr);
    if (config->time_scale > 1)
        fprintf(stderr,
                "posthorn: --time-scale: retries run %lld times as fast and give up that much sooner.\n",
                (long long)config->time_scale);
    if (config->allow_http && !config->dev)
        fputs("posthorn: allow-http: WEBHOOK-AUTH travels unencrypted to http:// webhook URLs.\n", stderr);
    for (int i = 0; i < config->allow_target.count; i++)
        fprintf(stderr, "posthorn: allow-target: deliveries to %s are allowed.\n",
                config->allow_target.items[i]);
    for (int i = 0; i < config->allow_host.count; i++)
        fprintf(stderr, "posthorn: allow-host: webhook URLs may have the host name %s%s.\n",
                config->allow_host.items[i][0] == '.' ? "*" : "", config->allow_host.items[i]);
    for (int i = 0; i < config->allow_port.count; i++)
        fprintf(stderr, "posthorn: allow-port: webhook URLs may have the port %s.\n",
                config->allow_port.items[i]);
}

static void on_broken(void *ctx)
{
    /* At once: nothing may be acknowledged any more, and an fsync that failed is never tried again. */
    static const char line[] = "posthorn: the store is broken; stopping. Nothing more is acknowledged.\n";
    ssize_t written = write(STDERR_FILENO, line, sizeof line - 1);
    (void)written;
    _exit(EXIT_BROKEN);
}

static void print_ready(const struct start *start, const struct server *server,
                        const struct server_first *first)
{
    const struct config *config = &start->config;
    const char *scope = server_scope(server);
    if (!start->invocation->json) {
        if (first->created)
            print_call(first, server_address(server));
        printf("posthorn %s ready: %s (%s%s, data %s%s%s)\n", POSTHORN_VERSION, server_address(server),
               config->mode, config->dev ? ", dev" : "", config->data, *scope ? ", on " : "", scope);
        return;
    }
    printf("{\"ready\":\"%s\",\"version\":\"%s\",\"mode\":\"%s\",\"dev\":%s", server_address(server),
           POSTHORN_VERSION, config->mode, config->dev ? "true" : "false");
    if (*scope)
        printf(",\"on\":\"%s\"", scope);
    if (first->created)
        printf(",\"user_id\":\"%lld\",\"api_key\":\"%s\",\"signing_secret\":\"%s\"",
               (long long)first->user_id, first->api_key, first->signing_secret);
    puts("}");
}

static int serve_in(struct start *start, const struct server_options *options)
{
    struct server_first first;
    struct server *server;
    char error_text[256];
    enum server_error error = server_init_data(options, &first, error_text);
    if (error == SERVER_OK)
        error = server_open(options, &server, error_text);
    if (error != SERVER_OK)
        return server_failed(start->invocation, error, error_text);
    log_write(options->log, LOG_LEVEL_INFO, "serve", "ready address=%s mode=%s version=%s",
              server_address(server), start->config.mode, POSTHORN_VERSION);
    print_ready(start, server, &first);
    memset(&first, 0, sizeof first);
    fflush(stdout);
    tell_systemd("READY=1");
    run_until_signal(server, options, start->reload);
    return EXIT_DONE;
}

static int serve(const struct invocation *invocation, void *options)
{
    struct start *start = options;
    prepare_signals();
    umask(077);
    bound_memory();
    int code = read_settings(start, invocation);
    if (code == EXIT_DONE) {
        warn_loudly(&start->config);
        struct clock clock = clock_system();
        struct server_options opening = {.config = &start->config,
                                         .clock = clock,
                                         .log = open_log(start, clock),
                                         .on_broken = on_broken,
                                         .ctx = start,
                                         .tell_first = tell_first};
        share_descriptors(&start->config, opening.log);
        code = serve_in(start, &opening);
        log_close(opening.log);
    }
    reload_close(start->reload);
    arena_fini(&start->arena);
    return code;
}

const struct command serve_command = {
    .name = "serve",
    .summary = "accept events and deliver them",
    .details =
        "Accepts events over HTTP, stores them, and posts each one to its owner's webhook URL until that "
        "answers\n"
        "200. If DIR is empty, it is set up first, as `posthorn init` does.\n\n"
        "SIGTERM waits for attempts in progress to end; a second SIGTERM ends them at once. SIGHUP reads\n"
        "certificates, authorities and log-level again.",
    .statuses = ", 3 another server uses DIR, 5 the store is broken,\n"
                "6 the key file and the database do not belong together",
    .verbs = {{NULL, "", serve}},
    .options_len = sizeof(struct start),
    .required = "--data DIR",
    .shared = &config_file_option,
    .settings = &config_settings,
    .json = JSON_OPTION("print the ready line as a JSON object"),
    .is_server = true,
};
