#include "client.h"
#include "clock.h"
#include "json_c.h"
#include "memory.h"
#include "show.h"
#include "text.h"

#include <curl/curl.h>
#include <stdarg.h>
#include <stdlib.h>

enum {
    ANSWER_LEN_MAX = 16 << 20,
    ANSWER_MEMORY_MAX = 2 * ANSWER_LEN_MAX,
    MEMORY_LEN_MAX = 64 << 10,
    CONNECT_MS_MAX = 10000,
    CALL_MS_MAX = 60000,
    PACE_TRIES_MAX = 5,
    PATH_LEN_MAX = 4096
};

const char client_server_default[] = "http://127.0.0.1:8080";

#define AT(field) offsetof(struct client_options, field)
static const struct option_row option_rows[] = {
    {"server", OPTION_TEXT, AT(server), "", "URL", "server [http://127.0.0.1:8080]", .environment = true},
    {"key", OPTION_TEXT, AT(key), "", "KEY", "your API key", .environment = true},
    {"server-ca", OPTION_TEXT, AT(server_ca), "", "FILE", "certificate authority of the server",
     .environment = true},
    {"client-cert", OPTION_TEXT, AT(client_cert), "", "FILE", "client certificate for the server",
     .environment = true},
    {"client-key", OPTION_TEXT, AT(client_key), "", "FILE", "private key of --client-cert",
     .environment = true},
};
const struct option_table client_rows = OPTION_TABLE(option_rows);

struct client {
    const struct invocation *invocation;
    const struct client_options *options;
    const char *server; /* without a slash at the end */
    CURL *curl;
    struct curl_slist *headers;
    struct arena kept;   /* until the client is closed */
    struct arena answer; /* until the next call */
    struct text received;
    struct json_object *json;
    char mode[32]; /* of the last server that answered; "": not given */
    char path[PATH_LEN_MAX];
};

static int open_client(const struct invocation *invocation, const struct client_options *options,
                       struct client **out)
{
    *out = NULL;
    if (options->key && strpbrk(options->key, "\r\n"))
        return command_wrong(invocation, "the API key has a line break in it");
    struct client *client = memory_zero(1, sizeof *client);
    client->invocation = invocation;
    client->options = options;
    arena_init(&client->kept, MEMORY_LEN_MAX);
    arena_init(&client->answer, ANSWER_MEMORY_MAX);
    struct bytes server = bytes_of(options->server ? options->server : client_server_default);
    while (server.len > 0 && server.data[server.len - 1] == '/')
        server.len--;
    client->server = arena_copy(&client->kept, server).data;
    char *authorization = arena_printf(&client->kept, "Authorization: %s", options->key ? options->key : "");
    client->curl = curl_easy_init();
    if (!client->curl || !client->server || !authorization) {
        client_close(client);
        return command_wrong(invocation, "the server's URL or the key is too long");
    }
    if (options->key)
        client->headers = curl_slist_append(client->headers, authorization);
    client->headers = curl_slist_append(client->headers, "Content-Type: application/json");
    client->headers = curl_slist_append(client->headers, "Accept: application/vnd.api+json");
    client->headers = curl_slist_append(client->headers, "Expect:");
    *out = client;
    return EXIT_DONE;
}

int client_open(const struct invocation *invocation, const struct client_options *options,
                struct client **client)
{
    if (options->key)
        return open_client(invocation, options, client);
    return command_wrong(invocation, "an API key is needed: give --key KEY or set POSTHORN_KEY");
}

static int run(const struct invocation *invocation, struct api_session *api, bool keyless)
{
    int code = (keyless ? open_client : client_open)(invocation, &api->server, &api->client);
    if (code != EXIT_DONE)
        return code;
    code = invocation->verb->run(invocation, api);
    client_close(api->client);
    return code;
}

int api_run(const struct invocation *invocation, void *options)
{
    return run(invocation, options, false);
}

int api_run_keyless(const struct invocation *invocation, void *options)
{
    return run(invocation, options, true);
}

void client_close(struct client *client)
{
    json_object_put(client->json);
    curl_slist_free_all(client->headers);
    if (client->curl)
        curl_easy_cleanup(client->curl);
    arena_fini(&client->answer);
    arena_fini(&client->kept);
    free(client);
}

static size_t on_data(char *data, size_t one, size_t len, void *ctx)
{
    struct client *client = ctx;

    text_put(&client->received, bytes_make(data, one * len));
    return client->received.overflow ? 0 : one * len;
}

static bool no_answer(const struct client *client, CURLcode code, const char *detail)
{
    if (code == CURLE_COULDNT_CONNECT)
        command_failed(client->invocation, "no server at %s: is `posthorn serve` running?", client->server);
    else
        command_failed(client->invocation, "%s: %s", client->server,
                       *detail ? detail : curl_easy_strerror(code));
    return false;
}

static void keep_mode(struct client *client)
{
    struct curl_header *header;
    client->mode[0] = '\0';
    if (curl_easy_header(client->curl, "Posthorn-Mode", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return;
    size_t len = strspn(header->value, "abcdefghijklmnopqrstuvwxyz");
    if (header->value[len] == '\0' && len < sizeof client->mode)
        snprintf(client->mode, sizeof client->mode, "%s", header->value);
}

const char *client_place(struct client *client)
{
    const char *place = client->mode[0] ? arena_printf(&client->kept, "%s, %s", client->mode, client->server)
                                        : client->server;
    return place ? place : client->server;
}

static void keep_retry_after(struct client *client, struct client_answer *answer)
{
    struct curl_header *header;
    int64_t seconds;
    answer->retry_after_s = 0;
    if (curl_easy_header(client->curl, "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK &&
        bytes_to_int64(bytes_of(header->value), &seconds) && seconds < INT32_MAX)
        answer->retry_after_s = (int)seconds;
}

static bool perform(struct client *client, const char *method, const char *path,
                    const struct curl_slist *headers, struct bytes body, struct client_answer *answer)
{
    char detail[CURL_ERROR_SIZE] = "";
    long status = 0;

    json_object_put(client->json);
    client->json = NULL;
    arena_reset(&client->answer);
    text_init(&client->received, &client->answer, ANSWER_LEN_MAX);
    char *url = arena_printf(&client->answer, "%s%s", client->server, path);
    if (!url)
        return no_answer(client, CURLE_URL_MALFORMAT, "");
    curl_easy_reset(client->curl);
    curl_easy_setopt(client->curl, CURLOPT_URL, url);
    curl_easy_setopt(client->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(client->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(client->curl, CURLOPT_USERAGENT, "posthorn/" POSTHORN_VERSION);
    curl_easy_setopt(client->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS_MAX);
    curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, (long)CALL_MS_MAX);
    curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, client);
    if (client->options->server_ca)
        curl_easy_setopt(client->curl, CURLOPT_CAINFO, client->options->server_ca);
    if (client->options->client_cert)
        curl_easy_setopt(client->curl, CURLOPT_SSLCERT, client->options->client_cert);
    if (client->options->client_key)
        curl_easy_setopt(client->curl, CURLOPT_SSLKEY, client->options->client_key);
    if (body.data) {
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, body.data);
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    }
    CURLcode code = curl_easy_perform(client->curl);
    if (code != CURLE_OK)
        return no_answer(client, code, detail);
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    keep_mode(client);
    keep_retry_after(client, answer);
    answer->status = (int)status;
    answer->text = text_bytes(&client->received);
    struct bytes copy = arena_copy(&client->answer, answer->text);
    struct json_reading reading;
    client->json = copy.data ? json_read((char *)copy.data, copy.len, false, &reading) : NULL;
    answer->json = client->json;
    return true;
}

bool client_call(struct client *client, const char *method, const char *path, const char *body,
                 struct client_answer *answer)
{
    return perform(client, method, path, client->headers, bytes_of(body), answer);
}

bool client_post_lines(struct client *client, const char *path, struct bytes lines,
                       const char *idempotency_key, struct client_answer *answer)
{
    char key[128];
    struct curl_slist *headers = NULL;
    snprintf(key, sizeof key, "Idempotency-Key: %s", idempotency_key);
    for (const struct curl_slist *i = client->headers; i; i = i->next)
        if (!bytes_starts(bytes_of(i->data), "Content-Type:"))
            headers = curl_slist_append(headers, i->data);
    headers = curl_slist_append(headers, "Content-Type: application/x-ndjson");
    headers = curl_slist_append(headers, key);
    bool answered = perform(client, "POST", path, headers, lines, answer);
    curl_slist_free_all(headers);
    return answered;
}

/* Prints the status, with title and detail of the document's first error if it has one. */
static void print_error(const struct client *client, const struct client_answer *answer)
{
    struct json_object *errors = json_get_array(answer->json, "errors");
    struct json_object *first = errors ? json_object_array_get_idx(errors, 0) : NULL;
    struct bytes title = json_string(first, "title"), detail = json_string(first, "detail");
    struct line line;

    struct text *text = line_begin(&line);
    text_printf(text, "posthorn %s: %s answered %d%s", client->invocation->command->name, client->server,
                answer->status, title.len ? ": " : "");
    text_put_escaped(text, title);
    text_puts(text, detail.len ? ". " : "");
    text_put_escaped(text, detail);
    if (answer->status == 401)
        text_printf(text, " Is --key (or POSTHORN_KEY) a key of this %s%sserver?", client->mode,
                    client->mode[0] ? " " : "");
    line_print(&line, stderr);
}

bool client_check(const struct client *client, int status, const struct client_answer *answer)
{
    if (answer->status == status && (answer->json || status == 204))
        return true;
    print_error(client, answer);
    return false;
}

bool client_call_paced(struct client *client, const char *method, const char *path, const char *body,
                       struct client_answer *answer)
{
    for (int tries = 1;; tries++) {
        if (!client_call(client, method, path, body, answer))
            return false;
        if (answer->status != 429 || tries == PACE_TRIES_MAX)
            return true;
        clock_pause_us((answer->retry_after_s > 0 ? (int64_t)answer->retry_after_s : 1) * 1000000);
    }
}

bool client_expect(struct client *client, int status, const char *method, const char *path, const char *body,
                   struct client_answer *answer)
{
    return client_call_paced(client, method, path, body, answer) && client_check(client, status, answer);
}

static void add_escaped(struct client *client, const char *text)
{
    size_t len = strlen(client->path);
    char *escaped = curl_easy_escape(client->curl, text, 0);
    snprintf(client->path + len, PATH_LEN_MAX - len, "%s", escaped ? escaped : "");
    curl_free(escaped);
}

const char *client_path(struct client *client, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    client->path[0] = '\0';
    for (const char *at = format; *at;) {
        size_t len = strlen(client->path);
        const char *mark = strstr(at, "%s");
        snprintf(client->path + len, PATH_LEN_MAX - len, "%.*s", mark ? (int)(mark - at) : PATH_LEN_MAX, at);
        if (!mark)
            break;
        add_escaped(client, va_arg(arguments, const char *));
        at = mark + 2;
    }
    va_end(arguments);
    return client->path;
}

const char *client_add_query(struct client *client, const char *name, const char *value)
{
    size_t len = strlen(client->path);
    if (value) {
        snprintf(client->path + len, PATH_LEN_MAX - len, "%c%s=", strchr(client->path, '?') ? '&' : '?',
                 name);
        add_escaped(client, value);
    }
    return client->path;
}

bool client_gather(struct client *client, size_t rows_max, struct client_answer *answer)
{
    struct json_object *rows = json_object_new_array();
    bool done = true, more;
    do {
        struct json_object *list = json_get_array(answer->json, "data");
        size_t count = list ? json_object_array_length(list) : 0;
        for (size_t i = 0; i < count && json_object_array_length(rows) < rows_max; i++)
            json_object_array_add(rows, json_object_get(json_object_array_get_idx(list, i)));
        struct bytes next = json_string(json_get_object(answer->json, "links"), "next");
        more = json_object_array_length(rows) < rows_max && next.len > 0;
        if (more) {
            snprintf(client->path, sizeof client->path, "%.*s", BYTES_ARG(next));
            done = client_expect(client, 200, "GET", client->path, NULL, answer);
        }
    } while (done && more);
    if (done)
        json_object_object_add(answer->json, "data", json_object_get(rows));
    json_object_put(rows);
    return done;
}

int client_show_list(struct client *client, const char *path, size_t rows_max,
                     const struct show_column *columns)
{
    struct client_answer answer;
    if (!client_expect(client, 200, "GET", path, NULL, &answer) || !client_gather(client, rows_max, &answer))
        return EXIT_FAILED;
    if (client->invocation->json) {
        show_json(answer.json);
    } else {
        show_place(client_place(client));
        show_table(json_get_array(answer.json, "data"), columns);
    }
    return EXIT_DONE;
}

int client_show_one(const struct client *client, const struct client_answer *answer,
                    const struct show_column *columns)
{
    struct json_object *data = json_get(answer->json, "data");
    if (client->invocation->json) {
        show_json(answer->json);
    } else {
        show_one(data, columns);
        printf("\n");
        show_json(json_get(data, "attributes"));
    }
    return EXIT_DONE;
}

int client_delete(struct client *client, const char *path)
{
    struct client_answer answer;
    return client_expect(client, 204, "DELETE", path, NULL, &answer) ? EXIT_DONE : EXIT_FAILED;
}
