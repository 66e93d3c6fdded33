/*
 * guard_octets: the special-purpose IPv4 networks a second time, octet by octet instead of network by
 * network, for the tests to hold against src/guard/guard.c.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

static inline bool special_by_octets(uint32_t address)
{
    uint32_t a = address >> 24, b = address >> 16 & 255, c = address >> 8 & 255, d = address & 255;
    switch (a) {
    case 0:
    case 10:
    case 127:
        return true;
    case 100:
        return b >= 64 && b <= 127;
    case 168:
        return b == 63 && c == 129 && d == 16;
    case 169:
        return b == 254;
    case 172:
        return b >= 16 && b <= 31;
    case 192:
        return (b == 0 && (c == 0 || c == 2)) || (b == 31 && c == 196) || (b == 52 && c == 193) ||
               (b == 88 && c == 99) || b == 168 || (b == 175 && c == 48);
    case 198:
        return b == 18 || b == 19 || (b == 51 && c == 100);
    case 203:
        return b == 0 && c == 113;
    default:
        return a >= 224;
    }
}
