/*
 * bench: the code that load, sink, relay and fill share. Every error ends the program: a bench that goes on
 * after an error measures something else.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* "--name VALUE" in argv, else `standard`. */
const char *bench_option(int argc, char **argv, const char *name, const char *standard);
int64_t bench_number(int argc, char **argv, const char *name, int64_t standard);
/* "--name" in argv. */
bool bench_flag(int argc, char **argv, const char *name);

_Noreturn void bench_die(const char *what);
void *bench_alloc(size_t size); /* zeroed */
char *bench_read_file(const char *path, size_t *len);

int64_t bench_now_ns(void);   /* CLOCK_MONOTONIC: the same in every process */
void bench_pin(int cpu);      /* -1: leave it to the kernel */
void bench_descriptors(void); /* as many as there can be: more than the hard limit for root alone */
struct bench_cpu {
    int64_t user_us, system_us;
};
struct bench_cpu bench_cpu(void); /* of this process so far */

/* Loopback sockets, non-blocking, without Nagle. */
int bench_connect(int port);
/* At 127.0.0.HOST; -1 if somebody else has the port there. `port`: 0 for a free one; then the one it got. */
int bench_listen(int *port, int host);

/* A whole HTTP message with Content-Length (or none) at `bytes`; false: not all there yet. */
struct bench_message {
    const char *body;
    size_t body_len, size;
    bool close; /* the peer says Connection: close */
};
bool bench_parse(const char *bytes, size_t len, struct bench_message *message);
/* The first "id": "DIGITS" in a JSON document; 0: none. */
int64_t bench_find_id(const char *body, size_t len);

/* When an event was seen, and when it should have been sent (0: unknown); written as a line "ID AT DUE" each.
 */
struct bench_record {
    int64_t id, at_ns, due_ns;
};
void bench_records_write(const char *path, const struct bench_record *records, int64_t count);
