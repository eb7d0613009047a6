/* A listening TCP socket from a configured endpoint. */
#pragma once

#include "common/config.h"

/* Resolves, binds and listens: non-blocking, close-on-exec, SO_REUSEADDR. The caller owns *fd_out;
 * *port_out is the port it got. ERR_IO: logged. Resolving may block, so this is for the start
 * alone. */
err_t listener_open(const config_endpoint_t *endpoint, int *fd_out, uint16_t *port_out) MUST_CHECK;
