#include "config.h"
#include "model.h"
#include "rate.h"
#include "service_variables.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_LEN_MAX = 256 * 1024, NAME_LEN_MAX = 40, PIPE_WAIT_MS = 5000 };

#define SECOND    ((int64_t)1000)
#define HOUR      (3600 * SECOND)
#define DAY       (24 * HOUR)
#define KIB       ((int64_t)1024)
#define MIB       (1024 * KIB)
#define AT(field) offsetof(struct config, field)

/* clang-format off */
static const struct option_row rows[] = {
    {"data", OPTION_TEXT, AT(data), "", "DIR",
     "folder for all data; created if it does not exist", 0, 0},
    {"store", OPTION_TEXT, AT(store), "", "FILE",
     "SQLite database, if it is not posthorn.db in the data folder; also written sqlite:FILE. Its folder must exist and "
     "have no other server's database. This build has no PostgreSQL yet", 0, 0},
    {"listen", OPTION_TEXT, AT(listen), "127.0.0.1:8080", "ADDRESS:PORT",
     "address of the API; `:8080` is every interface, `[::]:8080` IPv6 only, port 0 any free port", 0, 0},
    {"mode", OPTION_CHOICE, AT(mode), "sandbox", "sandbox|production",
     "`sandbox` or `production`; every answer, log and table shows it", 0, 0},
    {"dev", OPTION_FLAG, AT(dev), "false", NULL,
     "for your own machine: allow http and loopback as webhook targets, with a warning at every start", 0, 0},
    {"allow-http", OPTION_FLAG, AT(allow_http), "false", NULL,
     "allow http:// webhook URLs; WEBHOOK-AUTH then travels unencrypted", 0, 0},
    {"allow-target", OPTION_WORDS, AT(allow_target), "", "CIDR[:PORT]",
     "allow deliveries to this address or network although it is private or special-purpose; may be repeated", 0, 0},
    {"allow-host", OPTION_WORDS, AT(allow_host), "", "NAME|.SUFFIX",
     "allow webhook URLs with this local host name, such as n8n or .svc.cluster.local; its addresses are still checked "
     "(see allow-target)", 0, 0},
    {"allow-port", OPTION_WORDS, AT(allow_port), "", "PORT",
     "allow webhook URLs with this port although it is below 1024 or belongs to a known service", 0, 0},
    {"source-address", OPTION_WORDS, AT(source_address), "", "ADDRESS",
     "send from this local address; repeat to rotate. An address family without one is not used. Published at "
     "/api/meta and by `posthorn ips`", 0, 0},
    {"time-scale", OPTION_NUMBER, AT(time_scale), "1", "N",
     "with --dev: run retries N times as fast, to watch 72 hours in minutes", 1, 1000000},
    {"regular-events", OPTION_FLAG, AT(regular_events), "false", NULL,
     "for tests: let a Regular user post events with its own key. They go only to its own webhook URL and change no "
     "resource. Otherwise only a Master's key may post events", 0, 0},
    {"strict-json", OPTION_FLAG, AT(strict_json), "false", NULL,
     "refuse comments and trailing commas in request bodies; otherwise they give a warning", 0, 0},
    {"any-member-names", OPTION_FLAG, AT(any_member_names), "false", NULL,
     "accept names that JSON:API 1.1 forbids, such as `amount.usd`, in resources, with a warning; otherwise 422", 0, 0},
    {"own-event-ids", OPTION_FLAG, AT(own_event_ids), "false", NULL,
     "use the `id` that an event comes with as its Idempotency-Key; otherwise it is ignored, with a warning", 0, 0},
    {"refuse-event-ids", OPTION_FLAG, AT(refuse_event_ids), "false", NULL,
     "refuse an event that comes with an `id`, with 403, as JSON:API has it", 0, 0},
    {"cors-origins", OPTION_WORDS, AT(cors_origins), "", "ORIGIN",
     "let web pages of this origin, such as https://app.example.com, use the API from a browser (CORS); repeat for more. "
     "`*`: every origin", 0, 0},
    {"http-threads", OPTION_NUMBER, AT(http_threads), "2", "N",
     "threads that serve the API", 1, 64},
    {"reader-threads", OPTION_NUMBER, AT(reader_threads), "2", "N",
     "threads that read lists and single rows", 1, 64},
    {"body-max", OPTION_SIZE, AT(body_bytes_max), "1MiB", "SIZE",
     "largest request body; a larger one gets 413", 1024, MIB},
    {"memory-max", OPTION_SIZE, AT(memory_max), "256MiB", "SIZE",
     "memory for the bodies of requests, unread answers and deliveries together. When it is full, deliveries wait, and "
     "the client address that holds the most gets 503. TLS handshakes are not counted", 16 * MIB,
     (int64_t)1024 * 1024 * MIB},
    {"connections-max", OPTION_NUMBER, AT(connections_max), "10000", "N",
     "open API connections; beyond that, the client address with the most of them loses its slowest one. Lowered if "
     "the limit of file descriptors is too small", 1, 1000000},
    {"idle-seconds", OPTION_NUMBER, AT(idle_s), "75", "N",
     "close an API connection that was silent for this long; keep it above the idle limit of your load balancer, often "
     "60", 1, 3600},
    {"rate-limit", OPTION_NUMBER, AT(rate_limit), "5", "N",
     "requests a second that a user may make with all its API keys; beyond that, 429 with Retry-After. 0: no limit. A "
     "key may have its own limit; the first key has none", 0, RATE_PER_S_MAX},
    {"rate-burst", OPTION_NUMBER, AT(rate_burst), "5", "N",
     "requests that may come at once before rate-limit applies", 1, RATE_PER_S_MAX},
    {"keys-max", OPTION_NUMBER, AT(keys_max), "50", "N",
     "active API keys a user may have; beyond that, 409", 1, 1000000},
    {"endpoints-max", OPTION_NUMBER, AT(endpoints_max), "100", "N",
     "endpoints a user may have, the default one included; beyond that, 409", 1, MODEL_ENDPOINTS_MAX},
    {"users-max", OPTION_NUMBER, AT(users_max), "1000000", "N",
     "users a Master may have; beyond that, 409", 1, 1000000000},
    {"user-bytes-max", OPTION_SIZE, AT(user_bytes_max), "100GiB", "SIZE",
     "bytes of events and snapshots a user may store; beyond that, 507. 0: no limit", 0,
     (int64_t)1024 * 1024 * 1024 * MIB},
    {"user-resources-max", OPTION_NUMBER, AT(user_resources_max), "100000000", "N",
     "resources a user may have snapshots of; beyond that, a new one gets 507. 0: no limit", 0, INT64_MAX / 2},
    {"user-waiting-max", OPTION_NUMBER, AT(user_waiting_max), "10000000", "N",
     "unfinished deliveries a user may have; beyond that, its events get 429 with Retry-After. 0: no limit", 0, INT64_MAX / 2},
    {"public-rate", OPTION_NUMBER, AT(public_rate), "50", "N",
     "requests a second from one client address to paths that need no API key, except /health; twice as many may come "
     "at once; beyond that, 429 with Retry-After. 0: no limit", 0, RATE_PER_S_MAX},
    {"metrics-listen", OPTION_TEXT, AT(metrics_listen), "", "ADDRESS:PORT",
     "serve /metrics at this address, in plain HTTP, instead of beside the API; /health is served there too", 0, 0},
    {"metrics-key", OPTION_TEXT, AT(metrics_key), "", "KEY",
     "key that /metrics requires in the Authorization header, with or without `Bearer`. Set it in the file or the "
     "environment: other users of the machine can see options", 0, 0},
    {"slots", OPTION_NUMBER, AT(slots), "16384", "N",
     "deliveries in progress at once; lowered if the limit of file descriptors is too small", 1, 65535},
    {"endpoint-connections", OPTION_NUMBER, AT(endpoint_connections_max), "1024", "N",
     "attempts in progress at once to one endpoint; the actual number depends on how the endpoint answers", 1, 65535},
    {"failing-rate", OPTION_NUMBER, AT(failing_rate), "200", "N",
     "attempts a second to all failing endpoints together", 1, RATE_PER_S_MAX},
    {"idle-connections-max", OPTION_NUMBER, AT(idle_connections_max), "131072", "N",
     "idle connections to receivers that are kept for the next event; one over TLS counts as 16. Lowered if the limit "
     "of file descriptors is too small", 1, 4000000},
    {"connection-age", OPTION_DURATION, AT(connection_age_ms), "60s", "TIME",
     "use a kept-alive connection to a receiver for this long, or for the TTL of its name if that is longer (at most "
     "5m), so that a changed address is noticed", 100, DAY},
    {"queue-max", OPTION_NUMBER, AT(queue_max), "8192", "N",
     "writes that may wait for the disk; beyond that, 503 with Retry-After", 16, 1000000},
    {"backoff-base", OPTION_DURATION, AT(backoff_base_ms), "10s", "TIME",
     "delay after the first failed attempt", 1, DAY},
    {"backoff-factor", OPTION_NUMBER, AT(backoff_factor), "3", "N",
     "each further delay is this many times the one before", 1, 100},
    {"backoff-cap", OPTION_DURATION, AT(backoff_cap_ms), "12h", "TIME",
     "longest delay", 1, 30 * DAY},
    {"backoff-jitter", OPTION_NUMBER, AT(backoff_jitter_percent), "10", "PERCENT",
     "vary each delay at random by up to this percentage, up or down", 0, 50},
    {"window", OPTION_DURATION, AT(window_ms), "3d", "TIME",
     "an attempt that fails this long after the first one is the last", 1, 365 * DAY},
    {"lease", OPTION_DURATION, AT(lease_ms), "2m", "TIME",
     "a delivery in progress without a result for this long is claimed again", 90 * SECOND, DAY},
    {"drain", OPTION_DURATION, AT(drain_ms), "30s", "TIME",
     "on SIGTERM, wait this long for attempts in progress to end", 0, HOUR},
    {"disk-reserve", OPTION_SIZE, AT(disk_reserve_bytes), "64MiB", "SIZE",
     "free disk space to keep, beside the space that the log still needs: with less, new events get 507, so that "
     "outcomes can still be recorded", 0, (int64_t)1024 * 1024 * 1024 * MIB},
    {"retention", OPTION_DURATION, AT(retention_ms), "30d", "TIME",
     "keep an event this long after it was received and its last delivery has ended; 0: for ever", 0, 36500 * DAY},
    {"retention-attempts", OPTION_DURATION, AT(retention_attempts_ms), "30d", "TIME",
     "keep the attempts of a delivery this long after it has ended, at most as long as its event; 0: as long as its "
     "event", 0, 36500 * DAY},
    {"retention-idempotency", OPTION_DURATION, AT(retention_idempotency_ms), "30d", "TIME",
     "remember an Idempotency-Key this long after its event was received, at most as long as the event; 0: as long as "
     "the event", 0, 36500 * DAY},
    {"retention-resources", OPTION_DURATION, AT(retention_resources_ms), "30d", "TIME",
     "keep the latest snapshot of a resource this long, at least as long as its event; a snapshot that a Master has "
     "put is kept. 0: for ever", 0, 36500 * DAY},
    {"key-file", OPTION_TEXT, AT(key_file), "", "FILE",
     "key that encrypts the signing secrets and private keys in the database; created if it does not exist; default "
     "posthorn.key in the data folder", 0, 0},
    {"ca-file", OPTION_TEXT, AT(ca_file), "", "FILE",
     "certificate authorities to trust for webhook URLs instead of the system's; SIGHUP reads it again", 0, 0},
    {"dns-servers", OPTION_TEXT, AT(dns_servers), "", "ADDRESS[:PORT],...",
     "name servers to use instead of the system's", 0, 0},
    {"tls-cert", OPTION_TEXT, AT(tls_cert), "", "FILE",
     "serve the API over TLS with this certificate chain; SIGHUP reads it again, with tls-key and tls-client-ca, for "
     "new connections", 0, 0},
    {"tls-key", OPTION_TEXT, AT(tls_key), "", "FILE",
     "private key of tls-cert", 0, 0},
    {"tls-client-ca", OPTION_TEXT, AT(tls_client_ca), "", "FILE",
     "require a client certificate from one of these authorities", 0, 0},
    {"log-level", OPTION_CHOICE, AT(log_level), "info", "error|warn|info|debug",
     "`error`, `warn`, `info` or `debug`; the log goes to stderr. SIGHUP changes it too", 0, 0},
    {"log-json", OPTION_FLAG, AT(log_json), "false", NULL,
     "write each log line as a JSON object", 0, 0},
};
/* clang-format on */
enum { SETTING_COUNT = sizeof rows / sizeof *rows };
const struct option_table config_settings = OPTION_TABLE(rows);

static const struct option_row file_rows[] = {
    {"config", OPTION_TEXT, 0, "", "FILE", "settings file, one `name = value` a line", .environment = true}};
const struct option_table config_file_option = OPTION_TABLE(file_rows);

/* The source of a value, in rising precedence. */
enum source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_OPTION };

struct loading {
    struct config *config;
    struct arena *arena;
    struct config_error *error;
    enum source source;
    enum source given_by[SETTING_COUNT]; /* a list of a higher source replaces that of a lower one */
    char place[128];                     /* "posthorn.conf:3", "POSTHORN_LISTEN", "--listen" */
};

static bool fail(struct loading *loading, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct loading *loading, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = loading->error->text;
    int len = snprintf(text, sizeof loading->error->text, "%s: ", loading->place);
    vsnprintf(text + len, sizeof loading->error->text - (size_t)len, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- values ---- */

static bool set(struct loading *loading, int index, const char *value)
{
    const struct option_row *row = &rows[index];
    char wrong[OPTION_WRONG_LEN];
    if (loading->given_by[index] != loading->source && row->kind == OPTION_WORDS)
        ((struct option_list *)((char *)loading->config + row->offset))->count = 0;
    loading->given_by[index] = loading->source;
    if (option_set(row, loading->config, value, loading->arena, wrong))
        return true;
    bool named = loading->source != SOURCE_FILE; /* "--slots takes", but "posthorn.conf:3: slots takes" */
    snprintf(loading->error->text, sizeof loading->error->text, "%s%s%s %.125s", loading->place,
             named ? "" : ": ", named ? "" : row->name, wrong);
    return false;
}

/* -1: fails with the likely name. */
static int find(struct loading *loading, struct bytes name)
{
    const char *near;
    int index = option_find(&config_settings, name, &near);
    if (index < 0)
        fail(loading, "there is no setting '%.*s'%s%s%s",
             name.len > NAME_LEN_MAX ? NAME_LEN_MAX : (int)name.len, name.data,
             near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return index;
}

/* ---- sources ---- */

static bool load_line(struct loading *loading, char *line)
{
    struct bytes text = bytes_trim(bytes_of(line));
    if (text.len > 0 && text.data[text.len - 1] == '\r')
        text = bytes_trim(bytes_make(text.data, text.len - 1));
    if (text.len == 0 || text.data[0] == '#')
        return true;
    const char *equals = memchr(text.data, '=', text.len);
    if (!equals)
        return fail(loading, "'%.40s' is not `name = value`", line);
    struct bytes name = bytes_trim(bytes_make(text.data, (size_t)(equals - text.data)));
    struct bytes value = bytes_make(equals + 1, text.len - (size_t)(equals + 1 - text.data));
    /* A # begins a comment behind white space only, so that a value may hold one. */
    for (size_t i = 1; i < value.len; i++)
        if (value.data[i] == '#' && (value.data[i - 1] == ' ' || value.data[i - 1] == '\t'))
            value.len = i;
    int index = find(loading, name);
    if (index < 0)
        return false;
    struct bytes copy = arena_copy(loading->arena, bytes_trim(value));
    return set(loading, index, copy.data);
}

/* A pipe that a shell makes of another command's output is a fine file of settings. One that nobody writes to
 * would hold the start for ever. */
static FILE *open_file(struct loading *loading, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat about;
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (!file || fstat(fd, &about) != 0) {
        fail(loading, "cannot be read: %s", strerror(errno));
    } else if (S_ISFIFO(about.st_mode) && poll(&(struct pollfd){fd, POLLIN, 0}, 1, PIPE_WAIT_MS) != 1) {
        fail(loading, "is a pipe, and nobody writes to it");
    } else {
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
        return file;
    }
    if (file)
        fclose(file);
    else if (fd >= 0)
        close(fd);
    return NULL;
}

static char *read_file(struct loading *loading, const char *path)
{
    FILE *file = open_file(loading, path);
    if (!file)
        return NULL;
    char *text = arena_alloc(loading->arena, FILE_LEN_MAX + 1);
    size_t len = text ? fread(text, 1, FILE_LEN_MAX + 1, file) : 0;
    bool failed = ferror(file);
    fclose(file);
    if (!text || failed || len > FILE_LEN_MAX || memchr(text, '\0', len)) {
        fail(loading, failed ? "cannot be read" : "is not a settings file (too large, or not text)");
        return NULL;
    }
    text[len] = '\0';
    return text;
}

static bool load_file(struct loading *loading, const char *path)
{
    loading->source = SOURCE_FILE;
    snprintf(loading->place, sizeof loading->place, "%.100s", path);
    char *rest = read_file(loading, path);
    if (!rest)
        return false;
    for (int number = 1; rest; number++) {
        char *line = strsep(&rest, "\n");
        snprintf(loading->place, sizeof loading->place, "%.100s:%d", path, number);
        if (!load_line(loading, line))
            return false;
    }
    return true;
}

static bool belongs_to_the_cli(const char *name)
{
    static const char *const theirs[] = {"config",      "server",     "key",    "api-key",  "server-ca",
                                         "client-cert", "client-key", "secret", "catalogue"};
    for (size_t i = 0; i < sizeof theirs / sizeof *theirs; i++)
        if (strcmp(name, theirs[i]) == 0)
            return true;
    return false;
}

static bool load_environment(struct loading *loading, char **environment)
{
    loading->source = SOURCE_ENVIRONMENT;
    for (; environment && *environment; environment++) {
        const char *equals = strchr(*environment, '=');
        if (strncmp(*environment, "POSTHORN_", 9) != 0 || !equals)
            continue;
        struct bytes rest = bytes_make(*environment + 9, (size_t)(equals - *environment - 9));
        if (service_variable(rest, bytes_of(equals + 1)))
            continue;
        char name[NAME_LEN_MAX + 1];
        int len = snprintf(name, sizeof name, "%.*s", (int)(equals - *environment - 9), *environment + 9);
        for (int i = 0; i < len && name[i]; i++)
            name[i] = (char)(name[i] == '_'                     ? '-'
                             : name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32
                                                                : name[i]);
        if (belongs_to_the_cli(name))
            continue;
        snprintf(loading->place, sizeof loading->place, "%.*s", (int)(equals - *environment), *environment);
        int index = find(loading, bytes_of(name));
        if (index < 0 || !set(loading, index, equals + 1))
            return false;
    }
    return true;
}

static bool load_options(struct loading *loading, int argc, char **argv)
{
    loading->source = SOURCE_OPTION;
    for (int i = 0; i < argc; i++) {
        snprintf(loading->place, sizeof loading->place, "%.*s", (int)strcspn(argv[i], "="), argv[i]);
        if (strncmp(argv[i], "--", 2) != 0)
            return fail(loading, "not an option; options begin with --");
        const char *equals = strchr(argv[i], '=');
        size_t name_len = equals ? (size_t)(equals - argv[i] - 2) : strlen(argv[i] + 2);
        int index = find(loading, bytes_make(argv[i] + 2, name_len));
        if (index < 0)
            return false;
        const char *value = equals ? equals + 1 : NULL;
        if (!value && rows[index].kind == OPTION_FLAG)
            value = "true";
        if (!value && i + 1 == argc)
            return fail(loading, "needs a value: --%s %s", rows[index].name, rows[index].argument);
        if (!value)
            value = argv[++i];
        if (!set(loading, index, value))
            return false;
    }
    return true;
}

/* ---- what only makes sense together ---- */

/* As browsers write an origin: https://HOST or https://HOST:PORT, or http, in small letters. */
static bool is_origin(const char *text)
{
    const char *host = strstr(text, "://");
    if (strcmp(text, "*") == 0)
        return true;
    if (!host || (strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0) || !host[3])
        return false;
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c >= 0x7f || (*c >= 'A' && *c <= 'Z') ||
            (c >= host + 3 && strchr("/?#@,\"\\*", *c)))
            return false;
    return true;
}

static bool check_origins(const struct config *config, struct config_error *error)
{
    for (int i = 0; i < config->cors_origins.count; i++)
        if (!is_origin(config->cors_origins.items[i])) {
            snprintf(error->text, sizeof error->text,
                     "cors-origins: '%.60s' is no origin; write https://app.example.com, or with a port, "
                     "without a path, "
                     "in small letters; or * for every origin",
                     config->cors_origins.items[i]);
            return false;
        }
    return true;
}

static bool check(struct loading *loading)
{
    const struct config *config = loading->config;
    snprintf(loading->place, sizeof loading->place, "settings");
    if (!config->listen)
        return fail(loading, "listen is empty; write host:port, for example 127.0.0.1:8080");
    if (config->dev && strcmp(config->mode, "production") == 0)
        return fail(loading, "dev opens loopback and http to everybody with a key; not with mode production");
    if (config->time_scale != 1 && !config->dev)
        return fail(loading, "time-scale shortens the window of every delivery; it needs --dev");
    if (!config->tls_cert != !config->tls_key)
        return fail(loading, "tls-cert and tls-key go together; %s is missing",
                    config->tls_cert ? "tls-key" : "tls-cert");
    if (config->tls_client_ca && !config->tls_cert)
        return fail(loading, "tls-client-ca needs tls-cert and tls-key");
    if (config->backoff_cap_ms < config->backoff_base_ms)
        return fail(loading, "backoff-cap is shorter than backoff-base");
    struct guard guard;
    struct source_addresses sources;
    return config_guard(config, &guard, loading->error) && config_sources(config, &sources, loading->error) &&
           check_origins(config, loading->error);
}

bool config_load(struct config *config, struct arena *arena, int argc, char **argv, char **environment,
                 const char *file, struct config_error *error)
{
    struct loading loading = {
        .config = config, .arena = arena, .error = error, .source = SOURCE_DEFAULT, .place = "default"};
    *config = (struct config){0};
    error->text[0] = '\0';
    option_set_defaults(&config_settings, config, arena);
    return (!file || load_file(&loading, file)) && load_environment(&loading, environment) &&
           load_options(&loading, argc, argv) && check(&loading);
}

int config_load_for(const struct invocation *invocation, const void *options, struct config *config,
                    struct arena *arena)
{
    struct config_error error;
    const char *file = *(const char *const *)options;
    return config_load(config, arena, invocation->setting_count, invocation->settings, environ, file, &error)
               ? EXIT_DONE
               : command_wrong(invocation, "%s", error.text);
}

/* ---- what the core wants to know ---- */

struct policy config_policy(const struct config *config)
{
    struct policy policy = policy_default();
    policy.base_ms = config->backoff_base_ms;
    policy.factor = (int)config->backoff_factor;
    policy.cap_ms = config->backoff_cap_ms;
    policy.jitter_percent = (int)config->backoff_jitter_percent;
    policy.window_ms = config->window_ms;
    return config->time_scale > 1 ? policy_scaled(policy, (int)config->time_scale) : policy;
}

struct pace_config config_pace(const struct config *config)
{
    struct pace_config pace = pace_default();
    pace.slots = (int)config->slots;
    pace.at_once_max = (int)config->endpoint_connections_max;
    pace.failing_per_s = config->failing_rate;
    return config->time_scale > 1 ? pace_scaled(pace, (int)config->time_scale) : pace;
}

bool config_guard(const struct config *config, struct guard *guard, struct config_error *error)
{
    guard_init(guard);
    guard->http_allowed = config->allow_http || config->dev;
    if (config->dev && (!guard_add_exception(guard, bytes_of("127.0.0.0/8")) ||
                        !guard_add_exception(guard, bytes_of("::1"))))
        assert(!"an empty guard has room for two exceptions");
    for (int i = 0; i < config->allow_target.count; i++)
        if (!guard_add_exception(guard, bytes_of(config->allow_target.items[i]))) {
            snprintf(error->text, sizeof error->text,
                     "allow-target: '%.60s' is not understood; write 10.0.0.0/8, 127.0.0.1:3000, fd00::/8 or "
                     "[::1]:3000 (at most %d)",
                     config->allow_target.items[i], GUARD_EXCEPTIONS_MAX - 2);
            return false;
        }
    for (int i = 0; i < config->allow_host.count; i++)
        if (!guard_add_host(guard, bytes_of(config->allow_host.items[i]))) {
            snprintf(error->text, sizeof error->text,
                     "allow-host: '%.60s' is no host name; write n8n, or .cluster.local for every name that "
                     "ends so, without a port",
                     config->allow_host.items[i]);
            return false;
        }
    for (int i = 0; i < config->allow_port.count; i++)
        if (!guard_add_port(guard, bytes_of(config->allow_port.items[i]))) {
            snprintf(error->text, sizeof error->text,
                     "allow-port: '%.60s' is no port; write a number from 1 to 65535",
                     config->allow_port.items[i]);
            return false;
        }
    return true;
}

bool config_sources(const struct config *config, struct source_addresses *sources, struct config_error *error)
{
    *sources = (struct source_addresses){0};
    for (int i = 0; i < config->source_address.count; i++)
        if (!source_addresses_add(sources, bytes_of(config->source_address.items[i]))) {
            snprintf(
                error->text, sizeof error->text,
                "source-address: '%.60s' is not understood, or there twice; write 192.0.2.1 or 2001:db8::1",
                config->source_address.items[i]);
            return false;
        }
    return true;
}
