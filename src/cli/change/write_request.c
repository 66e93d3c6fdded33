#include "write_request.h"
#include "json_c.h"

void write_request_text(struct json_object *object, const char *name, const char *text)
{
    if (text)
        json_object_object_add(object, name, json_object_new_string(text));
}

struct json_object *write_request(const char *type, const char *id, const char *user,
                                  struct json_object *attributes)
{
    struct json_object *document = json_object_new_object(), *data = json_object_new_object();
    json_object_object_add(document, "data", data);
    write_request_text(data, "type", type);
    write_request_text(data, "id", id);
    json_object_object_add(data, "attributes", attributes);
    if (user) {
        struct json_object *relationships = json_object_new_object(), *to = json_object_new_object(),
                           *linkage = json_object_new_object();
        write_request_text(linkage, "type", "users");
        write_request_text(linkage, "id", user);
        json_object_object_add(to, "data", linkage);
        json_object_object_add(relationships, "user", to);
        json_object_object_add(data, "relationships", relationships);
    }
    return document;
}

bool write_request_send(struct client *client, int status, const char *method, const char *path,
                        struct json_object *document, struct client_answer *answer)
{
    bool done = client_expect(client, status, method, path, json_object_to_json_string(document), answer);
    json_object_put(document);
    return done;
}
