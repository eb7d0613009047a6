/* bus_client and bus_server over real ZeroMQ on one libuv loop, for tests. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/bus_client.h"
#include "common/bus_server.h"

typedef struct {
    uv_loop_t loop;
    char directory[64];
    char endpoint[96];
    char keys[96]; /* the directory of keys; empty: without encryption */
    brokers_t *brokers;
    bus_client_t *client;
    bus_server_t *server;
    link_peer_t *peer;
    int ups, downs, server_ups, server_downs, delivered, refused, answered, failed;
    int unshaken, unknown_keys; /* strangers */
    int to_request;             /* how many requests the reply function makes still */
    const char *refusal;        /* the latest */
    uv_timer_t deadline;
    bool late;
} bus_world_t;

/* A loop, a broker's endpoint, and keys for it if wanted; nothing runs yet. */
bus_world_t *bus_world_new(bool with_keys);
/* Closes what runs; every handle must close. */
void bus_world_free(bus_world_t *world);

void bus_world_start_server(bus_world_t *world);
void bus_world_start_client(bus_world_t *world);
/* Makes a request that the server answers with DONE. */
void bus_world_request(bus_world_t *world);
/* Runs the loop until *count reaches `wanted`; fails after 20 s. */
void bus_world_run_until(bus_world_t *world, const int *count, int wanted);

/* The path of a file among the keys, valid until the next call. */
const char *bus_world_key_file(bus_world_t *world, const char *name);

/* A HELLO for the world's brokers, encoded; appended. */
void bus_world_append_hello(const bus_world_t *world, role_t role, const char *name,
                            strbuf_t *frame);
