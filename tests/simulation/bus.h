/* A simulated service's links to all brokers: real dialers on simulated wires. */
#pragma once

#include "common/link_dialer.h"
#include "network.h"

typedef struct bus bus_t;

typedef struct {
    void (*up)(void *ctx, size_t broker);
    void (*down)(void *ctx, size_t broker);
    void (*deliver)(void *ctx, size_t broker, const envelope_t *envelope);
    /* The broker will not have this process: it must end. */
    void (*refused)(void *ctx);
} bus_ops_t;

typedef struct {
    network_t *network;
    const process_t *process;
    role_t role;
    const char *name;
    uint64_t incarnation;
    uint16_t write_credit;
    uint16_t read_credit;
    size_t max_pending_bytes;
} bus_config_t;

enum { BUS_DIGEST = 1 }; /* of the list of brokers */

bus_t *bus_new(world_t *world, const bus_config_t *config, const bus_ops_t *ops, void *ctx);
/* The process is gone: nothing is called back any more. */
void bus_free(bus_t **self);
void bus_tick(bus_t *self);

uint64_t bus_request(bus_t *self, size_t broker, const link_request_t *request);
void bus_cancel(bus_t *self, size_t broker, uint64_t request_id);
err_t bus_send(bus_t *self, size_t broker, const envelope_t *envelope);
/* Answers a delivered request with its head's room, user, session. */
void bus_reply(bus_t *self, size_t broker, const envelope_t *request, const envelope_t *answer);

uint64_t bus_epoch(const bus_t *self, size_t broker);
/* Unanswered requests. */
size_t bus_pending(const bus_t *self);
bool bus_is_within_bounds(const bus_t *self);
/* Hints should be left out. */
bool bus_is_busy(const bus_t *self, size_t broker);
bool bus_is_up(const bus_t *self);
