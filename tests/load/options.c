#include "tests/load/options.h"

#include <arpa/inet.h>
#include <getopt.h>

static const char *const modes[] = {"connect", "chat", "typing", "max", "fanout", "rest"};

static const struct option longs[] = {
    {"server", required_argument, NULL, 'u'},       {"secret", required_argument, NULL, 'k'},
    {"connections", required_argument, NULL, 'c'},  {"rate", required_argument, NULL, 'r'},
    {"seconds", required_argument, NULL, 's'},      {"no-join", no_argument, NULL, 'n'},
    {"hold", required_argument, NULL, 'h'},         {"in-flight", required_argument, NULL, 'f'},
    {"room", required_argument, NULL, 'o'},         {"senders", required_argument, NULL, 'e'},
    {"first-user", required_argument, NULL, 'i'},   {"settle", required_argument, NULL, 't'},
    {"acknowledged", required_argument, NULL, 'a'}, {0},
};

const char *options_mode_name(load_mode_t mode) {
    return modes[mode];
}

static void usage(const char *problem) {
    fprintf(stderr,
            "%s\nusage: parley_load connect|chat|typing|max|fanout|rest"
            " --server HOST:PORT[,HOST:PORT…] --secret S\n"
            "       [--connections N (at most %d; but for connect %d)] [--first-user ID]\n"
            "       [--rate R] [--seconds S] [--no-join] [--hold S] [--in-flight K]\n"
            "       [--room CONVERSATION] [--senders N] [--settle S]\n"
            "       [--acknowledged FILE]\n",
            problem, CONNECTIONS_MAX, CONNECTIONS_PER_PROCESS);
    exit(2);
}

static uint64_t number(const char *text, uint64_t max) {
    uint64_t value;
    if (str_to_u64(str_from(text), max, &value) != OK || value == 0)
        usage("a number is out of range");
    return value;
}

static void parse_servers(options_t *self, char *list) {
    char *rest = list;
    for (char *server; (server = strsep(&rest, ","));) {
        char *colon = strchr(server, ':');
        if (!colon || self->server_count == SERVERS_MAX)
            usage("--server wants HOST:PORT");
        *colon = '\0';
        struct sockaddr_in *address = &self->servers[self->server_count++];
        address->sin_family = AF_INET;
        address->sin_port = htons((uint16_t)number(colon + 1, 65535));
        if (inet_pton(AF_INET, server, &address->sin_addr) != 1 ||
            (ntohl(address->sin_addr.s_addr) >> 24) != 127)
            usage("load goes to loopback addresses only");
    }
}

static void parse_one(options_t *self, int option, char *value) {
    switch (option) {
    case 'u':
        parse_servers(self, value);
        break;
    case 'k':
        self->secret = value;
        break;
    case 'o':
        self->room = value;
        break;
    case 'c':
        self->connections = number(value, CONNECTIONS_MAX);
        break;
    case 'e':
        self->senders = number(value, CONNECTIONS_MAX);
        break;
    case 'f':
        self->in_flight = number(value, 100000);
        break;
    case 'i':
        self->first_user = number(value, 1000000000);
        break;
    case 'r':
        self->rate = (double)number(value, 1000000);
        break;
    case 's':
        self->seconds = (int64_t)number(value, 3600);
        break;
    case 'h':
        self->hold_seconds = (int64_t)number(value, 3600);
        break;
    case 't':
        self->settle_seconds = (int64_t)number(value, 3600);
        break;
    case 'a':
        self->acknowledged = value;
        break;
    case 'n':
        self->join = false;
        break;
    default:
        usage("unknown option");
    }
}

options_t options_parse(int argc, char **argv) {
    options_t self = {.connections = 200,
                      .senders = 1,
                      .first_user = 1,
                      .rate = 500,
                      .seconds = 10,
                      .settle_seconds = 10,
                      .join = true};
    size_t mode = 0, mode_count = sizeof(modes) / sizeof(modes[0]);
    while (argc > 1 && mode < mode_count && strcmp(argv[1], modes[mode]) != 0)
        mode++;
    if (argc < 2 || mode == mode_count)
        usage("which mode?");
    self.mode = (load_mode_t)mode;
    for (int c; (c = getopt_long(argc - 1, argv + 1, "", longs, NULL)) != -1;)
        parse_one(&self, c, optarg);
    if (!self.secret || !self.server_count)
        usage("--server and --secret are needed");
    if (self.mode != MODE_CONNECT && self.connections > CONNECTIONS_PER_PROCESS)
        usage("too many connections for this mode");
    if (self.mode == MODE_FANOUT ? !self.room || self.senders >= self.connections
                                 : self.mode != MODE_REST && self.connections % 2)
        usage("fanout wants --room and fewer senders than members, others an even number");
    if ((self.mode == MODE_MAX) != (self.in_flight > 0) && self.mode != MODE_FANOUT)
        usage("--in-flight is for max, which needs it, and for fanout");
    return self;
}
