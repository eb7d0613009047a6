#include "common/admin_http.h"

#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/idgen.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/mhd_loop.h"

#define TYPE_JSON "application/json"
#define TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"

/* The oldest first: who is slow with its request, or with reading the answer, holds a place no
 * longer than ADMIN_HTTP_LIFE_MS. */
typedef struct connection {
    struct connection *prev, *next;
    int fd; /* the daemon's */
    int64_t ends_at_ms;
} connection_t;

struct admin_http {
    admin_http_ops_t ops;
    uint16_t port;
    mhd_loop_t *loop;
    connection_t *connections;
    uv_timer_t *timer; /* the oldest one's end; frees itself when closed */
};

typedef struct {
    unsigned status;
    const char *type;
    bool allow; /* says which methods are allowed */
    strbuf_t body;
} answer_t;

static void error_answer(answer_t *answer, unsigned status, const char *code, const char *message) {
    answer->status = status;
    strbuf_printf(&answer->body, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", code, message);
}

static void route(admin_http_t *self, const char *path, answer_t *answer) {
    if (strcmp(path, "/health") == 0) {
        self->ops.health(self->ops.context, &answer->body);
    } else if (strcmp(path, "/ready") == 0) {
        health_ready_t ready = self->ops.ready(self->ops.context);
        answer->status = health_ready_status(ready);
        strbuf_append(&answer->body, str_from(health_ready_body(ready)));
    } else if (strcmp(path, "/metrics") == 0) {
        answer->type = TYPE_METRICS;
        self->ops.metrics(self->ops.context, &answer->body);
    } else {
        error_answer(answer, MHD_HTTP_NOT_FOUND, "not_found", "no such path");
    }
}

static void add_request_id(struct MHD_Response *response) {
    uint8_t random[IDGEN_RANDOM_BYTES];
    char id[IDGEN_UUID_TEXT + 1];
    randombytes_buf(random, sizeof(random));
    idgen_uuid_t uuid = idgen_uuid7(clock_unix_ms(), random);
    idgen_format(&uuid, id);
    MHD_add_response_header(response, "X-Request-Id", id);
}

/* Sends the answer; its body goes with it. */
static enum MHD_Result send_answer(struct MHD_Connection *connection, answer_t *answer) {
    size_t size = answer->body.n;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, strbuf_detach(&answer->body), MHD_RESPMEM_MUST_FREE);
    ASSERT(response);
    MHD_add_response_header(response, "Content-Type", answer->type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (answer->allow)
        MHD_add_response_header(response, "Allow", "GET, HEAD");
    MHD_add_response_header(response, "Connection", "close");
    add_request_id(response);
    enum MHD_Result result = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

static bool has_body(struct MHD_Connection *connection) {
    const char *length =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return (length && strcmp(length, "0") != 0) ||
           MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                       MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *body, size_t *body_size, void **seen) {
    (void)version, (void)body, (void)body_size;
    admin_http_t *self = context;
    answer_t answer = {.status = MHD_HTTP_OK, .type = TYPE_JSON};
    bool known_method =
        strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    if (!known_method) {
        answer.allow = true;
        error_answer(&answer, MHD_HTTP_METHOD_NOT_ALLOWED, "invalid_payload",
                     "only GET and HEAD are allowed");
    } else if (has_body(connection)) {
        error_answer(&answer, MHD_HTTP_CONTENT_TOO_LARGE, "payload_too_large",
                     "a body is not allowed");
    } else if (!*seen) {
        *seen = self; /* headers are there; the request itself ends with the next call */
        return MHD_YES;
    } else {
        route(self, path, &answer);
    }
    return send_answer(connection, &answer);
}

/* ---- connections ---- */

static void on_timer(uv_timer_t *timer);

static void arm(const admin_http_t *self) {
    int64_t left_ms = self->connections ? self->connections->ends_at_ms - clock_now_ms() : 0;
    if (self->connections)
        uv_timer_start(self->timer, on_timer, left_ms > 0 ? (uint64_t)left_ms : 0, 0);
    else
        uv_timer_stop(self->timer);
}

/* The daemon sees the end of the stream and lets go of the connection. */
static void on_timer(uv_timer_t *timer) {
    const admin_http_t *self = timer->data;
    connection_t *connection = NULL;
    DL_FOREACH(self->connections, connection) {
        if (connection->ends_at_ms <= clock_now_ms())
            shutdown(connection->fd, SHUT_RDWR);
    }
    uv_timer_start(timer, on_timer, ADMIN_HTTP_LIFE_MS / 10, 0);
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **connection_ref,
                          enum MHD_ConnectionNotificationCode code) {
    admin_http_t *self = context;
    connection_t *connection = *connection_ref;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        ASSERT(info);
        connection = xcalloc(1, sizeof(*connection));
        connection->fd = info->connect_fd;
        connection->ends_at_ms = clock_now_ms() + ADMIN_HTTP_LIFE_MS;
        DL_APPEND(self->connections, connection);
        *connection_ref = connection;
    } else {
        DL_DELETE(self->connections, connection);
        free(connection);
    }
    if (self->timer)
        arm(self);
}

static struct MHD_Daemon *start_daemon(admin_http_t *self, int fd) {
    return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, self,
                            MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)ADMIN_HTTP_CONNECTIONS_MAX,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)ADMIN_HTTP_HEAD_BYTES_MAX,
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, self, MHD_OPTION_END);
}

err_t admin_http_new(uv_loop_t *loop, const config_endpoint_t *listen, const admin_http_ops_t *ops,
                     admin_http_t **self_out) {
    int fd = -1;
    admin_http_t *self = xcalloc(1, sizeof(*self));
    self->ops = *ops;
    err_t err = listener_open(listen, &fd, &self->port);
    if (err) {
        free(self);
        return err;
    }
    struct MHD_Daemon *daemon = start_daemon(self, fd);
    if (!daemon) {
        log_error("admin_http_failed", log_u64("port", self->port));
        close(fd);
        free(self);
        return ERR_IO;
    }
    err = mhd_loop_new(loop, daemon, &self->loop);
    if (err) {
        free(self);
        return err;
    }
    self->timer = xcalloc(1, sizeof(*self->timer));
    ASSERT(uv_timer_init(loop, self->timer) == 0);
    self->timer->data = self;
    *self_out = self;
    return OK;
}

uint16_t admin_http_port(const admin_http_t *self) {
    return self->port;
}

static void free_timer(uv_handle_t *timer) {
    free(timer);
}

void admin_http_free(admin_http_t **self_ref) {
    admin_http_t *self = *self_ref;
    *self_ref = NULL;
    if (!self)
        return;
    uv_close((uv_handle_t *)self->timer, free_timer);
    self->timer = NULL;
    mhd_loop_free(&self->loop);
    free(self);
}
