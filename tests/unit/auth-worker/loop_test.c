#include "loop_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { DEADLINE_MS = 30000 };

static void on_deadline(uv_timer_t *timer) {
    (void)timer;
    fail_msg("nothing happened in %d ms", DEADLINE_MS);
}

void run_until(uv_loop_t *loop, bool (*done)(void *ctx), void *ctx) {
    uv_timer_t deadline;
    uv_update_time(loop);
    uv_timer_init(loop, &deadline);
    uv_timer_start(&deadline, on_deadline, DEADLINE_MS, 0);
    while (!done(ctx))
        uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&deadline, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
}

void finish_loop(uv_loop_t *loop) {
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
}
