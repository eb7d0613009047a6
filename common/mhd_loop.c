#include "common/mhd_loop.h"

#include <stdbool.h>

#include "common/log.h"

struct mhd_loop {
    struct MHD_Daemon *daemon;
    uv_poll_t poll;   /* on the daemon's epoll fd */
    uv_timer_t timer; /* its connections' time-outs, and work that waits for no fd */
    unsigned open_handles;
    bool woken; /* mhd_loop_wake() was called since the daemon last ran */
};

static void on_timer(uv_timer_t *timer);

static unsigned connection_count(const mhd_loop_t *self) {
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(self->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info ? info->num_connections : 0;
}

/* At its connection limit the daemon stops listening. When a connection has ended it listens again,
 * but from its next run on, which nothing else would cause. */
static void run(mhd_loop_t *self) {
    MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
    unsigned before = connection_count(self);
    self->woken = false;
    MHD_run(self->daemon);
    if (self->woken || connection_count(self) < before)
        uv_timer_start(&self->timer, on_timer, 0, 0);
    else if (MHD_get_timeout(self->daemon, &timeout_ms) == MHD_YES)
        uv_timer_start(&self->timer, on_timer, timeout_ms, 0);
    else
        uv_timer_stop(&self->timer);
}

static void on_timer(uv_timer_t *timer) {
    run(timer->data);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    (void)events;
    if (status < 0)
        log_error("http_poll_failed", log_text("reason", uv_strerror(status)));
    run(poll->data);
}

static void on_closed(uv_handle_t *handle) {
    mhd_loop_t *self = handle->data;
    if (--self->open_handles == 0)
        free(self);
}

err_t mhd_loop_new(uv_loop_t *loop, struct MHD_Daemon *daemon, mhd_loop_t **self_out) {
    mhd_loop_t *self = xcalloc(1, sizeof(*self));
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    ASSERT(info);
    self->daemon = daemon;
    ASSERT(uv_timer_init(loop, &self->timer) == 0);
    self->timer.data = self;
    self->open_handles = 1;
    int result = uv_poll_init(loop, &self->poll, info->epoll_fd);
    if (result == 0) {
        self->poll.data = self;
        self->open_handles++;
        result = uv_poll_start(&self->poll, UV_READABLE, on_poll);
    }
    if (result != 0) {
        log_error("http_poll_failed", log_text("reason", uv_strerror(result)));
        mhd_loop_free(&self);
        return ERR_IO;
    }
    *self_out = self;
    return OK;
}

void mhd_loop_wake(mhd_loop_t *self) {
    self->woken = true;
    uv_timer_start(&self->timer, on_timer, 0, 0);
}

void mhd_loop_free(mhd_loop_t **self_ref) {
    mhd_loop_t *self = *self_ref;
    *self_ref = NULL;
    if (!self)
        return;
    uv_close((uv_handle_t *)&self->timer, on_closed);
    if (self->open_handles == 2)
        uv_close((uv_handle_t *)&self->poll, on_closed);
    MHD_stop_daemon(self->daemon);
}
