/*
 * head: the head of a request, from bytes that come in pieces. Pure.
 */
#pragma once
#include "framing.h"

/* How far a head has been looked at, while it comes in pieces. Zeroed memory is the beginning. */
struct head_scan {
    size_t scanned, line_start;
    size_t line_at,
        fields_at; /* of the request line and of the first header line; fields_at 0: not there yet */
};

/* Looks at all of a head that is there, again when there is more. 0: *head_len is its length with the empty
 * line, or 0 as long as that has not come. Otherwise the status to refuse with. */
int head_scan(struct head_scan *scan, struct bytes text, size_t *head_len);

struct head_facts {
    bool http_1_0, keep_alive, expects_continue;
    struct framing_body body;
};
/* A complete head. Fills method, target, path, query and headers with views of `head`; what can be read is
 * filled in also when the status it returns is not 0. */
int head_read(const struct head_scan *scan, struct bytes head, struct listener_request *request,
              struct head_facts *facts);
