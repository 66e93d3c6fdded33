/* posthorn receive: its options, limits and signals; receiver.h is the receiver. */
#include "budget.h"
#include "command.h"
#include "descriptors.h"
#include "memory.h"
#include "receiver.h"
#include "secret_flaw.h"
#include "text.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    LINE_LEN_MAX = 16 * 1024,
    DELAY_MS_MAX = 3600 * 1000,
    HANDLERS_DEFAULT = 8,
    HANDLERS_MAX = 256,
    HANDLER_LIMIT_MS_DEFAULT = 10 * 1000, /* within the 15 s that posthorn waits for an answer */
    THREADS = 4,
    CONNECTIONS_MAX = 1000,
    MEMORY_MIB_DEFAULT = 64,
    MMAP_THRESHOLD = 128 * 1024,
    MEMORY_MIB_MAX = 1 << 20,
    OWN_DESCRIPTORS = 64,     /* files of events, and a few beyond the limit for a moment */
    HANDLER_DESCRIPTORS = 64, /* pipes to programs of --handlers */
    IDLE_SECONDS = 60,
    ARENA_LEN_MAX = POSTHORN_DOCUMENT_LEN_MAX + 128 * 1024 /* head and body */
};

static const char details[] =
    "Receives events. It stores each event in a file ID_TYPE.json, syncs the file to disk, answers 200\n"
    "and prints a line. It accepts every event type, and stores an event that comes again only once. With\n"
    "--api-key, a request whose WEBHOOK-AUTH is not the SHA-256 of the key gets 401 before its body is\n"
    "read. --status and --delay simulate a faulty receiver, to see the sender retry.\n\n"
    "With --handlers, it runs a program from that folder before it stores an event: the program with the\n"
    "name of the event type, or `default`, or none. The program reads the event from standard input. Its\n"
    "environment has POSTHORN_EVENT_ID, POSTHORN_EVENT_TYPE, POSTHORN_CREATED_AT, POSTHORN_SENT_AT,\n"
    "POSTHORN_RESOURCE_TYPE and POSTHORN_RESOURCE_ID. Exit code 0: the event is stored and answered with\n"
    "200. Any other: the answer is 500, and the sender retries. If the receiver is killed, the next start\n"
    "handles the events that were in progress.";

static void ready(const struct receiver_config *config, const struct listener *listener)
{
    struct arena arena;
    struct text line;

    arena_init(&arena, LINE_LEN_MAX);
    text_init(&line, &arena, LINE_LEN_MAX / 2);
    if (config->json) {
        text_printf(&line, "{\"listening\":\"http://%s\",\"dir\":", listener_local(listener));
        text_put_json(&line, bytes_of(config->folder));
        if (*listener_scope(listener))
            text_printf(&line, ",\"on\":\"%s\"", listener_scope(listener));
        text_puts(&line, "}");
    } else {
        text_printf(&line, "receiving on http://%s into %s/", listener_local(listener), config->folder);
        if (*listener_scope(listener))
            text_printf(&line, " (%s)", listener_scope(listener));
    }
    printf("%s\n", line.data);
    fflush(stdout);
    arena_fini(&arena);
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
static int listen_until_signal(const struct receiver_config *config, const char *address,
                               struct budget *budget)
{
    struct receiver *receiver = receiver_open(config);
    struct listener *listener = NULL;
    int got;

    if (!receiver)
        return EXIT_FAILED;
    struct descriptor_shares shares =
        descriptors_share(descriptors_limit(), OWN_DESCRIPTORS, CONNECTIONS_MAX, HANDLER_DESCRIPTORS);
    enum listener_error error =
        listener_open(&(struct listener_config){.listen = address,
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
        fprintf(stderr, "posthorn receive: %s: %s\n", address, listener_error_sentence(error));
        receiver_close(receiver);
        return EXIT_FAILED;
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

/* "examples/" and "examples" are the same folder, and are printed the same. */
static char *without_slash(const char *folder)
{
    char *copy = memory_copy_text(folder);

    for (size_t len = strlen(copy); len > 1 && copy[len - 1] == '/'; len--)
        copy[len - 1] = '\0';
    return copy;
}

int receive_main(int argc, char **argv)
{
    struct receiver_config config = {.folder = "examples",
                                     .fault_count = -1,
                                     .handlers_max = HANDLERS_DEFAULT,
                                     .handler_limit_ms = HANDLER_LIMIT_MS_DEFAULT};
    const char *address = "127.0.0.1:3000";
    int64_t memory_mib = MEMORY_MIB_DEFAULT;
    int operands;
    const struct option_row rows[] = {
        {"listen", OPTION_TEXT, &address, "HOST:PORT",
         "listen address [127.0.0.1:3000]; port 0: any free port"},
        {"dir", OPTION_TEXT, &config.folder, "FOLDER", "folder for the event files [examples]"},
        {"api-key", OPTION_LIST, &config.keys, "KEY", "to check WEBHOOK-AUTH; may be repeated",
         "POSTHORN_API_KEY"},
        {"secret", OPTION_LIST, &config.secrets, "SECRET",
         "to check webhook-signature (whsec_, whpk_); may be repeated", "POSTHORN_SECRET"},
        {"handlers", OPTION_TEXT, &config.handlers, "FOLDER", "folder with a program for each event type"},
        {"at-once", OPTION_NUMBER, &config.handlers_max, "N", "run at most N programs at once [8]", NULL, 1,
         HANDLERS_MAX},
        {"time-limit", OPTION_SECONDS, &config.handler_limit_ms, "SECONDS",
         "kill a program after this long [10]; senders wait 15 s", NULL, 1, DELAY_MS_MAX},
        {"memory-max", OPTION_NUMBER, &memory_mib, "MIB", "memory for events [64]; beyond that, 503", NULL, 8,
         MEMORY_MIB_MAX},
        {"status", OPTION_NUMBER, &config.fault_status, "N", "answer N and store nothing", NULL, 200, 599},
        {"for", OPTION_NUMBER, &config.fault_count, "K", "apply --status to the first K requests only", NULL,
         0, INT32_MAX},
        {"delay", OPTION_SECONDS, &config.delay_ms, "SECONDS", "wait this long before each answer", NULL, 0,
         DELAY_MS_MAX},
        {"json", OPTION_FLAG, &config.json, NULL, "print one JSON object a line"},
    };
    const struct usage usage = {
        "receive",
        "receive [--listen HOST:PORT] [--dir FOLDER] [--api-key KEY] [--secret SECRET]\n"
        "receive --handlers FOLDER [--at-once N] [--time-limit SECONDS] ...\n"
        "receive [--status N] [--for K] [--delay SECONDS] ...",
        details,
        rows,
        sizeof rows / sizeof *rows,
        0,
        0};

    switch (options_read(&usage, argc, argv, &operands)) {
    case OPTIONS_HELP:
        return EXIT_DONE;
    case OPTIONS_WRONG:
        return EXIT_USAGE;
    case OPTIONS_GO:
        break;
    }
    if (config.fault_count >= 0 && config.fault_status == 0)
        return options_wrong(&usage, "--for needs --status: it limits how often --status is answered");
    if (secret_flaw_check(&usage, &config.secrets) != EXIT_DONE)
        return EXIT_USAGE;
    sigset_t signals = ending_signals();
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN); /* nobody reading our lines is no reason to refuse events */
    char *folder = without_slash(config.folder);
    config.folder = folder;
    struct budget budget;
    /* Coming in takes three quarters of a budget at most: so bodies have a half, and what is made of them the
     * other. */
    budget_init(&budget, ((size_t)memory_mib << 20) / 3 * 2);
    config.trees_bytes_max = (size_t)memory_mib << 19;
    mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD); /* so that bodies go back to the system */
    int code = listen_until_signal(&config, address, &budget);
    free(folder);
    return code;
}
