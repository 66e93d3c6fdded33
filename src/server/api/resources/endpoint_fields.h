/*
 * endpoint_fields: the attributes of an endpoint, read and shown. Each pair is the `read` and `put` of a row
 * of the table of fields (shape.h); a row is a struct endpoint.
 */
#pragma once
#include "filter.h"
#include "policy.h"
#include "shape.h"

/* By the parser and the guard, with their codes; what the name resolves to is judged when it is dialled. */
bool endpoint_judge_url(struct call *call, struct bytes text, const char *pointer);
/* Attributes that a user has of its default endpoint, too: rows of the table of fields. */
bool endpoint_read_url(struct call *call, const struct field *field, struct json_value *value, void *place);
bool endpoint_read_success(struct call *call, const struct field *field, struct json_value *value,
                           void *place);
void success_put(struct text *out, struct bytes success);
/* "active"; "paused" by a person; "disabled" by posthorn. */
extern const char *const endpoint_statuses[];
const char *endpoint_status(const struct endpoint *endpoint);
/* A person has changed it, and found it so. */
void endpoint_set_paused_at(const struct call *call, struct endpoint *endpoint, bool was_paused);
/* A person has changed it from this status; says nothing if it is the same. */
void endpoint_log_status(const struct call *call, const struct endpoint *endpoint, const char *was);
void endpoint_put_success(struct text *out, const struct call *call, const void *row);
void endpoint_put_status(struct text *out, const struct call *call, const void *row);
void endpoint_put_disabled_reason(struct text *out, const struct call *call, const void *row);

#define CHANNEL_PATTERN "^[A-Za-z0-9_.-]{1,64}$"
#define CHANNEL_RULE    "A channel has 1 to 64 letters, digits, '_', '.' or '-'."

bool endpoint_read_event_types(struct call *call, const struct field *field, struct json_value *value,
                               void *place);
void endpoint_put_event_types(struct text *out, const struct call *call, const void *row);
bool endpoint_read_channels(struct call *call, const struct field *field, struct json_value *value,
                            void *place);
void endpoint_put_channels(struct text *out, const struct call *call, const void *row);
bool endpoint_read_filter(struct call *call, const struct field *field, struct json_value *value,
                          void *place);
bool endpoint_read_number(struct call *call, const struct field *field, struct json_value *value,
                          void *place);
bool endpoint_read_rate(struct call *call, const struct field *field, struct json_value *value, void *place);
bool endpoint_read_retry(struct call *call, const struct field *field, struct json_value *value, void *place);
void endpoint_put_retry(struct text *out, const struct call *call, const void *row);
void endpoint_put_rate(struct text *out, const struct call *call, const void *row);
void endpoint_put_filter(struct text *out, const struct call *call, const void *row);
bool endpoint_read_metadata(struct call *call, const struct field *field, struct json_value *value,
                            void *place);
void endpoint_put_metadata(struct text *out, const struct call *call, const void *row);

bool endpoint_read_signatures(struct call *call, const struct field *field, struct json_value *value,
                              void *place);
void endpoint_put_signatures(struct text *out, const struct call *call, const void *row);

/* The pattern compiled, on the request's arena. NULL after call_fail, which points into the pattern. */
const struct filter *endpoint_compile_filter(struct call *call, const struct field *field,
                                             const struct json_value *value);

/* At most field->maximum words without spaces, each valid and listed once, as the store keeps them: with a
 * space between two. null is the empty list. */
bool words_read(struct call *call, const struct field *field, const struct json_value *value,
                bool (*valid)(struct bytes word), const char *rule, struct bytes *words);
/* As an array of texts. */
void words_put(struct text *out, struct bytes words);
bool channel_valid(struct bytes label);
