#include "rest/http.h"

#include <stdarg.h>
#include <unistd.h>
#include <utlist.h>

#include "common/clock.h"
#include "common/listener.h"
#include "common/log.h"
#include "rest/http_server.h"
#include "rest/rest_metrics.h"

static void on_timer(uv_timer_t *timer);

/* Arms the one timer for the earliest deadline. */
static void arm(http_t *self) {
    int64_t next = deadline_next(&self->deadlines);
    int64_t now = clock_now_ms();
    if (next == INT64_MAX || self->closing)
        uv_timer_stop(&self->timer);
    else
        uv_timer_start(&self->timer, on_timer, next > now ? (uint64_t)(next - now) : 0, 0);
}

void http_set_deadline(connection_t *connection, int64_t ms) {
    http_t *self = connection->http;
    int64_t before = deadline_next(&self->deadlines);
    if (self->draining && !connection->request && ms > HTTP_DRAIN_IDLE_MS)
        ms = HTTP_DRAIN_IDLE_MS;
    if (ms)
        deadline_add(&self->deadlines, &connection->deadline, clock_now_ms() + ms);
    else
        deadline_remove(&self->deadlines, &connection->deadline);
    if (deadline_next(&self->deadlines) < before)
        arm(self);
}

/* The daemon sees the end of the stream and lets go of the connection. */
static void cut_off(connection_t *connection) {
    deadline_remove(&connection->http->deadlines, &connection->deadline);
    shutdown(connection->fd, SHUT_RDWR);
}

static void on_timer(uv_timer_t *timer) {
    http_t *self = timer->data;
    deadline_t *due;
    while ((due = deadline_pop_due(&self->deadlines, clock_now_ms()))) {
        connection_t *connection = DEADLINE_OWNER(due, connection_t, deadline);
        if (connection->request)
            metrics_increment(self->options.metrics, METRIC_REFUSED, REFUSED_TOO_SLOW);
        cut_off(connection);
    }
    arm(self);
}

/* ---- connections ---- */

/* Near the limit, at which the daemon would accept nobody any more, the connection goes whose
 * client has been waited for longest. */
static void make_room(http_t *self) {
    size_t max = self->options.config->connections_max;
    size_t reserve = max / 4 < HTTP_PLACES_RESERVED ? max / 4 : HTTP_PLACES_RESERVED;
    deadline_t *first = NULL;
    if (self->connection_count > max - reserve)
        first = deadline_pop_due(&self->deadlines, INT64_MAX);
    if (!first)
        return;
    metrics_increment(self->options.metrics, METRIC_REFUSED, REFUSED_EVICTED);
    cut_off(DEADLINE_OWNER(first, connection_t, deadline));
}

static void open_connection(http_t *self, struct MHD_Connection *mhd, void **connection_ref) {
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *peer =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    ASSERT(fd && peer);
    make_room(self);
    connection_t *connection = xcalloc(1, sizeof(*connection));
    client_address_t address = client_address_of(peer->client_addr);
    connection->http = self;
    connection->fd = fd->connect_fd;
    connection->subscriber = client_address_subscriber(&address);
    DL_APPEND(self->connections, connection);
    self->connection_count++;
    *connection_ref = connection;
    metrics_increment(self->options.metrics, METRIC_CONNECTIONS_TOTAL, 0);
    http_set_deadline(connection, self->options.config->request_timeout_ms);
    if (!self->addresses || client_address_is_trusted(&address, self->trusted, self->trusted_count))
        return;
    connection->counted = address_counts_take(self->addresses, &connection->subscriber);
    if (connection->counted)
        return;
    metrics_increment(self->options.metrics, METRIC_REFUSED, REFUSED_ADDRESS_CONNECTIONS);
    cut_off(connection);
}

static void close_connection(http_t *self, connection_t *connection) {
    deadline_remove(&self->deadlines, &connection->deadline);
    if (connection->counted)
        address_counts_give_back(self->addresses, &connection->subscriber);
    DL_DELETE(self->connections, connection);
    free(connection);
    self->connection_count--;
    if (self->connection_count == 0 && self->draining && !self->closing)
        self->drained(self->drained_context);
}

static void on_connection(void *context, struct MHD_Connection *mhd, void **connection_ref,
                          enum MHD_ConnectionNotificationCode code) {
    http_t *self = context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        open_connection(self, mhd, connection_ref);
    else
        close_connection(self, *connection_ref);
}

/* ---- the daemon ---- */

/* The library's own words on what it refused. */
static void PRINTF_LIKE(2, 0) on_message(void *context, const char *format, va_list arguments) {
    char text[256];
    http_t *self = context;
    vsnprintf(text, sizeof(text), format, arguments);
    text[strcspn(text, "<\n")] = '\0'; /* the page that it answers with follows */
    metrics_increment(self->options.metrics, METRIC_REFUSED, REFUSED_HTTP);
    log_refused("http_refused", log_text("reason", text));
}

/* Paths stay as they came: the routes decode them. */
static size_t keep_encoded(void *context, struct MHD_Connection *mhd, char *text) {
    (void)context, (void)mhd;
    return strlen(text);
}

static struct MHD_Daemon *start_daemon(http_t *self, int fd) {
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL,
                            NULL, http_request_step, self, MHD_OPTION_EXTERNAL_LOGGER, on_message,
                            self, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)self->options.config->connections_max,
                            MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)HTTP_HEAD_BYTES_MAX, MHD_OPTION_NOTIFY_CONNECTION,
                            on_connection, self, MHD_OPTION_NOTIFY_COMPLETED, http_request_end,
                            self, MHD_OPTION_URI_LOG_CALLBACK, http_request_begin, self,
                            MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, self,
                            MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
}

static void read_trusted(http_t *self) {
    const config_list_t *list = &self->options.config->trusted_proxies;
    self->trusted = xcalloc(list->n ? list->n : 1, sizeof(*self->trusted));
    self->trusted_count = list->n;
    for (size_t i = 0; i < list->n; i++)
        ASSERT(client_network_parse(str_from(list->items[i]), &self->trusted[i]) == OK);
}

static void on_timer_closed(uv_handle_t *handle) {
    http_t *self = handle->data;
    deadline_heap_fini(&self->deadlines);
    address_counts_free(&self->addresses);
    free(self->trusted);
    free(self);
}

static err_t listen_with_daemon(http_t *self) {
    int fd = -1;
    err_t err = listener_open(&self->options.config->listen, &fd, &self->port);
    if (err)
        return err;
    self->daemon = start_daemon(self, fd);
    if (!self->daemon) {
        log_error("http_failed", log_u64("port", self->port));
        close(fd);
        return ERR_IO;
    }
    return mhd_loop_new(self->loop, self->daemon, &self->mhd_loop);
}

err_t http_new(uv_loop_t *loop, const http_options_t *options, http_t **self_out) {
    http_t *self = xcalloc(1, sizeof(*self));
    const rest_config_t *config = options->config;
    self->options = *options;
    self->loop = loop;
    self->cors = (cors_t){(const char *const *)config->frontend_url.items, config->frontend_url.n};
    ASSERT(uv_timer_init(loop, &self->timer) == 0);
    self->timer.data = self;
    if (config->rate_limit)
        self->addresses = address_counts_new(config->connections_per_address_max);
    read_trusted(self);
    err_t err = listen_with_daemon(self);
    if (err) {
        uv_close((uv_handle_t *)&self->timer, on_timer_closed);
        return err;
    }
    *self_out = self;
    return OK;
}

uint16_t http_port(const http_t *self) {
    return self->port;
}

void http_update_metrics(const http_t *self) {
    metrics_t *metrics = self->options.metrics;
    metrics_set(metrics, METRIC_CONNECTIONS, 0, (double)self->connection_count);
    metrics_set(metrics, METRIC_WAITING, 0, (double)self->waiting);
    metrics_set(metrics, METRIC_BODY_BYTES, 0, (double)self->body_bytes);
    metrics_set(metrics, METRIC_ANSWER_BYTES, 0, (double)self->answer_bytes);
}

/* ---- the end ---- */

void http_drain(http_t *self, void (*drained)(void *context), void *context) {
    connection_t *connection;
    self->draining = true;
    self->drained = drained;
    self->drained_context = context;
    int fd = MHD_quiesce_daemon(self->daemon);
    if (fd >= 0)
        close(fd);
    if (self->connection_count == 0) {
        drained(context);
        return;
    }
    DL_FOREACH(self->connections, connection) {
        if (!connection->request)
            http_set_deadline(connection, HTTP_DRAIN_IDLE_MS);
    }
}

void http_close(http_t **self_ref) {
    http_t *self = *self_ref;
    connection_t *connection;
    *self_ref = NULL;
    if (!self)
        return;
    self->closing = true;
    DL_FOREACH(self->connections, connection) {
        if (connection->request)
            http_request_abandon(connection->request);
    }
    mhd_loop_free(&self->mhd_loop);
    uv_close((uv_handle_t *)&self->timer, on_timer_closed);
}
