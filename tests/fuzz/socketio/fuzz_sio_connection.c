/* The Socket.IO layer under random packets and random acts of the application: every accepted
 * socket ends once, every acknowledgement asked for is called back once, and everything is freed.
 */
#include "tests/unit/socketio/sio_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_OWED = 8 };

static struct {
    sio_world_t base;
    sio_connect_t *owed_connects[MAX_OWED];
    sio_ack_t owed_acks[MAX_OWED];
    size_t n_connects, n_acks;
    uint64_t accepted, ended, asked, answered;
    bool later;
} world;

static void accept_connect(sio_connect_t *connect) {
    if (sio_accept(connect, NULL))
        world.accepted++;
}

static void on_connect(void *arg, sio_connect_t *connect) {
    (void)arg;
    if (world.later && world.n_connects < MAX_OWED)
        world.owed_connects[world.n_connects++] = connect;
    else
        accept_connect(connect);
}

static void on_ack(void *arg, sio_socket_t *socket, err_t result, str_t args,
                   sio_attachments_t attachments) {
    (void)arg;
    (void)args;
    (void)attachments;
    ASSERT(result == OK || result == ERR_TIMEOUT || result == ERR_CLOSED);
    ASSERT(socket);
    world.answered++;
}

static void on_event(void *arg, sio_socket_t *socket, const sio_event_t *event) {
    (void)arg;
    ASSERT(sio_socket_connected(socket) && event->name.p);
    if (event->name.n == 1) {
        switch (event->name.p[0]) {
        case 'j':
            sio_join(socket, event->args);
            break;
        case 'l':
            sio_leave(socket, event->args);
            break;
        case 'd':
            sio_disconnect(socket);
            break;
        case 'c':
            sio_close(socket, EIO_CLOSE_SERVER);
            break;
        case 'q':
            world.asked += sio_emit_ack(socket, STR("q"), event->args, on_ack, NULL) == OK;
            break;
        default:
            sio_emit_binary(socket, event->name, event->args, event->attachments);
        }
    }
    if (event->wants_ack && world.n_acks < MAX_OWED)
        world.owed_acks[world.n_acks++] = sio_event_ack(event);
}

static void on_disconnect(void *arg, sio_socket_t *socket, eio_close_t reason) {
    (void)arg;
    ASSERT(!sio_socket_connected(socket) && reason < EIO_CLOSE_REASONS);
    world.ended++;
}

static void settle_connect(uint8_t how) {
    if (!world.n_connects)
        return;
    sio_connect_t *connect = world.owed_connects[--world.n_connects];
    if (how == 0)
        sio_refuse(connect, STR("no"), STR("{}"));
    else if (how == 1)
        sio_close_connect(connect, EIO_CLOSE_OVERLOAD);
    else
        accept_connect(connect);
}

static void settle_ack(uint8_t how) {
    if (!world.n_acks)
        return;
    sio_ack_t *ack = &world.owed_acks[--world.n_acks];
    if (how == 0)
        sio_ack_drop(ack);
    else
        sio_ack_send(ack, STR("1"));
}

static void settle_all(void) {
    while (world.n_connects)
        settle_connect(2);
    while (world.n_acks)
        settle_ack(0);
}

/* One step: a line of the input. A letter first says what it is, else it is a packet. */
static void step(str_t line) {
    sio_world_t *base = &world.base;
    uint8_t last = line.n ? (uint8_t)line.p[line.n - 1] % 3 : 0;
    bool open = base->session && base->session->state == EIO_STATE_OPEN;
    if (line.n && line.p[0] == 'B') {
        if (open)
            sio_world_binary(base, str_from_offset(line, 1));
    } else if (line.n && line.p[0] == 'T') {
        base->now_ms += 100 * line.n;
        sio_world_turn(base);
        base->session = open && base->engine->sessions ? base->session : NULL;
    } else if (line.n && line.p[0] == 'L') {
        world.later = !world.later;
    } else if (line.n && line.p[0] == 'C') {
        settle_connect(last);
    } else if (line.n && line.p[0] == 'A') {
        settle_ack(last);
    } else if (open) {
        char *text = str_dup(line);
        sio_world_text(base, text);
        free(text);
    }
}

/* The turn may have freed a closed session: open another one then. */
static void keep_open(void) {
    sio_world_t *base = &world.base;
    if (base->session && base->session->state == EIO_STATE_OPEN)
        return;
    base->session = NULL;
    sio_world_turn(base);
    sio_world_open(base, "w");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const sio_handlers_t handlers = {
        .on_connect = on_connect, .on_event = on_event, .on_disconnect = on_disconnect};
    str_t rest = {(const char *)data, size};
    memset(&world, 0, sizeof(world));
    world.base = sio_world_new(&(sio_options_t){.connect_timeout_ms = 1000,
                                                .ack_timeout_ms = 500,
                                                .max_pending_acks = 4,
                                                .engine.max_queue_bytes = 10000},
                               &handlers);
    keep_open();
    for (int i = 0; rest.n && i < 1000; i++) {
        const char *end = memchr(rest.p, '\n', rest.n);
        str_t line = {rest.p, end ? (size_t)(end - rest.p) : rest.n};
        rest = str_from_offset(rest, line.n + 1);
        step(line);
        keep_open();
    }
    eio_server_close_all(world.base.engine, EIO_CLOSE_SHUTDOWN);
    settle_all();
    sio_world_end(&world.base);
    ASSERT(world.accepted == world.ended && world.asked == world.answered);
    return 0;
}
