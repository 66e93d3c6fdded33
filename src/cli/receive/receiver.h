/*
 * receiver: the web-callbacks handler behind `posthorn receive`: what happens to one request. It joins the
 * listener with libposthorn, and prints a line for each request the moment it is decided.
 */
#pragma once
#include "command.h"
#include "listener.h"
#include "posthorn.h"

struct receiver_config {
    struct option_list keys;    /* none: WEBHOOK-AUTH is not looked at */
    struct option_list secrets; /* none: the second signature is not looked at */
    const char *folder;
    const char *handlers; /* the folder of the programs; NULL: none */
    int64_t handlers_max; /* so many at once */
    int64_t handler_limit_ms;
    int64_t fault_status; /* -1: no faults */
    int64_t fault_count;  /* so many requests get fault_status; -1: all */
    int64_t delay_ms;
    size_t trees_bytes_max; /* of parsed events at once */
    bool json;              /* lines for programs */
};

struct receiver;

/* NULL: stderr says why. */
struct receiver *receiver_open(const struct receiver_config *config);
/* Takes up in the background what was in work when a receiver of this folder ended. */
void receiver_resume(struct receiver *receiver);
/* Lets the handlers that run end, drops those that wait, and then gives the answers that are being delayed,
 * and delays no more: call it before the listener is closed. */
void receiver_flush(struct receiver *receiver);
void receiver_close(struct receiver *receiver);

/* For listener_config. */
int receiver_accept_head(void *receiver, struct listener_request *request);
void receiver_handle(void *receiver, struct listener_request *request);
void receiver_on_refused(void *receiver, struct listener_request *request, int status,
                         struct listener_reply *reply);
