/*
 * push: sends to one URL as the server does: the same document (body.h), headers (push_headers.h) and HTTP
 * engine (sender.h), so that a receiver sees no difference (mission row 37). No guard: it is your own URL. No
 * retries.
 */
#pragma once
#include "arena.h"
#include "command.h"
#include "failure.h"
#include "push_headers.h"
#include <stdint.h>

struct json_object;
struct push;

/* EXIT_DONE, or another exit code, and stderr says what is wrong with the URL, a secret or this machine.
 * `key` NULL: without WEBHOOK-AUTH. No `secrets`: without the other signatures. `signatures`: bits of enum
 * push_signature; 0: the default. `ca_file` has the authorities for https; NULL: the system's. The secrets
 * stay the caller's. */
int push_open(const struct invocation *invocation, const char *url, const char *key,
              const struct option_list *secrets, int signatures, const char *ca_file, struct push **push);
void push_close(struct push *push);

/* An event to be sent, any number of times. */
struct push_event {
    int64_t number;
    char id[24];       /* the number, as text */
    struct bytes body; /* on the arena */
};

/* `document` is a whole event document (amend_check); it gets a new id and the present date if it has none.
 * False: too large. */
bool push_render(struct push *push, struct arena *arena, struct json_object *document,
                 struct push_event *event);

/* The headers of a send at this moment; they are views of event and push. */
void push_make_headers(struct push *push, const struct push_event *event, struct push_headers *headers);

enum { PUSH_DETAIL_LEN = 256, PUSH_ANSWER_LEN = 1024 };
struct push_outcome {
    enum failure failure;
    int status; /* 0: no answer */
    int64_t duration_ms;
    char detail[PUSH_DETAIL_LEN]; /* more than the failure's sentence; "": nothing */
    char answer[PUSH_ANSWER_LEN]; /* the beginning of the answer, not escaped */
    size_t answer_len;
};

void push_send(struct push *push, const struct push_event *event, struct push_outcome *outcome);
