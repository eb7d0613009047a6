/* One service's link to one broker: hello, counted envelopes, lease, and the requests that are
 * repeated until answered. Pure: frames and time in, effects out through dialer_ops_t.
 *
 * The states, and what leads to the next:
 *   DIALER_HELLO    says HELLO every DIALER_HELLO_MS until WELCOME answers the latest one
 *   DIALER_SYNCING  ops.up runs: the service sends its sessions and rooms; then every unanswered
 *                   request goes out again, in the order it was made
 *   DIALER_UP       envelopes flow. Silence past the lease, a jump in the count, an envelope for
 *                   another incarnation, RESYNC or a failed transmission lead back to DIALER_HELLO
 *   DIALER_REFUSED  the broker will not have this process (REFUSED); final
 * A process that was frozen past its lease finds that out at its next event and starts with HELLO.
 */
#pragma once

#include "common/link_flow.h"
#include "proto/envelope.h"
#include "proto/proto.h"

enum {
    LINK_HEARTBEAT_MS = 1000,
    LINK_LEASE_MS = 3000,
    DIALER_HELLO_MS = 100,
};

typedef enum { DIALER_HELLO, DIALER_SYNCING, DIALER_UP, DIALER_REFUSED } dialer_state_t;

/* How a request ended. `reply` is NULL unless err is OK; it may be an ERROR with a code, and lives
 * until the call returns. ERR_TIMEOUT: its deadline passed. ERR_CLOSED: it was bound to a link that
 * went down. The callee may make requests. */
typedef void (*dialer_reply_fn)(void *arg, err_t err, const envelope_t *reply);

typedef struct {
    const envelope_t *envelope; /* copied; type, session, trace, room, user and body are taken */
    uint32_t timeout_ms;        /* over it, ERR_TIMEOUT */
    bool link_bound;            /* ends with ERR_CLOSED when the link goes down, instead of being
                                   repeated: for state that `up` sends anew anyway */
    dialer_reply_fn on_reply;
    void *arg;
} link_request_t;

typedef struct {
    /* Sends one frame to the broker; false when it can't be sent now (the link counts as lost). */
    bool (*transmit)(void *ctx, str_t frame);
    /* The link is open to this epoch of the broker, which knows nothing of us: send all state now.
     */
    void (*up)(void *ctx, uint64_t epoch);
    /* The link is lost; what was sent and not answered may or may not have arrived. */
    void (*down)(void *ctx, const char *reason);
    /* An envelope that answers no request of ours. */
    void (*deliver)(void *ctx, const envelope_t *envelope);
    /* REFUSED: reason as in messages.def. */
    void (*refused)(void *ctx, unsigned reason);
} dialer_ops_t;

/* The reason in words, for a log. */
const char *dialer_refusal_text(unsigned reason);

typedef struct {
    role_t role;
    const char *name;     /* instance name */
    uint64_t incarnation; /* of this process, not 0 */
    uint64_t broker_digest;
    uint16_t write_credit; /* workers */
    uint16_t read_credit;
    size_t max_pending_bytes; /* of unanswered requests, with what keeping them costs */
    size_t max_pending;       /* unanswered requests; 0: any number */
    size_t max_unread_bytes;  /* 0: LINK_UNREAD_MAX_BYTES */
} dialer_config_t;

typedef struct dialer dialer_t;

/* `config` strings and `ops` are borrowed and must outlive the dialer. */
dialer_t *dialer_new(const dialer_config_t *config, const dialer_ops_t *ops, void *ctx);
/* Drops unanswered requests without calling them back. */
void dialer_free(dialer_t **self);

/* One frame from the broker. Malformed ones are counted and dropped. */
void dialer_receive(dialer_t *self, str_t frame, int64_t now_ms);
/* Runs what is due: hello, heartbeat, lease, deadlines. Call at least every DIALER_HELLO_MS. */
void dialer_tick(dialer_t *self, int64_t now_ms);
/* The shell saw the connection break: say hello at once instead of waiting for the lease. */
void dialer_lost(dialer_t *self, const char *reason, int64_t now_ms);

/* Makes a request; it goes out now if the link is up, else when it is. Returns its id, or 0 when
 * max_pending or max_pending_bytes is reached (the reply function isn't called then). */
uint64_t dialer_request(dialer_t *self, const link_request_t *request, int64_t now_ms);
/* Forgets a request: its reply function will not be called. Unknown ids are ignored. */
void dialer_cancel(dialer_t *self, uint64_t request_id);

/* Sends an envelope that nobody repeats: state that `up` sends anew, hints, answers (with
 * ENVELOPE_REPLY and the request's id). ERR_UNAVAILABLE when the link isn't up. */
err_t dialer_send(dialer_t *self, const envelope_t *envelope, int64_t now_ms);

/* Says GOODBYE, so that the broker needs no lease to notice. */
void dialer_goodbye(dialer_t *self, int64_t now_ms);

dialer_state_t dialer_state(const dialer_t *self);
uint64_t
dialer_epoch(const dialer_t *self); /* the broker's incarnation; 0 before the first WELCOME */
size_t dialer_pending(const dialer_t *self);
size_t dialer_pending_bytes(const dialer_t *self);
size_t
dialer_unread_bytes(const dialer_t *self); /* sent, and not read by the broker as far as known */
/* More than half of the requests that may wait do: the rest is for what matters most. */
bool dialer_is_crowded(const dialer_t *self);
/* The broker is behind with reading: what is only a hint should be left out. */
bool dialer_is_behind(const dialer_t *self);

typedef struct {
    uint64_t sent, received, resent, timeouts;
    uint64_t resyncs; /* times the link was lost after having been up */
    uint64_t dropped; /* envelopes for another incarnation, or out of count */
    uint64_t malformed;
} link_stats_t;
const link_stats_t *dialer_stats(const dialer_t *self);
