/* The real broker as a child process, with its log at hand. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/types.h>

#include "common/strbuf.h"

typedef struct {
    pid_t pid;
    int log_fd;
    strbuf_t log;
    uint16_t port; /* of the bus */
    uint16_t admin_port;
    char endpoint[64]; /* of the bus */
} broker_process_t;

/* Starts the binary on free ports and waits until it listens. */
void broker_process_start(broker_process_t *self, const char *binary);
/* SIGTERM; the exit code must be 0. */
void broker_process_stop(broker_process_t *self);

/* Waits until the log has `text`; fails after ten seconds, or when the broker ends. */
void broker_process_expect(broker_process_t *self, const char *text);

/* GET `path` on the admin port: the whole response, valid until the next call. */
const char *broker_process_get(const broker_process_t *self, const char *path);

/* Connects to a port of 127.0.0.1. */
int connect_to(uint16_t port);
