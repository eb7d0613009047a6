/* One envelope to each gateway that has members in a room, however many they are there. */
#pragma once

#include "broker/rooms.h"

/* Where envelopes go. */
typedef struct {
    /* False: it was left out. */
    bool (*send)(void *ctx, peer_t *peer, const envelope_t *envelope);
    void *ctx;
} fanout_sink_t;

/* The session that caused an event, and in which trace. Session numbers are each gateway's own, so
 * only the copy for `peer` names it. */
typedef struct {
    const peer_t *peer;
    uint64_t session;
    trace_t trace;
} fanout_cause_t;

/* Sends `envelope` to each gateway with members in the room, its session set from `cause` (NULL:
 * none). Returns the number of envelopes sent. */
size_t fanout_room(const fanout_sink_t *sink, const room_t *room, const envelope_t *envelope,
                   const fanout_cause_t *cause);
