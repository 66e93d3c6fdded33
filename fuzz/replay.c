/*
 * replay: stands in for libFuzzer where the compiler has none, so that the targets run in every `make test`:
 * each seed of the corpus as it is, and then a few thousand times with some bytes changed, the same ones
 * every time.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_LEN_MAX = 8192, MUTATIONS = 2000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static size_t mutate(uint8_t *input, size_t len, uint64_t *random)
{
    static const char telling[] = "\r\n \t:\"\\{}[],/0%.-#@\0\xff\x80"
                                  "A";
    for (uint64_t changes = 1 + next(random) % 4; changes > 0 && len > 0; changes--) {
        size_t at = next(random) % len;
        switch (next(random) % 4) {
        case 0:
            input[at] = (uint8_t)telling[next(random) % (sizeof telling - 1)];
            break;
        case 1:
            input[at] ^= (uint8_t)(1u << next(random) % 8);
            break;
        case 2:
            memmove(input + at, input + at + 1, len - at - 1);
            len--;
            break;
        default:
            if (len < INPUT_LEN_MAX) {
                memmove(input + at + 1, input + at, len - at);
                len++;
            }
        }
    }
    return len;
}

/* In a block of its exact size, so that a sanitizer sees a byte too many being read. */
static void feed(const uint8_t *input, size_t len)
{
    uint8_t *exact = malloc(len ? len : 1);
    if (!exact)
        exit(1);
    memcpy(exact, input, len);
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
}

static void replay(const char *path)
{
    uint8_t seed[INPUT_LEN_MAX], input[INPUT_LEN_MAX];
    uint64_t random = 0x9e3779b97f4a7c15;
    FILE *file = fopen(path, "re");
    if (!file) {
        perror(path);
        exit(1);
    }
    size_t len = fread(seed, 1, sizeof seed, file);
    fclose(file);
    feed(seed, len);
    for (int i = 0; i < MUTATIONS; i++) {
        memcpy(input, seed, len);
        feed(input, mutate(input, len, &random));
    }
}

int main(int argc, char **argv)
{
    int count = 0;
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fputs("usage: replay FOLDER\n", stderr);
        return 2;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        replay(path);
        count++;
    }
    closedir(folder);
    printf("%d seeds, each with %d mutations\n", count, MUTATIONS);
    return count > 0 ? 0 : 1;
}
