/* posthorn receive: its options, limits and signals; receiver.h is the receiver. */
#include "budget.h"
#include "commands.h"
#include "descriptors.h"
#include "memory.h"
#include "receiver.h"
#include "secret_flaw.h"
#include "show.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>

enum {
    DELAY_MS_MAX = 3600 * 1000,
    HANDLERS_MAX = 256,
    THREADS = 4,
    CONNECTIONS_MAX = 1000,
    MMAP_THRESHOLD = 128 * 1024,
    MEMORY_MIB_MAX = 1 << 20,
    OWN_DESCRIPTORS = 64,     /* files of events, and a few connections above the limit for a moment */
    HANDLER_DESCRIPTORS = 64, /* pipes to programs of --handlers */
    IDLE_SECONDS = 60,
    ARENA_LEN_MAX = POSTHORN_DOCUMENT_LEN_MAX + 128 * 1024 /* head and body */
};

struct receive {
    struct receiver_config config;
    const char *listen;
    int64_t memory_mib;
};

static void ready(const struct receiver_config *config, const struct listener *listener)
{
    const char *address = listener_local(listener), *scope = listener_scope(listener);
    struct line line;
    struct text *text = line_begin(&line);

    if (config->json) {
        text_printf(text, "{\"listening\":\"http://%s\",\"dir\":", address);
        text_put_json(text, bytes_of(config->folder));
        text_printf(text, *scope ? ",\"on\":\"%s\"}" : "%s}", scope);
    } else {
        text_printf(text, "receiving on http://%s into %s/", address, config->folder);
        text_printf(text, *scope ? " (%s)" : "%s", scope);
    }
    line_print(&line, stdout);
}

static sigset_t ending_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    return signals;
}

/* Signals are blocked before any thread starts, so that only sigwait sees them. */
static int listen_until_signal(const struct invocation *invocation, const struct receive *receive,
                               struct budget *budget)
{
    const struct receiver_config *config = &receive->config;
    struct receiver *receiver = receiver_open(config);
    struct listener *listener = NULL;
    int got;

    if (!receiver)
        return EXIT_FAILED;
    struct descriptor_shares shares =
        descriptors_share(descriptors_limit(), OWN_DESCRIPTORS, CONNECTIONS_MAX, HANDLER_DESCRIPTORS);
    enum listener_error error =
        listener_open(&(struct listener_config){.listen = receive->listen,
                                                .threads = THREADS,
                                                .body_len_max = POSTHORN_DOCUMENT_LEN_MAX,
                                                .arena_len_max = ARENA_LEN_MAX,
                                                .budget = budget,
                                                .connections_max = (int)shares.connections,
                                                .idle_seconds = IDLE_SECONDS,
                                                .accept_head = receiver_accept_head,
                                                .handle = receiver_handle,
                                                .on_refused = receiver_on_refused,
                                                .ctx = receiver,
                                                .clock = clock_system()},
                      &listener);
    if (error != LISTENER_OK) {
        receiver_close(receiver);
        return command_failed(invocation, "%s: %s", receive->listen, listener_error_sentence(error));
    }
    ready(config, listener);
    receiver_resume(receiver);
    sigset_t signals = ending_signals();
    sigwait(&signals, &got);
    listener_quiesce(listener);
    receiver_flush(receiver);
    listener_close(listener);
    receiver_close(receiver);
    return EXIT_DONE;
}

/* Cuts the slash off "examples/", so that the folder is always printed the same way. */
static char *without_slash(const char *folder)
{
    char *copy = memory_copy_text(folder);

    for (size_t len = strlen(copy); len > 1 && copy[len - 1] == '/'; len--)
        copy[len - 1] = '\0';
    return copy;
}

static int run(const struct invocation *invocation, void *options)
{
    struct receive *receive = options;
    struct receiver_config *config = &receive->config;
    struct budget budget;

    if (config->fault_count >= 0 && config->fault_status < 0)
        return command_wrong(invocation, "--for needs --status: it limits how often --status is answered");
    if (secret_flaw_check(invocation, &config->secrets) != EXIT_DONE)
        return EXIT_USAGE;
    sigset_t signals = ending_signals();
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN); /* without a reader of our output, it still accepts events */
    char *folder = without_slash(config->folder);
    config->folder = folder;
    config->json = invocation->json;
    /* Requests may take three quarters of a budget, so with two thirds of the memory bodies get one half of
     * it, and the parsed trees the other. */
    budget_init(&budget, ((size_t)receive->memory_mib << 20) / 3 * 2);
    config->trees_bytes_max = (size_t)receive->memory_mib << 19;
    mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD); /* so that bodies go back to the system */
    int code = listen_until_signal(invocation, receive, &budget);
    free(folder);
    return code;
}

#define AT(field) offsetof(struct receive, field)
static const struct option_row rows[] = {
    {"listen", OPTION_TEXT, AT(listen), "127.0.0.1:3000", "HOST:PORT",
     "listen address; port 0: any free port"},
    {"dir", OPTION_TEXT, AT(config.folder), "examples", "FOLDER", "folder for the event files"},
    {"api-key", OPTION_LIST, AT(config.keys), "", "KEY", "to check WEBHOOK-AUTH; may be repeated",
     .environment = true},
    {"secret", OPTION_LIST, AT(config.secrets), "", "SECRET",
     "to check webhook-signature (whsec_, whpk_); may be repeated", .environment = true},
    {"handlers", OPTION_TEXT, AT(config.handlers), "", "FOLDER", "folder with a program for each event type"},
    {"at-once", OPTION_NUMBER, AT(config.handlers_max), "8", "N", "run at most N programs at once", 1,
     HANDLERS_MAX},
    {"time-limit", OPTION_SECONDS, AT(config.handler_limit_ms), "10", "SECONDS",
     "kill a program after this long; senders wait 15 s", 1, DELAY_MS_MAX},
    {"memory-max", OPTION_NUMBER, AT(memory_mib), "64", "MIB", "memory for events; beyond that, 503", 8,
     MEMORY_MIB_MAX},
    {"status", OPTION_NUMBER, AT(config.fault_status), "", "N", "answer N and store nothing", 200, 599},
    {"for", OPTION_NUMBER, AT(config.fault_count), "", "K", "apply --status to the first K requests only", 0,
     INT32_MAX},
    {"delay", OPTION_SECONDS, AT(config.delay_ms), "", "SECONDS", "wait this long before each answer", 0,
     DELAY_MS_MAX},
};

const struct command receive_command = {
    .name = "receive",
    .summary = "receive events: store each in a file",
    .details =
        "Receives events. It stores each event in a file ID_TYPE.json, syncs the file to disk, answers 200\n"
        "and prints a line. It accepts every event type, and stores an event that comes again only once. "
        "With\n"
        "--api-key, a request whose WEBHOOK-AUTH is not the SHA-256 of the key gets 401 before its body is\n"
        "read. --status and --delay simulate a faulty receiver, to see the sender retry.\n\n"
        "With --handlers, it runs a program from that folder before it stores an event: the program with "
        "the\n"
        "name of the event type, or `default`, or none. The program reads the event from standard input. "
        "Its\n"
        "environment has POSTHORN_EVENT_ID, POSTHORN_EVENT_TYPE, POSTHORN_CREATED_AT, POSTHORN_SENT_AT,\n"
        "POSTHORN_RESOURCE_TYPE and POSTHORN_RESOURCE_ID. Exit code 0: the event is stored and answered "
        "with\n"
        "200. Any other: the answer is 500, and the sender retries. If the receiver is killed, the next "
        "start\n"
        "handles the events that were in progress.",
    .verbs = {{NULL, "", run}},
    .rows = OPTION_TABLE(rows),
    .options_len = sizeof(struct receive),
    .json = JSON_OPTION("print one JSON object a line"),
    .is_server = true,
};
