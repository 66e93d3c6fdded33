/*
 * delivery_rig: a vault with a key file of its own, and a certificate, its key and its CA as PEM: all that
 * the TLS identity of an endpoint is made of.
 */
#pragma once
#include "identities.h"

struct delivery_rig {
    char folder[64], path[96];
    struct arena arena;
    struct vault *vault;
    char *certificate, *key, *ca;
};

void delivery_rig_open(struct delivery_rig *rig);
void delivery_rig_close(struct delivery_rig *rig);
/* The identity, with this server name, sealed for this endpoint; on the rig's arena. */
struct bytes delivery_rig_seal(struct delivery_rig *rig, int64_t endpoint_id, const char *server_name);
