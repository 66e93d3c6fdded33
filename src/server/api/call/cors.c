#include "cors.h"

const char cors_request_headers[] =
    "Authorization, Content-Type, Accept, Idempotency-Key, If-Match, If-None-Match, "
    "Version, X-Request-Id";
const char cors_answer_headers[] = "ETag, Location, Retry-After, RateLimit-Limit, RateLimit-Remaining, "
                                   "RateLimit-Reset, Idempotency-Replayed, "
                                   "X-Request-Id, Version, Posthorn-Mode, WWW-Authenticate, Allow";
const char cors_max_age[] = "7200"; /* seconds; Chromium keeps no answer longer */

/* The value of Access-Control-Allow-Origin. NULL: none, because the origin is not in the list. */
static struct bytes allowed(const struct config *config, const struct listener_request *request)
{
    int count = 0;
    struct bytes origin = listener_header(request, "Origin", &count);
    for (int i = 0; i < config->cors_origins.count && count == 1; i++) {
        if (strcmp(config->cors_origins.items[i], "*") == 0)
            return bytes_of("*");
        if (bytes_equal_text(origin, config->cors_origins.items[i]))
            return origin;
    }
    return (struct bytes){0};
}

int cors_put(const struct config *config, const struct listener_request *request, struct header *headers)
{
    int count = 0;
    if (!config->cors_origins.count)
        return 0;
    headers[count++] = (struct header){bytes_of("Vary"), bytes_of("Origin")};
    struct bytes origin = allowed(config, request);
    if (!origin.len)
        return count;
    headers[count++] = (struct header){bytes_of("Access-Control-Allow-Origin"), origin};
    headers[count++] =
        (struct header){bytes_of("Access-Control-Expose-Headers"), bytes_of(cors_answer_headers)};
    return count;
}

bool cors_is_preflight(const struct config *config, const struct listener_request *request)
{
    return allowed(config, request).len && bytes_equal_text(request->method, "OPTIONS") &&
           listener_header(request, "Access-Control-Request-Method", NULL).data;
}
