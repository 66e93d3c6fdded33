/*
 * The table of settings: every row works from every source, and an error names its place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config.h"
#include "suggest.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct attempt_at {
    struct arena arena;
    struct config config;
    struct config_error error;
    char file[64];
    char texts[8][160];
};

static int start(void **state)
{
    struct attempt_at *at = calloc(1, sizeof *at);
    arena_init(&at->arena, 4 << 20);
    *state = at;
    return 0;
}

static int stop(void **state)
{
    struct attempt_at *at = *state;
    if (at->file[0])
        unlink(at->file);
    arena_fini(&at->arena);
    free(at);
    return 0;
}

/* Any of the three sources may be NULL. `options` is one argument a word. */
static bool load(struct attempt_at *at, const char *file, const char *variable, const char *options)
{
    static char path[] = "PATH=/bin";
    char *argv[16], *environment[3] = {path, NULL, NULL};
    int argc = 0;
    snprintf(at->texts[0], sizeof at->texts[0], "%s", options ? options : "");
    for (char *word = strtok(at->texts[0], " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    snprintf(at->texts[1], sizeof at->texts[1], "%s", variable ? variable : "");
    environment[1] = variable ? at->texts[1] : NULL;
    if (file) {
        if (!at->file[0]) {
            strcpy(at->file, "/tmp/posthorn-config-XXXXXX");
            close(mkstemp(at->file));
        }
        FILE *out = fopen(at->file, "w");
        fputs(file, out);
        fclose(out);
    }
    arena_reset(&at->arena);
    return config_load(&at->config, &at->arena, argc, argv, environment, file ? at->file : NULL, &at->error);
}

static void test_defaults(void **state)
{
    struct attempt_at *at = *state;
    assert_true(load(at, NULL, NULL, NULL));
    const struct config *config = &at->config;
    assert_null(config->data);
    assert_string_equal(config->listen, "127.0.0.1:8080");
    assert_string_equal(config->mode, "sandbox");
    assert_false(config->dev || config->allow_http || config->strict_json || config->log_json);
    assert_int_equal(config->body_bytes_max, 1 << 20);
    /* Mission rows 29 and 30. */
    struct policy policy = config_policy(config);
    assert_int_equal(policy.base_ms, 10 * 1000);
    assert_int_equal(policy.factor, 3);
    assert_int_equal(policy.cap_ms, 12 * 3600 * 1000);
    assert_int_equal(policy.jitter_percent, 10);
    assert_int_equal(policy.window_ms, 72 * 3600 * 1000);
    assert_int_equal(config->drain_ms, 30 * 1000);
    int64_t month_ms = 30 * (int64_t)86400000;
    assert_int_equal(config->retention_ms, month_ms); /* 8.22: on by default */
    assert_int_equal(config->retention_attempts_ms, month_ms);
    assert_int_equal(config->retention_idempotency_ms, month_ms);
    assert_int_equal(config->retention_resources_ms, month_ms);
    assert_int_equal(config->idle_s, 75); /* 8.19 */
    assert_null(config->ca_file);
}

static void test_rows_are_sound(void **state)
{
    for (int i = 0; i < config_settings.count; i++) {
        const struct option_row *setting = &config_settings.rows[i];
        for (const char *c = setting->name; *c; c++)
            assert_true(islower((unsigned char)*c) || *c == '-');
        assert_true(strlen(setting->name) < 32);
        assert_int_equal(setting->argument == NULL, setting->kind == OPTION_FLAG);
        assert_true(strlen(setting->help) > 10 && strlen(setting->help) < 200);
        assert_int_not_equal(setting->help[strlen(setting->help) - 1], '.');
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(setting->name, config_settings.rows[j].name);
            assert_int_not_equal(setting->offset, config_settings.rows[j].offset);
        }
    }
}

/* A value that is legal for this row, and not its default. */
static const char *sample(const struct option_row *setting)
{
    static char text[32];
    if (strcmp(setting->name, "mode") == 0)
        return "production";
    if (strcmp(setting->name, "log-level") == 0)
        return "warn";
    if (strcmp(setting->name, "source-address") == 0)
        return "2001:db8::1";
    if (strcmp(setting->name, "cors-origins") == 0)
        return "https://app.example.com:8443";
    if (strcmp(setting->name, "allow-port") == 0)
        return "6379";
    if (strcmp(setting->name, "allow-host") == 0)
        return ".svc.cluster.local";
    switch (setting->kind) {
    case OPTION_TEXT:
        return "127.0.0.1:1";
    case OPTION_FLAG:
        return "true";
    case OPTION_WORDS:
        return "10.0.0.0/8";
    case OPTION_DURATION:
        return strcmp(setting->name, "backoff-cap") == 0 ? "11s" : "91s";
    default:
        snprintf(text, sizeof text, "%lld", (long long)setting->max - 1);
        return text;
    }
}

/* What must be said along with a setting for it to be accepted. */
static const char *company(const char *name)
{
    if (strcmp(name, "time-scale") == 0)
        return "--dev ";
    if (strcmp(name, "tls-cert") == 0)
        return "--tls-key k ";
    if (strcmp(name, "tls-key") == 0)
        return "--tls-cert c ";
    if (strcmp(name, "tls-client-ca") == 0)
        return "--tls-key k --tls-cert c ";
    if (strcmp(name, "backoff-base") == 0)
        return "--backoff-cap 1d ";
    return "";
}

static size_t size_of(enum option_kind kind)
{
    switch (kind) {
    case OPTION_TEXT:
    case OPTION_CHOICE:
        return sizeof(char *);
    case OPTION_FLAG:
        return sizeof(bool);
    case OPTION_WORDS:
        return sizeof(struct option_list);
    default:
        return sizeof(int64_t);
    }
}

static void check_row(struct attempt_at *at, const struct option_row *setting, const char *file,
                      const char *variable, const char *options, const struct config *standard)
{
    if (!load(at, file, variable, options))
        fail_msg("%s: %s", setting->name, at->error.text);
    const char *now = (const char *)&at->config + setting->offset;
    const char *before = (const char *)standard + setting->offset;
    if (setting->kind == OPTION_TEXT || setting->kind == OPTION_CHOICE)
        assert_string_equal(*(char *const *)now, sample(setting));
    else if (memcmp(now, before, size_of(setting->kind)) == 0)
        fail_msg("%s: not set", setting->name);
}

static void test_each_from_each_source(void **state)
{
    struct attempt_at *at = *state;
    assert_true(load(at, NULL, NULL, NULL));
    struct config standard = at->config;
    for (int i = 0; i < config_settings.count; i++) {
        const struct option_row *setting = &config_settings.rows[i];
        char file[160], variable[160], options[160], joined[160];
        snprintf(file, sizeof file, "# a comment\n\n  %s =  %s  # why\r\n", setting->name, sample(setting));
        int len = snprintf(variable, sizeof variable, "POSTHORN_%s", setting->name);
        for (int j = 0; j < len; j++)
            variable[j] = variable[j] == '-' ? '_' : (char)toupper((unsigned char)variable[j]);
        snprintf(variable + len, sizeof variable - (size_t)len, "=%s", sample(setting));
        bool flag = setting->kind == OPTION_FLAG;
        snprintf(options, sizeof options, "%s--%s %s", company(setting->name), setting->name,
                 flag ? "" : sample(setting));
        snprintf(joined, sizeof joined, "%s--%s=%s", company(setting->name), setting->name, sample(setting));
        check_row(at, setting, file, NULL, company(setting->name), &standard);
        check_row(at, setting, NULL, variable, company(setting->name), &standard);
        check_row(at, setting, NULL, NULL, options, &standard);
        check_row(at, setting, NULL, NULL, joined, &standard);
    }
}

static void test_precedence(void **state)
{
    struct attempt_at *at = *state;
    assert_true(load(at, "slots = 11", "POSTHORN_SLOTS=12", "--slots 13"));
    assert_int_equal(at->config.slots, 13);
    assert_true(load(at, "slots = 11", "POSTHORN_SLOTS=12", NULL));
    assert_int_equal(at->config.slots, 12);
    assert_true(load(at, "slots = 11\nslots = 14", NULL, "--dev"));
    assert_int_equal(at->config.slots, 14);
    /* A flag can be taken back. */
    assert_true(load(at, "dev = yes", NULL, "--dev=false"));
    assert_false(at->config.dev);
}

static void test_lists(void **state)
{
    struct attempt_at *at = *state;
    const struct option_list *list = &at->config.allow_target;
    assert_true(load(at, "allow-target = 10.0.0.0/8\nallow-target = 127.0.0.1:3000\n", NULL, NULL));
    assert_int_equal(list->count, 2);
    assert_string_equal(list->items[1], "127.0.0.1:3000");
    assert_true(load(at, "allow-target = 10.0.0.0/8\n", "POSTHORN_ALLOW_TARGET=fd00::/8, [::1]:3000", NULL));
    assert_int_equal(list->count, 2); /* instead of the file's */
    assert_string_equal(list->items[0], "fd00::/8");
    assert_true(load(at, NULL, "POSTHORN_ALLOW_TARGET=10.0.0.0/8",
                     "--allow-target 10.1.0.0/16 --allow-target=10.2.0.0/16"));
    assert_int_equal(list->count, 2);
    assert_string_equal(list->items[1], "10.2.0.0/16");
}

struct wrong {
    const char *file, *variable, *options;
    const char *said; /* the text must hold all of it, parts divided by | */
};

static const struct wrong wrongs[] = {
    {"lisen = x", NULL, NULL, ":1: |no setting 'lisen'|did you mean 'listen'"},
    {"\n# a\nslots = 1\nslots 2", NULL, NULL, ":4: |not `name = value`"},
    {"Listen = 127.0.0.1:1", NULL, NULL, "did you mean 'listen'"},
    {NULL, "POSTHORN_LISEN=x", NULL, "POSTHORN_LISEN: |did you mean 'listen'"},
    {NULL, NULL, "--lisen x", "--lisen: |did you mean 'listen'"},
    {NULL, NULL, "--quux x", "--quux: |no setting 'quux'"},
    {NULL, NULL, "listen", "listen: |not an option"},
    {NULL, NULL, "--slots", "--slots: |needs a value|--slots N"},
    {NULL, NULL, "--slots 1k", "--slots takes a whole number from 1 to 65535, not '1k'"},
    {NULL, NULL, "--slots -1", "whole number"},
    {NULL, NULL, "--slots 0", "from 1 to 65535, not '0'"},
    {NULL, NULL, "--slots 65536", "from 1 to 65535, not '65536'"},
    {NULL, NULL, "--slots 99999999999999999999", "whole number"},
    {NULL, NULL, "--window 3", "--window takes a time from 1ms to 365d|10s, 5m, 12h or 3d|not '3'"},
    {NULL, NULL, "--window 3w", "takes a time|not '3w'"},
    {NULL, NULL, "--window 400d", "from 1ms to 365d|not '400d'"},
    {NULL, NULL, "--window 9223372036854775807d", "takes a time"},
    {NULL, NULL, "--body-max 2MiB", "takes a size from 1KiB to 1MiB|not '2MiB'"},
    {NULL, NULL, "--body-max 1MB", "takes a size|64MiB|not '1MB'"},
    {NULL, NULL, "--dev=maybe", "--dev takes true or false, not 'maybe'"},
    {NULL, NULL, "--mode=staging", "sandbox or production|staging"},
    {NULL, NULL, "--mode=", "sandbox or production"},
    {NULL, NULL, "--log-level=loud", "takes error, warn, info or debug, not 'loud'"},
    {NULL, NULL, "--time-scale 10", "--dev"},
    {NULL, NULL, "--dev --mode production", "not with mode production"},
    {NULL, NULL, "--tls-cert c", "tls-key is missing"},
    {NULL, NULL, "--tls-key k", "tls-cert is missing"},
    {NULL, NULL, "--tls-client-ca c", "needs tls-cert"},
    {NULL, NULL, "--backoff-base 2h --backoff-cap 1h", "backoff-cap is shorter"},
    {NULL, NULL, "--lease 89s", "from 90s to 1d"},
    {NULL, NULL, "--source-address 10.0.0.0/8", "source-address: '10.0.0.0/8'|2001:db8::1"},
    {NULL, NULL, "--source-address localhost", "source-address: 'localhost'"},
    {NULL, NULL, "--source-address 192.0.2.1,::1,192.0.2.1", "source-address: '192.0.2.1'|twice"},
    {NULL, NULL, "--cors-origins https://app.example.com/",
     "cors-origins: 'https://app.example.com/'|without a path"},
    {NULL, NULL, "--cors-origins app.example.com", "cors-origins: 'app.example.com'"},
    {NULL, NULL, "--rate-limit -1", "whole number"},
    {NULL, NULL, "--rate-burst 0", "from 1 to 1000000"},
    {NULL, NULL, "--allow-host n8n:5678", "allow-host: 'n8n:5678' is no host name|without a port"},
    {NULL, NULL, "--allow-host .", "allow-host: '.' is no host name"},
    {NULL, NULL, "--allow-host *.local", "allow-host: '*.local'"},
    {NULL, NULL, "--allow-host 10.0.0.1", "allow-host: '10.0.0.1'"},
    {NULL, NULL, "--allow-port 0", "allow-port: '0' is no port"},
    {NULL, NULL, "--allow-port redis", "allow-port: 'redis' is no port"},
    {"dev = perhaps", NULL, NULL, ":1: dev takes true or false, not 'perhaps'"},
    {NULL, "POSTHORN_SLOTS=many", NULL, "POSTHORN_SLOTS takes a whole number"},
    {"allow-target = everything", NULL, NULL, "allow-target: 'everything'|10.0.0.0/8"},
};

static void test_wrong(void **state)
{
    struct attempt_at *at = *state;
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        const struct wrong *wrong = &wrongs[i];
        if (load(at, wrong->file, wrong->variable, wrong->options))
            fail_msg("row %zu was accepted (%s)", i, wrong->said);
        char said[160];
        snprintf(said, sizeof said, "%s", wrong->said);
        for (char *part = strtok(said, "|"); part; part = strtok(NULL, "|"))
            if (!strstr(at->error.text, part))
                fail_msg("row %zu: '%s' is not in: %s", i, part, at->error.text);
        if (wrong->file && strstr(at->error.text, ":1:"))
            assert_non_null(strstr(at->error.text, at->file));
    }
}

static void test_file_that_is_none(void **state)
{
    struct attempt_at *at = *state;
    char *environment[] = {NULL};
    assert_false(
        config_load(&at->config, &at->arena, 0, NULL, environment, "/nowhere/posthorn.conf", &at->error));
    assert_non_null(strstr(at->error.text, "/nowhere/posthorn.conf: cannot be read: No such file"));
    assert_false(config_load(&at->config, &at->arena, 0, NULL, environment, "/tmp", &at->error));
}

static void test_variables_of_the_cli_are_left_alone(void **state)
{
    struct attempt_at *at = *state;
    assert_true(load(at, NULL, "POSTHORN_SERVER=http://x", NULL));
    assert_true(load(at, NULL, "POSTHORN_KEY=k", NULL));
    assert_true(load(at, NULL, "POSTHORN_CONFIG=f", NULL));
    assert_true(load(at, NULL, "POSTHORN_SECRET=whsec_x", NULL));
    assert_true(load(at, NULL, "POSTHORN_CATALOGUE=c", NULL));
}

/* Issue 8.17: what Kubernetes makes of a Service with the name posthorn, or with one that begins so. */
static const char *const made_by_kubernetes[] = {
    "POSTHORN_SERVICE_HOST=10.96.12.7",
    "POSTHORN_SERVICE_HOST=fd00::7",
    "POSTHORN_SERVICE_PORT=8080",
    "POSTHORN_SERVICE_PORT_HTTP=8080",
    "POSTHORN_SERVICE_PORT_HTTP_API=8080",
    "POSTHORN_PORT=tcp://10.96.12.7:8080",
    "POSTHORN_PORT=tcp://[fd00::7]:8080",
    "POSTHORN_PORT=udp://10.96.12.7:53",
    "POSTHORN_PORT_8080_TCP=tcp://10.96.12.7:8080",
    "POSTHORN_PORT_8080_TCP_PROTO=tcp",
    "POSTHORN_PORT_8080_TCP_PORT=8080",
    "POSTHORN_PORT_8080_TCP_ADDR=10.96.12.7",
    "POSTHORN_PORT_8080_TCP_ADDR=fd00::7",
    "POSTHORN_PORT_132_SCTP_PROTO=sctp",
    "POSTHORN_RECEIVE_SERVICE_HOST=10.96.12.8",
    "POSTHORN_RECEIVE_SERVICE_PORT=3000",
    "POSTHORN_RECEIVE_SERVICE_PORT_HTTP=3000",
    "POSTHORN_RECEIVE_PORT=tcp://10.96.12.8:3000",
    "POSTHORN_RECEIVE_PORT_3000_TCP=tcp://10.96.12.8:3000",
    "POSTHORN_RECEIVE_PORT_3000_TCP_ADDR=10.96.12.8",
    "POSTHORN_A_SERVICE_WITH_A_NAME_OF_SIXTY_THREE_CHARACTERS_OR_SO_SERVICE_PORT_HTTP=3000",
    "POSTHORN_LISTEN_PORT=tcp://10.96.12.9:1",
    /* names of services that contain the shapes themselves */
    "POSTHORN_PORT_1_PORT_8080_TCP=tcp://10.96.12.9:8080",
    "POSTHORN_PORT_1_PORT_8080_TCP_ADDR=10.96.12.9",
    "POSTHORN_PORT_PORT_80_TCP_PROTO=tcp",
    "POSTHORN_SERVICE_HOST_SERVICE_HOST=10.96.12.9",
    "POSTHORN_SERVICE_PORT_SERVICE_PORT_HTTP=80",
    /* Docker's links */
    "POSTHORN_1_NAME=/web/posthorn_1",
    "POSTHORN_DB_ENV_PATH=/bin",
    "POSTHORN_NAME=/web/posthorn",
    "POSTHORN_ENV_PATH=/bin",
    "POSTHORN_PORT_8080_TCP_START=tcp://172.17.0.2:8080",
    "POSTHORN_PORT_8080_TCP_PORT_END=8090",
};
static const char *const slips[] = {
    "POSTHORN_PORT=8080",
    "POSTHORN_PORT=tcp://posthorn:8080",
    "POSTHORN_PORT=tcp://10.0.0.0/8:80",
    "POSTHORN_PORT=http://10.96.12.7:8080",
    "POSTHORN_HOST=10.96.12.7",
    "POSTHORN_SERVICE_HOST=posthorn.example.com",
    "POSTHORN_SERVICE_HOST=",
    "POSTHORN_SERVICE_HOSTS=10.96.12.7",
    "POSTHORN_SERVICE_PORT=0",
    "POSTHORN_SERVICE_PORT=http",
    "POSTHORN_SERVICE_PORTS=8080",
    "POSTHORN_PORT_8080=8080",
    "POSTHORN_PORT_8080_TCP=8080",
    "POSTHORN_PORT_8080_HTTP=tcp://10.96.12.7:8080",
    "POSTHORN_PORT_8080_TCP_ADDRESS=10.96.12.7",
    "POSTHORN_PORT_8080_TCP_PROTO=http",
    "POSTHORN_REPORT=tcp://10.96.12.7:8080",
    "POSTHORN_NAME=posthorn",
    "POSTHORN_DB_NAME=db",
    "POSTHORN_ENV=production",
    "POSTHORN_SERVICE_HOST_SERVICE_HOST=posthorn",
};

static void test_8_17_variables_of_kubernetes_are_left_alone(void **state)
{
    struct attempt_at *at = *state;
    for (size_t i = 0; i < sizeof made_by_kubernetes / sizeof *made_by_kubernetes; i++)
        if (!load(at, NULL, made_by_kubernetes[i], NULL))
            fail_msg("%s: %s", made_by_kubernetes[i], at->error.text);
    for (size_t i = 0; i < sizeof slips / sizeof *slips; i++)
        if (load(at, NULL, slips[i], NULL))
            fail_msg("%s was accepted", slips[i]);
}

static void test_guard_and_policy(void **state)
{
    struct attempt_at *at = *state;
    struct guard guard;
    assert_true(load(at, NULL, NULL, NULL));
    assert_true(config_guard(&at->config, &guard, &at->error));
    assert_false(guard.http_allowed);
    assert_int_equal(guard.exception_count, 0);
    assert_true(load(at, NULL, NULL, "--allow-http --allow-target 10.0.0.0/8:3000"));
    assert_true(config_guard(&at->config, &guard, &at->error));
    assert_true(guard.http_allowed);
    assert_int_equal(guard.exception_count, 1);
    assert_true(load(at, NULL, NULL, "--dev --time-scale 1000"));
    assert_true(config_guard(&at->config, &guard, &at->error));
    assert_true(guard.http_allowed && guard.exception_count == 2);
    assert_int_equal(config_policy(&at->config).base_ms, 10);
    assert_true(load(at, NULL, NULL, "--window 5d --backoff-base 1s --backoff-factor 2"));
    assert_int_equal(config_policy(&at->config).window_ms, 5 * 86400000LL);
    assert_int_equal(config_policy(&at->config).factor, 2);
}

enum { PRINT_LEN_MAX = 64 * 1024 };

static char *printed(void (*print)(FILE *), char *text)
{
    FILE *out = fmemopen(text, PRINT_LEN_MAX, "w");
    print(out);
    fclose(out);
    return text;
}

static void print_help(FILE *out)
{
    for (int i = 0; i < config_settings.count; i++)
        option_print_help(out, &config_settings.rows[i]);
}

static void test_prints_hold_every_row(void **state)
{
    struct attempt_at *at = *state;
    static char texts[3][PRINT_LEN_MAX];
    const char *help = printed(print_help, texts[0]), *man = printed(config_print_man, texts[1]);
    char *example = printed(config_print_example, texts[2]);
    for (int i = 0; i < config_settings.count; i++) {
        char name[64];
        snprintf(name, sizeof name, "--%s", config_settings.rows[i].name);
        assert_non_null(strstr(help, name));
        snprintf(name, sizeof name, "\n#%s = ", config_settings.rows[i].name);
        assert_non_null(strstr(example, name));
    }
    assert_non_null(strstr(man, "\\fBPOSTHORN_ALLOW_TARGET\\fR"));
    assert_non_null(strstr(man, ".B backoff\\-base = \\fITIME\\fR"));
    for (const char *line = help; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 110);
    /* The example, uncommented where it has a default, says what holds anyway. */
    for (char *line = example; (line = strstr(line, "\n#")); line += 2)
        if (line[2] != ' ')
            line[1] = ' ';
    memcpy(strstr(example, " allow-target = CIDR"), "#", 1);
    memcpy(strstr(example, " allow-host = NAME"), "#", 1);
    memcpy(strstr(example, " allow-port = PORT"), "#", 1);
    memcpy(strstr(example, " source-address = ADDRESS"), "#", 1);
    memcpy(strstr(example, " cors-origins = ORIGIN"), "#", 1);
    for (char *tls; (tls = strstr(example, "\n tls-")) != NULL;)
        tls[1] = '#';
    assert_true(load(at, example, NULL, NULL));
    assert_int_equal(at->config.window_ms, 3 * 86400000LL);
}

static void test_suggestions(void **state)
{
    static const char *const words[] = {"serve", "init", "receive", "trigger", "events"};
    assert_string_equal(suggest_nearest("serv", words, 5), "serve");
    assert_string_equal(suggest_nearest("recieve", words, 5), "receive");
    assert_string_equal(suggest_nearest("event", words, 5), "events");
    assert_null(suggest_nearest("frobnicate", words, 5));
    assert_null(suggest_nearest("", words, 5));
    assert_null(suggest_nearest("0123456789012345678901234567890123456789012345678901234567890", words, 5));
}

int main(void)
{
#define WITH(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        WITH(test_defaults),
        cmocka_unit_test(test_rows_are_sound),
        WITH(test_each_from_each_source),
        WITH(test_precedence),
        WITH(test_lists),
        WITH(test_wrong),
        WITH(test_file_that_is_none),
        WITH(test_variables_of_the_cli_are_left_alone),
        WITH(test_8_17_variables_of_kubernetes_are_left_alone),
        WITH(test_guard_and_policy),
        WITH(test_prints_hold_every_row),
        cmocka_unit_test(test_suggestions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
