#include "tests/conformance/memory_recovery.h"

#include <sys/random.h>
#include <uv.h>

#include "common/strbuf.h"

enum {
    ID_BYTES = 24, /* hexadecimal digits */
    SESSIONS_MAX = 1024,
    EVENTS_MAX = 4096,
    KEPT_MS = 120000,
};

typedef struct {
    char pid[ID_BYTES + 1], sid[ID_BYTES + 1];
    sio_socket_t *socket; /* NULL: it has left */
    uint64_t left_ms;
    bool used;
} kept_session_t;

typedef struct {
    char sid[ID_BYTES + 1]; /* whom it was for */
    sio_packet_t *packet;
} kept_event_t;

struct memory_recovery {
    kept_session_t sessions[SESSIONS_MAX];
    size_t next_session;
    kept_event_t events[EVENTS_MAX]; /* that of offset n is at n % EVENTS_MAX */
    uint64_t last_offset;
};

memory_recovery_t *memory_recovery_new(void) {
    return xcalloc(1, sizeof(memory_recovery_t));
}

void memory_recovery_free(memory_recovery_t **self_in) {
    memory_recovery_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    for (size_t i = 0; i < EVENTS_MAX; i++)
        sio_packet_unref(&self->events[i].packet);
    free(self);
}

static uint64_t now_ms(void) {
    return uv_hrtime() / 1000000;
}

static void make_id(char to[ID_BYTES + 1]) {
    unsigned char bytes[ID_BYTES / 2];
    ASSERT(getrandom(bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(to + 2 * i, 3, "%02x", bytes[i]);
}

/* ---- sessions ---- */

static kept_session_t *find(memory_recovery_t *self, str_t pid) {
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        kept_session_t *session = &self->sessions[i];
        bool lives = session->socket || now_ms() - session->left_ms <= KEPT_MS;
        if (session->used && lives && str_eq(str_from(session->pid), pid))
            return session;
    }
    return NULL;
}

static kept_session_t *find_by_socket(memory_recovery_t *self, const sio_socket_t *socket) {
    for (size_t i = 0; i < SESSIONS_MAX; i++) {
        if (self->sessions[i].used && self->sessions[i].socket == socket)
            return &self->sessions[i];
    }
    return NULL;
}

static kept_session_t *add_session(memory_recovery_t *self) {
    kept_session_t *session = &self->sessions[self->next_session++ % SESSIONS_MAX];
    *session = (kept_session_t){.used = true};
    make_id(session->pid);
    make_id(session->sid);
    return session;
}

/* ---- events ---- */

static void send_with_offset(sio_socket_t *socket, sio_packet_t *packet, uint64_t offset) {
    char text[24];
    snprintf(text, sizeof(text), "\"%llu\"", (unsigned long long)offset);
    sio_send_with(socket, packet, str_from(text));
}

void memory_recovery_send(memory_recovery_t *self, sio_socket_t *socket, sio_packet_t *packet) {
    const kept_session_t *session = find_by_socket(self, socket);
    kept_event_t *event = &self->events[++self->last_offset % EVENTS_MAX];
    sio_packet_unref(&event->packet);
    event->packet = sio_packet_ref(packet);
    snprintf(event->sid, sizeof(event->sid), "%s", session ? session->sid : "");
    send_with_offset(socket, packet, self->last_offset);
}

static bool is_kept(const memory_recovery_t *self, str_t offset, uint64_t *offset_out) {
    return str_to_u64(offset, self->last_offset, offset_out) == OK &&
           self->last_offset - *offset_out < EVENTS_MAX;
}

static void replay(const memory_recovery_t *self, const kept_session_t *session, uint64_t after) {
    for (uint64_t offset = after + 1; offset <= self->last_offset; offset++) {
        const kept_event_t *event = &self->events[offset % EVENTS_MAX];
        if (strcmp(event->sid, session->sid) == 0)
            send_with_offset(session->socket, event->packet, offset);
    }
}

/* ---- coming and going ---- */

/* The value of "key":"value" in the text of an object as JSON.stringify writes it. */
static str_t member_of(str_t json, const char *key_and_colon) {
    size_t n = strlen(key_and_colon);
    const char *at = json.n ? memmem(json.p, json.n, key_and_colon, n) : NULL;
    if (!at)
        return (str_t){0};
    str_t rest = str_from_offset(json, (size_t)(at - json.p) + n);
    const char *end = rest.n ? memchr(rest.p, '"', rest.n) : NULL;
    return end ? (str_t){rest.p, (size_t)(end - rest.p)} : (str_t){0};
}

sio_socket_t *memory_recovery_accept(memory_recovery_t *self, sio_connect_t *connect, void *data) {
    str_t auth = sio_connect_auth(connect);
    str_t pid = member_of(auth, "\"pid\":\"");
    kept_session_t *session = pid.n ? find(self, pid) : NULL;
    uint64_t after = 0;
    bool recovers = session && is_kept(self, member_of(auth, "\"offset\":\""), &after);
    if (!recovers)
        session = add_session(self);
    else if (session->socket)
        sio_close(session->socket, EIO_CLOSE_SERVER); /* its end wasn't noticed yet */
    session->socket = sio_accept(
        connect, &(sio_accept_t){.data = data, .sid = str_from(session->sid), .hold_reply = true});
    if (!session->socket) {
        session->left_ms = now_ms();
        return NULL;
    }
    if (recovers)
        replay(self, session, after);
    sio_socket_reply(session->socket, str_from(session->pid));
    return session->socket;
}

void memory_recovery_left(memory_recovery_t *self, const sio_socket_t *socket, eio_close_t reason) {
    kept_session_t *session = find_by_socket(self, socket);
    if (!session)
        return;
    session->socket = NULL;
    session->left_ms = now_ms();
    session->used = reason != EIO_CLOSE_CLIENT_LEFT && reason != EIO_CLOSE_SERVER_LEFT;
}
