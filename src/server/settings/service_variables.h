/*
 * service_variables: environment variables that an orchestrator makes, and nobody who sets up posthorn. Pure.
 *
 * Kubernetes gives every container in a namespace variables for each Service there, and Docker gives a linked
 * container the same (and two more). For a Service with the name posthorn, posthorn-receive or the like they
 * begin with POSTHORN_, as settings do. They are known by name and value together: POSTHORN_PORT=8080 is
 * somebody's slip, POSTHORN_PORT=tcp://10.0.0.7:8080 is not.
 */
#pragma once
#include "bytes.h"

/* `name` is what stands behind POSTHORN_: "SERVICE_HOST", "RECEIVE_PORT_8080_TCP_ADDR". */
bool service_variable(struct bytes name, struct bytes value);
