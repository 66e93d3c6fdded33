/*
 * listener_memory: the memory that slow clients hold: incomplete bodies, unread answers, requests sent in
 * advance. All of it is in the budget. If that is full, the address that holds most loses what it has held
 * longest. So one client with many slow uploads does not keep those of others out.
 */
#pragma once
#include "listener_parts.h"

enum memory_room { MEMORY_ROOM, MEMORY_NO_ROOM, MEMORY_WAIT, MEMORY_AFTER_OTHER };

/* Counts so many bytes in the budget, of which *counted are counted already: of an exchange, or of what is
 * held for later. AFTER_OTHER: *other holds most and is to give way, then ask again. NO_ROOM: it is this
 * one's turn to give way. WAIT: other loops have been asked, and when they have made room,
 * listener_client_room_made is called. */
enum memory_room listener_memory_count(struct listener_client *client, size_t *counted, size_t len,
                                       struct listener_client **other);
void listener_memory_forget_held(struct listener_client *client); /* frees it */
/* Weighs it anew, after it came to another stage or holds more. */
void listener_memory_weigh(struct listener_client *client);
