/*
 * header: one header field of an HTTP message, as views.
 */
#pragma once
#include "bytes.h"

struct header {
    struct bytes name, value;
};
