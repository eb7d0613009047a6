/* The Engine.IO 4 session: handshake, heartbeat, polling rules, upgrade, closes. Pure: the shell
 * tells it what arrived and when, and it acts on the transport through eio_transport_t.
 *
 * Input only changes state. Everything that goes out, and every on_close, happens in
 * eio_server_flush(), once per turn of the loop; there, and in eio_server_advance(), sessions end.
 *
 * Source: Engine.IO protocol, revision 4. */
#pragma once

#include <uthash.h>

#include "gateway/socketio/eio_queue.h"
#include "gateway/socketio/eio_request.h"
#include "gateway/socketio/timeouts.h"

/* What the session does to the outside. `poll` is a held GET, `post` a POST being read, `ws` a
 * WebSocket; pointers of the shell's. None of these may call back into the session at once. */
typedef struct {
    /* Answers the GET with 200 and this body (borrowed). The shell forgets the session with it. */
    void (*poll_reply)(void *poll, str_t body);
    /* The session ended while this POST was being read. */
    void (*post_forget)(void *post);
    /* Writes whole frames (borrowed). False: taken, but the connection is congested, and
     * eio_session_writable() tells when it isn't any more. */
    bool (*ws_write)(void *ws, str_t frames);
    /* Closes behind what was written. The shell forgets the session with it. */
    void (*ws_close)(void *ws, unsigned code);
    /* Fills `to` with random bytes fit for secrets. */
    void (*random)(unsigned char *to, size_t n);
} eio_transport_t;

/* Codes for ws_close: RFC 6455 §7.4.1, and two of our own. */
enum {
    EIO_WS_NO_CODE = 0,       /* a close frame without one */
    EIO_WS_BAD_TEXT = 1007,   /* text that isn't UTF-8 */
    EIO_WS_TOO_LARGE = 1009,  /* over maxPayload */
    EIO_WS_VIOLATION = 1008,  /* too many fragments */
    EIO_WS_TRY_LATER = 1013,  /* more is coming in than there is room for */
    EIO_WS_ABORT = UINT16_MAX /* no close frame: drop the connection and what is unsent */
};

typedef enum {
    EIO_STATE_OPEN,
    EIO_STATE_CLOSING,   /* closed; the next flush tells the application and the client */
    EIO_STATE_LINGERING, /* the application knows; a polling client is told at its next GET */
} eio_state_t;

/* A WebSocket that wants to take a polling session over. */
typedef struct {
    timeout_t deadline; /* of the whole */
    timeout_t release;  /* of a held GET */
    eio_session_t *session;
    void *ws;
    bool probed;   /* the probe was answered */
    bool released; /* held GETs are answered at once: the client waits for that to switch */
} eio_upgrade_t;

/* From the probe's answer to the release of a held GET. What the Node server does too: packets that
 * come about meanwhile still take the poll, which saves a round trip. */
#define EIO_RELEASE_DELAY_MS 100

struct eio_session {
    eio_server_t *server;
    UT_hash_handle hh;
    eio_session_t *next_dirty;
    void *poll; /* the held GET, or NULL */
    void *post; /* the POST being read, or NULL */
    void *ws;   /* NULL: on polling */
    eio_upgrade_t *upgrade;
    eio_queue_t queue;
    timeout_t deadline;
    eio_request_t *request;
    const eio_request_t *post_request;
    void *data;
    uint16_t ws_code;
    uint8_t state;        /* eio_state_t; changed by set_state() alone */
    uint8_t close_reason; /* eio_close_t */
    bool dirty : 1;
    bool opening : 1;   /* the open packet has not gone out: it goes alone */
    bool congested : 1; /* the WebSocket takes no more for now */
    bool awaits_pong : 1;
    bool extended : 1; /* another packet has prolonged the wait for the pong */
    uint8_t sid_length;
    char sid[];
};

/* The layer above (Socket.IO), which has deadlines and deferred work of its own. */
typedef struct {
    void (*advance)(void *arg, uint64_t now_ms);
    uint64_t (*next_deadline)(void *arg);
    /* Delivers deferred callbacks; true when there were any. */
    bool (*flush)(void *arg, uint64_t now_ms);
    /* Closes the session that has been silent for longest. False: there is none. */
    bool (*evict)(void *arg);
    void (*free)(void *arg);
    void *arg;
} eio_layer_t;

struct eio_server {
    eio_server_options_t options; /* defaults filled in */
    eio_handlers_t handlers;
    eio_layer_t layer;
    const eio_transport_t *transport;
    eio_session_t *sessions; /* sid => session, lingering ones too */
    eio_session_t *dirty, *last_dirty;
    timeout_list_t pings, pongs, upgrades, releases, lingering;
    eio_packet_t *ping;
    strbuf_t out;     /* what is being written */
    strbuf_t scratch; /* a binary packet being decoded */
    eio_counters_t counters;
    bool draining;
    eio_server_t *next; /* the listener's list */
};

/* ---- the server (eio_server.c) ---- */

eio_server_t *eio_server_create(const eio_server_options_t *options, const eio_handlers_t *handlers,
                                const eio_transport_t *transport);
void eio_server_destroy(eio_server_t **server);

/* Opens a session: on `ws`, or if that is NULL on polling with its handshake GET `poll`. Takes
 * `request`. Runs on_open. The session lives at least until the next flush. */
eio_session_t *eio_server_open(eio_server_t *server, eio_request_t *request, void *poll, void *ws,
                               uint64_t now_ms);
/* May another session be opened? At the limit it makes room if it can. */
bool eio_server_has_room(eio_server_t *server);
/* Closes a session that says nothing. False: there is none. */
bool eio_server_evict(eio_server_t *server);
/* Takes room for `more` bytes of unfinished input, for one who has `own` already; false, and it is
 * counted, when there isn't as much left for everybody else. Given back by eio_server_give(). */
bool eio_server_take(eio_server_t *server, size_t own, size_t more) MUST_CHECK;
void eio_server_give(eio_server_t *server, size_t bytes);
/* The session with this sid, also a lingering one; NULL if there is none, or it has closed. */
eio_session_t *eio_server_find(const eio_server_t *server, str_t sid);
/* Lets time pass: pings, and everything that is overdue. */
void eio_server_advance(eio_server_t *server, uint64_t now_ms);
/* When eio_server_advance() has something to do next; TIMEOUT_NONE for never. */
uint64_t eio_server_next_deadline(const eio_server_t *server);
/* Writes out, tells of closes, frees. */
void eio_server_flush(eio_server_t *server, uint64_t now_ms);
void eio_server_close_all(eio_server_t *server, eio_close_t reason);
/* Counts something refused and tells the application. */
void eio_server_refused(eio_server_t *server, const char *event, const char *detail,
                        const eio_request_t *request);
void eio_server_mark_dirty(eio_session_t *session);
/* Takes a session out of every structure and frees it. */
void eio_server_remove(eio_session_t *session);

/* ---- input to a session (eio_session.c) ---- */

/* A GET arrived. ERR_EXISTS: another one is held: answer 400; the session closes. ERR_INVALID: the
 * session isn't on polling. */
err_t eio_session_poll(eio_session_t *session, void *poll) MUST_CHECK;
/* The client gave up its held GET. */
void eio_session_poll_gone(eio_session_t *session);
/* The head of a POST arrived. ERR_EXISTS, ERR_INVALID as above; ERR_CLOSED: lingering. */
err_t eio_session_post_begin(eio_session_t *session, void *post) MUST_CHECK;
/* Its body is complete. ERR_INVALID: not all of it was good; the session closes. */
err_t eio_session_post_end(eio_session_t *session, str_t body, const eio_request_t *request,
                           uint64_t now_ms) MUST_CHECK;
/* It never will be: the client has gone, or (EIO_CLOSE_OVERLOAD) there was no room for it. */
void eio_session_post_gone(eio_session_t *session, eio_close_t reason);
/* Can a WebSocket start to take the session over? */
bool eio_session_can_upgrade(const eio_session_t *session);
/* It did, if it can: true. */
bool eio_session_probe(eio_session_t *session, void *ws, uint64_t now_ms) MUST_CHECK;
/* A WebSocket message arrived, on the session's own WebSocket or the one that probes it. */
void eio_session_receive(eio_session_t *session, void *ws, str_t message, bool binary,
                         uint64_t now_ms);
/* The WebSocket broke a limit: over maxPayload, too many fragments, or no room for its message. */
void eio_session_ws_violation(eio_session_t *session, void *ws, unsigned code);
void eio_session_ws_gone(eio_session_t *session, void *ws);
void eio_session_writable(eio_session_t *session);

/* ---- used between the two ---- */

void eio_session_pop(eio_session_t *session);
void eio_session_drop_upgrade(eio_session_t *session);
void eio_session_release(eio_session_t *session);
void eio_session_send_ping(eio_session_t *session, uint64_t now_ms);
/* Writes what it can; for a closed one, ends it. */
void eio_session_flush(eio_session_t *session, uint64_t now_ms);
/* True when a packet sent now would leave at once. */
bool eio_session_can_send(const eio_session_t *session);
