/* The gateway without its sockets: chat events of clients in, envelopes of brokers in, time in;
 * events and acknowledgements for clients and envelopes for brokers out, through gateway_ops_t.
 * Pure: a simulator can run any number of them.
 *
 *   core_connect.c  tokens, new sessions, their end, token refresh and expiry
 *   core_calls.c    client events and the requests that they make
 *   core_join.c     joining and leaving
 *   core_link.c     brokers coming and going, what they deliver, filling gaps
 *   core_recovery.c sessions that go on where they were (docs/recovery.md)
 *   gateway_core.c  life, time, drain
 *
 * No function of gateway_ops_t may call back into the core before it returns. */
#pragma once

#include "common/brokers.h"
#include "common/link_dialer.h"
#include "common/metrics.h"
#include "gateway/recovery_token.h"
#include "gateway/sessions.h"

typedef struct gateway_core gateway_core_t;

enum {
    GATEWAY_AUTH_TIMEOUT_MS = 5000,
    GATEWAY_JOIN_TIMEOUT_MS = 15000,
    GATEWAY_WRITE_TIMEOUT_MS = 15000,
    GATEWAY_TYPING_TIMEOUT_MS = 5000,
    GATEWAY_HISTORY_TIMEOUT_MS = 15000,
    GATEWAY_WATCH_TIMEOUT_MS = 5000,
    GATEWAY_REJOIN_TIMEOUT_MS = 30000,
    GATEWAY_USER_SEEN_TIMEOUT_MS = 60000,
    GATEWAY_PRESENCE_WAIT_MS = 1000, /* a join's answer waits at most this long for presence */
    GATEWAY_HEADS_AGAIN_MS = 5000,   /* after a link came up, heads are compared twice */
    GATEWAY_RETRY_AFTER_MS = 1000,   /* what clients are told with `unavailable` */
    GATEWAY_REJOIN_BATCH = 1000,
    GATEWAY_HEADS_BATCH = 1000,
    GATEWAY_HISTORY_BATCH = 500,
    /* Recovery. Beyond one of these the client gets a new session. */
    GATEWAY_RECOVERY_TIMEOUT_MS = 10000, /* until everything that was missed is read */
    GATEWAY_RECOVERY_MESSAGES_MAX = 1000,
    GATEWAY_RECOVERY_BYTES_MAX = 2 << 20, /* of what is replayed, in all */
    GATEWAY_RECOVERY_ROUNDS_MAX = 4,      /* times that changes are read, when more happen */
    GATEWAY_RECOVERY_AGE_MS = 7 * 24 * 3600 * 1000, /* since the session's first CONNECT */
    GATEWAY_RECOVERY_LEFT_MAX = 8192, /* sessions that said goodbye here and are remembered */
    GATEWAY_CHANGES_MARGIN_MS = 5000, /* how far this clock may be ahead of the database's */
};

/* Why the gateway closes a client's transport; the stock client then connects anew. */
#define GATEWAY_CLOSE_REASONS(X)                                                                   \
    X(TOKEN_EXPIRED, "token_expired")           /* its token's time is over */                     \
    X(GENERATION_CHANGED, "generation_changed") /* the database was restored */                    \
    X(LAGGING, "lagging")                       /* it sends on while its gap can't be filled */    \
    X(REJOIN_REFUSED, "rejoin_refused")         /* the broker refused its own user's room */       \
    X(RECOVERED, "recovered")                   /* its client came back on another connection */   \
    X(DRAINING, "draining")                     /* the gateway is about to stop */
typedef enum {
#define X(NAME, name) GATEWAY_CLOSE_##NAME,
    GATEWAY_CLOSE_REASONS(X)
#undef X
        GATEWAY_CLOSE_REASON_COUNT
} gateway_close_t;

/* The right to answer one event once. Without a socket the client wants no answer. */
typedef struct {
    void *socket;
    uint64_t id;
    trace_t trace; /* the event's */
} gateway_ack_t;

/* What the core did with a traced event, for the log. Texts live until the call returns; what says
 * nothing of a step is zero. */
typedef struct {
    const char *name; /* event_answered, event_delivered */
    trace_t trace;
    str_t event;
    code_t code;      /* answered */
    uint64_t session; /* answered */
    str_t room;       /* delivered */
    uint64_t seq;     /* delivered: a message's */
    size_t sockets;   /* delivered */
} gateway_step_t;

typedef struct {
    int64_t (*now_ms)(void *ctx);  /* monotonic */
    int64_t (*unix_ms)(void *ctx); /* wall clock */

    /* ---- sockets: handles are the transport's own ---- */
    /* Lets the client in; `session` goes with the socket, session->sid is its public id. Returns
     * the socket, or NULL when the client has gone. These three end `connect`. */
    void *(*accept)(void *ctx, void *connect, session_t *session);
    /* Tells the client that it is in, behind what was sent to it since accept; called in the same
     * turn. `pid` may be empty. */
    void (*reply)(void *ctx, void *socket, str_t pid);
    void (*refuse)(void *ctx, void *connect, str_t message, str_t data);
    void (*close_connect)(void *ctx, void *connect);
    /* An event, encoded once for any number of sockets; the caller has one reference. */
    void *(*packet_new)(void *ctx, str_t event, str_t args);
    void (*packet_unref)(void *ctx, void *packet);
    /* `offset` is a last argument for this socket alone, JSON; empty: none. */
    void (*send)(void *ctx, void *socket, void *packet, str_t offset);
    /* Both clear `ack`, also when its socket has gone. */
    void (*ack)(void *ctx, gateway_ack_t *ack, str_t args);
    void (*drop_ack)(void *ctx, gateway_ack_t *ack);
    /* Closes the transport behind what is queued; gateway_core_disconnect() follows later. */
    void (*close)(void *ctx, void *socket, gateway_close_t reason);
    /* The client doesn't read as fast as it is told: what is only a hint is left out. */
    bool (*is_crowded)(void *ctx, void *socket);
    /* Only for events and messages that have a trace. */
    void (*step)(void *ctx, const gateway_step_t *step);
    void (*random)(void *ctx, unsigned char *bytes, size_t n);

    /* ---- links to brokers, as in link_dialer.h ---- */
    uint64_t (*request)(void *ctx, size_t broker, const link_request_t *request);
    void (*cancel)(void *ctx, size_t broker, uint64_t request_id);
    err_t (*post)(void *ctx, size_t broker, const envelope_t *envelope);
    /* More than half of what may wait for this broker does, or it is behind with reading: what is
     * only a hint is left out. */
    bool (*is_busy)(void *ctx, size_t broker);
} gateway_ops_t;

typedef struct {
    const brokers_t *brokers; /* borrowed */
    uint64_t incarnation;     /* of this process: makes client ids unique */
    sessions_limits_t sessions;
    rates_t rates;
    size_t max_rooms;                /* conversations joined here */
    size_t max_rooms_per_session;    /* … by one socket */
    size_t max_members;              /* sockets times the conversations they joined */
    size_t max_interests;            /* conversations times the participants who are followed */
    size_t max_waiting_bytes;        /* of joins' answers that wait for presence */
    size_t max_writes;               /* messages and read marks that wait for one broker */
    size_t max_requests_per_session; /* events of one socket that wait for an answer */
    const recovery_keys_t *recovery; /* borrowed; NULL: sessions are not recovered */
    metrics_t *metrics;              /* of gateway_metrics.h; borrowed */
} gateway_core_config_t;

gateway_core_t *gateway_core_new(const gateway_core_config_t *config, const gateway_ops_t *ops,
                                 void *ctx);
/* Forgets everything without telling anybody. Connects must have been answered and sockets
 * closed; requests that the bus still has must not be called back any more. */
void gateway_core_free(gateway_core_t **self);

/* ---- what sockets do ---- */

/* How a client presents itself; each text may be empty. */
typedef struct {
    str_t token;
    str_t address;           /* whom connection limits count */
    str_t pid, offset;       /* of the session that it wants to go on with */
    trace_context_t context; /* goes with the session */
} gateway_hello_t;

/* A client asks to be let in; answered now or later with accept, refuse or close_connect. */
void gateway_core_connect(gateway_core_t *self, void *connect, const gateway_hello_t *hello);

typedef struct {
    str_t name;
    str_t array; /* the JSON text of the whole event, ["name",…] */
    gateway_ack_t ack;
} gateway_event_t;

/* Takes over event->ack. */
void gateway_core_event(gateway_core_t *self, session_t *session, const gateway_event_t *event);
/* The client said goodbye: its session is not recovered here. The socket's end follows. */
void gateway_core_left(gateway_core_t *self, const session_t *session);
/* The socket has gone; `session` ends here. */
void gateway_core_disconnect(gateway_core_t *self, session_t *session);

/* ---- what links do ---- */

void gateway_core_up(gateway_core_t *self, size_t broker);
void gateway_core_down(gateway_core_t *self, size_t broker);
void gateway_core_deliver(gateway_core_t *self, size_t broker, const envelope_t *envelope);

/* ---- time ---- */

/* Runs what is due; call it some ten times a second. */
void gateway_core_tick(gateway_core_t *self);
/* The turn of the loop ends: sends what was left for now, so that what happens together is told
 * together. Call it at the end of each turn in which something was called here. */
void gateway_core_flush(gateway_core_t *self);
/* Lets nobody in any more and closes every transport within `over_ms`, each at its own moment, once
 * its events are answered. */
void gateway_core_drain(gateway_core_t *self, int64_t over_ms);
/* Nobody is connected or about to be. */
bool gateway_core_is_empty(const gateway_core_t *self);
/* Closes what is left, answered or not. */
void gateway_core_close_all(gateway_core_t *self, gateway_close_t reason);

/* ---- looking in ---- */

typedef struct {
    size_t sessions, users, rooms, members, watches, interests;
    size_t waiting_bytes; /* of joins' answers that wait for presence, or for the turn's end */
    size_t connects;      /* tokens being checked, sessions being recovered */
    size_t requests;      /* events not answered yet */
    size_t writes;        /* messages and read marks that wait for the broker with most of them */
} gateway_figures_t;
gateway_figures_t gateway_core_figures(const gateway_core_t *self);
