/* write_request: the JSON:API document of a POST or PATCH. */
#pragma once
#include "client.h"

/* {"data": {"type": ..., "id": ..., "attributes": ..., "relationships": {"user": ...}}}. Takes the
 * attributes. id, user NULL: without. */
struct json_object *write_request(const char *type, const char *id, const char *user,
                                  struct json_object *attributes);
/* text NULL: does nothing. */
void write_request_text(struct json_object *object, const char *name, const char *text);
/* client_expect with that document, which it takes. */
bool write_request_send(struct client *client, int status, const char *method, const char *path,
                        struct json_object *document, struct client_answer *answer);
