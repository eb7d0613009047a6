/* REST: connections that are kept, one POST /messages/send on each at a time. */
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/load/load.h"
#include "tests/load/token.h"

enum { BODY_MAX = 512, ANSWER_MAX = 16384 };

typedef struct {
    int fd;
    size_t index;
    char *token;
    int64_t sent_ns;
    size_t n; /* bytes of the answer so far */
    char answer[ANSWER_MAX];
} connection_t;

typedef struct {
    const options_t *options;
    figures_t *figures;
    int epoll_fd;
    int64_t from_ns, to_ns;
} rest_t;

static _Noreturn void fail(const char *what) {
    fprintf(stderr, "rest: %s (%s)\n", what, strerror(errno));
    exit(1);
}

static void open_connection(rest_t *self, connection_t *connection) {
    int on = 1;
    char user[32];
    const struct sockaddr_in *server =
        &self->options->servers[connection->index % self->options->server_count];
    snprintf(user, sizeof(user), "%zu", self->options->first_user + connection->index * 2);
    connection->token = token_new(str_from(self->options->secret), user);
    connection->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (const struct sockaddr *)server, sizeof(*server)) < 0)
        fail("no connection");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event);
}

static void post(rest_t *self, connection_t *connection) {
    char body[BODY_MAX], request[BODY_MAX + 1024];
    size_t first = self->options->first_user + connection->index * 2;
    connection->sent_ns = load_clock_ns();
    connection->n = 0;
    int n =
        snprintf(body, sizeof(body),
                 "{\"conversationId\":\"conv_%zu_%zu\",\"text\":\"load %lld a message of ordinary "
                 "length, as people write them to each other when they agree on a date\"}",
                 first, first + 1, (long long)connection->sent_ns);
    n = snprintf(request, sizeof(request),
                 "POST /messages/send HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
                 "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                 connection->token, n, body);
    if (send(connection->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
        fail("the request could not be sent");
    self->figures->sent++;
}

/* The answer's size once it is whole, else 0. */
static size_t answer_size(const connection_t *connection) {
    const char *end = memmem(connection->answer, connection->n, "\r\n\r\n", 4);
    if (!end)
        return 0;
    str_t head = {connection->answer, (size_t)(end + 4 - connection->answer)};
    size_t size = head.n + number_after(head, "Content-Length: ");
    if (size == head.n)
        fail("an answer without Content-Length");
    return connection->n >= size ? size : 0;
}

static void on_readable(rest_t *self, connection_t *connection) {
    ssize_t n = recv(connection->fd, connection->answer + connection->n,
                     sizeof(connection->answer) - connection->n, 0);
    if (n <= 0)
        fail("the connection ended");
    connection->n += (size_t)n;
    if (!answer_size(connection))
        return;
    int64_t now = load_clock_ns();
    str_t answer = {connection->answer, connection->n};
    if (!str_starts_with(answer, STR("HTTP/1.1 200")) || !number_after(answer, "\"seq\":")) {
        if (self->figures->refused++ == 0)
            fprintf(stderr, "first refusal: %.*s\n", STR_ARG(answer));
    } else {
        self->figures->acks++;
        if (now >= self->from_ns && now < self->to_ns) {
            self->figures->acks_measured++;
            histogram_add(&self->figures->acknowledged, now - connection->sent_ns);
        }
    }
    if (now < self->to_ns)
        post(self, connection);
}

void rest_run(const options_t *options, figures_t *figures) {
    rest_t self = {.options = options, .figures = figures, .epoll_fd = epoll_create1(0)};
    connection_t *connections = xcalloc(options->connections, sizeof(*connections));
    self.from_ns = load_clock_ns() + (int64_t)WARM_UP_SECONDS * 1000000000;
    self.to_ns = self.from_ns + options->seconds * 1000000000;
    for (size_t i = 0; i < options->connections; i++) {
        connections[i].index = i;
        open_connection(&self, &connections[i]);
        post(&self, &connections[i]);
    }
    int64_t end = self.to_ns + options->settle_seconds * 1000000000;
    while (figures->acks + figures->refused < figures->sent && load_clock_ns() < end) {
        struct epoll_event events[64];
        int n = epoll_wait(self.epoll_fd, events, 64, 100);
        for (int i = 0; i < n; i++)
            on_readable(&self, events[i].data.ptr);
    }
    for (size_t i = 0; i < options->connections; i++) {
        close(connections[i].fd);
        free(connections[i].token);
    }
    free(connections);
    close(self.epoll_fd);
}
