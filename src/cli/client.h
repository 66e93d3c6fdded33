/*
 * client: calls a server's API. An ordinary HTTP client (libcurl): it reads the proxy variables, checks
 * certificates, and follows no redirects. A failure is one line on stderr.
 *
 * Paths are formats with only %s: each argument is %-encoded, so that an id from a command line cannot change
 * the path.
 */
#pragma once
#include "bytes.h"
#include "command.h"

struct client;
struct json_object;
struct show_column;

/* The server's URL and the key. The last three are for a private authority and for client certificates. */
struct client_options {
    const char *server, *key;
    const char *server_ca, *client_cert, *client_key;
};
/* For a struct of options that begins with client_options. */
extern const struct option_table client_rows;
extern const char client_server_default[]; /* "http://127.0.0.1:8080" */

/* The options of a command that calls a server begin with this. */
struct api_session {
    struct client_options server;
    struct client *client; /* open while the verb runs */
};
/* For command.run: opens the client, runs the verb, closes the client. The second needs no key. */
int api_run(const struct invocation *invocation, void *options);
int api_run_keyless(const struct invocation *invocation, void *options);
#define API_COMMAND(type) .options_len = sizeof(type), .run = api_run, .shared = &client_rows

/* EXIT_DONE, or EXIT_USAGE; stderr then has the missing option. */
int client_open(const struct invocation *invocation, const struct client_options *options,
                struct client **client);
void client_close(struct client *client);

struct client_answer {
    int status;
    struct bytes text;        /* valid until the next call */
    struct json_object *json; /* NULL: not JSON; valid until the next call */
    int retry_after_s;        /* 0: not given */
};

/* A path for the calls below, valid until the next client_path. */
const char *client_path(struct client *client, const char *format, ...);
/* Appends "&name=value" or "?name=value" to that path; value NULL: nothing. */
const char *client_add_query(struct client *client, const char *name, const char *value);

/* `path` begins with "/api/"; body NULL for none. False: no answer; stderr says what to do. */
bool client_call(struct client *client, const char *method, const char *path, const char *body,
                 struct client_answer *answer);
/* After a 429 it waits and tries again, a few times. */
bool client_call_paced(struct client *client, const char *method, const char *path, const char *body,
                       struct client_answer *answer);
/* client_call_paced; an answer with another status is an error, which stderr has. */
bool client_expect(struct client *client, int status, const char *method, const char *path, const char *body,
                   struct client_answer *answer);
/* The last part of client_expect: checks the answer. */
bool client_check(const struct client *client, int status, const struct client_answer *answer);
/* After the first page of a list: adds the rows of the next pages to its `data`, up to `rows_max`. A page
 * with a filter may have few rows, or none, before the end of the list. */
bool client_gather(struct client *client, size_t rows_max, struct client_answer *answer);
/* POSTs lines as application/x-ndjson. answer->text has a line for each; answer->json is for failures. */
bool client_post_lines(struct client *client, const char *path, struct bytes lines,
                       const char *idempotency_key, struct client_answer *answer);

/* The server: "sandbox, http://127.0.0.1:8080". Valid until the client is closed. */
const char *client_place(struct client *client);
/* Prints a whole list, at most rows_max rows, as a table under the server's name, or with --json as the
 * server's document. Returns the exit code. */
int client_show_list(struct client *client, const char *path, size_t rows_max,
                     const struct show_column *columns);
/* Prints one resource: with --json the server's document, otherwise a table and its attributes. Returns
 * EXIT_DONE. */
int client_show_one(const struct client *client, const struct client_answer *answer,
                    const struct show_column *columns);
/* Removes a resource. Returns the exit code. */
int client_delete(struct client *client, const char *path);
