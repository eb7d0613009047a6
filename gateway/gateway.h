/* The service: the core (gateway_core.h) between clients (sockets.h) and brokers
 * (common/bus_client.h). */
#pragma once

#include "common/service_main.h"

extern const service_ops_t gateway_service;
