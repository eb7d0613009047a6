/* The Engine.IO session machine under random events: requests, WebSocket messages, time, the
 * application's own calls. The transport checks what a transport may rely on: a poll is answered
 * once, nothing is written to a WebSocket that was closed, and every client receives the numbered
 * messages sent to it in order, none twice, none missing before its end. */
#include "gateway/socketio/eio_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLIENTS = 4, HANDLES = 4096 };

typedef struct client client_t;

/* A poll, a post or a WebSocket. */
typedef struct {
    client_t *client;
    bool alive;
} handle_t;

struct client {
    eio_session_t *session; /* NULL: none, or it was closed */
    handle_t *poll, *post, *ws, *probe;
    uint64_t sent, received;
    eio_session_t *lingering; /* closed, and may still be polled */
};

static struct {
    eio_server_t *server;
    client_t clients[CLIENTS];
    client_t *opening;
    handle_t handles[HANDLES];
    size_t n_handles;
    uint64_t now_ms, random;
    bool congested;
} world;

static handle_t *new_handle(client_t *client) {
    handle_t *handle = &world.handles[world.n_handles++ % HANDLES];
    *handle = (handle_t){client, true};
    return handle;
}

/* ---- what arrives at the clients ---- */

static void check_packet(client_t *client, str_t packet) {
    uint64_t number;
    if (packet.n && packet.p[0] == EIO_MESSAGE) {
        ASSERT(str_to_u64(str_from_offset(packet, 1), UINT64_MAX, &number) == OK);
        ASSERT(number == client->received++);
    }
}

static void poll_reply(void *poll, str_t body) {
    handle_t *handle = poll;
    str_t packet;
    ASSERT(handle->alive && handle == handle->client->poll);
    handle->alive = false;
    handle->client->poll = NULL;
    ASSERT(body.n > 0);
    while (eio_payload_next(&body, &packet))
        check_packet(handle->client, packet);
}

static void post_forget(void *post) {
    handle_t *handle = post;
    ASSERT(handle->alive && handle == handle->client->post);
    handle->alive = false;
    handle->client->post = NULL;
}

static bool ws_write(void *ws, str_t frames) {
    handle_t *handle = ws;
    ASSERT(handle->alive && frames.n >= 2);
    while (frames.n) {
        const unsigned char *p = (const unsigned char *)frames.p;
        size_t header = p[1] == 126 ? 4 : 2;
        size_t length = header == 4 ? (size_t)p[2] << 8 | p[3] : p[1];
        ASSERT(p[0] == 0x81 && header + length <= frames.n);
        check_packet(handle->client, (str_t){frames.p + header, length});
        frames = str_from_offset(frames, header + length);
    }
    return !world.congested;
}

static void ws_close(void *ws, unsigned code) {
    handle_t *handle = ws;
    (void)code;
    ASSERT(handle->alive);
    handle->alive = false;
    if (handle == handle->client->ws)
        handle->client->ws = NULL;
    if (handle == handle->client->probe)
        handle->client->probe = NULL;
}

static void fill_random(unsigned char *to, size_t n) {
    memset(to, 0, n);
    memcpy(to, &world.random, sizeof(world.random));
    world.random++;
}

static const eio_transport_t transport = {.poll_reply = poll_reply,
                                          .post_forget = post_forget,
                                          .ws_write = ws_write,
                                          .ws_close = ws_close,
                                          .random = fill_random};

/* ---- the application ---- */

static client_t *client_of(const eio_session_t *session) {
    for (int i = 0; i < CLIENTS; i++) {
        if (world.clients[i].session == session)
            return &world.clients[i];
    }
    return NULL;
}

static void send_numbered(client_t *client) {
    strbuf_t text = {0};
    if (client->session->state == EIO_STATE_OPEN)
        strbuf_append_u64(&text, client->sent++);
    eio_send_text(client->session, strbuf_str(&text));
    strbuf_fini(&text);
}

static void on_open(void *arg, eio_session_t *session) {
    (void)arg;
    world.opening->session = session;
}

static void on_message(void *arg, eio_session_t *session, str_t message, bool binary) {
    client_t *client = client_of(session);
    (void)arg;
    ASSERT(client && session->state == EIO_STATE_OPEN);
    if (binary && message.n == 1)
        eio_close(session, (eio_close_t)((unsigned char)message.p[0] % EIO_CLOSE_REASONS));
    else
        send_numbered(client);
}

static void on_close(void *arg, eio_session_t *session, eio_close_t reason) {
    client_t *client = client_of(session);
    (void)arg;
    ASSERT(client && reason < EIO_CLOSE_REASONS);
    bool dropped = reason == EIO_CLOSE_QUEUE_LIMIT;
    client->lingering = session->state == EIO_STATE_LINGERING ? session : NULL;
    ASSERT(dropped || client->lingering || client->received <= client->sent);
    client->session = NULL;
}

/* ---- events ---- */

typedef struct {
    const uint8_t *p;
    size_t n;
} input_t;

static uint8_t take_byte(input_t *input) {
    if (!input->n)
        return 0;
    input->n--;
    return *input->p++;
}

/* Up to 15 bytes. */
static str_t take_text(input_t *input) {
    size_t n = take_byte(input) & 15;
    n = n < input->n ? n : input->n;
    str_t text = {(const char *)input->p, n};
    input->p += n;
    input->n -= n;
    return text;
}

static bool is_lingering(const client_t *client) {
    eio_session_t *session, *next;
    HASH_ITER(hh, world.server->sessions, session, next) {
        if (session == client->lingering)
            return true;
    }
    return false;
}

static void open_session(client_t *client, bool websocket) {
    if (client->session || client->poll || client->post || client->ws || client->probe ||
        is_lingering(client) || !eio_server_has_room(world.server))
        return;
    *client = (client_t){0};
    world.opening = client;
    handle_t *handle = new_handle(client);
    *(websocket ? &client->ws : &client->poll) = handle;
    eio_server_open(world.server, NULL, websocket ? NULL : handle, websocket ? handle : NULL,
                    world.now_ms);
}

static void poll_event(client_t *client, eio_session_t *session) {
    handle_t *handle = new_handle(client);
    bool had_poll = client->poll != NULL;
    err_t err = eio_session_poll(session, handle);
    ASSERT(!had_poll || err != OK);
    if (err == OK)
        client->poll = handle;
}

static void post_event(client_t *client, eio_session_t *session, input_t *input) {
    handle_t *handle = new_handle(client);
    if (client->post) {
        handle_t *post = client->post;
        post->alive = false;
        client->post = NULL;
        err_t err = eio_session_post_end(session, take_text(input), NULL, world.now_ms);
        ASSERT(err == OK || session->state != EIO_STATE_OPEN);
    } else if (eio_session_post_begin(session, handle) == OK) {
        client->post = handle;
    }
}

static void probe_event(client_t *client, eio_session_t *session, input_t *input) {
    if (client->probe) {
        static const char *const good[] = {"2probe", "5"};
        uint8_t which = take_byte(input) & 3;
        handle_t *probe = client->probe;
        str_t text = which < 2 ? str_from(good[which]) : take_text(input);
        eio_session_receive(session, probe, text, which == 3, world.now_ms);
        if (session->ws == probe) {
            client->ws = probe;
            client->probe = NULL;
        }
        return;
    }
    handle_t *handle = new_handle(client);
    if (eio_session_probe(session, handle, world.now_ms))
        client->probe = handle;
}

static void lose(handle_t **handle, eio_session_t *session) {
    handle_t *lost = *handle;
    if (!lost)
        return;
    lost->alive = false;
    *handle = NULL;
    eio_session_ws_gone(session, lost);
}

static void gone_event(client_t *client, eio_session_t *session, uint8_t which) {
    if (which == 0 && client->poll) {
        client->poll->alive = false;
        client->poll = NULL;
        eio_session_poll_gone(session);
    } else if (which == 1 && client->post) {
        client->post->alive = false;
        client->post = NULL;
        eio_session_post_gone(session, EIO_CLOSE_TRANSPORT);
    } else if (which == 2) {
        lose(&client->ws, session);
    } else {
        lose(&client->probe, session);
    }
}

static void session_event(client_t *client, uint8_t what, input_t *input) {
    eio_session_t *session = client->session;
    if (what == 3)
        poll_event(client, session);
    else if (what == 4)
        post_event(client, session, input);
    else if (what == 5)
        probe_event(client, session, input);
    else if (what == 6 && client->ws)
        eio_session_receive(session, client->ws, take_text(input), take_byte(input) & 1,
                            world.now_ms);
    else if (what == 7)
        gone_event(client, session, take_byte(input) & 3);
    else if (what == 8)
        send_numbered(client);
    else if (what == 9)
        eio_close(session, (eio_close_t)(take_byte(input) % EIO_CLOSE_REASONS));
    else if (what == 10 && (client->ws || client->probe))
        eio_session_writable(session);
    else if (what == 11 && client->ws)
        eio_session_ws_violation(session, client->ws, EIO_WS_TOO_LARGE);
}

static void turn(uint64_t later_ms) {
    world.now_ms += later_ms;
    eio_server_advance(world.server, world.now_ms);
    eio_server_flush(world.server, world.now_ms);
}

static void event(input_t *input) {
    uint8_t byte = take_byte(input);
    client_t *client = &world.clients[byte & (CLIENTS - 1)];
    uint8_t what = byte >> 2 & 15;
    if (what == 0)
        turn((uint64_t)take_byte(input) * 4);
    else if (what == 1)
        open_session(client, take_byte(input) & 1);
    else if (what == 2)
        world.congested = take_byte(input) & 1;
    else if (client->session)
        session_event(client, what, input);
    else if (what == 3 && is_lingering(client) && !client->poll)
        poll_event(client, client->lingering);
}

static void end_all(void) {
    world.congested = false;
    eio_server_close_all(world.server, EIO_CLOSE_PING_TIMEOUT);
    turn(0);
    turn(1000000);
    for (int i = 0; i < CLIENTS; i++) {
        const client_t *client = &world.clients[i];
        ASSERT(!client->session && !client->poll && !client->ws && !client->probe);
    }
    ASSERT(world.server->counters.sessions_polling == 0);
    ASSERT(world.server->counters.sessions_websocket == 0);
    eio_server_destroy(&world.server);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const eio_handlers_t handlers = {
        .on_open = on_open, .on_message = on_message, .on_close = on_close};
    eio_server_options_t options = {.ping_interval_ms = 300,
                                    .ping_timeout_ms = 200,
                                    .upgrade_timeout_ms = 250,
                                    .closing_timeout_ms = 400,
                                    .max_queue_bytes = 300,
                                    .max_sessions = CLIENTS};
    input_t input = {data, size};
    memset(&world, 0, sizeof(world));
    world.server = eio_server_create(&options, &handlers, &transport);
    for (int i = 0; input.n && i < HANDLES; i++)
        event(&input);
    end_all();
    return 0;
}
