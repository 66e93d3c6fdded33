/*
 * amend: an example event changed by hand, and checked: `--set PATH=VALUE` and `--edit`.
 *
 *   included.NAME      an attribute of the resource's snapshot; included.NAME.INNER of an object in it
 *   resource.id        of the resource: its linkage and its snapshot; resource.type likewise
 *   relationships.NAME a relationship of the event: TYPE/ID, or a JSON list, or the whole object
 *   event_type, created_at, id
 *   /data/...          any other place, as a JSON pointer (RFC 6901)
 *
 * VALUE is JSON if it can be read as JSON, and text otherwise.
 */
#pragma once
#include "command.h"
#include <json-c/json.h>

enum { AMEND_DETAIL_LEN = 256 };

/* False: `detail` says what is wrong with "PATH=VALUE". */
bool amend_set(struct json_object *document, const char *assignment, char detail[AMEND_DETAIL_LEN]);
/* Is it still an event that can be sent? False: `detail` says what is wrong where. */
bool amend_check(struct json_object *document, char detail[AMEND_DETAIL_LEN]);
/* Gives it to $VISUAL or $EDITOR; comments and trailing commas are allowed. *document is replaced. False:
 * stderr says why, and where the text is kept. */
bool amend_edit(const struct invocation *invocation, struct json_object **document);
