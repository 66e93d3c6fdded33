/*
 * config: every setting, from one table that feeds the file, the environment, --help and posthorn.conf(5).
 *
 * Order of precedence: command line, POSTHORN_... environment, file, default. A setting that is unknown or
 * malformed anywhere is an error with its place (file:line, variable, option), never ignored.
 * The file: one `name = value` a line, `#` starts a comment; list settings may be given several times.
 */
#pragma once
#include "arena.h"
#include "guard.h"
#include "log.h"
#include "pace.h"
#include "policy.h"
#include "source_addresses.h"
#include <stdio.h>

enum { CONFIG_LIST_MAX = 64 };

struct config_list {
    const char *items[CONFIG_LIST_MAX];
    int count;
};

struct config {
    const char *data; /* --data: the folder of the database, the key file and catalogue.json */
    const char
        *store; /* --store: another place of the database (server_store_choose); NULL: posthorn.db there */
    const char *listen; /* --listen 127.0.0.1:8080 */
    const char *mode;   /* --mode: "sandbox" or "production" */
    bool dev;           /* --dev: loopback and http targets, loudly */
    bool allow_http;
    struct config_list allow_target;   /* --allow-target CIDR[:PORT] */
    struct config_list allow_host;     /* --allow-host NAME or .SUFFIX */
    struct config_list allow_port;     /* --allow-port PORT */
    struct config_list source_address; /* --source-address ADDRESS */
    int64_t time_scale;                /* dev only */
    bool regular_events;               /* any key posts events, to its own user */
    bool strict_json;                  /* no comments, no trailing commas */
    int64_t http_threads, reader_threads;
    int64_t memory_max; /* bytes of bodies in flight, in and out: budget.h */
    int64_t body_bytes_max, connections_max, idle_s;
    int64_t rate_limit, rate_burst; /* requests/s of an API key; 0: no limit */
    int64_t keys_max, users_max;    /* active keys of a user, users of a Master */
    int64_t user_bytes_max, user_resources_max, user_waiting_max; /* quotas of a user; 0: no limit */
    int64_t public_rate;        /* requests/s of an address that need no key; 0: no limit */
    const char *metrics_listen; /* NULL: beside the API */
    const char *metrics_key;    /* NULL: none is needed */
    int64_t slots, endpoint_connections_max, failing_rate, queue_max, connection_age_ms, idle_connections_max;
    int64_t backoff_base_ms, backoff_factor, backoff_cap_ms, backoff_jitter_percent, window_ms;
    int64_t lease_ms, drain_ms;
    int64_t disk_reserve_bytes;
    /* How long what has ended is kept; 0: for ever, or with its event (purge.h). */
    int64_t retention_ms, retention_attempts_ms, retention_idempotency_ms, retention_resources_ms;
    const char *key_file; /* what secrets are sealed with; NULL: posthorn.key in the data folder */
    const char *ca_file, *dns_servers;
    const char *tls_cert, *tls_key, *tls_client_ca;
    const char *log_level;
    bool log_json;
};

/* One row of the table; config.c holds it, help and man page are made from it. */
enum config_kind {
    CONFIG_TEXT,
    CONFIG_BOOL,
    CONFIG_INT,
    CONFIG_DURATION /* 500ms 10s 5m 12h 3d */,
    CONFIG_SIZE /* 64MiB */,
    CONFIG_LIST
};
struct config_setting {
    const char *name; /* "allow-target": --allow-target, POSTHORN_ALLOW_TARGET, allow-target = */
    enum config_kind kind;
    size_t offset;        /* into struct config */
    const char *standard; /* default, as text */
    const char *argument; /* "CIDR[:PORT]" for --help */
    const char *help;
    int64_t min, max;
};
extern const struct config_setting config_settings[];
extern const int config_setting_count;

struct config_error {
    char text[256];
};

/* Takes `--name VALUE` or `--name=VALUE` (`flag`: `--name` alone, answered with "") out of argv, for the few
 * options that are the command's own: --config, --help, --json. NULL: not there, or its value is missing. */
const char *config_take_option(int *argc, char **argv, const char *name, bool flag);

/* argv without the command's name and its own options. Views stay in `arena`, argv and environment. `file`
 * may be NULL. False: error->text says what and where. */
bool config_load(struct config *config, struct arena *arena, int argc, char **argv, char **environment,
                 const char *file, struct config_error *error);
/* --help: one line a setting. */
void config_print_help(FILE *out);
/* The SETTINGS section of posthorn.conf(5), as roff. */
void config_print_man(FILE *out);
/* An example posthorn.conf, every setting commented out at its default. */
void config_print_example(FILE *out);

/* policy and guard from the settings; dev and time-scale applied. */
struct policy config_policy(const struct config *config);
struct pace_config config_pace(const struct config *config);
bool config_guard(const struct config *config, struct guard *guard, struct config_error *error);
bool config_sources(const struct config *config, struct source_addresses *sources,
                    struct config_error *error);
