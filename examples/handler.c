/* A web-callbacks handler as a CGI program (RFC 3875), which any web server can run: it checks that a push
 * comes from the platform, acts on some event types, stores the event once, and answers.
 *
 *   cc handler.c $(pkg-config --cflags --libs posthorn) -o handler
 *   POSTHORN_API_KEY and POSTHORN_FOLDER in the environment
 */
#include <posthorn.h>
#include <stdio.h>
#include <stdlib.h>

static enum posthorn_result on_settled(void *ctx, const struct posthorn_event *event)
{
    fprintf(stderr, "payment %s reached its destination\n", posthorn_event_resource_id(event).data);
    return POSTHORN_OK;
}

/* All of a request's events; the longest prefix wins, and a type of its own over it. */
static enum posthorn_result on_request(void *ctx, const struct posthorn_event *event)
{
    fprintf(stderr, "request %s: %s\n", posthorn_event_resource_id(event).data,
            posthorn_event_type(event).data);
    return POSTHORN_OK;
}

static enum posthorn_result handle(const char *body, size_t len)
{
    struct posthorn_event *event = NULL;
    struct posthorn_store *store = NULL;
    struct posthorn_dispatcher *dispatcher = posthorn_dispatcher_new();
    enum posthorn_result result =
        posthorn_verify_one(getenv("POSTHORN_API_KEY"), getenv("HTTP_WEBHOOK_AUTH"));

    if (result == POSTHORN_OK)
        result = posthorn_parse(body, len, &event, NULL);
    if (result == POSTHORN_OK)
        result = posthorn_on(dispatcher, "concierge_request_output_settled", on_settled, NULL);
    if (result == POSTHORN_OK)
        result = posthorn_on_prefix(dispatcher, "concierge_request_", on_request, NULL);
    if (result == POSTHORN_OK)
        result = posthorn_store_open(getenv("POSTHORN_FOLDER"), &store);
    if (result == POSTHORN_OK)
        result = posthorn_handle(dispatcher, store, event, NULL);
    posthorn_store_close(store);
    posthorn_event_free(event);
    posthorn_dispatcher_free(dispatcher);
    return result;
}

int main(void)
{
    static char body[POSTHORN_DOCUMENT_LEN_MAX + 1];
    enum posthorn_result result = handle(body, fread(body, 1, sizeof body, stdin));

    printf("Status: %d\r\nContent-Type: application/json\r\n\r\n", posthorn_http_status(result));
    printf("{\"status\":\"%s\"}",
           posthorn_http_status(result) == 200 ? "success" : posthorn_result_name(result));
    return 0;
}
