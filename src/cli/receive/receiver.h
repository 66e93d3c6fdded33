/*
 * receiver: handles one request of `posthorn receive`. It connects the listener with libposthorn, and prints
 * a line for each request as soon as its outcome is known.
 */
#pragma once
#include "command.h"
#include "listener.h"
#include "posthorn.h"

struct receiver_config {
    struct option_list keys;    /* none: WEBHOOK-AUTH is not checked */
    struct option_list secrets; /* none: the second signature is not checked */
    const char *folder;
    const char *handlers; /* the folder of the programs; NULL: none */
    int64_t handlers_max; /* simultaneous ones */
    int64_t handler_limit_ms;
    int64_t fault_status; /* -1: no faults */
    int64_t fault_count;  /* so many requests get fault_status; -1: all */
    int64_t delay_ms;
    size_t trees_bytes_max; /* all parsed events together */
    bool json;              /* lines for programs */
};

struct receiver;

/* NULL: stderr has the reason. */
struct receiver *receiver_open(const struct receiver_config *config);
/* In the background, resumes events that were in work when a receiver of this folder ended. */
void receiver_resume(struct receiver *receiver);
/* Waits for running handlers, drops waiting ones, and sends the delayed answers at once. Call it before the
 * listener is closed. */
void receiver_flush(struct receiver *receiver);
void receiver_close(struct receiver *receiver);

/* For listener_config. */
int receiver_accept_head(void *receiver, struct listener_request *request);
void receiver_handle(void *receiver, struct listener_request *request);
void receiver_on_refused(void *receiver, struct listener_request *request, int status,
                         struct listener_reply *reply);
