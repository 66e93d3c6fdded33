/*
 * embed: turns files into C arrays. Built and run on the build machine.
 *
 *   embed OUTPUT FILE...      catalogue/event_types.json becomes catalogue_event_types[] and ..._len
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int embed(FILE *out, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    int name_len = (int)strcspn(base, ".");
    FILE *in = fopen(path, "rb");
    unsigned long len = 0;

    if (!in)
        return -1;
    fprintf(out, "const char catalogue_%.*s[] = {", name_len, base);
    for (int c; (c = getc(in)) != EOF; len++)
        fprintf(out, "%s%d,", len % 24 ? "" : "\n", c < 128 ? c : c - 256);
    fprintf(out, "0};\nconst size_t catalogue_%.*s_len = %lu;\n", name_len, base, len);
    return fclose(in);
}

int main(int argc, char **argv)
{
    FILE *out = argc > 2 ? fopen(argv[1], "w") : NULL;

    if (!out) {
        fprintf(stderr, "usage: embed OUTPUT FILE...\n");
        return EXIT_FAILURE;
    }
    fprintf(out, "#include \"embedded.h\"\n");
    for (int i = 2; i < argc; i++) {
        if (embed(out, argv[i]) != 0) {
            perror(argv[i]);
            return EXIT_FAILURE;
        }
    }
    return fclose(out) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
