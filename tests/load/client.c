#include "tests/load/client.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 65536, HEAD_MAX = 8192 };

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

static void flush(client_t *self, int epoll_fd) {
    size_t sent = 0;
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

void client_send(client_t *self, int epoll_fd, str_t packet) {
    if (self->state == CLIENT_CLOSED)
        return;
    append_frame(self, 1, packet);
    flush(self, epoll_fd);
}

/* ---- receiving ---- */

static void on_packet(client_t *self, int epoll_fd, str_t packet) {
    if (str_starts_with(packet, STR("2"))) {
        client_send(self, epoll_fd, STR("3"));
    } else if (self->state == CLIENT_OPENING && str_starts_with(packet, STR("0{"))) {
        strbuf_t connect = {0};
        strbuf_printf(&connect, "40{\"token\":\"%s\"}", self->token);
        client_send(self, epoll_fd, strbuf_str(&connect));
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

static void take_frames(client_t *self, int epoll_fd) {
    size_t done = 0;
    while (self->state != CLIENT_CLOSED) {
        unsigned opcode;
        str_t payload;
        size_t n = take_frame((str_t){self->in.p + done, self->in.n - done}, &opcode, &payload);
        if (n == 0)
            break;
        done += n;
        if (opcode == 1)
            on_packet(self, epoll_fd, payload);
        else if (opcode == 8)
            close_client(self, "closed by the server");
        else if (opcode == 9)
            append_frame(self, 10, payload);
    }
    memmove(self->in.p, self->in.p + done, self->in.n - done);
    self->in.n -= done;
    if (self->in.n == 0)
        strbuf_fini(&self->in); /* an idle client holds no buffer */
}

static void take_upgrade(client_t *self) {
    const char *end = memmem(self->in.p, self->in.n, "\r\n\r\n", 4);
    if (!end) {
        if (self->in.n > HEAD_MAX)
            close_client(self, "endless response head");
        return;
    }
    if (!str_starts_with(strbuf_str(&self->in), STR("HTTP/1.1 101"))) {
        close_client(self, "upgrade refused");
        return;
    }
    size_t head = (size_t)(end + 4 - self->in.p);
    memmove(self->in.p, self->in.p + head, self->in.n - head);
    self->in.n -= head;
    self->state = CLIENT_OPENING;
}

static void on_connected(client_t *self) {
    self->state = CLIENT_UPGRADING;
    strbuf_append(&self->out, STR("GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
                                  "Host: localhost\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
}

static void on_readable(client_t *self, int epoll_fd) {
    ssize_t n;
    do {
        char *to = strbuf_reserve(&self->in, READ_BYTES);
        n = recv(self->fd, to, READ_BYTES, 0);
        if (n > 0)
            self->in.n += (size_t)n;
    } while (n == READ_BYTES);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        close_client(self, n == 0 ? "connection ended" : "connection broke");
        return;
    }
    if (self->state == CLIENT_UPGRADING)
        take_upgrade(self);
    if (self->state == CLIENT_OPENING || self->state == CLIENT_READY)
        take_frames(self, epoll_fd);
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
        on_readable(self, epoll_fd);
    if (self->state != CLIENT_CLOSED)
        flush(self, epoll_fd);
}
