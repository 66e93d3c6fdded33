/*
 * request_line: the line that `posthorn receive` prints about a request, for people or for programs.
 */
#pragma once
#include "bytes.h"
#include "posthorn.h"
#include "terminal.h"

struct request_line {
    int status;
    const char *outcome; /* "stored", "duplicate", ... */
    const char *detail;  /* the fault, or NULL */
    const struct posthorn_event *event;
    const char *file;    /* in the folder, or NULL */
    struct bytes output; /* of the event's program */
};

struct request_line_style {
    const char *folder;
    bool json;
    struct colours colours;
};

/* One write a line, so that lines of several threads stay whole. */
void request_line_print(const struct request_line *report, const struct request_line_style *style);
