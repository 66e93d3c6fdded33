/*
 * listener_memory: the memory that slow clients hold: incomplete bodies, unread answers, requests sent in
 * advance. All of it is in the budget. If it is full, the address that holds most loses the bytes that it has
 * held longest. So a client with many slow uploads cannot keep out those of others.
 */
#pragma once
#include "listener_parts.h"

enum memory_room { MEMORY_ROOM, MEMORY_NO_ROOM, MEMORY_WAIT, MEMORY_AFTER_OTHER };

/* Counts so many bytes in the budget, of which *counted are counted already: of an exchange, or of bytes
 * held for later. AFTER_OTHER: *other holds most and must give way; then ask again. NO_ROOM: this client must
 * give way. WAIT: other loops were asked; listener_client_room_made follows. */
enum memory_room listener_memory_count(struct listener_client *client, size_t *counted, size_t len,
                                       struct listener_client **other);
void listener_memory_forget_held(struct listener_client *client); /* frees it */
/* Updates its weight, after it entered another stage or holds more. */
void listener_memory_weigh(struct listener_client *client);
