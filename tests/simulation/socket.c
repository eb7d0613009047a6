#include "socket.h"

#include <utlist.h>

#include "common/strbuf.h"

/* What goes through a socket: the kind, then its fields. */
enum {
    KIND_TOKEN = 'T',    /* token */
    KIND_EVENT = 'E',    /* up: acknowledgement id, name NUL array; down: name NUL args */
    KIND_ACK = 'K',      /* acknowledgement id, args */
    KIND_ACCEPTED = 'A', /* nothing */
    KIND_CLOSED = 'C',   /* nothing */
};

struct packet {
    size_t references;
    strbuf_t bytes;
};

struct socket {
    socket_config_t config;
    char id[STORE_SOCKET_BYTES];
    process_t client_process; /* never asleep */
    channel_t up, down;
    void *session;
    bool server_open; /* as far as the gateway knows */
    bool client_open; /* as far as the client knows */
    bool broken;      /* nothing gets through any more */
    event_t gone;     /* the gateway notices */
    event_t closed;   /* the client notices */
    socket_t *prev, *next;
};

/* ---- what arrives ---- */

static str_t take_text(str_t *bytes) {
    const char *end = memchr(bytes->p, '\0', bytes->n);
    str_t text = {bytes->p, (size_t)(end - bytes->p)};
    *bytes = str_from_offset(*bytes, text.n + 1);
    return text;
}

static uint64_t take_id(str_t *bytes) {
    uint64_t id;
    memcpy(&id, bytes->p, sizeof(id));
    *bytes = str_from_offset(*bytes, sizeof(id));
    return id;
}

static void arrive_up(void *ctx, str_t bytes) {
    socket_t *self = ctx;
    char kind = bytes.p[0];
    bytes = str_from_offset(bytes, 1);
    if (!self->server_open)
        return;
    if (kind == KIND_TOKEN) {
        self->config.server->token(self->config.server_ctx, self, bytes);
    } else if (self->session) {
        socket_event_t event = {.id = take_id(&bytes)};
        event.name = take_text(&bytes);
        event.array = bytes;
        self->config.server->event(self->config.server_ctx, self, &event);
    }
}

static void client_closes(socket_t *self) {
    self->client_open = false;
    world_cancel(self->config.world, &self->closed);
    self->config.client->closed(self->config.client_ctx);
}

static void arrive_down(void *ctx, str_t bytes) {
    socket_t *self = ctx;
    void *client = self->config.client_ctx;
    char kind = bytes.p[0];
    bytes = str_from_offset(bytes, 1);
    if (!self->client_open)
        return;
    if (kind == KIND_ACCEPTED) {
        self->config.client->accepted(client);
    } else if (kind == KIND_EVENT) {
        str_t name = take_text(&bytes);
        self->config.client->event(client, name, bytes);
    } else if (kind == KIND_ACK) {
        uint64_t id = take_id(&bytes);
        self->config.client->acknowledged(client, id, bytes);
    } else {
        client_closes(self);
    }
}

/* ---- ends ---- */

static void on_gone(void *ctx) {
    socket_t *self = ctx;
    void *session = self->session;
    self->server_open = false;
    self->session = NULL;
    if (session)
        self->config.server->gone(self->config.server_ctx, session);
}

static void on_closed(void *ctx) {
    socket_t *self = ctx;
    if (self->client_open)
        client_closes(self);
}

static void put(channel_t *channel, const socket_t *self, str_t bytes) {
    if (!self->broken)
        channel_put(channel, bytes);
}

static void server_notices_after(socket_t *self, int64_t delay_ms) {
    if (self->server_open && !deadline_is_set(&self->gone.due))
        world_after(self->config.world, &self->gone, delay_ms);
}

/* Usually soon; without a sign when its ping goes unanswered. */
static int64_t notice_ms(world_t *world) {
    return world_chance(world, 70) ? world_between(world, 0, 100) : world_between(world, 100, 6000);
}

void socket_hang_up(socket_t *self) {
    if (!self->client_open)
        return;
    world_note(self->config.world, "%s is hung up", self->id);
    self->client_open = false;
    world_cancel(self->config.world, &self->closed);
    if (world_chance(self->config.world, 50))
        channel_lose_all(&self->up);
    server_notices_after(self, notice_ms(self->config.world));
}

void socket_break(socket_t *self) {
    world_t *world = self->config.world;
    if (self->broken || !self->client_open)
        return;
    world_note(world, "fault: %s breaks", self->id);
    self->broken = true;
    channel_lose_all(&self->up);
    channel_lose_all(&self->down);
    server_notices_after(self, notice_ms(world));
    world_after(world, &self->closed, notice_ms(world));
}

/* ---- the server's side ---- */

socket_t *socket_new(const socket_config_t *config, str_t token) {
    socket_t *self = xcalloc(1, sizeof(*self));
    char hello[64];
    self->config = *config;
    snprintf(self->id, sizeof(self->id), "%s", config->id);
    self->config.id = self->id;
    self->server_open = self->client_open = true;
    self->gone = (event_t){.run = on_gone, .ctx = self, .process = config->process};
    self->closed = (event_t){.run = on_closed, .ctx = self};
    channel_init(&self->up, config->world, config->process, arrive_up, self);
    channel_init(&self->down, config->world, &self->client_process, arrive_down, self);
    int n = snprintf(hello, sizeof(hello), "%c%.*s", KIND_TOKEN, STR_ARG(token));
    channel_put(&self->up, (str_t){hello, (size_t)n});
    return self;
}

void socket_add(socket_t **sockets, socket_t *socket) {
    DL_APPEND(*sockets, socket);
}

const socket_t *socket_next(const socket_t *self) {
    return self->next;
}

void sockets_free(socket_t **sockets) {
    socket_t *socket = NULL, *next = NULL;
    DL_FOREACH_SAFE(*sockets, socket, next) {
        channel_fini(&socket->up);
        channel_fini(&socket->down);
        world_cancel(socket->config.world, &socket->gone);
        world_cancel(socket->config.world, &socket->closed);
        free(socket);
    }
    *sockets = NULL;
}

void sockets_server_died(socket_t *sockets) {
    socket_t *socket = NULL;
    DL_FOREACH(sockets, socket) {
        world_t *world = socket->config.world;
        if (!socket->server_open)
            continue;
        world_cancel(world, &socket->gone);
        channel_lose_all(&socket->up);
        if (world_chance(world, 50))
            channel_lose_all(&socket->down);
        socket->session = NULL;
        put(&socket->down, socket, (str_t){(char[]){KIND_CLOSED}, 1});
        socket->server_open = false;
    }
}

bool socket_accept(socket_t *self, void *session, str_t sid) {
    if (!self->server_open)
        return false;
    self->session = session;
    snprintf(self->id, sizeof(self->id), "%.*s", STR_ARG(sid));
    return true;
}

void socket_reply(socket_t *self, str_t pid) {
    (void)pid;
    put(&self->down, self, (str_t){(char[]){KIND_ACCEPTED}, 1});
}

void socket_end(socket_t *self) {
    put(&self->down, self, (str_t){(char[]){KIND_CLOSED}, 1});
    self->server_open = false;
}

void *socket_session(const socket_t *self) {
    return self->session;
}

void socket_close(socket_t *self) {
    put(&self->down, self, (str_t){(char[]){KIND_CLOSED}, 1});
    server_notices_after(self, world_between(self->config.world, 0, 50));
}

void socket_send(socket_t *self, const packet_t *packet, str_t offset) {
    (void)offset;
    put(&self->down, self, strbuf_str(&packet->bytes));
}

static void put_with_id(socket_t *self, channel_t *channel, char kind, uint64_t id,
                        const str_t fields[2]) {
    strbuf_t bytes = {0};
    strbuf_append_char(&bytes, kind);
    strbuf_append(&bytes, (str_t){(const char *)&id, sizeof(id)});
    if (fields[0].n) {
        strbuf_append(&bytes, fields[0]);
        strbuf_append_char(&bytes, '\0');
    }
    strbuf_append(&bytes, fields[1]);
    put(channel, self, strbuf_str(&bytes));
    strbuf_fini(&bytes);
}

void socket_acknowledge(socket_t *self, uint64_t id, str_t args) {
    put_with_id(self, &self->down, KIND_ACK, id, (str_t[2]){{0}, args});
}

void socket_emit(socket_t *self, str_t name, str_t array, uint64_t id) {
    put_with_id(self, &self->up, KIND_EVENT, id, (str_t[2]){name, array});
}

const char *socket_id(const socket_t *self) {
    return self->id;
}

/* ---- packets ---- */

packet_t *socket_packet_new(str_t event, str_t args) {
    packet_t *packet = xcalloc(1, sizeof(*packet));
    packet->references = 1;
    strbuf_append_char(&packet->bytes, KIND_EVENT);
    strbuf_append(&packet->bytes, event);
    strbuf_append_char(&packet->bytes, '\0');
    strbuf_append(&packet->bytes, args);
    return packet;
}

void socket_packet_unref(packet_t *packet) {
    if (--packet->references > 0)
        return;
    strbuf_fini(&packet->bytes);
    free(packet);
}
