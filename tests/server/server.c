/*
 * Whole servers in one process: nothing they share but the machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "digest.h"
#include "listener.h"
#include "memory.h"
#include "server.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NODES = 3, WAIT_MS_MAX = 20000 };

/* ---- a receiver ---- */

struct receiver {
    struct listener *listener;
    pthread_mutex_t lock;
    struct listener_request *held[64];
    int held_count;
    bool hold;
    atomic_int arrived[NODES]; /* at /0, /1, ... */
    atomic_int wrong;
    char digest[NODES][65]; /* what WEBHOOK-AUTH must say there */
};

static void receiver_handle(void *ctx, struct listener_request *request)
{
    struct receiver *receiver = ctx;
    int node = request->path.len == 2 ? request->path.data[1] - '0' : -1;
    pthread_mutex_lock(&receiver->lock);
    if (node < 0 || node >= NODES ||
        !bytes_equal_text(listener_header(request, "WEBHOOK-AUTH", NULL), receiver->digest[node]))
        atomic_fetch_add(&receiver->wrong, 1);
    else
        atomic_fetch_add(&receiver->arrived[node], 1);
    bool hold = receiver->hold;
    if (hold)
        receiver->held[receiver->held_count++] = request;
    pthread_mutex_unlock(&receiver->lock);
    if (!hold)
        listener_answer(request, &(struct listener_reply){.status = 200});
}

static void receiver_let_go(struct receiver *receiver)
{
    pthread_mutex_lock(&receiver->lock);
    receiver->hold = false;
    while (receiver->held_count > 0)
        listener_answer(receiver->held[--receiver->held_count], &(struct listener_reply){.status = 200});
    pthread_mutex_unlock(&receiver->lock);
}

/* ---- nodes ---- */

struct node {
    char data[80];
    struct arena arena;
    struct config config;
    struct server_options options;
    struct server_first first;
    struct server *server;
};

struct world {
    char folder[64];
    struct receiver receiver;
    struct node nodes[NODES];
};

static void node_configure(struct node *node, const char *data)
{
    char *environment[] = {NULL};
    char words[7][96] = {"--data", "", "--listen", "127.0.0.1:0", "--dev", "--slots=64", "--time-scale=20"};
    char *argv[7];
    struct config_error error;
    snprintf(words[1], sizeof words[1], "%s", data);
    snprintf(node->data, sizeof node->data, "%s", data);
    arena_init(&node->arena, 1 << 20);
    for (int i = 0; i < 7; i++)
        argv[i] = words[i];
    if (!config_load(&node->config, &node->arena, 7, argv, environment, NULL, &error))
        fail_msg("%s", error.text);
    /* argv is gone when this returns. */
    node->config.data = node->data;
    node->config.listen = "127.0.0.1:0";
    node->options = (struct server_options){.config = &node->config, .clock = clock_system()};
}

static void node_open(struct node *node)
{
    char error_text[256] = "";
    struct server_first first;
    enum server_error error = server_init_data(&node->options, &first, error_text);
    if (error == SERVER_OK && first.created)
        node->first = first;
    if (error == SERVER_OK)
        error = server_open(&node->options, &node->server, error_text);
    if (error != SERVER_OK)
        fail_msg("%d: %s", error, error_text);
}

static void node_close(struct node *node)
{
    if (node->server) {
        server_drain(node->server, node->config.drain_ms);
        server_close(node->server);
    }
    node->server = NULL;
}

static int start(void **state)
{
    struct world *world = memory_zero(1, sizeof *world);
    struct receiver *receiver = &world->receiver;
    pthread_mutex_init(&receiver->lock, NULL);
    struct listener_config config = {.listen = "127.0.0.1:0",
                                     .threads = 1,
                                     .body_len_max = 1 << 20,
                                     .arena_len_max = 2 << 20,
                                     .connections_max = 500,
                                     .idle_seconds = 60,
                                     .handle = receiver_handle,
                                     .ctx = receiver,
                                     .clock = clock_system()};
    assert_int_equal(listener_open(&config, &receiver->listener), LISTENER_OK);
    strcpy(world->folder, "/tmp/posthorn-server-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    for (int i = 0; i < NODES; i++) {
        char data[80];
        snprintf(data, sizeof data, "%s/%d", world->folder, i);
        node_configure(&world->nodes[i], data);
    }
    *state = world;
    return 0;
}

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        unlinkat(dirfd(folder), entry->d_name, 0);
    if (folder)
        closedir(folder);
    rmdir(path);
}

static int stop(void **state)
{
    struct world *world = *state;
    receiver_let_go(&world->receiver);
    for (int i = 0; i < NODES; i++) {
        node_close(&world->nodes[i]);
        remove_folder(world->nodes[i].data);
        arena_fini(&world->nodes[i].arena);
    }
    listener_close(world->receiver.listener);
    pthread_mutex_destroy(&world->receiver.lock);
    rmdir(world->folder);
    free(world);
    return 0;
}

/* ---- a client ---- */

/* Sends one request and reads to the end of the stream. Returns the status; the whole answer in `answer`. */
static int call(const struct node *node, const char *method, const char *path, const char *body,
                char answer[16384])
{
    char request[4096];
    const char *colon = strrchr(server_address(node->server), ':');
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(colon + 1)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    int len = snprintf(request, sizeof request,
                       "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: %s\r\n"
                       "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                       method, path, node->first.api_key, strlen(body), body);
    assert_int_equal(send(fd, request, (size_t)len, MSG_NOSIGNAL), len);
    size_t got = 0;
    for (ssize_t n; (n = recv(fd, answer + got, 16383 - got, 0)) > 0;)
        got += (size_t)n;
    answer[got] = '\0';
    close(fd);
    return got > 12 ? atoi(answer + 9) : 0;
}

static void set_url(struct world *world, int i)
{
    static char answer[16384];
    char body[512];
    snprintf(body, sizeof body,
             "{\"data\":{\"id\":\"5\",\"type\":\"users\",\"attributes\":{\"webhook_url\":\"http://%s/%d\"}}}",
             listener_address(world->receiver.listener), i);
    digest_sha256_hex(bytes_of(world->nodes[i].first.api_key), world->receiver.digest[i]);
    int status = call(&world->nodes[i], "PATCH", "/api/users/me", body, answer);
    if (status != 200)
        fail_msg("PATCH: %d %s", status, answer);
}

/* The event's path: "/api/events/123". */
static void post_event(const struct node *node, char path[64])
{
    static char answer[16384];
    int status =
        call(node, "POST", "/api/events",
             "{\"data\":{\"type\":\"events\",\"attributes\":{\"event_type\":\"user_enabled\"}}}", answer);
    const char *location = strcasestr(answer, "\r\nLocation: ");
    if (status != 201 || !location)
        fail_msg("POST: %d %s", status, answer);
    snprintf(path, 64, "%.*s", (int)strcspn(location + 12, "\r"), location + 12);
}

static bool is_delivered(const struct node *node, const char *event_path)
{
    static char answer[16384];
    char path[96];
    snprintf(path, sizeof path, "%s/deliveries", event_path);
    assert_int_equal(call(node, "GET", path, "", answer), 200);
    return strstr(answer, "\"state\":\"delivered\"") != NULL;
}

static void wait_for(atomic_int *count, int wanted)
{
    for (int i = 0; i < WAIT_MS_MAX && atomic_load(count) < wanted; i++)
        usleep(1000);
    assert_int_equal(atomic_load(count), wanted);
}

/* ---- tests ---- */

static void test_init(void **state)
{
    struct world *world = *state;
    struct node *node = &world->nodes[0];
    struct server_first first, again;
    char error_text[256], path[128];
    struct stat about;
    assert_int_equal(server_init_data(&node->options, &first, error_text), SERVER_OK);
    assert_true(first.created);
    assert_int_equal(first.user_id, 5);
    assert_int_equal(strlen(first.api_key), 64);
    assert_int_equal(stat(node->data, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0700);
    assert_int_equal(server_init_data(&node->options, &again, error_text), SERVER_OK);
    assert_false(again.created);
    assert_string_equal(again.api_key, "");
    /* The key itself is nowhere in the folder. */
    DIR *folder = opendir(node->data);
    for (struct dirent *entry; (entry = readdir(folder));) {
        snprintf(path, sizeof path, "%s/%.40s", node->data, entry->d_name);
        FILE *file = fopen(path, "r");
        static char text[1 << 20];
        size_t len = file ? fread(text, 1, sizeof text, file) : 0;
        assert_null(memmem(text, len, first.api_key, 64));
        if (file)
            fclose(file);
    }
    closedir(folder);
}

static void test_data_that_cannot_be(void **state)
{
    struct node *node = &((struct world *)*state)->nodes[0];
    struct server_first first;
    char error_text[256];
    node->config.data = "/dev/null";
    assert_int_equal(server_init_data(&node->options, &first, error_text), SERVER_DATA);
    assert_non_null(strstr(error_text, "there is a file of that name"));
    node->config.data = "/proc/posthorn";
    assert_int_equal(server_init_data(&node->options, &first, error_text), SERVER_DATA);
}

/* Made beside the database, or where the setting says; one that others can read is none. */
static void test_key_file(void **state)
{
    struct world *world = *state;
    struct node *node = &world->nodes[0];
    struct server_first first;
    struct stat about;
    char error_text[256], path[160], elsewhere[160];
    snprintf(path, sizeof path, "%s/posthorn.key", node->data);
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere.key", node->data);
    assert_int_equal(server_init_data(&node->options, &first, error_text), SERVER_OK);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    node->config.key_file = elsewhere;
    assert_int_equal(server_open(&node->options, &node->server, error_text), SERVER_MISMATCH);
    node->server = NULL;
    assert_non_null(strstr(error_text, elsewhere));
    assert_non_null(strstr(error_text, "posthorn secrets reset"));
    assert_int_not_equal(stat(elsewhere, &about), 0); /* none was made */
    assert_int_equal(rename(path, elsewhere), 0);
    assert_int_equal(chmod(elsewhere, 0640), 0);
    assert_int_equal(server_open(&node->options, &node->server, error_text), SERVER_OK);
    node_close(node);
    assert_int_equal(stat(elsewhere, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    node->config.key_file = "/proc/none/key";
    assert_int_equal(server_init_data(&node->options, &first, error_text), SERVER_MISMATCH);
}

static void test_three_nodes(void **state)
{
    struct world *world = *state;
    char path[64];
    for (int i = 0; i < NODES; i++) {
        node_open(&world->nodes[i]);
        set_url(world, i);
    }
    for (int round = 0; round < 5; round++)
        for (int i = 0; i < NODES; i++)
            post_event(&world->nodes[i], path);
    for (int i = 0; i < NODES; i++)
        wait_for(&world->receiver.arrived[i], 5);
    assert_int_equal(world->receiver.wrong, 0);
    /* A key of one is unknown to another. */
    static char answer[16384];
    struct node stranger = world->nodes[0];
    strcpy(stranger.first.api_key, world->nodes[1].first.api_key);
    assert_int_equal(call(&stranger, "GET", "/api/users/me", "", answer), 401);
    /* One ends, the others serve on. */
    node_close(&world->nodes[1]);
    post_event(&world->nodes[2], path);
    wait_for(&world->receiver.arrived[2], 6);
}

static void test_second_on_the_same_data(void **state)
{
    struct world *world = *state;
    struct server *second;
    struct server_first first;
    char error_text[256] = "";
    node_open(&world->nodes[0]);
    assert_int_equal(server_init_data(&world->nodes[0].options, &first, error_text), SERVER_LOCKED);
    assert_int_equal(server_open(&world->nodes[0].options, &second, error_text), SERVER_LOCKED);
    assert_non_null(strstr(error_text, "another posthorn"));
    static char answer[16384];
    assert_int_equal(call(&world->nodes[0], "GET", "/health", "", answer), 200);
    node_close(&world->nodes[0]);
    node_open(&world->nodes[0]);
}

static void test_address_in_use(void **state)
{
    struct world *world = *state;
    struct server *second;
    struct server_first first;
    char error_text[256] = "", listen[64];
    node_open(&world->nodes[0]);
    assert_int_equal(server_init_data(&world->nodes[1].options, &first, error_text), SERVER_OK);
    snprintf(listen, sizeof listen, "%s", server_address(world->nodes[0].server) + strlen("http://"));
    world->nodes[1].config.listen = listen;
    assert_int_equal(server_open(&world->nodes[1].options, &second, error_text), SERVER_LISTEN);
    assert_non_null(strstr(error_text, "in use"));
    /* And all that had been opened is closed again. */
    world->nodes[1].config.listen = "127.0.0.1:0";
    assert_int_equal(server_open(&world->nodes[1].options, &world->nodes[1].server, error_text), SERVER_OK);
}

static void *drain(void *argument)
{
    struct node *node = argument;
    server_drain(node->server, 20000);
    return NULL;
}

/* An attempt under way when the drain begins ends, is recorded, and is not made again. */
static void test_drain(void **state)
{
    struct world *world = *state;
    struct node *node = &world->nodes[0];
    char path[64];
    pthread_t thread;
    node_open(node);
    set_url(world, 0);
    world->receiver.hold = true;
    post_event(node, path);
    wait_for(&world->receiver.arrived[0], 1);
    pthread_create(&thread, NULL, drain, node);
    usleep(100 * 1000);
    receiver_let_go(&world->receiver);
    pthread_join(thread, NULL);
    server_close(node->server);
    node_open(node);
    assert_true(is_delivered(node, path));
    usleep(200 * 1000);
    assert_int_equal(world->receiver.arrived[0], 1);
}

/* A second signal: the attempt is given up by us, costs nothing, and is made again by the next one. */
static void test_abort(void **state)
{
    struct world *world = *state;
    struct node *node = &world->nodes[0];
    char path[64];
    pthread_t thread;
    node_open(node);
    set_url(world, 0);
    world->receiver.hold = true;
    post_event(node, path);
    wait_for(&world->receiver.arrived[0], 1);
    pthread_create(&thread, NULL, drain, node);
    usleep(50 * 1000);
    server_abort(node->server);
    pthread_join(thread, NULL);
    server_close(node->server);
    receiver_let_go(&world->receiver);
    node_open(node);
    wait_for(&world->receiver.arrived[0], 2);
    for (int i = 0; i < WAIT_MS_MAX && !is_delivered(node, path); i += 20)
        usleep(20 * 1000);
    assert_true(is_delivered(node, path));
}

/* One slot, so that each event waits for the record of the one before it: a record that the loop is not told
 * of would hold all that follow until something else wakes it, and that is seconds away. */
static void test_one_slot(void **state)
{
    enum { EVENTS = 40 };
    struct world *world = *state;
    struct node *node = &world->nodes[0];
    char path[64];
    node->config.slots = 1;
    node->config.time_scale = 1;
    node_open(node);
    set_url(world, 0);
    for (int i = 0; i < EVENTS; i++)
        post_event(node, path);
    wait_for(&world->receiver.arrived[0], EVENTS);
    for (int i = 0; i < WAIT_MS_MAX && !is_delivered(node, path); i += 20)
        usleep(20 * 1000);
    assert_true(is_delivered(node, path));
    assert_int_equal(world->receiver.arrived[0], EVENTS);
}

int main(void)
{
#define WITH(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        WITH(test_init),
        WITH(test_data_that_cannot_be),
        WITH(test_key_file),
        WITH(test_three_nodes),
        WITH(test_second_on_the_same_data),
        WITH(test_address_in_use),
        WITH(test_drain),
        WITH(test_abort),
        WITH(test_one_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
