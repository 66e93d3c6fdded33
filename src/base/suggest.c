#include "suggest.h"
#include <string.h>

enum { WORD_LEN_MAX = 48 };

static int min3(int a, int b, int c)
{
    int least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance, two rows at a time. */
static int distance(const char *a, const char *b)
{
    int rows[2][WORD_LEN_MAX + 1];
    int a_len = (int)strlen(a), b_len = (int)strlen(b);
    if (a_len > WORD_LEN_MAX || b_len > WORD_LEN_MAX)
        return WORD_LEN_MAX;
    for (int j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (int i = 1; i <= a_len; i++) {
        int *now = rows[i % 2], *before = rows[(i - 1) % 2];
        now[0] = i;
        for (int j = 1; j <= b_len; j++)
            now[j] = min3(before[j] + 1, now[j - 1] + 1, before[j - 1] + (a[i - 1] != b[j - 1]));
    }
    return rows[a_len % 2][b_len];
}

const char *suggest_nearest(const char *word, const char *const *candidates, int count)
{
    const char *best = NULL;
    int best_distance = (int)strlen(word) / 3 + 1;
    for (int i = 0; i < count; i++) {
        int d = distance(word, candidates[i]);
        if (d <= best_distance && (!best || d < best_distance)) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best;
}
