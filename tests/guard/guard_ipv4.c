/*
 * Every one of the 2^32 IPv4 addresses, asked of guard.c and of a second formulation. guard.c is included
 * rather than linked, so that the compiler asks about several addresses at once: minutes become seconds.
 */
#include "../../src/guard/guard.c"
#include "guard_octets.h"
#include <pthread.h>
#include <stdio.h>

enum { THREADS = 2 };

struct part {
    pthread_t thread;
    uint64_t first, end;
    uint64_t special, wrong;
};

/* A /24 at a time. */
static void *ask(void *part_)
{
    struct part *part = part_;
    for (uint64_t net = part->first; net < part->end; net += 256) {
        unsigned char special[256], expected[256];
        for (uint32_t i = 0; i < 256; i++)
            special[i] = guard_ipv4_special((uint32_t)net | i);
        /* The second formulation looks at the last octet in one case only, where it is 16. */
        memset(expected, special_by_octets((uint32_t)net), sizeof expected);
        expected[16] = special_by_octets((uint32_t)net | 16);
        for (uint32_t i = 0; i < 256; i++) {
            part->special += special[i];
            part->wrong += special[i] != expected[i];
        }
    }
    return NULL;
}

int main(void)
{
    struct part parts[THREADS] = {0};
    const uint64_t all = (uint64_t)1 << 32;
    uint64_t special = 0, wrong = 0;
    for (int i = 0; i < THREADS; i++) {
        parts[i].first = all / THREADS * (unsigned)i;
        parts[i].end = all / THREADS * (unsigned)(i + 1);
        if (pthread_create(&parts[i].thread, NULL, ask, &parts[i]))
            return 1;
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(parts[i].thread, NULL);
        special += parts[i].special;
        wrong += parts[i].wrong;
    }
    printf("%llu special addresses, %llu answered wrongly\n", (unsigned long long)special,
           (unsigned long long)wrong);
    /* Counted by hand from the prefixes: 3 /8, one /10, /32, /12, /15, 2 /16, 8 /24, one /3 (and no
     * overlaps). */
    const uint64_t expected = (UINT64_C(3) << 24) + (1 << 22) + 1 + (1 << 20) + (1 << 17) + (2 << 16) +
                              (8 << 8) + (UINT64_C(1) << 29);
    return wrong || special != expected;
}
