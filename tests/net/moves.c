/* The tables of legal moves: each move that they do not have aborts, in release builds too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "attempt_stage.h"
#include "connection_state.h"
#include "listener_client.h"
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A row for each state: the initials of those that may follow, at their places. */
static void expect_moves(const char *const rows[], int count, int (*move)(int from, int to))
{
    for (int from = 0; from < count; from++) {
        assert_int_equal(strlen(rows[from]), count);
        for (int to = 0; to < count; to++) {
            pid_t pid = fork();
            if (pid == 0) {
                close(STDERR_FILENO);
                signal(SIGABRT, SIG_DFL);
                _exit(move(from, to) == to ? 0 : 1);
            }
            int status;
            assert_int_equal(waitpid(pid, &status, 0), pid);
            if (rows[from][to] != '.')
                assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            else
                assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        }
    }
}

static int move_connection(int from, int to)
{
    enum connection_state state = from;
    connection_state_move(&state, to);
    return state;
}

static void test_connection(void **state)
{
    static const char *const rows[CONNECTION_STATE_COUNT] = {
        [CONNECTION_DIALLING] = ".C.O.X", [CONNECTION_CONNECTED] = "..S..X", [CONNECTION_SECURING] = "...O.X",
        [CONNECTION_OPEN] = "....FX",     [CONNECTION_FINISHED] = ".....X",  [CONNECTION_CLOSED] = "......"};
    expect_moves(rows, CONNECTION_STATE_COUNT, move_connection);
}

static int move_attempt(int from, int to)
{
    enum attempt_stage stage = from;
    attempt_stage_move(&stage, to);
    return stage;
}

static void test_attempt(void **state)
{
    static const char *const rows[ATTEMPT_STAGE_COUNT] = {
        [ATTEMPT_FREE] = ".RC.SW.E",     [ATTEMPT_RESOLVING] = "F.C....E", [ATTEMPT_CONNECTING] = "F..TSW.E",
        [ATTEMPT_SECURING] = "F...SW..", [ATTEMPT_SENDING] = "F....WR.",   [ATTEMPT_WAITING] = "F.....R.",
        [ATTEMPT_READING] = "F.......",  [ATTEMPT_ENDING] = "F......."};
    expect_moves(rows, ATTEMPT_STAGE_COUNT, move_attempt);
}

static int move_client(int from, int to)
{
    struct listener_loop loop = {0};
    struct listener_client client = {.loop = &loop, .stage = from};
    listener_client_enter(&client, to);
    return client.stage;
}

static void test_listener_client(void **state)
{
    static const char *const rows[LISTENER_CLIENT_STAGE_COUNT] = {
        [LISTENER_CLIENT_ACCEPTED] = ".SI......", [LISTENER_CLIENT_SECURING] = "..I.....G",
        [LISTENER_CLIENT_IDLE] = "...H....G",     [LISTENER_CLIENT_HEAD] = "....B.R.G",
        [LISTENER_CLIENT_BODY] = ".....HR.G",     [LISTENER_CLIENT_HANDLED] = "......R.G",
        [LISTENER_CLIENT_REPLY] = "..I....LG",    [LISTENER_CLIENT_LINGER] = "........G",
        [LISTENER_CLIENT_GONE] = "........."};
    expect_moves(rows, LISTENER_CLIENT_STAGE_COUNT, move_client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connection),
        cmocka_unit_test(test_attempt),
        cmocka_unit_test(test_listener_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
