/*
 * listener_tls: opens the TLS context of a listener from its files.
 */
#pragma once
#include "listener_parts.h"

/* *tls is NULL without TLS. False: the log has the file and the reason. */
bool listener_tls_open(const struct listener_config *config, struct tls **tls);
