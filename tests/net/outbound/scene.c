#include "scene.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { GENEROUS_MS = 20000 };

static bool allow_all(void *ctx, const struct sockaddr *address)
{
    return true;
}

void scene_init(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    scene->limits = (struct sender_limits){.dns_ms = GENEROUS_MS,
                                           .connect_ms = GENEROUS_MS,
                                           .connect_all_ms = GENEROUS_MS,
                                           .tls_ms = GENEROUS_MS,
                                           .send_ms = GENEROUS_MS,
                                           .header_ms = GENEROUS_MS,
                                           .body_ms = GENEROUS_MS,
                                           .attempt_ms = GENEROUS_MS,
                                           .idle_ms = GENEROUS_MS,
                                           .age_ms = GENEROUS_MS};
    scene->allow = allow_all;
    scene->idle_connections_max = 8;
    scene->pool_key = 1;
    scene->age_ms_max = INT64_MAX;
    scene->body = "{\"data\":{}}";
    scene->body_len = strlen(scene->body);
}

void scene_open(struct scene *scene)
{
    struct sender_config config = {.loop = &scene->loop,
                                   .clock = clock_system(),
                                   .limits = scene->limits,
                                   .attempts_max = 64,
                                   .idle_connections_max = scene->idle_connections_max,
                                   .user_agent = "posthorn/test",
                                   .ca_file = scene->ca_file,
                                   .dns_servers = scene->dns_servers,
                                   .allow = scene->allow,
                                   .ctx = scene->allow_ctx};
    int error = uv_loop_init(&scene->loop);
    assert(error == 0);
    scene->sender = sender_open(&config);
    assert(scene->sender);
}

void scene_fini(struct scene *scene)
{
    sender_close(scene->sender);
    uv_run(&scene->loop, UV_RUN_DEFAULT);
    sender_free(scene->sender);
    int error = uv_loop_close(&scene->loop);
    assert(error == 0); /* no handle is left */
}

static void on_done(void *ctx, uint32_t tag, const struct sender_result *result)
{
    struct scene *scene = ctx;
    scene->results++;
    scene->result = *result;
    if (result->response.len > 0)
        memcpy(scene->response, result->response.data, result->response.len);
    scene->result.response.data = scene->response;
    snprintf(scene->detail, sizeof scene->detail, "%.*s", BYTES_ARG(result->detail));
}

void scene_begin(struct scene *scene, const char *url)
{
    static const char auth[] = "03ac674216f3e15c761ee1a5e255f067953623c8b388b4459e13f978d7c846f4";
    struct url parsed;
    struct sender_request request = {
        .timeout_s = scene->timeout_s,
        .spent_s = scene->spent_s,
        .age_ms_max = scene->age_ms_max,
        .once = scene->once,
        .pool_key = scene->pool_key,
        .identity = scene->identity,
        .url = &parsed,
        .headers = (struct header[]){{bytes_of("Content-Type"), bytes_of("application/json")},
                                     {bytes_of("WEBHOOK-AUTH"), bytes_of(auth)}},
        .header_count = 2,
        .body = bytes_make(scene->body, scene->body_len)};
    int results = scene->results;
    enum url_error error = url_parse(bytes_of(url), &parsed);
    assert(error == URL_OK);
    sender_start(scene->sender, &request, 7, on_done, scene);
    assert(scene->results == results); /* never before it returns */
}

void scene_finish(struct scene *scene)
{
    int results = scene->results;
    while (scene->results == results)
        uv_run(&scene->loop, UV_RUN_ONCE);
    assert(scene->results == results + 1);
}

const struct sender_result *scene_attempt(struct scene *scene, const char *url)
{
    scene_begin(scene, url);
    scene_finish(scene);
    return &scene->result;
}

void scene_turn(struct scene *scene)
{
    for (int i = 0; i < 3; i++)
        uv_run(&scene->loop, UV_RUN_NOWAIT);
}

struct sender_stats scene_stats(const struct scene *scene)
{
    struct sender_stats stats;
    sender_stats(scene->sender, &stats);
    return stats;
}

const char *scene_url(char *out, size_t size, bool https, const char *host, int port)
{
    snprintf(out, size, "%s://%s:%d/hook?a=b", https ? "https" : "http", host, port);
    return out;
}
