/*
 * fixture: one store of some backend, on clocks that the test moves, with short ways to write and read.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "store.h"
#include <cmocka.h>

enum { FIXTURE_NODE = 7, FIXTURE_MARK = 77, FIXTURE_BOXES = 256, FIXTURE_DAY_MS = 60000 };

struct model_disk;

struct fixture {
    const struct store_backend *backend;
    char folder[64], path[96];
    struct model_disk *disk; /* the model's */
    int64_t wall_ms, mono_ms;
    struct store_config config;
    struct store *store;
    struct store_work boxes[FIXTURE_BOXES], *box_list[FIXTURE_BOXES];
    int filled;                       /* boxes, by the last write */
    int64_t next_due_in_ms;           /* of the last write */
    struct arena arena;               /* documents and answers; never reset */
    int64_t event_number, key_number; /* of those that were made here */
};

void fixture_open(struct fixture *fixture, const struct store_backend *backend);
void fixture_close(struct fixture *fixture); /* and removes the files */
void fixture_reopen(struct fixture *fixture);
void fixture_advance(struct fixture *fixture, int64_t ms); /* both clocks */
void fixture_no_space(struct fixture *fixture, bool no_space);

/* Asserts STORE_OK. */
void fixture_write(struct fixture *fixture, struct store_op *ops, int count, int boxes);
/* One op without boxes; asserts its result. Returns its id. */
int64_t fixture_do(struct fixture *fixture, struct store_op op, enum store_result result);
/* An EVENT without boxes, which is accepted; the op is as the store leaves it. */
void fixture_accept(struct fixture *fixture, struct store_op *op);
/* A claim alone; asserts how many boxes are filled. */
void fixture_claim(struct fixture *fixture, int boxes, int filled);
struct store_answer fixture_read(struct fixture *fixture, struct store_query query);
struct delivery fixture_delivery(struct fixture *fixture, int64_t id);
struct event fixture_event(struct fixture *fixture, int64_t id);

/* A user with a key; url NULL: none. */
int64_t fixture_user(struct fixture *fixture, const char *url);
/* A further endpoint of that user. */
int64_t fixture_endpoint(struct fixture *fixture, int64_t owner_id, const char *url);
/* An endpoint as it is, to be changed and written back. */
struct store_op fixture_endpoint_op(struct fixture *fixture, int64_t id);
struct store_op fixture_key_op(struct fixture *fixture, int64_t user_id);
/* The next event of this owner. */
/* The endpoint wants all events, or only some of those of fixture_event_op; some have limits; event channels
 * to try it with. */
void fixture_wish(struct endpoint *endpoint, int number);
struct bytes fixture_channels(int number);
/* Each one differs from its default. */
struct push_settings fixture_push_settings(void);
enum { FIXTURE_WISHES = 12, FIXTURE_CHANNELS = 4 };

struct store_op fixture_event_op(struct fixture *fixture, int64_t owner_id);
/* Likewise, with an idempotency key made of this number, which is also its created_at_ms. */
struct store_op fixture_keyed_op(struct fixture *fixture, int64_t owner_id, int64_t number);
/* The same request again is answered by the event that came with the key of this number. */
void fixture_replayed(struct fixture *fixture, int64_t owner_id, int64_t number, int64_t event_id);
/* Of an event of fixture_keyed_op. */
void fixture_event_replayed(struct fixture *fixture, int64_t owner_id, int64_t event_id);
/* An outcome for a filled box. Delivered is answered by 200, the others by 500. */
struct store_op fixture_outcome_op(const struct fixture *fixture, const struct store_work *box,
                                   enum decision_kind kind, int64_t delay_ms);
/* The user as it is, to be changed and written back. */
struct store_op fixture_update_op(struct fixture *fixture, int64_t user_id);
/* Accepted and delivered, so that the endpoint is proven. */
void fixture_prove(struct fixture *fixture, int64_t user_id);

/* For tests of SQLite's backend alone: a fixture as the test's state, and the database beside it. */
int fixture_sqlite_up(void **state);
int fixture_sqlite_down(void **state);
#define SQLITE_TEST(function)                                                                                \
    cmocka_unit_test_setup_teardown(function, fixture_sqlite_up, fixture_sqlite_down)
/* The first column of the first row. */
int64_t fixture_ask(const struct fixture *fixture, const char *sql);
void fixture_say(const struct fixture *fixture, const char *sql);
