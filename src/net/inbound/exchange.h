/*
 * exchange: a request and its answer, with their memory, and the bytes of the answer.
 */
#pragma once
#include "listener_parts.h"

struct exchange *exchange_take(struct listener_loop *loop);
void exchange_give(struct exchange *exchange);
void exchange_forget_free(struct listener_loop *loop); /* frees the free list */
/* Room for a body of known length; false: the arena is too small. */
bool exchange_make_room(struct exchange *exchange, size_t len);
/* Appends to a body of unknown length; false: the limit is reached. */
bool exchange_append(struct exchange *exchange, struct bytes content);
/* Bytes that the exchange holds while it waits for its client to read. */
size_t exchange_held(const struct exchange *exchange);
void exchange_append_head(struct exchange *exchange, struct bytes piece);
/* Writes the answer, except the date. Any thread. */
void exchange_render(struct exchange *exchange, const struct listener_reply *reply);
/* Writes the present date into the answer. The loop's thread. */
void exchange_write_date(struct exchange *exchange);
