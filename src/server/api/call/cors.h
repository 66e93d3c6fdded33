/*
 * cors: which pages of other origins may use the API from a browser (the Fetch standard, section 3.2; setting
 * cors-origins). Keys come in Authorization and never by a cookie, so no answer allows credentials.
 */
#pragma once
#include "config.h"
#include "listener.h"

enum { CORS_HEADERS_MAX = 3 };

/* Appends what a browser asks of every answer; returns how many headers. */
int cors_put(const struct config *config, const struct listener_request *request, struct header *headers);
/* Is this OPTIONS the question of a browser that may ask? */
bool cors_is_preflight(const struct config *config, const struct listener_request *request);

/* The headers that a page may send and read. */
extern const char cors_request_headers[], cors_answer_headers[], cors_max_age[];
