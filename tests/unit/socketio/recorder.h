/* A transport that writes down what a session does to it, for tests of the pure parts. Handles of
 * polls, posts and WebSockets are NUL-terminated names. */
#pragma once

#include "gateway/socketio/eio_session.h"

extern const eio_transport_t recorder_transport;

/* What was done since the last call, one line each; valid until the next:
 *
 *   g1 <- 40|42["x"]     the poll g1 was answered (packets separated by |)
 *   w1 <- 2              a text frame
 *   w1 <- (3 bytes)      a binary frame
 *   w1 closed 1007       with that code, "abort" or nothing
 *   p1 forgotten */
const char *recorder_take(void);
/* Appends a line of the test's own. */
void recorder_note(const char *format, ...) PRINTF_LIKE(1, 2);
/* From now on a written WebSocket is congested, or isn't. */
void recorder_congest(bool congested);
/* Frees what was recorded. */
void recorder_fini(void);
