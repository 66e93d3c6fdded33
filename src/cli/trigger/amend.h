/*
 * amend: changes an example event and checks it: `--set PATH=VALUE` and `--edit`.
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

/* False: `detail` has the fault of "PATH=VALUE". */
bool amend_set(struct json_object *document, const char *assignment, char detail[AMEND_DETAIL_LEN]);
/* True: it is an event that can be sent. False: `detail` has the fault and its place. */
bool amend_check(struct json_object *document, char detail[AMEND_DETAIL_LEN]);
/* Opens it in $VISUAL or $EDITOR; comments and trailing commas are allowed. Replaces *document. False: stderr
 * has the reason and the path of the text. */
bool amend_edit(const struct invocation *invocation, struct json_object **document);
