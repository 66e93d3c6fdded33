/*
 * negotiation: media types of requests and answers, as JSON:API 1.1 section 5 has them. Pure.
 */
#pragma once
#include "bytes.h"

enum media {
    MEDIA_NONE,
    MEDIA_JSON_API, /* application/vnd.api+json: what we answer with, without parameters */
    MEDIA_JSON      /* application/json, when that is all the client accepts */
};
const char *media_name(enum media media);

/* May a body of this Content-Type be read? application/json (charset utf-8 only) and application/vnd.api+json
 * (profile is ignored, ext must be empty, any other parameter refused). */
bool negotiation_reads(struct bytes content_type);
/* For one that may not: the parameter that stands in the way ("charset=utf-8"), when it is the type of a body
 * that is read (`lines`: application/x-ndjson, too). len 0: the type itself is wrong. */
struct bytes negotiation_parameter(struct bytes content_type, bool lines);
/* Is this Content-Type application/x-ndjson, in UTF-8 if it says so? */
bool negotiation_reads_lines(struct bytes content_type);
/* Does an Accept header name application/x-ndjson? */
bool negotiation_accepts_lines(struct bytes accept);
/* Does it let us answer with this type, whose parameters are not asked for? */
bool negotiation_accepts(struct bytes accept, const char *type);
extern const char negotiation_lines[]; /* "application/x-ndjson" */
/* Does an Accept-Encoding header (RFC 9110 section 12.5.3) ask for gzip? An absent one does not. */
bool negotiation_accepts_gzip(struct bytes accept_encoding);
/* The media type that an Accept header allows. MEDIA_NONE: none (406). An absent header has len 0. */
enum media negotiation_answers(struct bytes accept);
