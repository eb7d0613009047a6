/* The machine's floor: what epoll, recv and send cost when next to nothing is done between them.
 *
 *   raw_server HOST:PORT [--lose N] [--mute N] [--repeat N] [--swap N] [--stall N:MS]
 *
 * One thread. Speaks as much of WebSocket and Socket.IO as parley_load needs: no token is checked,
 * nothing is stored, a connection is in one room at a time. A message is framed once, copied into
 * the buffer of every other member, and each buffer goes out in one send() at the end of the turn.
 *
 * The options make a server that breaks its promises, for testing parley_load: every Nth delivery
 * is lost, repeated or swapped with the next one to that member, every Nth acknowledgement
 * withheld, and before every Nth message the server stalls. On SIGTERM it prints what it did as
 * JSON. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

#include "common/strbuf.h"

enum { READ_BYTES = 262144, EVENTS = 512, BACKLOG = 4096 };

typedef struct connection connection_t;

typedef struct {
    UT_hash_handle hh; /* name => room */
    char name[80];
    uint64_t head;
    connection_t **members;
    size_t member_count, capacity;
} room_t;

struct connection {
    int fd;
    bool upgraded, dirty, wants_write;
    room_t *room;
    size_t place; /* in room->members */
    strbuf_t in, out;
    strbuf_t held; /* a delivery that the next one overtakes */
    connection_t *prev, *next;
};

typedef struct {
    uint64_t lose, mute, repeat, swap, stall;
    int64_t stall_ms;
    uint64_t deliveries, messages;
    uint64_t lost, muted, repeated, swapped, stalled;
} faults_t;

typedef struct {
    int epoll_fd, listen_fd;
    room_t *rooms;
    connection_t *connections;
    connection_t **dirty;
    size_t dirty_count, dirty_capacity;
    faults_t faults;
} server_t;

static volatile sig_atomic_t stopping;

static void on_signal(int number) {
    (void)number;
    stopping = 1;
}

/* ---- out ---- */

static void mark_dirty(server_t *self, connection_t *connection) {
    if (connection->dirty)
        return;
    connection->dirty = true;
    if (self->dirty_count == self->dirty_capacity) {
        self->dirty_capacity = self->dirty_capacity ? self->dirty_capacity * 2 : 64;
        self->dirty = xrealloc(self->dirty, self->dirty_capacity * sizeof(connection_t *));
    }
    self->dirty[self->dirty_count++] = connection;
}

static void append_frame(strbuf_t *out, str_t text) {
    ASSERT(text.n <= UINT16_MAX);
    strbuf_append_char(out, (char)0x81);
    if (text.n < 126) {
        strbuf_append_char(out, (char)text.n);
    } else {
        strbuf_append_char(out, 126);
        strbuf_append_char(out, (char)(text.n >> 8));
        strbuf_append_char(out, (char)text.n);
    }
    strbuf_append(out, text);
}

static void say(server_t *self, connection_t *connection, str_t text) {
    append_frame(&connection->out, text);
    mark_dirty(self, connection);
}

static void flush(server_t *self, connection_t *connection) {
    size_t sent = 0;
    strbuf_t *out = &connection->out;
    connection->dirty = false;
    while (sent < out->n) {
        ssize_t n = send(connection->fd, out->p + sent, out->n - sent, MSG_NOSIGNAL);
        if (n <= 0)
            break; /* full, or broken: recv() will tell */
        sent += (size_t)n;
    }
    bool all = sent == out->n;
    if (!all)
        memmove(out->p, out->p + sent, out->n - sent);
    out->n -= sent;
    if (connection->wants_write == all) {
        struct epoll_event event = {.events = EPOLLIN | (all ? 0 : (uint32_t)EPOLLOUT),
                                    .data.ptr = connection};
        connection->wants_write = !all;
        epoll_ctl(self->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
    }
}

/* ---- faults ---- */

static bool is_due(uint64_t every, uint64_t number) {
    return every && number % every == 0;
}

static void stall(faults_t *faults) {
    struct timespec pause = {.tv_sec = faults->stall_ms / 1000,
                             .tv_nsec = faults->stall_ms % 1000 * 1000000};
    if (!is_due(faults->stall, ++faults->messages))
        return;
    faults->stalled++;
    nanosleep(&pause, NULL);
}

/* A frame to one member, with what is to go wrong; nothing does unless asked for. */
static void deliver(server_t *self, connection_t *member, str_t frame) {
    faults_t *faults = &self->faults;
    uint64_t number = ++faults->deliveries;
    if (is_due(faults->lose, number)) {
        faults->lost++;
        return;
    }
    mark_dirty(self, member);
    if (is_due(faults->swap, number) && member->held.n == 0) {
        faults->swapped++;
        strbuf_append(&member->held, frame);
        return;
    }
    strbuf_append(&member->out, frame);
    if (is_due(faults->repeat, number)) {
        faults->repeated++;
        strbuf_append(&member->out, frame);
    }
    if (member->held.n) {
        strbuf_append(&member->out, strbuf_str(&member->held));
        strbuf_fini(&member->held);
    }
}

/* ---- rooms ---- */

static void leave(connection_t *connection) {
    room_t *room = connection->room;
    if (!room)
        return;
    connection_t *last = room->members[--room->member_count];
    room->members[connection->place] = last;
    last->place = connection->place;
    connection->room = NULL;
}

static void join(server_t *self, connection_t *connection, str_t name) {
    char key[80] = "";
    room_t *room = NULL;
    memcpy(key, name.p, name.n < sizeof(key) ? name.n : sizeof(key) - 1);
    HASH_FIND_STR(self->rooms, key, room);
    if (!room) {
        room = xcalloc(1, sizeof(*room));
        memcpy(room->name, key, sizeof(key));
        HASH_ADD_STR(self->rooms, name, room);
    }
    leave(connection);
    if (room->member_count == room->capacity) {
        room->capacity = room->capacity ? room->capacity * 2 : 2;
        room->members = xrealloc(room->members, room->capacity * sizeof(connection_t *));
    }
    connection->room = room;
    connection->place = room->member_count;
    room->members[room->member_count++] = connection;
}

/* ---- events ---- */

/* The JSON string behind `key`, without its quotes. */
static str_t string_after(str_t packet, const char *key) {
    const char *from = memmem(packet.p, packet.n, key, strlen(key));
    if (!from)
        return (str_t){"", 0};
    from += strlen(key);
    const char *to = memchr(from, '"', (size_t)(packet.p + packet.n - from));
    return (str_t){from, to ? (size_t)(to - from) : 0};
}

/* The digits of the acknowledgement's number: "42<digits>[". */
static str_t ack_number(str_t packet) {
    const char *end = memchr(packet.p, '[', packet.n);
    return (str_t){packet.p + 2, end ? (size_t)(end - packet.p) - 2 : 0};
}

static void on_join(server_t *self, connection_t *connection, str_t packet) {
    strbuf_t out = {0};
    join(self, connection, string_after(packet, "\"join_conversation\",\""));
    strbuf_printf(&out, "43%.*s[{\"ok\":true,\"headSeq\":%llu}]", STR_ARG(ack_number(packet)),
                  (unsigned long long)connection->room->head);
    say(self, connection, strbuf_str(&out));
    strbuf_fini(&out);
}

static void on_message(server_t *self, connection_t *connection, str_t packet) {
    room_t *room = connection->room;
    str_t text = string_after(packet, "\"text\":\"");
    strbuf_t message = {0}, event = {0}, frame = {0};
    if (!room)
        return;
    stall(&self->faults);
    strbuf_printf(&message, "{\"conversationId\":\"%s\",\"seq\":%llu,\"text\":\"%.*s\"}",
                  room->name, (unsigned long long)++room->head, STR_ARG(text));
    strbuf_printf(&event, "42[\"new_message\",%.*s]", STR_ARG(strbuf_str(&message)));
    append_frame(&frame, strbuf_str(&event));
    strbuf_clear(&event);
    strbuf_printf(&event, "43%.*s[{\"ok\":true,\"message\":%.*s}]", STR_ARG(ack_number(packet)),
                  STR_ARG(strbuf_str(&message)));
    if (is_due(self->faults.mute, self->faults.messages))
        self->faults.muted++;
    else
        say(self, connection, strbuf_str(&event));
    for (size_t i = 0; i < room->member_count; i++)
        if (room->members[i] != connection)
            deliver(self, room->members[i], strbuf_str(&frame));
    strbuf_fini(&message);
    strbuf_fini(&event);
    strbuf_fini(&frame);
}

static void on_typing(server_t *self, connection_t *connection) {
    static const char event[] = "42[\"user_typing\",{}]";
    room_t *room = connection->room;
    for (size_t i = 0; room && i < room->member_count; i++)
        if (room->members[i] != connection)
            say(self, room->members[i], (str_t){event, sizeof(event) - 1});
}

static void on_packet(server_t *self, connection_t *connection, str_t packet) {
    if (str_starts_with(packet, STR("40")))
        say(self, connection, STR("40{\"sid\":\"raw\"}"));
    else if (memmem(packet.p, packet.n, "\"send_message\"", 14))
        on_message(self, connection, packet);
    else if (memmem(packet.p, packet.n, "\"typing\"", 8))
        on_typing(self, connection);
    else if (memmem(packet.p, packet.n, "\"join_conversation\"", 19))
        on_join(self, connection, packet);
}

/* ---- in ---- */

/* Takes one masked frame off `bytes`; 0 when it isn't whole yet. */
static size_t take_frame(char *bytes, size_t n, str_t *payload_out) {
    unsigned char *p = (unsigned char *)bytes;
    size_t head = 2;
    if (n < 6)
        return 0;
    size_t length = p[1] & 127;
    if (length == 126) {
        length = (size_t)p[2] << 8 | p[3];
        head = 4;
    }
    if (n < head + 4 + length)
        return 0;
    for (size_t i = 0; i < length; i++)
        p[head + 4 + i] ^= p[head + i % 4];
    *payload_out = (str_t){bytes + head + 4, length};
    return head + 4 + length;
}

/* Every client sends the same Sec-WebSocket-Key, so that the answer is known. */
static size_t upgrade(server_t *self, connection_t *connection, str_t bytes) {
    const char *end = memmem(bytes.p, bytes.n, "\r\n\r\n", 4);
    if (!end)
        return 0;
    connection->upgraded = true;
    strbuf_append(&connection->out,
                  STR("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      "Connection: Upgrade\r\n"
                      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"));
    say(self, connection,
        STR("0{\"sid\":\"raw\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,"
            "\"maxPayload\":1000000}"));
    return (size_t)(end + 4 - bytes.p);
}

static void on_bytes(server_t *self, connection_t *connection) {
    strbuf_t *in = &connection->in;
    size_t done = connection->upgraded ? 0 : upgrade(self, connection, strbuf_str(in));
    str_t packet;
    for (size_t n; connection->upgraded && done < in->n &&
                   (n = take_frame(in->p + done, in->n - done, &packet)) > 0;
         done += n)
        on_packet(self, connection, packet);
    if (done < in->n)
        memmove(in->p, in->p + done, in->n - done);
    in->n -= done;
}

static void close_connection(server_t *self, connection_t *connection) {
    leave(connection);
    DL_DELETE(self->connections, connection);
    close(connection->fd);
    strbuf_fini(&connection->in);
    strbuf_fini(&connection->out);
    strbuf_fini(&connection->held);
    free(connection);
}

static void accept_all(server_t *self) {
    int on = 1;
    for (int fd; (fd = accept4(self->listen_fd, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        connection_t *connection = xcalloc(1, sizeof(*connection));
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        connection->fd = fd;
        DL_APPEND(self->connections, connection);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

static void on_event(server_t *self, connection_t *connection, uint32_t events) {
    if (!connection) {
        accept_all(self);
        return;
    }
    if (events & EPOLLOUT)
        mark_dirty(self, connection);
    if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
        return;
    static char bytes[READ_BYTES];
    ssize_t n = recv(connection->fd, bytes, sizeof(bytes), 0);
    if (n > 0) {
        strbuf_append(&connection->in, (str_t){bytes, (size_t)n});
        on_bytes(self, connection);
    } else if (n == 0 || errno != EAGAIN) {
        for (size_t i = 0; i < self->dirty_count; i++)
            if (self->dirty[i] == connection)
                self->dirty[i] = self->dirty[--self->dirty_count];
        close_connection(self, connection);
    }
}

static void serve(server_t *self) {
    struct epoll_event events[EVENTS];
    while (!stopping) {
        int n = epoll_wait(self->epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < n; i++)
            on_event(self, events[i].data.ptr, events[i].events);
        for (size_t i = 0; i < self->dirty_count; i++)
            flush(self, self->dirty[i]);
        self->dirty_count = 0;
    }
}

static void close_all(server_t *self) {
    room_t *room, *next;
    while (self->connections)
        close_connection(self, self->connections);
    HASH_ITER(hh, self->rooms, room, next) {
        HASH_DEL(self->rooms, room);
        free(room->members);
        free(room);
    }
    free(self->dirty);
    close(self->listen_fd);
    close(self->epoll_fd);
}

/* ---- beginning ---- */

static uint64_t number(char *text) {
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (end == text || (*end && *end != ':') || value == 0) {
        fprintf(stderr, "not a number: %s\n", text);
        exit(2);
    }
    return value;
}

static faults_t parse_faults(int argc, char **argv) {
    static const struct option longs[] = {
        {"lose", required_argument, NULL, 'l'},   {"mute", required_argument, NULL, 'm'},
        {"repeat", required_argument, NULL, 'r'}, {"swap", required_argument, NULL, 's'},
        {"stall", required_argument, NULL, 't'},  {0},
    };
    faults_t faults = {0};
    for (int c; (c = getopt_long(argc, argv, "", longs, NULL)) != -1;) {
        uint64_t every = c == '?' ? 0 : number(optarg);
        uint64_t *fault = c == 'l'   ? &faults.lose
                          : c == 'm' ? &faults.mute
                          : c == 'r' ? &faults.repeat
                          : c == 's' ? &faults.swap
                          : c == 't' ? &faults.stall
                                     : NULL;
        if (!fault)
            exit(2);
        *fault = every;
        char *colon = c == 't' ? strchr(optarg, ':') : NULL;
        if (colon)
            faults.stall_ms = (int64_t)number(colon + 1);
    }
    return faults;
}

static int listen_at(char *address) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    char *colon = strchr(address, ':');
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    if (colon) {
        *colon = '\0';
        at.sin_port = htons((uint16_t)number(colon + 1));
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (!colon || inet_pton(AF_INET, address, &at.sin_addr) != 1 ||
        bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, BACKLOG) < 0) {
        perror("raw_server: can't listen");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv) {
    server_t server = {.epoll_fd = epoll_create1(0), .faults = parse_faults(argc, argv)};
    struct sigaction action = {.sa_handler = on_signal};
    if (optind >= argc) {
        fprintf(stderr, "usage: raw_server HOST:PORT [--lose N] …\n");
        return 2;
    }
    sigaction(SIGTERM, &action, NULL);
    server.listen_fd = listen_at(argv[optind]);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(server.epoll_fd, EPOLL_CTL_ADD, server.listen_fd, &event);
    puts("ready");
    fflush(stdout);
    serve(&server);
    const faults_t *faults = &server.faults;
    printf("{\"lost\":%llu,\"muted\":%llu,\"repeated\":%llu,\"swapped\":%llu,\"stalled\":%llu}\n",
           (unsigned long long)faults->lost, (unsigned long long)faults->muted,
           (unsigned long long)faults->repeated, (unsigned long long)faults->swapped,
           (unsigned long long)faults->stalled);
    close_all(&server);
    return 0;
}
