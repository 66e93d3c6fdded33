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
    "Listens as a web-callbacks handler: each event goes into a file of its own, ID_TYPE.json, and\n"
    "is answered with 200 once it is safely on disk. A line is printed for each. Every event_type\n"
    "is accepted; an event that comes again is recognised and stored once. With --api-key, what\n"
    "does not carry the SHA-256 of the key as WEBHOOK-AUTH gets 401 before its body is read.\n"
    "--status and --delay make it misbehave, to see a sender retry.\n"
    "\n"
    "With --handlers, each event is given to a program of that folder before it is stored: to the one\n"
    "with the name of its event_type, or else to `default`, or else to none. The program finds the\n"
    "event on its standard input and POSTHORN_EVENT_ID, POSTHORN_EVENT_TYPE, POSTHORN_CREATED_AT,\n"
    "POSTHORN_SENT_AT, POSTHORN_RESOURCE_TYPE and POSTHORN_RESOURCE_ID in its environment. Exit code 0:\n"
    "the event is stored, and answered with 200. Anything else: 500, and the sender comes again. What\n"
    "was in work when a receiver was killed is handled again at the next start.";

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
        {"listen", OPTION_TEXT, &address, "HOST:PORT", "where to listen [127.0.0.1:3000]; port 0: any"},
        {"dir", OPTION_TEXT, &config.folder, "FOLDER", "where the files go [examples]"},
        {"api-key", OPTION_LIST, &config.keys, "KEY", "check WEBHOOK-AUTH; again for a second key",
         "POSTHORN_API_KEY"},
        {"secret", OPTION_LIST, &config.secrets, "SECRET",
         "check webhook-signature: whsec_ or whpk_; again for a second", "POSTHORN_SECRET"},
        {"handlers", OPTION_TEXT, &config.handlers, "FOLDER", "a program for each event_type"},
        {"at-once", OPTION_NUMBER, &config.handlers_max, "N", "so many of them at one time [8]", NULL, 1,
         HANDLERS_MAX},
        {"time-limit", OPTION_SECONDS, &config.handler_limit_ms, "SECONDS",
         "then one is killed [10]; senders wait 15 s", NULL, 1, DELAY_MS_MAX},
        {"memory-max", OPTION_NUMBER, &memory_mib, "MIB", "memory for events at once [64]; beyond, 503", NULL,
         8, MEMORY_MIB_MAX},
        {"status", OPTION_NUMBER, &config.fault_status, "N", "answer N instead, and store nothing", NULL, 200,
         599},
        {"for", OPTION_NUMBER, &config.fault_count, "K", "do so for the first K requests only", NULL, 0,
         INT32_MAX},
        {"delay", OPTION_SECONDS, &config.delay_ms, "SECONDS", "answer so much later", NULL, 0, DELAY_MS_MAX},
        {"json", OPTION_FLAG, &config.json, NULL, "a JSON object a line"},
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
        return options_wrong(&usage, "--for says how often --status is answered: give --status too");
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
