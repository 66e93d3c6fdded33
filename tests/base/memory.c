#include "memory.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void blocks_are_usable(void **state)
{
    char *block = memory_alloc(10);
    memset(block, 1, 10);
    block = memory_grow(block, 1000);
    assert_int_equal(block[9], 1);
    free(block);
    unsigned char *zero = memory_zero(100, 8);
    for (int i = 0; i < 800; i++)
        assert_int_equal(zero[i], 0);
    free(zero);
    char *copy = memory_copy_text("text");
    assert_string_equal(copy, "text");
    free(copy);
}

static void *volatile sink;

/* How a child ends that asks for more than there is, with its stderr in a pipe. */
static int exit_code_of(void (*greedy)(void), char *line, size_t size)
{
    int fds[2], status;
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(fds[1], STDERR_FILENO);
        greedy();
        _exit(0);
    }
    close(fds[1]);
    size_t len = 0;
    ssize_t got;
    while (len + 1 < size && (got = read(fds[0], line + len, size - 1 - len)) > 0)
        len += (size_t)got;
    line[len] = '\0';
    close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void ask_alloc(void)
{
    sink = memory_alloc((size_t)PTRDIFF_MAX - 4096);
}

static void ask_zero(void)
{
    sink = memory_zero((size_t)1 << 33, (size_t)1 << 33); /* the product wraps around to 4 */
}

static void ask_grow(void)
{
    sink = memory_grow(memory_alloc(16), (size_t)PTRDIFF_MAX - 4096);
}

static void running_out_ends_with_4(void **state)
{
    char line[4096];
    void (*const asks[])(void) = {ask_alloc, ask_zero, ask_grow};
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        assert_int_equal(exit_code_of(asks[i], line, sizeof line), 4);
        assert_non_null(strstr(line, "posthorn: out of memory"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_usable),
        cmocka_unit_test(running_out_ends_with_4),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
