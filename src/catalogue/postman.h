/*
 * postman: a Postman collection (format v2.1) and its environment, from the catalogue: an example push of
 * each event type to {{webhook_url}}, with WEBHOOK-AUTH computed from {{your_api_key}}, and the requests of
 * the API against {{domain}}. Pure.
 */
#pragma once

struct catalogue;
struct arena;
struct json_value;

enum { POSTMAN_MEMORY_MAX = 64 << 20 };

struct postman_values {
    const char *webhook_url, *domain;
};

/* Documents on the arena, whose maximum is at least POSTMAN_MEMORY_MAX. The collection works with only
 * webhook_url set anew. */
struct json_value *postman_collection(struct arena *arena, const struct catalogue *catalogue,
                                      const struct postman_values *values);
struct json_value *postman_environment(struct arena *arena, const struct postman_values *values);
