/* A gateway core with named sockets and two brokers, whose effects are recorded as lines of text.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/gateway_core.h"
#include "gateway/gateway_metrics.h"
#include "proto/proto.h"

enum {
    SCENE_SOCKETS = 64,
    SCENE_REQUESTS = 4096,
    SCENE_UNIX_MS = 1000000,
    SCENE_TOKEN_MS = 3600000, /* how long the tokens of scene_connect() last */
};

/* A client. Its name in the record is s1, s2, … in the order of asking to be let in. */
typedef struct {
    session_t *session; /* NULL: not let in, or gone */
    bool closed;        /* by the core; it has still to be told */
    bool refuses;       /* it goes before it can be let in */
} scene_socket_t;

typedef struct {
    uint64_t id;
    size_t broker;
    uint16_t type;
    bool link_bound;
    dialer_reply_fn on_reply;
    void *arg;
    char *body;
    size_t body_bytes;
    char room[160];
} scene_request_t;

typedef struct {
    gateway_core_t *core;
    gateway_core_config_t config;
    brokers_t *brokers;
    metrics_t *metrics;
    int64_t now_ms;
    int64_t unix_ms;
    trace_context_t context; /* of those who connect */
    trace_t trace;           /* of the events they send */
    bool up[2];
    bool bus_full;    /* requests are refused */
    bool bus_busy[2]; /* hints should be left out */
    void *crowded;    /* the handle of a client that doesn't read fast enough */
    scene_socket_t sockets[SCENE_SOCKETS + 1];
    size_t socket_count;
    scene_request_t requests[SCENE_REQUESTS]; /* unanswered, oldest first */
    size_t request_count;
    uint64_t last_request;
    const gateway_ops_t *ops;
    size_t packets; /* encoded and not let go of yet */
    size_t packets_made;
    size_t acks;                    /* owed */
    char pid[RECOVERY_PID_MAX + 1]; /* of the socket let in last, if it has one */
    unsigned random;
    uint64_t members_version; /* that EXPEL and USER_EVENT name */
    strbuf_t record;
    strbuf_t body;
    proto_arena_t *arena;
} scene_t;

/* Room for a test to change self->config before scene_start(). */
void scene_init(scene_t *self);
/* Makes the core and brings both brokers up; the record is empty then. */
void scene_start(scene_t *self);
/* Tells the core of every socket's end, frees it, and checks that nothing is left. */
void scene_fini(scene_t *self);

/* The acknowledgement of what is refused for the time being. */
#define UNAVAILABLE(message)                                                                       \
    "{\"ok\":false,\"error\":{\"code\":\"unavailable\",\"message\":\"" message                     \
    "\",\"retryAfterMs\":1000}}\n"

/* The effects since the last call must be exactly these lines. */
#define scene_expect(self, text)                                                                   \
    do {                                                                                           \
        assert_string_equal(strbuf_cstr(&(self)->record), text);                                   \
        strbuf_clear(&(self)->record);                                                             \
    } while (0)
void scene_forget(scene_t *self);

/* Moves time on, and ticks. */
void scene_after(scene_t *self, int64_t ms);
/* Brings a broker down (link-bound requests end so) and up again. */
void scene_down(scene_t *self, size_t broker);
void scene_up(scene_t *self, size_t broker);

/* ---- clients ---- */

/* A client asks to be let in; returns its number. */
size_t scene_ask(scene_t *self, const char *token, const char *address);
/* The same of one that shows a session to go on with; its token is valid: the answer is there. */
size_t scene_return(scene_t *self, const char *user, const char *pid, const char *offset);
/* The same with a good token of the user's, up to the end: it is in, and the record is empty. */
size_t scene_connect(scene_t *self, const char *user);
/* An event with an acknowledgement of this number, 0 for none; `payload` is JSON. */
void scene_event(scene_t *self, size_t socket, const char *event, const char *payload,
                 uint64_t ack);
/* The socket goes. */
void scene_disconnect(scene_t *self, size_t socket);

/* ---- brokers ---- */

/* Takes the request at this place out; its body is freed. */
scene_request_t scene_take_request(scene_t *self, size_t index);
/* How many requests of this type are unanswered. */
size_t scene_pending(const scene_t *self, uint16_t type);
/* Answers the oldest request of type `request` with `reply` and self->body, which is cleared. */
void scene_answer(scene_t *self, uint16_t request, uint16_t reply);
/* The same with an error of this code. */
void scene_error(scene_t *self, uint16_t request, code_t code);
/* Ends it without an answer. */
void scene_fail(scene_t *self, uint16_t request, err_t err);
/* Sends the newest request of that type to the front, so that it is answered first. */
void scene_overtake(scene_t *self, uint16_t request);

void scene_identity(scene_t *self, const char *user, int64_t expires_unix_ms);
/* Messages from..to (none if to < from), written by "b". */
typedef struct {
    uint64_t head, from, to;
    bool truncated, reset;
    const char *participants; /* ids with commas; NULL: "a,b" */
    const char *generation;   /* NULL: "g1" */
    uint64_t members_version;
} scene_conversation_t;
void scene_conversation(scene_t *self, const scene_conversation_t *conversation);
void scene_stored(scene_t *self, uint64_t seq, const char *sender, const char *client_id);
/* Messages from..to by "b" with client ids c{seq}, as HISTORY gives them. */
void scene_history(scene_t *self, uint64_t from, uint64_t to, uint64_t head);
/* The same with one message by this sender and client id. */
void scene_history_one(scene_t *self, uint64_t seq, const char *sender, const char *client_id);
void scene_heads(scene_t *self, const uint64_t *seqs, size_t n, const char *generation);
/* What CHANGES is answered: "added group_x" or "removed …", at these times, with commas. */
void scene_changed(scene_t *self, const char *events, const char *generation);
void scene_rejoined(scene_t *self, const uint64_t *refused, size_t n);
/* "a=1,b=0": who is online. */
void scene_presences(scene_t *self, const char *states);

void scene_new_message(scene_t *self, const char *room, uint64_t seq, const char *sender);
void scene_presence(scene_t *self, const char *user, bool online, int64_t last_seen_ms);
void scene_expel(scene_t *self, const char *room, const char *user);
void scene_user_event(scene_t *self, const char *user, const char *event, const char *room);
/* Delivers an envelope with self->body, which is cleared. */
void scene_deliver(scene_t *self, uint16_t type, const char *room, const char *user,
                   uint64_t session);

/* Joins conv_a_b without `after` at this head, presence known, and answered; empty record. */
void scene_joined(scene_t *self, size_t socket, uint64_t head);
