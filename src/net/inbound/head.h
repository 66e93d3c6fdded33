/*
 * head: parses the head of a request, whose bytes come in pieces. Pure.
 */
#pragma once
#include "framing.h"

/* The progress of the scan. Zeroed memory: the beginning. */
struct head_scan {
    size_t scanned, line_start;
    size_t line_at,
        fields_at; /* of the request line and of the first header line; fields_at 0: not there yet */
};

/* Scans all bytes so far; call it again with more. 0: *head_len is the length with the empty line, or 0 if
 * that has not come. Otherwise the status of the refusal. */
int head_scan(struct head_scan *scan, struct bytes text, size_t *head_len);

struct head_facts {
    bool http_1_0, keep_alive, expects_continue;
    struct framing_body body;
};
/* Reads a complete head into views: method, target, path, query, headers. If it refuses, the readable parts
 * are filled in. 0, or the status of the refusal. */
int head_read(const struct head_scan *scan, struct bytes head, struct listener_request *request,
              struct head_facts *facts);
