/* posthorn trigger --edit: an example in the user's editor. */
#include "amend.h"
#include "input.h"
#include "json_c.h"
#include "json_tree.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT_LEN_MAX = 1 << 20, MEMORY_LEN_MAX = 4 * TEXT_LEN_MAX, PATH_LEN_MAX = 512 };

static bool failed(const struct invocation *invocation, const char *what, const char *why)
{
    return command_failed(invocation, "%s: %s", what, why) == EXIT_DONE;
}

static bool write_text(const struct invocation *invocation, struct json_object *document,
                       char path[PATH_LEN_MAX])
{
    const char *folder = getenv("TMPDIR");
    struct arena arena;
    struct text text;

    snprintf(path, PATH_LEN_MAX, "%.480s/posthorn-XXXXXX.json", folder && *folder ? folder : "/tmp");
    int fd = mkostemps(path, 5, O_CLOEXEC);
    if (fd < 0)
        return failed(invocation, path, strerrordesc_np(errno));
    arena_init(&arena, MEMORY_LEN_MAX);
    text_init(&text, &arena, TEXT_LEN_MAX);
    json_put_indented(&text, json_text(document));
    text_putc(&text, '\n');
    bool written = !text.overflow && write(fd, text.data, text.len) == (ssize_t)text.len;
    close(fd);
    arena_fini(&arena);
    return written || failed(invocation, path, "it could not be written");
}

/* $EDITOR may be a command with arguments, so a shell runs it, as usual; the path is an argument. */
static bool run_editor(const struct invocation *invocation, const char *path)
{
    const char *editor = getenv("VISUAL");
    if (!editor || !*editor)
        editor = getenv("EDITOR");
    if (!editor || !*editor)
        editor = "vi";
    char command[PATH_LEN_MAX];
    snprintf(command, sizeof command, "%.480s \"$1\"", editor);
    const char *const arguments[] = {"sh", "-c", command, "sh", path, NULL};
    int status = 0;
    pid_t child;
    int error = posix_spawn(&child, "/bin/sh", NULL, NULL, (char *const *)arguments, environ);

    if (error)
        return failed(invocation, editor, strerrordesc_np(error));
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
           failed(invocation, editor, "the editor failed; nothing is sent");
}

static struct json_object *read_text(const struct invocation *invocation, const char *path)
{
    struct json_object *document = NULL;
    struct json_reading reading;
    struct arena arena;

    arena_init(&arena, MEMORY_LEN_MAX);
    struct bytes text = input_read(invocation, &arena, path, TEXT_LEN_MAX);
    if (text.data)
        document = json_read((char *)text.data, text.len, true, &reading);
    if (text.data && !document)
        failed(invocation, path, reading.problem.detail);
    arena_fini(&arena);
    return document;
}

bool amend_edit(const struct invocation *invocation, struct json_object **document)
{
    char path[PATH_LEN_MAX], detail[AMEND_DETAIL_LEN];

    if (!write_text(invocation, *document, path))
        return false;
    if (!run_editor(invocation, path)) {
        unlink(path);
        return false;
    }
    struct json_object *edited = read_text(invocation, path);
    if (edited && !amend_check(edited, detail))
        failed(invocation, path, detail);
    else if (edited) {
        unlink(path);
        json_object_put(*document);
        *document = edited;
        return true;
    }
    json_object_put(edited);
    fprintf(stderr, "Nothing is sent; your text is kept in %s\n", path);
    return false;
}
