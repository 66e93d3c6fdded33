/*
 * store_parts: shared by store.c (one file an event), work.c (events in work) and dispatcher.c. Internal.
 */
#pragma once
#include "posthorn.h"

#include <dirent.h>
#include <pthread.h>
#include <stdint.h>

enum { PH_ID_LEN_MAX = 7 + POSTHORN_DIGEST_HEX_LEN /* "sha256-" and the digest */ };

struct posthorn_store {
    int folder;
    pthread_mutex_t mutex; /* held while a name is checked and taken, never during an fsync of a file */
    uint64_t *ids;         /* open addressing; 0 is empty */
    size_t id_count, id_cap;
};

struct ph_put {
    struct posthorn_text content; /* belongs to the event */
    char id[PH_ID_LEN_MAX + 1];   /* as in the names */
    char name[POSTHORN_NAME_LEN_MAX + 1];
    uint64_t hash;
    bool conflict; /* `name` is now that of the conflict */
};

/* Names the event and looks, under the mutex. */
enum posthorn_result ph_store_begin(struct posthorn_store *store, const struct posthorn_event *event,
                                    struct ph_put *put);
/* Finds the event's place in the present folder; the mutex is held. OK: the name is free. Otherwise it is the
 * final result. */
enum posthorn_result ph_store_look(struct posthorn_store *store, struct ph_put *put);
/* Gives a complete and fsynced file its durable name. Afterwards `temporary` is gone in any case. */
enum posthorn_result ph_store_settle(struct posthorn_store *store, struct ph_put *put, const char *temporary);
/* NULL: see errno. */
DIR *ph_store_list(const struct posthorn_store *store);
/* The handler and its context; NULL: none. */
posthorn_handler *ph_dispatcher_find(const struct posthorn_dispatcher *dispatcher,
                                     const struct posthorn_event *event, void **ctx);
bool ph_write_all(int fd, struct posthorn_text content);
