/*
 * postman: a Postman collection (format v2.1) and its environment, from the catalogue: an example push of
 * each event type to {{webhook_url}}, with WEBHOOK-AUTH computed from {{your_api_key}}, and the requests of
 * the API against {{domain}}. Pure.
 */
#pragma once

struct catalogue;
struct json_object;

struct postman_values {
    const char *webhook_url, *domain;
};

/* The caller owns what they return (json_object_put). The collection works with only webhook_url set anew. */
struct json_object *postman_collection(const struct catalogue *catalogue,
                                       const struct postman_values *values);
struct json_object *postman_environment(const struct postman_values *values);
