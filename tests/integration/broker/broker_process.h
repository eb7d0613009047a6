/* The real broker as a child process, with its log at hand. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/types.h>

#include "common/keyring_files.h"

typedef struct {
    pid_t pid;
    int log_fd;
    strbuf_t log;
    uint16_t port; /* of the bus */
    uint16_t admin_port;
    char endpoint[64]; /* of the bus */
    char keys[256];    /* the directory of its keys; empty: without encryption */
} broker_process_t;

/* Starts the binary on free ports and waits until it listens. `keys`: the directory of keys, NULL
 * for none. */
void broker_process_start(broker_process_t *self, const char *binary, const char *keys);
/* SIGTERM; the exit code must be 0. */
void broker_process_stop(broker_process_t *self);

/* Waits until the log has `text`; fails after ten seconds, or when the broker ends. */
void broker_process_expect(broker_process_t *self, const char *text);

/* The keys of a service in its directory of keys. */
key_pair_t broker_process_keys(const broker_process_t *self, role_t role);

/* The value of a metric, name and labels as written; 0 when it isn't there. */
unsigned long broker_process_metric(const broker_process_t *self, const char *series);

/* GET `path` on the admin port: the whole response, valid until the next call. */
const char *broker_process_get(const broker_process_t *self, const char *path);

/* Connects to a port of 127.0.0.1. */
int connect_to(uint16_t port);
