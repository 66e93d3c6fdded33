/*
 * precondition: If-Match and If-None-Match (RFC 9110 section 13), decided here for every resource. Pure. A
 * read is judged as its answer is sent (call_answer, by call->etag), a change by the edit that has read the
 * row first (edit.h). Most lists have no ETag, and a request to one is not judged.
 *
 * An ETag may end with a part behind a semicolon: "5-3;77". It stands for what the resource shows of others,
 * which no change of it is about. A read is judged by the whole ETag, a change by what is before the
 * semicolon.
 */
#pragma once
#include "listener.h"

enum precondition {
    PRECONDITION_HOLDS,
    PRECONDITION_NOT_MODIFIED, /* of a GET or HEAD: 304 */
    PRECONDITION_IF_MATCH,     /* does not hold: 412 */
    PRECONDITION_IF_NONE_MATCH /* the same */
};

/* Does the request have one, so that a change must read first? */
bool precondition_is_given(const struct listener_request *request);

/* Of what has this ETag now. NULL: there is nothing, which only a PUT is judged by; for the others that is
 * 404. */
enum precondition precondition_judge(const struct listener_request *request, const char *etag);
