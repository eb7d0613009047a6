/* One run of the load generator: its clients, what they saw, and its phases. */
#pragma once

#include <stdio.h>

#include "tests/load/client.h"
#include "tests/load/histogram.h"
#include "tests/load/ledger.h"
#include "tests/load/options.h"

enum {
    PHASE_SECONDS = 300, /* connecting or joining may take this long */
    WARM_UP_SECONDS = 1, /* of load before anything is measured */
};

/* Sums that processes add up. */
typedef struct {
    uint64_t connected, joined, closed;
    uint64_t sent, deliveries, acks, refused;
    uint64_t refused_unfit; /* … with another word than unavailable and a time to try again */
    uint64_t acks_measured, deliveries_measured;
    uint64_t lost, doubled, out_of_order;
    int64_t connect_ns, settle_ns; /* settle: from the last event sent to the last answer */
    histogram_t handshake, join, acknowledged, delivered;
} figures_t;

/* Of typing events, which carry no time: when those in flight in a pair were scheduled. */
enum { TYPING_MAX = 4096 };
typedef struct {
    int64_t due_ns[TYPING_MAX];
    uint64_t sent, delivered;
} typing_t;

typedef struct {
    options_t options;
    int epoll_fd;
    size_t started;
    client_t *clients;
    ledger_t *ledgers; /* one for each client */
    typing_t *typing;  /* one for each pair, in mode typing */
    int64_t now_ns;    /* when the bytes were there that are handled */
    int64_t measure_from_ns, measure_to_ns;
    figures_t *figures;
    FILE *acknowledged; /* NULL: not wanted */
    const char *first_closed_because;
    char first_refusal[200];
} load_t;

int64_t load_clock_ns(void);
/* Handles what is there, waiting up to timeout_ms. */
void load_poll(load_t *self, int timeout_ms);
/* The conversation that client `index` talks in. */
void load_room(const load_t *self, size_t index, char *room, size_t size);

/* Sends load for the seconds wanted and waits for the last deliveries. */
void drive(load_t *self);
/* An event or acknowledgement while driving. */
void drive_on_packet(load_t *self, client_t *client, str_t packet);

/* Mode rest: POST /messages/send on every connection, one at a time, for the seconds wanted. */
void rest_run(const options_t *options, figures_t *figures);

/* The number behind `key` in `text`; 0 when it isn't there. */
uint64_t number_after(str_t text, const char *key);
