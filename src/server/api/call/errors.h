/*
 * errors: every error the API answers with, from one list. Codes are stable: clients and tests depend on
 * them. Errors of url.h, guard.h and json.h bring their own codes (url_host, json_syntax, ...) through
 * API_URL, API_JSON and API_JSON_RANGE.
 */
#pragma once

/*        symbol               status code                    title */
#define API_ERROR_LIST(X)                                                                                    \
    X(PATH_INVALID, 400, "path_invalid", "The path is malformed")                                            \
    X(QUERY_INVALID, 400, "query_invalid", "The query string is malformed")                                  \
    X(PARAMETER_UNKNOWN, 400, "parameter_unknown", "Unknown query parameter")                                \
    X(PARAMETER_REPEATED, 400, "parameter_repeated", "A query parameter was given twice")                    \
    X(PARAMETER_INVALID, 400, "parameter_invalid", "Invalid query parameter")                                \
    X(CURSOR_INVALID, 400, "cursor_invalid", "The cursor does not belong to this list")                      \
    X(HEADER_INVALID, 400, "header_invalid", "Invalid header")                                               \
    X(VERSION_UNKNOWN, 400, "version_unknown", "Unknown version of the API")                                 \
    X(REQUEST_INVALID, 400, "request_invalid", "The request is malformed")                                   \
    X(JSON, 400, "json_syntax", "The body is not valid JSON")                                                \
    X(JSON_RANGE, 422, "json_range", "A number is out of range")                                             \
    X(DOCUMENT_INVALID, 400, "document_invalid", "The body is not a JSON:API document")                      \
    X(AUTH_MISSING, 401, "auth_missing", "Authorization is missing")                                         \
    X(AUTH_INVALID, 401, "auth_invalid", "The API key is not valid")                                         \
    X(FORBIDDEN, 403, "forbidden", "Not allowed for this user")                                              \
    X(ADDRESS, 403, "address_not_allowed", "Not allowed from this address")                                  \
    X(CLIENT_CERTIFICATE, 403, "client_certificate", "A client certificate is required")                     \
    X(ATTRIBUTE_READ_ONLY, 403, "attribute_read_only", "The attribute is read-only")                         \
    X(ID_NOT_ACCEPTED, 403, "id_not_accepted", "The server chooses ids")                                     \
    X(NOT_FOUND, 404, "not_found", "Not found")                                                              \
    X(METHOD_NOT_ALLOWED, 405, "method_not_allowed", "The method is not allowed here")                       \
    X(NOT_ACCEPTABLE, 406, "not_acceptable", "No acceptable media type")                                     \
    X(REQUEST_TIMEOUT, 408, "request_timeout", "The request took too long")                                  \
    X(TYPE_CONFLICT, 409, "type_conflict", "Wrong resource type")                                            \
    X(ID_CONFLICT, 409, "id_conflict", "The id does not match this resource")                                \
    X(ID_USED, 409, "id_used", "The id was used for another event")                                          \
    X(IDEMPOTENCY_IN_FLIGHT, 409, "idempotency_in_flight",                                                   \
      "A request with this Idempotency-Key is in flight")                                                    \
    X(IDEMPOTENCY_CONFLICT, 422, "idempotency_conflict", "The Idempotency-Key was used for another request") \
    X(LAST_KEY, 409, "last_key", "A user's last API key cannot be deleted")                                  \
    X(LAST_SECRET, 409, "last_secret", "A user's last signing secret cannot be deleted")                     \
    X(TOO_MANY_KEYS, 409, "too_many_keys", "The user has too many API keys")                                 \
    X(TOO_MANY_USERS, 409, "too_many_users", "The Master has too many users")                                \
    X(TOO_MANY_ENDPOINTS, 409, "too_many_endpoints", "The user has too many endpoints")                      \
    X(DEFAULT_ENDPOINT, 409, "default_endpoint", "A default endpoint cannot be deleted")                     \
    X(ENDPOINT_NO_URL, 409, "endpoint_no_url", "The endpoint has no URL")                                    \
    X(JOB_RUNS, 409, "job_runs", "A job of this kind runs for the endpoint")                                 \
    X(JOB_ENDED, 409, "job_ended", "The job has ended")                                                      \
    X(TOO_MANY_SECRETS, 409, "too_many_secrets", "The user has too many signing secrets")                    \
    X(SECRET_SHOWN_ONCE, 403, "secret_shown_once", "This secret was shown once and cannot be revealed")      \
    X(SECRETS_SEALED, 500, "secrets_sealed", "The stored secrets cannot be opened")                          \
    X(DELIVERY_STATE, 409, "delivery_state", "The delivery's state does not allow this")                     \
    X(EDIT_CONFLICT, 409, "edit_conflict", "Other requests are changing the resource")                       \
    X(VERSION_CONFLICT, 412, "version_conflict", "The resource has changed since")                           \
    X(BODY_TOO_LARGE, 413, "body_too_large", "The body is too large")                                        \
    X(TARGET_TOO_LONG, 414, "target_too_long", "The request line is too long")                               \
    X(MEDIA_TYPE, 415, "media_type", "The body's media type is not supported")                               \
    X(ATTRIBUTE_UNKNOWN, 422, "attribute_unknown", "Unknown attribute")                                      \
    X(ATTRIBUTE_MISSING, 422, "attribute_missing", "A required attribute is missing")                        \
    X(ATTRIBUTE_INVALID, 422, "attribute_invalid", "Invalid attribute")                                      \
    X(RELATIONSHIP_UNKNOWN, 422, "relationship_unknown", "Unknown relationship")                             \
    X(RELATIONSHIP_INVALID, 422, "relationship_invalid", "Invalid relationship")                             \
    X(INCLUDED_INVALID, 422, "included_invalid", "Invalid included resource")                                \
    X(MEMBER_INVALID, 422, "member_invalid", "A member of the document is not as JSON:API has it")           \
    X(RETRY_LIMIT, 422, "retry_limit", "The retries are too many, last too long or do not fit together")     \
    X(FILTER_INVALID, 422, "filter_invalid", "The filter is not a pattern")                                  \
    X(URL, 422, "url_syntax", "The URL cannot be used as a webhook_url")                                     \
    X(GUESSES, 429, "too_many_guesses", "Too many invalid API keys from this address")                       \
    X(RATE, 429, "rate_limited", "Too many requests")                                                        \
    X(TOO_MANY_WAITING, 429, "too_many_waiting", "The user has too many waiting deliveries")                 \
    X(HEADERS_TOO_LARGE, 431, "headers_too_large", "The headers are too large")                              \
    X(INTERNAL, 500, "internal", "The server failed")                                                        \
    X(NOT_IMPLEMENTED, 501, "not_implemented", "Not implemented")                                            \
    X(HTTP_VERSION, 505, "http_version", "The version of HTTP is not supported")                             \
    X(BUSY, 503, "busy", "The server is busy")                                                               \
    X(STORE_DOWN, 503, "store_down", "The store cannot be reached")                                          \
    X(STORE_DAMAGED, 503, "store_damaged", "The database is damaged")                                        \
    X(STORE_FULL, 507, "store_full", "The store has no space")                                               \
    X(QUOTA_REACHED, 507, "quota_reached", "The user has reached a quota")

#define API_ERROR_ENUM(symbol, status, code, title) API_##symbol,
enum api_error { API_ERROR_LIST(API_ERROR_ENUM) API_ERROR_COUNT };
#undef API_ERROR_ENUM

struct api_error_row {
    int status;
    const char *code, *title;
};
/* Code, status and title of an error. */
const struct api_error_row *api_error_row(enum api_error error);
/* The error that stands for a bare HTTP status, for what the listener refuses. */
enum api_error api_error_of_status(int status);
