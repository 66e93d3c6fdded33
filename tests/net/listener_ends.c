/*
 * What clients do at the wrong time, and how the listener ends, in every stage of a request.
 */
#include "listener_rig.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_client_leaves_before_the_answer(void **state)
{
    struct application *application = *state;
    set_holding(application, true);
    for (int i = 0; i < 8; i++) {
        int fd = dial(application);
        put_text(fd, "POST /later HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx");
        wait_for_handled(application, i + 1);
        if (i % 2)
            reset(fd);
        else
            close(fd);
    }
    set_holding(application, false);
}

static void test_quiesced(void **state)
{
    struct application *application = *state;
    static struct answer answer;
    int kept = dial(application), waiting = dial(application);
    ask(kept, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", &answer);
    set_holding(application, true);
    put_text(waiting, "GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
    wait_for_handled(application, 2);
    listener_quiesce(application->listener);
    /* What is in hand is answered, and the connection closed; new requests are not taken. */
    put_text(kept, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
    get(kept, &answer, true);
    assert_int_equal(answer.status, 503);
    set_holding(application, false);
    get(waiting, &answer, true);
    assert_int_equal(answer.status, 201);
    assert_non_null(find_header(&answer, "\r\nConnection: close"));
    assert_true(answer.closed);
    close(kept);
    close(waiting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_client_leaves_before_the_answer, rig_start, rig_stop),
        cmocka_unit_test_setup_teardown(test_quiesced, rig_start, rig_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
