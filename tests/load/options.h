/* What a run of parley_load was asked for. */
#pragma once

#include <netinet/in.h>

#include "common/str.h"

enum {
    CONNECTIONS_PER_PROCESS = 19000, /* below the usual bound of 20,000 open files */
    CONNECTIONS_MAX = 200000,
    SERVERS_MAX = 16,
};

typedef enum { MODE_CONNECT, MODE_CHAT, MODE_TYPING, MODE_MAX, MODE_FANOUT, MODE_REST } load_mode_t;

typedef struct {
    load_mode_t mode;
    struct sockaddr_in servers[SERVERS_MAX];
    size_t server_count;
    const char *secret;
    const char *room;   /* fanout: what everybody joins */
    size_t connections; /* fanout: members */
    size_t senders;     /* fanout: so many of the members send */
    size_t in_flight;   /* max: for each connection; fanout: altogether, 0: by rate */
    size_t first_user;  /* the first connection's user id */
    double rate;        /* events a second */
    int64_t seconds, hold_seconds;
    int64_t settle_seconds;   /* the last deliveries may take this long */
    const char *acknowledged; /* file for a line per message acknowledged; NULL: none */
    bool join;
} options_t;

/* Reads the command line; prints what is wrong with it and exits with 2. */
options_t options_parse(int argc, char **argv);
const char *options_mode_name(load_mode_t mode);
