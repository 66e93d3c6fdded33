/*
 * client: talking to a server's API, for the commands that do. An ordinary HTTP client (libcurl): it reads
 * the proxy variables, checks certificates, follows no redirects.
 */
#pragma once
#include "bytes.h"
#include "options.h"

struct json_object;

/* Where the server is and who asks; every such command has these options, and the environment. The last three
 * are for a server with a private authority, or one that demands client certificates. */
struct client_options {
    const char *server, *key;
    const char *server_ca, *client_cert, *client_key;
};
extern const char client_server_default[]; /* "http://127.0.0.1:8080" */
/* clang-format off */
#define CLIENT_OPTION_ROWS(o)                                                                               \
    {"server", OPTION_TEXT, &(o).server, "URL", "server [http://127.0.0.1:8080]", "POSTHORN_SERVER"},   \
    {"key", OPTION_TEXT, &(o).key, "KEY", "your API key", "POSTHORN_KEY"},                                  \
    {"server-ca", OPTION_TEXT, &(o).server_ca, "FILE", "certificate authority of the server", "POSTHORN_SERVER_CA"}, \
    {"client-cert", OPTION_TEXT, &(o).client_cert, "FILE", "client certificate for the server",           \
     "POSTHORN_CLIENT_CERT"},                                                                               \
    {"client-key", OPTION_TEXT, &(o).client_key, "FILE", "private key of --client-cert", "POSTHORN_CLIENT_KEY"}
/* clang-format on */

struct client;

/* EXIT_DONE, or EXIT_USAGE and stderr says what is missing. */
int client_open(const struct usage *usage, const struct client_options *options, struct client **client);
/* The same for what everybody may ask: without a key, too. */
int client_open_keyless(const struct usage *usage, const struct client_options *options,
                        struct client **client);
void client_close(struct client *client);

struct client_answer {
    int status;
    struct bytes text;        /* valid until the next call */
    struct json_object *json; /* NULL: none that can be read; valid until the next call */
    int retry_after_s;        /* 0: the server did not say */
};

/* `path` begins with "/api/"; body NULL for none. False: no answer; stderr says what to do. */
bool client_call(struct client *client, const char *method, const char *path, const char *body,
                 struct client_answer *answer);
/* POSTs lines as application/x-ndjson. answer->text has a line for each; answer->json is for failures. */
bool client_post_lines(struct client *client, const char *path, struct bytes lines,
                       const char *idempotency_key, struct client_answer *answer);
/* Which server it was, for a person to see before the table: "sandbox, http://127.0.0.1:8080". On the
 * client's memory until it is closed. */
const char *client_place(struct client *client);
/* client_call, and anything but `status` is an error: stderr then has what the server said of it. */
bool client_expect(struct client *client, int status, const char *method, const char *path, const char *body,
                   struct client_answer *answer);
/* client_call that waits as often as a 429 says so, a few times. */
bool client_call_paced(struct client *client, const char *method, const char *path, const char *body,
                       struct client_answer *answer);
/* Behind the first page of a list: the rows of the pages that follow it are added to its `data`, until there
 * are `rows_max` or no more. A page behind a filter may have few rows, or none, and the list goes on. */
bool client_gather(struct client *client, size_t rows_max, struct client_answer *answer);
/* What is left of client_expect once the answer is there. */
bool client_check(const struct client *client, int status, const struct client_answer *answer);
/* For a path or query: %-encoded, on the client's memory until it is closed. */
const char *client_escape(struct client *client, const char *text);
