/* Running a libuv loop in a test until something has happened. */
#pragma once

#include <stdbool.h>
#include <uv.h>

/* Runs the loop until `done` says so. Fails the test after 30 seconds. */
void run_until(uv_loop_t *loop, bool (*done)(void *ctx), void *ctx);

/* Runs what is left, closes the loop and fails the test if a handle was left open. */
void finish_loop(uv_loop_t *loop);
