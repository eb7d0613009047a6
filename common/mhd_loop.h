/* Runs a libmicrohttpd daemon (MHD_USE_EPOLL, no thread of its own) on the service's libuv loop. */
#pragma once

#include <microhttpd.h>
#include <uv.h>

#include "common/err.h"

typedef struct mhd_loop mhd_loop_t;

/* Takes the daemon: mhd_loop_free() stops it. */
err_t mhd_loop_new(uv_loop_t *loop, struct MHD_Daemon *daemon, mhd_loop_t **self_out) MUST_CHECK;

/* After MHD_resume_connection(): makes the daemon run without waiting for a socket. */
void mhd_loop_wake(mhd_loop_t *self);

/* Stops the daemon at once (every connection must have been resumed) and closes the handles; the
 * memory goes when the loop has run. Clears the pointer. */
void mhd_loop_free(mhd_loop_t **self);
