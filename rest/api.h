/* The API behind HTTP: who asks, may they ask that often, and the services that answer. */
#pragma once

#include "common/metrics.h"
#include "common/service_main.h"
#include "rest/exchange.h"
#include "rest/rest_config.h"

typedef struct {
    service_t *service;
    const rest_config_t *config;
    bus_client_t *bus;
    metrics_t *metrics;
} api_options_t;

/* Everything in the options outlives the API. */
api_t *api_new(const api_options_t *options);
/* No exchange may be waiting. */
void api_free(api_t **self);

/* Begins the work on a whole request whose route is known. When the exchange has no answer on
 * return, it comes later, and exchange->wake is called then. */
void api_begin(api_t *self, exchange_t *exchange);

/* Forgets what the exchange waits for and answers it with `unavailable`. */
void api_abandon(exchange_t *exchange);
