/*
 * config: every setting, from one table that feeds the file, the environment, --help and posthorn.conf(5).
 *
 * Order of precedence: command line, POSTHORN_... environment, file, default. A setting that is unknown or
 * malformed anywhere is an error with its place (file:line, variable, option), never ignored.
 * The file: one `name = value` a line, `#` starts a comment; list settings may be given several times.
 */
#pragma once
#include "arena.h"
#include "command.h"
#include "guard.h"
#include "log.h"
#include "pace.h"
#include "policy.h"
#include "source_addresses.h"

struct config {
    const char *data; /* --data: the folder of the database, the key file and catalogue.json */
    const char
        *store; /* --store: another place of the database (server_store_choose); NULL: posthorn.db there */
    const char *listen; /* --listen 127.0.0.1:8080 */
    const char *mode;   /* --mode: "sandbox" or "production" */
    bool dev;           /* --dev: loopback and http targets, loudly */
    bool allow_http;
    struct option_list allow_target;   /* --allow-target CIDR[:PORT] */
    struct option_list allow_host;     /* --allow-host NAME or .SUFFIX */
    struct option_list allow_port;     /* --allow-port PORT */
    struct option_list source_address; /* --source-address ADDRESS */
    int64_t time_scale;                /* dev only */
    bool regular_events;               /* any key posts events, to its own user */
    bool strict_json;                  /* no comments, no trailing commas */
    bool any_member_names;             /* that JSON:API forbids; they give a warning */
    bool refuse_event_ids;             /* of producers */
    bool own_event_ids;                /* they work as idempotency keys; with neither, they are ignored */
    struct option_list cors_origins;   /* whose pages may use the API from a browser; "*": all */
    int64_t http_threads, reader_threads;
    int64_t memory_max; /* bytes of bodies in flight, in and out: budget.h */
    int64_t body_bytes_max, connections_max, idle_s;
    int64_t rate_limit, rate_burst; /* requests/s of an API key; 0: no limit */
    int64_t keys_max, users_max;    /* active keys of a user, users of a Master */
    int64_t endpoints_max;          /* of a user */
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

extern const struct option_table config_settings;
/* --config FILE, for a struct of options that begins with `const char *config_file`. */
extern const struct option_table config_file_option;

struct config_error {
    char text[256];
};

/* `argv` has settings only (invocation->settings). Views stay in `arena`, argv and environment. `file`
 * may be NULL. False: error->text says what and where. */
bool config_load(struct config *config, struct arena *arena, int argc, char **argv, char **environment,
                 const char *file, struct config_error *error);
/* The SETTINGS section of posthorn.conf(5), as roff. */
void config_print_man(FILE *out);
/* The settings of a command line, with the file that `options` names first (config_file_option). EXIT_DONE,
 * or EXIT_USAGE after saying what is wrong. */
int config_load_for(const struct invocation *invocation, const void *options, struct config *config,
                    struct arena *arena);
/* An example posthorn.conf, every setting commented out at its default. */
void config_print_example(FILE *out);

/* policy and guard from the settings; dev and time-scale applied. */
struct policy config_policy(const struct config *config);
struct pace_config config_pace(const struct config *config);
bool config_guard(const struct config *config, struct guard *guard, struct config_error *error);
bool config_sources(const struct config *config, struct source_addresses *sources,
                    struct config_error *error);
