/* posthorn doctor: checks that a webhook URL can be set and reached, and that its answer is right. */
#include "client.h"
#include "clock.h"
#include "commands.h"
#include "failure.h"
#include "guard.h"
#include "json_c.h"
#include "posthorn.h"
#include "probe.h"
#include "push.h"
#include "remedy.h"
#include "show.h"
#include "signatures_option.h"
#include "terminal.h"
#include "words.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>

enum {
    LINE_LEN_MAX = 8192,
    LINE_MEMORY_MAX = 4 * LINE_LEN_MAX,
    EVENT_LEN_MAX = 64 * 1024,
    DIALLED_MAX = 4,
    DAYS_FEW = 14,
    DAY_MS = 24 * 3600 * 1000
};

/* A whole event, because some handlers crash on a request that they cannot parse (mission row 34). */
static const char ping_document[] =
    "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"ping\"},\"relationships\":"
    "{\"resource\":{\"data\":{\"type\":\"pings\",\"id\":\"1\"}}}},\"included\":[{\"type\":\"pings\","
    "\"id\":\"1\",\"attributes\":{\"message\":\"posthorn doctor asked whether events arrive here; nothing "
    "has happened.\"}}]}";

enum result { RESULT_OK, RESULT_NOTE, RESULT_FAILED };

struct doctor {
    struct client_options server; /* the options: first */
    bool ping;
    const char *api_key, *ca_file, *dns_servers;
    struct option_list secrets;
    const char *signature_names, *endpoint;
    int signatures;
    bool dev, allow_http; /* what the operator allows, as the server's settings of these names */
    struct option_list allow_target, allow_host, allow_port;

    const struct invocation *invocation;
    const char *address;
    char own_secret[POSTHORN_SECRET_LEN_MAX]; /* from the server */
    struct guard guard;
    struct url url;
    struct addresses addresses;
    struct colours colours;
    struct probe *probe;
    bool failed;
    struct arena arena;
};

/* ---- a line for each step ---- */

/* Text from outside in `detail` is already escaped. `remedy` may be "". */
static void say(struct doctor *doctor, enum result result, const char *step, const char *detail,
                const char *remedy)
{
    static const char *const names[] = {"ok", "note", "failed"};
    static const enum colour colours[] = {COLOUR_GOOD, COLOUR_NOTE, COLOUR_BAD};
    struct text line;

    doctor->failed |= result == RESULT_FAILED;
    text_init(&line, &doctor->arena, LINE_LEN_MAX);
    text_put_escaped(&line, bytes_of(detail));
    if (doctor->invocation->json) {
        struct json_object *object = json_object_new_object();
        json_object_object_add(object, "step", json_object_new_string(step));
        json_object_object_add(object, "result", json_object_new_string(names[result]));
        json_object_object_add(object, "detail", json_object_new_string(line.data));
        json_object_object_add(object, "remedy", *remedy ? json_object_new_string(remedy) : NULL);
        show_json_line(bytes_of(json_object_to_json_string_ext(object, JSON_C_TO_STRING_NOSLASHESCAPE)));
        json_object_put(object);
    } else {
        printf("%s%-6s%s %-8s %s\n", colour_start(doctor->colours, colours[result]), names[result],
               colour_end(doctor->colours), step, line.data);
        if (*remedy)
            printf("%15s %s\n", "", remedy);
    }
    fflush(stdout);
    arena_reset(&doctor->arena);
}

static void say_failure(struct doctor *doctor, enum result result, const char *step, const char *where,
                        enum failure failure)
{
    char detail[LINE_LEN_MAX / 2];

    snprintf(detail, sizeof detail, "%s%s%s", where, *where ? ": " : "", failure_sentence(failure));
    say(doctor, result, step, detail, remedy_for(failure));
}

static void say_found(struct doctor *doctor, const char *step, enum failure failure, const char *detail)
{
    const struct words_outcome outcome = {.reason = bytes_of(failure_name(failure)),
                                          .detail = bytes_of(detail)};
    say(doctor, RESULT_FAILED, step, detail, remedy_of(&outcome));
}

/* ---- the steps ---- */

static bool check_url(struct doctor *doctor)
{
    enum url_error error = url_parse(bytes_of(doctor->address), &doctor->url);
    enum guard_verdict verdict = error == URL_OK ? guard_url(&doctor->guard, &doctor->url) : GUARD_ALLOWED;
    char detail[LINE_LEN_MAX / 2], sentence[GUARD_SENTENCE_LEN];
    const char *remedy = "";

    if (error != URL_OK) {
        say(doctor, RESULT_FAILED, "url", url_error_sentence(error),
            "A webhook_url looks like https://example.com/path?query.");
        return false;
    }
    if (verdict == GUARD_ALLOWED) {
        say(doctor, RESULT_OK, "url", doctor->address, "");
        return true;
    }
    if (verdict == GUARD_SCHEME)
        remedy = "Use https; or start server and doctor with --allow-http.";
    else if (verdict == GUARD_ADDRESS)
        remedy = "On your own machine start server and doctor with --dev; or list it with --allow-target.";
    else if (verdict == GUARD_HOST)
        remedy = "If it is a name of your own network, start server and doctor with --allow-host, and with "
                 "--allow-target for its address.";
    snprintf(detail, sizeof detail, "%s: %s", guard_verdict_code(verdict),
             guard_sentence(verdict, &doctor->url, sentence));
    say(doctor, RESULT_FAILED, "url", detail, remedy);
    return false;
}

static void print_address(const union address *address, char out[INET6_ADDRSTRLEN])
{
    const void *bytes = address->any.sa_family == AF_INET ? (const void *)&address->v4.sin_addr
                                                          : (const void *)&address->v6.sin6_addr;
    inet_ntop(address->any.sa_family, bytes, out, INET6_ADDRSTRLEN);
}

/* The way to the receiver ends here already. */
static void say_no_resolver(struct doctor *doctor)
{
    char detail[LINE_LEN_MAX / 2];

    snprintf(detail, sizeof detail, "%s: the DNS resolver of this machine does not answer, for any name",
             doctor->url.host);
    say(doctor, RESULT_FAILED, "resolve", detail,
        "It is not the receiver's fault. Do the servers of --dns-servers, or of /etc/resolv.conf, answer?");
}

/* Keeps only the addresses that are allowed. */
static bool resolve(struct doctor *doctor)
{
    enum failure failure = probe_resolve(doctor->probe, &doctor->url, &doctor->addresses);
    char found[LINE_LEN_MAX / 2], address[INET6_ADDRSTRLEN];
    int allowed = 0, len = 0;

    if (failure == FAILURE_LOCAL_OUTAGE) {
        say_no_resolver(doctor);
        return false;
    }
    if (failure != FAILURE_NONE) {
        say_failure(doctor, RESULT_FAILED, "resolve", doctor->url.host, failure);
        return false;
    }
    for (int i = 0; i < doctor->addresses.count; i++) {
        union address one = doctor->addresses.list[i];
        if (one.any.sa_family == AF_INET)
            one.v4.sin_port = htons(doctor->url.port);
        else
            one.v6.sin6_port = htons(doctor->url.port);
        print_address(&one, address);
        if (guard_address(&doctor->guard, &one.any) == GUARD_ALLOWED) {
            len += snprintf(found + len, sizeof found - (size_t)len, "%s%s", len ? ", " : "", address);
            doctor->addresses.list[allowed++] = one;
        } else {
            say_failure(doctor, RESULT_NOTE, "resolve", address, FAILURE_BLOCKED_ADDRESS);
        }
    }
    doctor->addresses.count = allowed;
    if (allowed == 0)
        say(doctor, RESULT_FAILED, "resolve", "no allowed address is left", "");
    else if (doctor->url.host_kind == URL_HOST_NAME)
        say(doctor, RESULT_OK, "resolve", found, "");
    return allowed > 0;
}

/* Tries each address, so that a failure of one of two is seen. Keeps the last open connection. */
static bool connect_each(struct doctor *doctor)
{
    int count = doctor->addresses.count < DIALLED_MAX ? doctor->addresses.count : DIALLED_MAX;
    enum failure failures[DIALLED_MAX];
    int reached = -1;
    int64_t duration_ms;
    char address[INET6_ADDRSTRLEN], detail[128];

    for (int i = 0; i < count; i++) {
        failures[i] = probe_connect(doctor->probe, &doctor->url, &doctor->addresses.list[i], &duration_ms);
        if (failures[i] != FAILURE_NONE)
            continue;
        reached = i;
        print_address(&doctor->addresses.list[i], address);
        snprintf(detail, sizeof detail, "%s port %d in %lld ms", address, doctor->url.port,
                 (long long)duration_ms);
        say(doctor, RESULT_OK, "connect", detail, "");
    }
    for (int i = 0; i < count; i++) {
        print_address(&doctor->addresses.list[i], address);
        snprintf(detail, sizeof detail, "%s port %d", address, doctor->url.port);
        if (failures[i] != FAILURE_NONE) /* one that works is enough for the server */
            say_failure(doctor, reached < 0 ? RESULT_FAILED : RESULT_NOTE, "connect", detail, failures[i]);
    }
    if (reached >= 0 && reached < count - 1) /* a later failed connect has closed it */
        return probe_connect(doctor->probe, &doctor->url, &doctor->addresses.list[reached], &duration_ms) ==
               FAILURE_NONE;
    return reached >= 0;
}

static void say_certificate(struct doctor *doctor, enum result result,
                            const struct probe_certificate *certificate)
{
    int64_t left_ms = certificate->not_after_ms - probe_now_ms(doctor->probe);
    struct arena arena;
    struct text detail;

    if (!certificate->seen)
        return;
    long long days = (long long)((left_ms < 0 ? -left_ms : left_ms) / DAY_MS);
    arena_init(&arena, LINE_MEMORY_MAX);
    text_init(&detail, &arena, LINE_LEN_MAX);
    text_puts(&detail, "the certificate is for ");
    text_put_printable(&detail, bytes_of(certificate->names[0] ? certificate->names : "no name at all"));
    text_puts(&detail, ", from ");
    text_put_printable(&detail, bytes_of(certificate->issuer));
    text_printf(&detail, ", %s %lld day%s%s", left_ms < 0 ? "ended" : "good for", days, days == 1 ? "" : "s",
                left_ms < 0 ? " ago" : "");
    bool soon = left_ms < (int64_t)DAYS_FEW * DAY_MS;
    say(doctor, soon && result == RESULT_OK ? RESULT_NOTE : result, "tls", detail.data,
        soon && left_ms >= 0 ? "Renew it soon: the day it ends, every delivery fails." : "");
    arena_fini(&arena);
}

/* Failures with a known cause, which the sender's reason does not name. */
static void say_tls_failure(struct doctor *doctor, enum failure failure,
                            const struct probe_certificate *certificate)
{
    char detail[LINE_LEN_MAX / 2];

    if (failure == FAILURE_TLS_PROTOCOL && certificate->alert == SSL_AD_NO_APPLICATION_PROTOCOL) {
        say(doctor, RESULT_FAILED, "tls", "your server speaks HTTP/2 only, and webhooks are sent in HTTP/1.1",
            "Let it offer http/1.1 in ALPN, too, or put a proxy in front of it.");
    } else if (certificate->why[0] && strncmp(certificate->why, "TLS failed: ", 12) != 0) {
        say_found(doctor, "tls", failure, certificate->why);
    } else if (failure == FAILURE_TLS_PROTOCOL && certificate->alert) {
        snprintf(detail, sizeof detail, "%s: your server ended it with the alert '%s'",
                 failure_sentence(failure), SSL_alert_desc_string_long(certificate->alert));
        say(doctor, RESULT_FAILED, "tls", detail, remedy_for(failure));
    } else {
        say_failure(doctor, RESULT_FAILED, "tls", "", failure);
    }
}

static bool secure(struct doctor *doctor)
{
    struct probe_certificate certificate;
    enum failure failure;

    if (!doctor->url.https) {
        say(doctor, RESULT_NOTE, "tls", "none: over http anybody on the way can read events and WEBHOOK-AUTH",
            "Use https wherever others could listen.");
        return true;
    }
    failure = probe_secure(doctor->probe, &certificate);
    if (failure != FAILURE_NONE)
        say_tls_failure(doctor, failure, &certificate);
    else
        say(doctor, RESULT_OK, "tls", certificate.version, "");
    say_certificate(doctor, failure == FAILURE_NONE ? RESULT_OK : RESULT_NOTE, &certificate);
    if (certificate.client_asked)
        say(doctor, RESULT_NOTE, "tls", "it asks for a client certificate",
            remedy_for(FAILURE_TLS_CLIENT_CERT));
    return failure == FAILURE_NONE;
}

/* ---- the ping ---- */

static void say_ping(struct doctor *doctor, const struct push_event *event,
                     const struct push_outcome *outcome)
{
    bool good = outcome->failure == FAILURE_NONE && outcome->status == 200;
    enum failure failure = outcome->failure;
    struct arena arena;
    struct text detail;

    if (failure == FAILURE_NONE && !good)
        failure =
            outcome->status >= 300 && outcome->status <= 399 ? FAILURE_REDIRECT : FAILURE_UNEXPECTED_STATUS;
    struct words_outcome words = {.reason = bytes_of(failure_name(failure)),
                                  .status = outcome->status,
                                  .detail = bytes_of(outcome->detail)};
    arena_init(&arena, LINE_MEMORY_MAX);
    text_init(&detail, &arena, LINE_LEN_MAX);
    text_printf(&detail, "event %s: ", event->id);
    words_put_outcome(&detail, &words);
    text_printf(&detail, ", in %lld ms", (long long)outcome->duration_ms);
    if (!good && outcome->answer_len > 0) {
        text_puts(&detail, ". It said: ");
        words_put_answer(&detail, bytes_make(outcome->answer, outcome->answer_len));
    }
    say(doctor, good ? RESULT_OK : RESULT_FAILED, "ping", detail.data, good ? "" : remedy_of(&words));
    arena_fini(&arena);
}

/* A server that waits for TLS may not answer plain HTTP at all. Only a silent server gets this probe, because
 * an HTTP server would treat it as a broken request. */
static void say_if_tls(struct doctor *doctor)
{
    struct probe_certificate certificate;
    struct url secured = doctor->url;
    int64_t duration_ms;

    secured.https = true;
    if (probe_connect(doctor->probe, &secured, &doctor->addresses.list[0], &duration_ms) != FAILURE_NONE)
        return;
    probe_secure(doctor->probe, &certificate);
    if (certificate.seen || certificate.version[0])
        say(doctor, RESULT_FAILED, "tls", "this port speaks TLS: the URL must begin with https://", "");
    probe_release(doctor->probe);
}

/* The endpoint signs as it has it, but for what needs a key that the server shows nobody. */
static void take_signatures(struct doctor *doctor, struct client *client, const char *endpoint)
{
    struct client_answer answer = {0};
    char names[LINE_LEN_MAX / 2] = "";
    size_t len = 0;

    if (!client_call(client, "GET", client_path(client, "/api/endpoints/%s", endpoint), NULL, &answer) ||
        answer.status != 200)
        return;
    struct json_object *list = json_at(answer.json, "data.attributes.signatures");
    size_t count = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (size_t i = 0; i < count && len < sizeof names; i++)
        len += (size_t)snprintf(names + len, sizeof names - len, "%s%s", i ? "," : "",
                                json_object_get_string(json_object_array_get_idx(list, i)));
    if (signatures_option_read(doctor->invocation, names, &doctor->signatures) != EXIT_DONE)
        doctor->signatures = 0;
    if (doctor->signatures & PUSH_ED25519)
        say(doctor, RESULT_NOTE, "ping",
            "sent without the signatures of Ed25519 that the endpoint has: the server alone has their key",
            "`posthorn endpoints ping` sends one from the server, with all of them.");
    doctor->signatures &= ~PUSH_ED25519;
}

/* The endpoint's secret and signatures. */
static void fetch_from(struct doctor *doctor, struct client *client, const char *endpoint)
{
    struct client_answer answer = {0};
    char detail[LINE_LEN_MAX / 2];
    const char *path = client_path(client, "/api/endpoints/%s/signing_secrets/default/reveal", endpoint);
    bool answered = client_call(client, "POST", path, NULL, &answer) && answer.status == 200;
    struct bytes secret = json_string(json_at(answer.json, "data.attributes"), "secret");
    if (answered && secret.len > 0) {
        snprintf(doctor->own_secret, sizeof doctor->own_secret, "%.*s", BYTES_ARG(secret));
        doctor->secrets.items[doctor->secrets.count++] = doctor->own_secret;
        if (!doctor->signature_names)
            take_signatures(doctor, client, endpoint);
    } else {
        snprintf(detail, sizeof detail, "%s did not say the signing secret of this endpoint (%s%d)",
                 doctor->server.server, answer.status ? "it answered " : "no answer, ", answer.status);
        say(doctor, RESULT_NOTE, "ping", detail,
            answer.status == 404 ? "It has been replaced, or there is no such endpoint: give --secret."
                                 : "Give it as --secret, or look at --server and --key.");
    }
}

/* False: impossible, and a line says so. */
static bool fetch(struct doctor *doctor)
{
    struct client_answer answer = {0};
    struct client *client;
    char own[BYTES_INT64_LEN_MAX + 1] = "0";

    if (client_open(doctor->invocation, &doctor->server, &client) != EXIT_DONE)
        return false;
    if (!doctor->endpoint && client_call(client, "GET", "/api/users/me", NULL, &answer)) {
        struct bytes id = json_string(json_at(answer.json, "data"), "id");
        snprintf(own, sizeof own, "%.*s", BYTES_ARG(id));
    }
    fetch_from(doctor, client, doctor->endpoint ? doctor->endpoint : own);
    client_close(client);
    return true;
}

/* The parts of a server's push that this one lacks. A handler that checks them refuses the ping. */
static void say_what_is_missing(struct doctor *doctor)
{
    if (!doctor->api_key)
        say(doctor, RESULT_NOTE, "ping", "sent without WEBHOOK-AUTH, because no API key is given",
            "If your handler checks it: give --api-key, or --server and --key.");
    if (doctor->secrets.count == 0)
        say(doctor, RESULT_NOTE, "ping",
            "sent without webhook-id, webhook-timestamp and webhook-signature (Standard Webhooks), because "
            "no signing "
            "secret is given",
            "If your handler checks them: give --secret, or --server and --key to take your own from the "
            "server.");
}

static int ping(struct doctor *doctor)
{
    if (doctor->server.server && doctor->server.key) {
        if (!doctor->api_key)
            doctor->api_key = doctor->server.key;
        if (doctor->secrets.count == 0 && !fetch(doctor))
            return EXIT_USAGE;
    }
    say_what_is_missing(doctor);
    struct json_object *document = json_tokener_parse(ping_document);
    struct push_event event;
    struct push_outcome outcome;
    struct arena arena;
    struct push *push;
    int code = push_open(doctor->invocation, doctor->address, doctor->api_key, &doctor->secrets,
                         doctor->signatures, doctor->ca_file, &push);

    arena_init(&arena, EVENT_LEN_MAX);
    if (code == EXIT_DONE) {
        bool fits = push_render(push, &arena, document, &event);
        if (fits) {
            push_send(push, &event, &outcome);
            say_ping(doctor, &event, &outcome);
            if (outcome.failure == FAILURE_HEADER_TIMEOUT && outcome.answer_len == 0 && !doctor->url.https)
                say_if_tls(doctor);
        }
        push_close(push);
    }
    arena_fini(&arena);
    json_object_put(document);
    return code;
}

static int examine(struct doctor *doctor)
{
    if (!check_url(doctor) || !resolve(doctor) || !connect_each(doctor) || !secure(doctor))
        return EXIT_FAILED;
    probe_release(doctor->probe); /* some servers serve one connection at a time */
    if (doctor->ping)
        return ping(doctor);
    if (!doctor->invocation->json)
        printf("Nothing was sent. `posthorn doctor --ping URL` sends one event of type ping.\n");
    return EXIT_DONE;
}

static bool read_list(const struct doctor *doctor, const struct option_list *list, struct guard *guard,
                      bool (*add)(struct guard *guard, struct bytes text), const char *expected)
{
    for (int i = 0; i < list->count; i++)
        if (!add(guard, bytes_of(list->items[i]))) {
            command_wrong(doctor->invocation, "%s, not '%.80s'", expected, list->items[i]);
            return false;
        }
    return true;
}

static bool read_allowed(struct doctor *doctor)
{
    struct guard *guard = &doctor->guard;

    guard_init(guard);
    guard->http_allowed = doctor->dev || doctor->allow_http;
    if (doctor->dev) {
        guard_add_exception(guard, bytes_of("127.0.0.0/8"));
        guard_add_exception(guard, bytes_of("::1"));
    }
    return read_list(doctor, &doctor->allow_target, guard, guard_add_exception,
                     "--allow-target takes a network such as 10.1.0.0/16:8443") &&
           read_list(doctor, &doctor->allow_host, guard, guard_add_host,
                     "--allow-host takes a host name such as n8n or .cluster.local") &&
           read_list(doctor, &doctor->allow_port, guard, guard_add_port,
                     "--allow-port takes a number from 1 to 65535");
}

static int run(const struct invocation *invocation, void *options)
{
    struct doctor *doctor = options;

    doctor->invocation = invocation;
    doctor->address = invocation->operands[0];
    doctor->colours = colours_for(stdout);
    if (!read_allowed(doctor) ||
        signatures_option_read(invocation, doctor->signature_names, &doctor->signatures) != EXIT_DONE)
        return EXIT_USAGE;
    doctor->probe = probe_open(doctor->ca_file, doctor->dns_servers);
    if (!doctor->probe)
        return EXIT_FAILED;
    arena_init(&doctor->arena, LINE_MEMORY_MAX);
    int code = examine(doctor);
    arena_fini(&doctor->arena);
    probe_close(doctor->probe);
    return code == EXIT_DONE && doctor->failed ? EXIT_FAILED : code;
}

#define AT(field) offsetof(struct doctor, field)
static const struct option_row rows[] = {
    {"ping", OPTION_FLAG, AT(ping), "", NULL, "send one event of type ping"},
    {"api-key", OPTION_TEXT, AT(api_key), "", "KEY", "with --ping: API key for WEBHOOK-AUTH",
     .environment = true},
    {"secret", OPTION_LIST, AT(secrets), "", "SECRET", "with --ping: signing secret (whsec_, whsk_)"},
    {"signatures", OPTION_TEXT, AT(signature_names), "", "NAME,...",
     "with --ping: sign as these do: webhook-auth, standard, stripe, github, shopify, slack, "
     "standard-ed25519, rfc9421 [as the endpoint on --server, or webhook-auth,standard]"},
    {"endpoint", OPTION_TEXT, AT(endpoint), "", "ID",
     "with --server: sign as this endpoint of yours does [your default endpoint]"},
    {"dev", OPTION_FLAG, AT(dev), "", NULL, "as for `serve`: allow http and this machine"},
    {"allow-http", OPTION_FLAG, AT(allow_http), "", NULL, "as for `serve`"},
    {"allow-target", OPTION_WORDS, AT(allow_target), "", "CIDR[:PORT]", "as for `serve`; may be repeated"},
    {"allow-host", OPTION_WORDS, AT(allow_host), "", "NAME|.SUFFIX", "as for `serve`; may be repeated"},
    {"allow-port", OPTION_WORDS, AT(allow_port), "", "PORT", "as for `serve`; may be repeated"},
    {"ca-file", OPTION_TEXT, AT(ca_file), "", "FILE", "as for `serve`"},
    {"dns-servers", OPTION_TEXT, AT(dns_servers), "", "ADDRESS[:PORT],...", "as for `serve`"},
};

const struct command doctor_command = {
    .name = "doctor",
    .summary = "check step by step whether a URL works as a receiver",
    .details =
        "Checks a receiver step by step, as the server would: is the URL allowed, does the name resolve,\n"
        "does the receiver accept the connection, is its certificate valid? It prints a line "
        "for each "
        "step,\n"
        "with advice if the step fails. It sends nothing. With --ping it sends one whole event of type "
        "ping,\n"
        "because some handlers fail on anything less. No server needs to run; give the options that your "
        "server\n"
        "has. With --server and --key, the ping is signed with the secret of that user's endpoint there, as "
        "its\n"
        "`signatures` say.",
    .verbs = {{NULL, "URL", run}},
    .rows = OPTION_TABLE(rows),
    .options_len = sizeof(struct doctor),
    .shared = &client_rows,
    .json = JSON_OPTION("print one JSON object a step"),
};
