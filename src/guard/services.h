/* services: the services that listen on ports from 1024 upwards and are nobody's webhook handler. Pure. */
#pragma once
#include <stdint.h>

/* "Redis", or NULL: the port is no known service's. */
const char *service_on_port(uint16_t port);
