#include "client.h"
#include "clock.h"
#include "command.h"
#include "json.h"
#include "memory.h"
#include "text.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ANSWER_LEN_MAX = 16 << 20,
    ANSWER_MEMORY_MAX = 2 * ANSWER_LEN_MAX,
    MEMORY_LEN_MAX = 64 << 10,
    CONNECT_MS_MAX = 10000,
    CALL_MS_MAX = 60000,
    PACE_TRIES_MAX = 5,
    NEXT_LEN_MAX = 4096
};

const char client_server_default[] = "http://127.0.0.1:8080";

struct client {
    const char *command, *server;
    const char *server_ca, *client_cert, *client_key; /* NULL: none */
    CURL *curl;
    struct curl_slist *headers;
    struct arena kept;   /* until the client is closed */
    struct arena answer; /* until the next call */
    struct text received;
    struct json_object *json;
    char mode[32]; /* of the server that answered last; "": it did not say */
};

int client_open(const struct usage *usage, const struct client_options *options, struct client **out)
{
    *out = NULL;
    return options->key ? client_open_keyless(usage, options, out)
                        : options_wrong(usage, "an API key is needed: give --key KEY or set POSTHORN_KEY");
}

int client_open_keyless(const struct usage *usage, const struct client_options *options, struct client **out)
{
    *out = NULL;
    if (options->key && strpbrk(options->key, "\r\n"))
        return options_wrong(usage, "the API key has a line break in it");
    struct client *client = memory_zero(1, sizeof *client);
    client->command = usage->command;
    client->server_ca = options->server_ca;
    client->client_cert = options->client_cert;
    client->client_key = options->client_key;
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
        return options_wrong(usage, "the server's URL or the key is too long");
    }
    if (options->key)
        client->headers = curl_slist_append(client->headers, authorization);
    client->headers = curl_slist_append(client->headers, "Content-Type: application/json");
    client->headers = curl_slist_append(client->headers, "Accept: application/vnd.api+json");
    client->headers = curl_slist_append(client->headers, "Expect:");
    *out = client;
    return EXIT_DONE;
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
        fprintf(stderr, "posthorn %s: no server at %s: is `posthorn serve` running?\n", client->command,
                client->server);
    else
        fprintf(stderr, "posthorn %s: %s: %s\n", client->command, client->server,
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
    if (client->server_ca)
        curl_easy_setopt(client->curl, CURLOPT_CAINFO, client->server_ca);
    if (client->client_cert)
        curl_easy_setopt(client->curl, CURLOPT_SSLCERT, client->client_cert);
    if (client->client_key)
        curl_easy_setopt(client->curl, CURLOPT_SSLKEY, client->client_key);
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

/* What the first error of the document says, or the status alone. */
static void print_error(const struct client *client, const struct client_answer *answer)
{
    struct json_object *errors = json_get_array(answer->json, "errors");
    struct json_object *first = errors ? json_object_array_get_idx(errors, 0) : NULL;
    struct bytes title = {"", 0}, detail = {"", 0};
    struct arena arena;
    struct text line;

    json_get_text(first, "title", &title);
    json_get_text(first, "detail", &detail);
    arena_init(&arena, MEMORY_LEN_MAX);
    text_init(&line, &arena, MEMORY_LEN_MAX / 4);
    text_printf(&line, "posthorn %s: %s answered %d", client->command, client->server, answer->status);
    if (title.len > 0) {
        text_puts(&line, ": ");
        text_put_escaped(&line, title);
    }
    if (detail.len > 0) {
        text_puts(&line, ". ");
        text_put_escaped(&line, detail);
    }
    if (answer->status == 401)
        text_printf(&line, " Is --key (or POSTHORN_KEY) a key of this %s%sserver?", client->mode,
                    client->mode[0] ? " " : "");
    fprintf(stderr, "%s\n", line.data);
    arena_fini(&arena);
}

bool client_check(const struct client *client, int status, const struct client_answer *answer)
{
    if (answer->status == status && (answer->json || status == 204))
        return true;
    print_error(client, answer);
    return false;
}

bool client_expect(struct client *client, int status, const char *method, const char *path, const char *body,
                   struct client_answer *answer)
{
    return client_call(client, method, path, body, answer) && client_check(client, status, answer);
}

const char *client_escape(struct client *client, const char *text)
{
    char *escaped = curl_easy_escape(client->curl, text, 0);
    struct bytes copy = escaped ? arena_copy(&client->kept, bytes_of(escaped)) : (struct bytes){0};

    curl_free(escaped);
    return copy.data ? copy.data : "";
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

bool client_gather(struct client *client, size_t rows_max, struct client_answer *answer)
{
    struct json_object *rows = json_object_new_array();
    bool done = true, more;
    do {
        struct json_object *list = json_get_array(answer->json, "data");
        size_t count = list ? json_object_array_length(list) : 0;
        for (size_t i = 0; i < count && json_object_array_length(rows) < rows_max; i++)
            json_object_array_add(rows, json_object_get(json_object_array_get_idx(list, i)));
        struct bytes next = {0};
        more = json_object_array_length(rows) < rows_max &&
               json_get_text(json_get_object(answer->json, "links"), "next", &next) && next.len > 0;
        if (more) {
            char path[NEXT_LEN_MAX];
            snprintf(path, sizeof path, "%.*s", BYTES_ARG(next));
            done = client_call_paced(client, "GET", path, NULL, answer) && client_check(client, 200, answer);
        }
    } while (done && more);
    if (done)
        json_object_object_add(answer->json, "data", json_object_get(rows));
    json_object_put(rows);
    return done;
}
