#include "common/admin_http.h"

#include <sodium.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/idgen.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/mhd_loop.h"

#define TYPE_JSON "application/json"
#define TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"

struct admin_http {
    admin_http_ops_t ops;
    uint16_t port;
    mhd_loop_t *loop;
};

typedef struct {
    unsigned status;
    const char *type;
    bool allow; /* says which methods are allowed */
    bool close; /* ends the connection: its request has not been read whole */
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
    if (answer->close)
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
        answer.allow = answer.close = true;
        error_answer(&answer, MHD_HTTP_METHOD_NOT_ALLOWED, "invalid_payload",
                     "only GET and HEAD are allowed");
    } else if (has_body(connection)) {
        answer.close = true;
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

static struct MHD_Daemon *start_daemon(admin_http_t *self, int fd) {
    return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, self,
                            MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)ADMIN_HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)ADMIN_HTTP_IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)ADMIN_HTTP_HEAD_BYTES_MAX, MHD_OPTION_END);
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
    *self_out = self;
    return OK;
}

uint16_t admin_http_port(const admin_http_t *self) {
    return self->port;
}

void admin_http_free(admin_http_t **self) {
    if (!*self)
        return;
    mhd_loop_free(&(*self)->loop);
    free(*self);
    *self = NULL;
}
