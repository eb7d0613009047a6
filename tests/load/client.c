#include "tests/load/client.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 262144, HEAD_MAX = 8192 };

static void close_client(client_t *self, const char *why) {
    if (self->state == CLIENT_CLOSED)
        return;
    self->state = CLIENT_CLOSED;
    close(self->fd);
    self->ops->closed(self->ctx, self, why);
}

static void watch(client_t *self, int epoll_fd, bool write) {
    struct epoll_event event = {.events = EPOLLIN | (write ? (uint32_t)EPOLLOUT : 0),
                                .data.ptr = self};
    self->wants_write = write;
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, self->fd, &event);
}

void client_flush(client_t *self, int epoll_fd) {
    size_t sent = 0;
    if (self->state == CLIENT_CLOSED)
        return;
    while (sent < self->out.n) {
        ssize_t n = send(self->fd, self->out.p + sent, self->out.n - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            close_client(self, "send failed");
            return;
        }
        sent += (size_t)n;
    }
    memmove(self->out.p, self->out.p + sent, self->out.n - sent);
    self->out.n -= sent;
    if ((self->out.n > 0) != self->wants_write)
        watch(self, epoll_fd, self->out.n > 0);
}

err_t client_start(client_t *self, int epoll_fd, const struct sockaddr_in *source,
                   const struct sockaddr_in *server) {
    int on = 1;
    self->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    self->state = CLIENT_CONNECTING;
    if (self->fd < 0)
        return ERR_IO;
    setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(self->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    struct sockaddr_in from = *source;
    from.sin_port = 0;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = self};
    self->wants_write = true;
    if (bind(self->fd, (const struct sockaddr *)&from, sizeof(from)) < 0 ||
        (connect(self->fd, (const struct sockaddr *)server, sizeof(*server)) < 0 &&
         errno != EINPROGRESS) ||
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, self->fd, &event) < 0) {
        close(self->fd);
        return ERR_IO;
    }
    return OK;
}

void client_fini(client_t *self) {
    if (self->state != CLIENT_CLOSED)
        close(self->fd);
    self->state = CLIENT_CLOSED;
    strbuf_fini(&self->in);
    strbuf_fini(&self->out);
    free(self->token);
    self->token = NULL;
}

/* A masked frame, as clients must send; the mask is zero, which costs the server the same work. */
static void append_frame(client_t *self, unsigned opcode, str_t payload) {
    strbuf_append_char(&self->out, (char)(0x80 | opcode));
    if (payload.n < 126) {
        strbuf_append_char(&self->out, (char)(0x80 | payload.n));
    } else {
        ASSERT(payload.n <= UINT16_MAX);
        strbuf_append_char(&self->out, (char)(0x80 | 126));
        strbuf_append_char(&self->out, (char)(payload.n >> 8));
        strbuf_append_char(&self->out, (char)payload.n);
    }
    strbuf_append(&self->out, (str_t){"\0\0\0\0", 4});
    strbuf_append(&self->out, payload);
}

void client_send(client_t *self, str_t packet) {
    if (self->state != CLIENT_CLOSED)
        append_frame(self, 1, packet);
}

/* ---- receiving ---- */

static void on_packet(client_t *self, str_t packet) {
    if (str_starts_with(packet, STR("2"))) {
        client_send(self, STR("3"));
    } else if (self->state == CLIENT_OPENING && str_starts_with(packet, STR("0{"))) {
        strbuf_t connect = {0};
        strbuf_printf(&connect, "40{\"token\":\"%s\"}", self->token);
        client_send(self, strbuf_str(&connect));
        strbuf_fini(&connect);
    } else if (self->state == CLIENT_OPENING && str_starts_with(packet, STR("40{"))) {
        self->state = CLIENT_READY;
        self->ops->ready(self->ctx, self);
    } else if (str_starts_with(packet, STR("44"))) {
        close_client(self, "refused by the namespace");
    } else if (str_starts_with(packet, STR("42")) || str_starts_with(packet, STR("43"))) {
        self->ops->packet(self->ctx, self, packet);
    }
}

/* Takes one frame off `bytes`; 0 when it isn't whole yet. */
static size_t take_frame(str_t bytes, unsigned *opcode_out, str_t *payload_out) {
    const unsigned char *p = (const unsigned char *)bytes.p;
    size_t head = 2;
    if (bytes.n < head)
        return 0;
    uint64_t length = p[1] & 127;
    if (length >= 126) {
        size_t width = length == 126 ? 2 : 8;
        if (bytes.n < head + width)
            return 0;
        length = 0;
        for (size_t i = 0; i < width; i++)
            length = length << 8 | p[head + i];
        head += width;
    }
    if (bytes.n - head < length)
        return 0;
    *opcode_out = p[0] & 15;
    *payload_out = (str_t){bytes.p + head, (size_t)length};
    return head + (size_t)length;
}

/* Takes the whole frames off `bytes`; returns how many bytes that was. */
static size_t take_frames(client_t *self, str_t bytes) {
    size_t done = 0;
    while (self->state != CLIENT_CLOSED) {
        unsigned opcode;
        str_t payload;
        size_t n = take_frame(str_from_offset(bytes, done), &opcode, &payload);
        if (n == 0)
            break;
        done += n;
        if (opcode == 1)
            on_packet(self, payload);
        else if (opcode == 8)
            close_client(self, "closed by the server");
        else if (opcode == 9)
            append_frame(self, 10, payload);
    }
    return done;
}

/* Takes the answer to the upgrade off `bytes`, when it is whole; returns its size. */
static size_t take_upgrade(client_t *self, str_t bytes) {
    const char *end = memmem(bytes.p, bytes.n, "\r\n\r\n", 4);
    if (!end && bytes.n > HEAD_MAX)
        close_client(self, "endless response head");
    if (!end)
        return 0;
    if (!str_starts_with(bytes, STR("HTTP/1.1 101"))) {
        close_client(self, "upgrade refused");
        return 0;
    }
    self->state = CLIENT_OPENING;
    return (size_t)(end + 4 - bytes.p);
}

static size_t take(client_t *self, str_t bytes) {
    size_t done = 0;
    if (self->state == CLIENT_UPGRADING)
        done = take_upgrade(self, bytes);
    if (self->state == CLIENT_OPENING || self->state == CLIENT_READY)
        done += take_frames(self, str_from_offset(bytes, done));
    return done;
}

static void on_connected(client_t *self) {
    self->state = CLIENT_UPGRADING;
    strbuf_append(&self->out, STR("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
                                  "Host: localhost\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
}

/* Most reads end with a whole frame and are judged where they were read; only what is left over is
 * kept, so that an idle client holds no buffer. */
static void on_bytes(client_t *self, str_t bytes) {
    if (self->in.n == 0) {
        size_t done = take(self, bytes);
        if (self->state != CLIENT_CLOSED)
            strbuf_append(&self->in, str_from_offset(bytes, done));
        return;
    }
    strbuf_append(&self->in, bytes);
    size_t done = take(self, strbuf_str(&self->in));
    if (done == self->in.n) {
        strbuf_fini(&self->in);
        return;
    }
    memmove(self->in.p, self->in.p + done, self->in.n - done);
    self->in.n -= done;
}

static void on_readable(client_t *self) {
    static char bytes[READ_BYTES];
    ssize_t n;
    do {
        n = recv(self->fd, bytes, READ_BYTES, 0);
        if (n > 0)
            on_bytes(self, (str_t){bytes, (size_t)n});
    } while (n == READ_BYTES && self->state != CLIENT_CLOSED);
    if (self->state != CLIENT_CLOSED && (n == 0 || (n < 0 && errno != EAGAIN)))
        close_client(self, n == 0 ? "connection ended" : "connection broke");
}

void client_on_event(client_t *self, int epoll_fd, uint32_t events) {
    if (self->state == CLIENT_CLOSED)
        return;
    if (self->state == CLIENT_CONNECTING) {
        if (events & (EPOLLERR | EPOLLHUP)) {
            close_client(self, "connection refused");
            return;
        }
        on_connected(self);
    }
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        on_readable(self);
    client_flush(self, epoll_fd);
}
