/*
 * scale: how much memory the parsed documents may take at once. A small body can be a large tree: a megabyte
 * of "[0,0,..." is fifty. Whoever parses takes the weight of its tree first, and gives it back when the tree
 * is freed. Any thread.
 */
#pragma once
#include "bytes.h"

struct scale;

struct scale *scale_open(size_t bytes_max);
void scale_close(struct scale *scale);
/* About how much memory the tree of this document takes, its body included. */
size_t scale_weight(struct bytes document);
/* False: there is no room now, and `patient` is false; with it, waits. One alone always has room, whatever it
 * weighs. */
bool scale_take(struct scale *scale, size_t weight, bool patient);
void scale_give(struct scale *scale, size_t weight);
