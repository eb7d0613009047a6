/* What the parts of the world share. */
#pragma once

#include "gateway/gateway_core.h"
#include "gateway/gateway_metrics.h"
#include "gateway_world.h"
#include "proto/proto.h"

enum {
    WORLD_SOCKETS = 6,
    WORLD_USERS = 3,
    WORLD_ROOMS = 3,
    WORLD_MESSAGES = 400, /* of one room; later ones are not sent */
    WORLD_QUEUE = 4000,
    WORLD_PAGE = 3, /* messages in one answer: gaps often take several */
    WORLD_MEMBERS = 200,
};

/* A message in the store. Its seq is its place + 1. */
typedef struct {
    uint8_t sender; /* index of the user */
    uint32_t client_id;
} world_message_t;

typedef struct {
    world_message_t messages[WORLD_MESSAGES];
    size_t n;
    uint64_t fanned_out; /* the highest seq that the broker's present life has told */
} world_room_t;

/* What one client knows of one room. */
typedef struct {
    bool joined;
    unsigned joining; /* joins unanswered */
    size_t last_ok;   /* the latest question that joined it */
    bool had[WORLD_MESSAGES + 1];
    bool live[WORLD_MESSAGES + 1]; /* … by new_message */
    uint64_t complete;             /* it has every one that it should up to here */
} world_place_t;

typedef struct {
    session_t *session; /* NULL: not connected */
    bool closed;
    uint8_t user;
    uint64_t number; /* of the session */
    world_place_t places[WORLD_ROOMS];
} world_socket_t;

/* An event that a client waits to be answered. */
typedef struct {
    uint8_t kind; /* 'j', 'l' or 's' */
    uint8_t socket;
    uint8_t room;
    bool has_after;
    bool done;
    uint64_t after;
} world_question_t;

/* What the gateway has sent: a request that no answer has reached yet, or (id 0) one that needs
 * none. */
typedef struct {
    uint64_t id;
    uint16_t type;
    bool link_bound;
    bool sent;                /* on the present link */
    bool taken;               /* by the broker's present life */
    dialer_reply_fn on_reply; /* NULL: nobody waits for the answer (any more) */
    void *arg;
    uint64_t session;
    char room[64];
    char user[16];
    char *body;
    size_t body_bytes;
} world_request_t;

/* What the broker has sent and the gateway hasn't got yet, in order. */
typedef struct {
    envelope_t envelope;
    char *frame;
} world_frame_t;

typedef struct {
    uint64_t session;
    int room; /* -1: the user's own */
    uint8_t user;
} world_member_t;

struct world {
    gateway_core_t *core;
    gateway_core_config_t config;
    brokers_t *brokers;
    metrics_t *metrics;
    int64_t now_ms;
    size_t packets;
    world_socket_t sockets[WORLD_SOCKETS];
    world_question_t questions[WORLD_QUEUE];
    size_t question_count;
    uint32_t last_client_id;

    bool up;
    bool in_group[WORLD_USERS];
    world_room_t rooms[WORLD_ROOMS];
    world_member_t members[WORLD_MEMBERS];
    size_t member_count;
    uint64_t expelled_at[WORLD_USERS];     /* the group's head then */
    world_request_t requests[WORLD_QUEUE]; /* in the order made … */
    size_t pending_count;
    size_t request_count;        /* … of them not taken by the broker yet */
    uint64_t reads[WORLD_QUEUE]; /* ids of taken requests that wait for the database */
    size_t read_count;
    world_frame_t wire[WORLD_QUEUE];
    size_t wire_count;
    uint64_t last_request;
    proto_arena_t *arena;
    strbuf_t body;
    world_figures_t figures;
};

extern const char *const world_users[WORLD_USERS];
extern const char *const world_rooms[WORLD_ROOMS]; /* the last is a group */
extern const gateway_ops_t world_ops;

/* Whether the user may be in the room now. */
bool world_has_right(const world_t *self, size_t user, size_t room);
/* The index of a room's or user's name; the count of them when there is none. */
size_t world_room_of(const char *name);
size_t world_user_of(const char *name);
void world_tick(world_t *self, int64_t ms);
