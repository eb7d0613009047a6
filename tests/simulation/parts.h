/* Everything of one schedule. */
#pragma once

#include "broker_part.h"
#include "client.h"
#include "database.h"
#include "gateway_part.h"
#include "helpers_part.h"
#include "worker_part.h"

enum { PARTS_GATEWAYS_MAX = 3, PARTS_WORKERS_MAX = 2, PARTS_CLIENTS_MAX = 5 };

typedef struct {
    world_t world;
    network_t *network;
    database_t database;
    size_t broker_count, gateway_count, worker_count, client_count;
    broker_part_t *brokers[NETWORK_BROKERS_MAX];
    gateway_part_t *gateways[PARTS_GATEWAYS_MAX];
    worker_part_t *workers[PARTS_WORKERS_MAX];
    client_t *clients[PARTS_CLIENTS_MAX];
    auth_part_t *auth;
    admin_part_t *admin;
    event_t fault; /* the next one */
    int64_t fault_pause_ms;
} parts_t;
