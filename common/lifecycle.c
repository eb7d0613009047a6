#include "common/lifecycle.h"

#include <signal.h>

#include "common/clock.h"
#include "common/log.h"

#define FINISH_MS 2000

typedef enum {
    STATE_RUNNING,  /* takes work */
    STATE_DRAINING, /* finishes what it has; a deadline runs */
    STATE_STOPPED,  /* the loop has been told to return */
} state_t;

struct lifecycle {
    uv_loop_t *loop;
    uv_signal_t signals[2]; /* SIGTERM, SIGINT */
    uv_timer_t deadline;
    unsigned open_handles;
    state_t state;
    int64_t drain_ms;
    lifecycle_ops_t ops;
    int exit_code;
};

static void set_state(lifecycle_t *self, state_t state) {
    ASSERT(state > self->state);
    self->state = state;
}

static void on_deadline(uv_timer_t *timer) {
    lifecycle_t *self = timer->data;
    log_warn("drain_cut_off", log_text("reason", "deadline"));
    lifecycle_stop(self, EXIT_CODE_CUT_OFF);
}

void lifecycle_drain(lifecycle_t *self) {
    if (self->state != STATE_RUNNING)
        return;
    set_state(self, STATE_DRAINING);
    log_info("draining", log_i64("at_most_ms", self->drain_ms));
    if (!self->ops.drain) {
        lifecycle_stop(self, EXIT_CODE_OK);
        return;
    }
    uv_update_time(self->loop);
    ASSERT(uv_timer_start(&self->deadline, on_deadline, (uint64_t)self->drain_ms, 0) == 0);
    self->ops.drain(self->ops.context, clock_now_ms() + self->drain_ms);
}

void lifecycle_stop(lifecycle_t *self, int exit_code) {
    if (self->state == STATE_STOPPED)
        return;
    set_state(self, STATE_STOPPED);
    self->exit_code = exit_code;
    uv_stop(self->loop);
}

static void on_signal(uv_signal_t *handle, int number) {
    lifecycle_t *self = handle->data;
    log_info("signal", log_text("name", number == SIGINT ? "SIGINT" : "SIGTERM"));
    if (self->state == STATE_RUNNING) {
        lifecycle_drain(self);
        return;
    }
    if (self->state == STATE_DRAINING)
        log_warn("drain_cut_off", log_text("reason", "second signal"));
    lifecycle_stop(self, EXIT_CODE_CUT_OFF);
}

err_t lifecycle_new(uv_loop_t *loop, int64_t drain_ms, const lifecycle_ops_t *ops,
                    lifecycle_t **self_out) {
    static const int numbers[] = {SIGTERM, SIGINT};
    lifecycle_t *self = xcalloc(1, sizeof(*self));
    self->loop = loop;
    self->drain_ms = drain_ms;
    self->ops = *ops;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    ASSERT(uv_timer_init(loop, &self->deadline) == 0);
    self->deadline.data = self;
    self->open_handles = 1;
    for (size_t i = 0; i < 2; i++) {
        int result = uv_signal_init(loop, &self->signals[i]);
        if (result == 0) {
            self->open_handles++;
            self->signals[i].data = self;
            result = uv_signal_start(&self->signals[i], on_signal, numbers[i]);
        }
        if (result != 0) {
            log_error("signal_setup_failed", log_text("reason", uv_strerror(result)));
            lifecycle_free(&self);
            return ERR_IO;
        }
    }
    *self_out = self;
    return OK;
}

bool lifecycle_is_draining(const lifecycle_t *self) {
    return self->state != STATE_RUNNING;
}

int lifecycle_exit_code(const lifecycle_t *self) {
    return self->exit_code;
}

static void on_closed(uv_handle_t *handle) {
    lifecycle_t *self = handle->data;
    if (--self->open_handles == 0)
        free(self);
}

void lifecycle_free(lifecycle_t **self_ref) {
    lifecycle_t *self = *self_ref;
    *self_ref = NULL;
    if (!self)
        return;
    /* Handles were opened in this order; the first close callback comes only when the loop runs. */
    unsigned signals = self->open_handles - 1;
    uv_close((uv_handle_t *)&self->deadline, on_closed);
    for (unsigned i = 0; i < signals; i++)
        uv_close((uv_handle_t *)&self->signals[i], on_closed);
}

static void on_finish_timeout(uv_timer_t *timer) {
    uv_stop(timer->loop);
}

static void close_leftover(uv_handle_t *handle, void *count) {
    if (uv_is_closing(handle))
        return;
    log_error("handle_left_open", log_text("type", uv_handle_type_name(handle->type)));
    uv_close(handle, NULL);
    (*(size_t *)count)++;
}

size_t lifecycle_finish_loop(uv_loop_t *loop) {
    uv_timer_t guard;
    size_t leftover = 0;
    uv_update_time(loop);
    ASSERT(uv_timer_init(loop, &guard) == 0);
    ASSERT(uv_timer_start(&guard, on_finish_timeout, FINISH_MS, 0) == 0);
    uv_unref((uv_handle_t *)&guard);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&guard, NULL);
    uv_walk(loop, close_leftover, &leftover);
    uv_run(loop, UV_RUN_DEFAULT);
    ASSERT(uv_loop_close(loop) == 0);
    return leftover;
}
