/*
 * damage_life: a database that has some of everything, and a server's life on a damaged copy of it. A case
 * runs in a process of its own, so there is no assertion of cmocka in it.
 */
#pragma once
#include "fixture.h"
#include <sys/types.h>

enum { EVENTS_MAX = 32, COLUMNS_MAX = 128, HANG_S = 20, EXIT_NO_ROW = 7 };

struct base {
    struct fixture *f;
    char *bytes; /* of the file */
    size_t len;
    int64_t master, damaged, sound; /* users */
    int64_t events[EVENTS_MAX], deliveries[2 * EVENTS_MAX];
    int event_count, delivery_count;
    int64_t sound_event, sound_waits; /* its event, and that event's delivery, which is due */
    struct column {
        char table[32], name[32];
    } columns[COLUMNS_MAX];
    int column_count;
};

struct life {
    bool strict; /* every batch is written, every query answered: the pages are whole */
    bool sound;  /* the rows of the sound user are */
    bool killed; /* it ends without closing the store */
    int lives;
    void (*midway)(const struct base *base,
                   unsigned seed); /* once it is open and has written; NULL: nothing */
    unsigned seed;
};

/* `bulk` events more, and as many pages as they take that are free. */
void base_make(struct base *base, int bulk);
void base_free(struct base *base);
void base_copy(const struct base *base); /* to the file, without a log */

/* Does not return. */
void life_live(const struct base *base, const struct life *life);
/* Ends the process: it was wrong. */
void life_wrong(const char *what, int number) __attribute__((noreturn));
/* How the process of a life ended; NULL: well. */
const char *life_ended(pid_t child, int *no_row);
