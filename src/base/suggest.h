/*
 * suggest: the likely intended word for a mistyped one.
 */
#pragma once

/* The candidate nearest to `word`, if it is near enough to suggest; else NULL. */
const char *suggest_nearest(const char *word, const char *const *candidates, int count);
