/*
 * tcp_report: the kernel's account of a TCP connection, also after its end.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct tcp_report {
    int64_t round_trip_ms;     /* the shortest so far */
    int64_t heard_before_ms;   /* since the last packet that was not a reset */
    size_t unacknowledged_len; /* bytes that we wrote and the other side's kernel has not acknowledged */
};

/* All zero: not a TCP connection. */
struct tcp_report tcp_report_of(int fd);
