/* One dialer and one listener against each other over a simulated wire that can lose, hold and cut.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/link_listener.h"

enum { FRAMES_MAX = 4096, REQUESTS_MAX = 64 };

typedef struct {
    char *frames[FRAMES_MAX];
    size_t sizes[FRAMES_MAX];
    size_t first, end;
} pipe_t;

/* One dialer, one listener, a pipe each way. */
typedef struct {
    int64_t now_ms;
    dialer_t *dialer;
    link_listener_t *listener;
    link_peer_t *peer;
    pipe_t to_broker, to_client;
    bool cut;            /* transmissions fail */
    size_t lose_next;    /* frames to the broker that vanish unseen */
    size_t lose_replies; /* frames to the client that vanish unseen */
    int dialer_ups, dialer_downs, listener_ups, listener_downs, delivered, refused;
    unsigned refused_reason;
    uint64_t seen[REQUESTS_MAX]; /* sessions of SEND requests in the order the broker got them */
    size_t seen_count;
    int answered, timed_out, closed;
    bool answer;        /* the broker answers requests at once */
    bool request_on_up; /* `up` makes a link-bound request of session 1000 */
    char routing[32];
} link_world_t;

extern const dialer_ops_t link_world_dialer_ops;
extern const link_listener_ops_t link_world_listener_ops;
extern const dialer_config_t link_world_dialer_config;
extern const link_listener_config_t link_world_listener_config;

/* For each test: *state is the world. */
int link_world_set_up(void **state);
int link_world_tear_down(void **state);

/* The dialer asks; the world counts how it is answered. */
uint64_t link_world_request(link_world_t *world, uint64_t session, uint32_t timeout_ms,
                            bool link_bound);
/* A frame that reaches the listener under a key of these roles. */
void link_world_receive_as(link_world_t *world, role_t roles, str_t routing_id, str_t frame);
/* … under any client's. */
void link_world_receive(link_world_t *world, str_t routing_id, str_t frame);
/* Passes everything on its way, without advancing the clock. */
void link_world_settle(link_world_t *world);
/* Advances the clock, and passes everything on its way. */
void link_world_run(link_world_t *world, int64_t ms);
