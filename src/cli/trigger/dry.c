/* Prints the equivalent curl command for a shell. It takes the keys from the environment, so none is printed.
 */
#include "trigger.h"

#include "command.h"
#include "json_c.h"
#include "push.h"
#include "text.h"
#include <stdio.h>

enum { LINE_LEN_MAX = 4 << 20, OBJECT_LEN_MAX = 8 << 20, MEMORY_LEN_MAX = 64 << 20 };

static void put_url(struct text *line, const char *server, const char *path)
{
    struct bytes base = bytes_of(server);

    while (*path && base.len > 0 && base.data[base.len - 1] == '/')
        base.len--;
    text_puts(line, strpbrk(server, "[]{}") ? "curl --globoff --request POST " : "curl --request POST ");
    char *url = arena_printf(line->arena, "%.*s%s", BYTES_ARG(base), path);
    text_put_shell(line, bytes_of(url ? url : server));
    text_puts(line, " \\\n");
}

static void put_body(struct text *line, struct bytes body)
{
    text_puts(line, "     --data-raw ");
    text_put_shell(line, body);
    text_putc(line, '\n');
}

/* One event; false: too large. */
static bool print(const struct trigger *trigger, const struct text *line)
{
    struct text object;

    if (line->overflow)
        return false;
    if (!trigger->invocation->json) {
        printf("%s", line->data);
        return true;
    }
    text_init(&object, line->arena, OBJECT_LEN_MAX);
    text_puts(&object, "{\"curl\":");
    text_put_json(&object, text_bytes(line));
    text_puts(&object, "}");
    printf("%s\n", object.data);
    return !object.overflow;
}

static bool dry_post(const struct trigger *trigger, struct arena *arena, struct json_object *document)
{
    struct text line, body;

    text_init(&body, arena, LINE_LEN_MAX / 4);
    json_put(&body, document);
    text_init(&line, arena, LINE_LEN_MAX);
    put_url(&line, trigger->server.server ? trigger->server.server : client_server_default, "/api/events");
    text_puts(&line, "     --header \"Authorization: $POSTHORN_KEY\" \\\n"
                     "     --header 'Content-Type: application/json' \\\n"
                     "     --header 'Accept: application/vnd.api+json' \\\n");
    put_body(&line, text_bytes(&body));
    return !body.overflow && print(trigger, &line);
}

static bool dry_push(const struct trigger *trigger, struct push *push, struct arena *arena,
                     struct json_object *document)
{
    struct push_headers headers;
    struct push_event event;
    struct text line;

    if (!push_render(push, arena, document, &event))
        return false;
    push_make_headers(push, &event, &headers);
    text_init(&line, arena, LINE_LEN_MAX);
    put_url(&line, trigger->to, "");
    for (int i = 0; i < headers.count; i++)
        if (bytes_equal_text(headers.list[i].name, "WEBHOOK-AUTH"))
            text_puts(&line, "     --header \"WEBHOOK-AUTH: $(printf %s \"$POSTHORN_KEY\" | sha256sum | cut "
                             "-c1-64)\" \\\n");
        else
            text_printf(&line, "     --header '%.*s: %.*s' \\\n", BYTES_ARG(headers.list[i].name),
                        BYTES_ARG(headers.list[i].value));
    put_body(&line, event.body);
    return print(trigger, &line);
}

static void print_preface(const struct trigger *trigger)
{
    if (trigger->invocation->json)
        return;
    if (!trigger->to || trigger->api_key)
        printf("# with your API key in POSTHORN_KEY\n");
    if (trigger->to && trigger->secrets.count > 0)
        printf("# the signature is good for five minutes\n");
    if (trigger->times > 1)
        printf("# all of it %lld times\n", (long long)trigger->times);
    if (trigger->duplicate && !trigger->to)
        printf("# each, once delivered, again with POST /api/deliveries/ID/resend\n");
}

int trigger_dry(struct trigger *trigger)
{
    struct push *push = NULL;
    struct arena arena;
    int code = trigger->to ? push_open(trigger->invocation, trigger->to, trigger->api_key, &trigger->secrets,
                                       trigger->signatures, NULL, &push)
                           : EXIT_DONE;
    bool good = true;

    if (code != EXIT_DONE)
        return code;
    print_preface(trigger);
    for (int turn = 0; turn < trigger->examples.count && good; turn++) {
        struct json_object *document = trigger->examples.documents[trigger_turn(trigger, turn)];
        arena_init(&arena, MEMORY_LEN_MAX);
        good = push ? dry_push(trigger, push, &arena, document) : dry_post(trigger, &arena, document);
        arena_fini(&arena);
    }
    if (push)
        push_close(push);
    return good ? EXIT_DONE : EXIT_FAILED;
}
