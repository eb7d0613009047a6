/* The broker's side of all its links: who is there, under which lease, and are their envelopes
 * complete. Pure: frames and time in, effects out through link_listener_ops_t. The dialer is the
 * other side.
 *
 * A peer is known by the routing id that its frames come with. HELLO opens it (ending an older life
 * of the same role and instance name, which is told REFUSED); silence past the lease, GOODBYE, a
 * jump in the count or a failed transmission end it, and then it must say HELLO anew: whatever else
 * it sends is answered RESYNC and dropped.
 *
 * Where links have keys, each frame comes with the roles that its sender's key stands for: nobody
 * can say hello in another role, or speak for a peer of another one by taking its routing id.
 */
#pragma once

#include "common/link_dialer.h"

enum {
    LISTENER_MAX_PEERS = 1024,
    LISTENER_ROUTING_BYTES = 64,
    LISTENER_PROBE_MS = 20,      /* after a broken connection … */
    LISTENER_PROBE_GAP_MS = 100, /* … and after the last heartbeat: strangers can break many */
};

typedef struct link_peer link_peer_t;

typedef struct {
    /* Sends one frame to a routing id; false when the peer is gone or its queue is full. */
    bool (*transmit)(void *ctx, str_t routing_id, str_t frame);
    /* A peer is there and knows nothing of what was before. */
    void (*up)(void *ctx, link_peer_t *peer);
    /* The peer is gone or starts anew; forget its state. The pointer dies with the call. */
    void (*down)(void *ctx, link_peer_t *peer, const char *reason);
    /* An envelope from a peer that may send it (messages.def). */
    void (*deliver)(void *ctx, link_peer_t *peer, const envelope_t *envelope);
    /* Something was refused: bytes that are no envelope, a hello that is not acceptable, a message
     * that this role may not send. For the log. */
    void (*refused)(void *ctx, str_t routing_id, const char *what);
} link_listener_ops_t;

typedef struct {
    const char *name;
    uint64_t incarnation; /* the broker's epoch, not 0 */
    uint64_t broker_digest;
    size_t max_unread_bytes; /* of each peer; 0: LINK_UNREAD_MAX_BYTES */
} link_listener_config_t;

/* Where a frame came from. */
typedef struct {
    str_t routing_id;
    role_t roles; /* what its sender's key stands for: ROLE_CLIENTS where links have no keys, 0 for
                     a key that is no longer accepted */
} link_origin_t;

typedef struct link_listener link_listener_t;

link_listener_t *link_listener_new(const link_listener_config_t *config,
                                   const link_listener_ops_t *ops, void *ctx);
/* Forgets all peers without calling `down`. */
void link_listener_free(link_listener_t **self);

void link_listener_receive(link_listener_t *self, const link_origin_t *from, str_t frame,
                           int64_t now_ms);
/* Leases and heartbeats. Call at least every 250 ms. */
void link_listener_tick(link_listener_t *self, int64_t now_ms);

/* Some connection broke: LISTENER_PROBE_MS from now, when the shell knows whom it can't reach any
 * more, every peer is sent a heartbeat, which ends the links of those; at most one round every
 * LISTENER_PROBE_GAP_MS. */
void link_listener_probe(link_listener_t *self, int64_t now_ms);

/* Sends an envelope. ERR_UNAVAILABLE when the peer's queue is full or it is gone: its link is over
 * then; `down` is called at the next tick, not from here, so callers may be iterating over peers.
 */
err_t link_listener_send(link_listener_t *self, link_peer_t *peer, const envelope_t *envelope,
                         int64_t now_ms);

/* ---- a peer ---- */
role_t link_peer_role(const link_peer_t *peer);
const char *link_peer_name(const link_peer_t *peer);
uint64_t link_peer_incarnation(const link_peer_t *peer);
uint16_t link_peer_write_credit(const link_peer_t *peer);
uint16_t link_peer_read_credit(const link_peer_t *peer);
/* It is behind with reading: what is only a hint should be left out. */
bool link_peer_is_behind(const link_peer_t *peer);
/* The service's own pointer, NULL at first. */
void link_peer_set_data(link_peer_t *peer, void *data);
void *link_peer_data(const link_peer_t *peer);

size_t link_listener_peers(const link_listener_t *self);
/* Sent to the peer of this role that is furthest behind, and not read by it as far as known. */
size_t link_listener_unread_bytes(const link_listener_t *self, role_t role);
const link_stats_t *link_listener_stats(const link_listener_t *self);
