/* The metrics of a service's links to brokers, the same in every service that has them. */
#pragma once

#include "common/bus_client.h"

/* Appends them in the text format of metrics_write(). `bus` NULL: it is closed; nothing. */
void bus_metrics_write(const bus_client_t *bus, strbuf_t *out);
