/* parley_load: clients by the thousand on one epoll thread, for figures.
 *
 *   parley_load connect --server HOST:PORT[,…] --secret S --connections N
 *   parley_load chat    … --rate MESSAGES_PER_S --seconds S
 *   parley_load typing  … --rate EVENTS_PER_S --seconds S
 *
 * Clients talk in pairs. --hold S keeps all connections for S more seconds behind the report, for
 * measuring memory.
 *
 * Prints one JSON object. Exit code 1 when anything was lost, doubled or out of order, or a client
 * did not connect. Latencies count from the time an event was scheduled, so that no stall hides. */
#include <arpa/inet.h>
#include <getopt.h>
#include <sys/epoll.h>
#include <time.h>

#include "tests/load/client.h"
#include "tests/load/samples.h"
#include "tests/load/token.h"

enum {
    CONNECTIONS_MAX = 19000,
    SERVERS_MAX = 16,
    SOURCES = 8,          /* loopback addresses that clients come from */
    CONNECTING_MAX = 256, /* handshakes under way at once */
    PHASE_SECONDS = 60,   /* connecting or joining may take this long */
    SETTLE_SECONDS = 10,  /* the last deliveries may take this long */
};

typedef enum { MODE_CONNECT, MODE_CHAT, MODE_TYPING } load_mode_t;

typedef struct {
    load_mode_t mode;
    struct sockaddr_in servers[SERVERS_MAX];
    size_t server_count;
    const char *secret;
    size_t connections;
    double rate;
    int64_t seconds;
    int64_t hold_seconds;
} options_t;

typedef struct {
    options_t options;
    int epoll_fd;
    client_t *clients;
    uint64_t *last_seq; /* of each client's conversation, as it saw it */
    size_t started, ready, joined, closed, refused;
    samples_t handshake, join, acknowledged, delivered;
    uint64_t sent, deliveries, acks_ok, acks_failed, out_of_order, doubled;
    const char *first_closed_because;
    char first_refusal[200];
} load_t;

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The number behind `key` in `packet`; 0 when it isn't there. */
static uint64_t number_after(str_t packet, const char *key) {
    const char *at = memmem(packet.p, packet.n, key, strlen(key));
    uint64_t value = 0;
    if (!at)
        return 0;
    const char *end = packet.p + packet.n;
    for (at += strlen(key); at < end && *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    return value;
}

/* ---- what clients tell ---- */

static void on_ready(void *ctx, client_t *client) {
    load_t *load = ctx;
    load->ready++;
    samples_add(&load->handshake, now_ns() - client->started_ns);
}

static void on_acknowledged(load_t *load, client_t *client, str_t packet) {
    if (!memmem(packet.p, packet.n, "\"ok\":true", 9)) {
        load->acks_failed++;
        if (!load->first_refusal[0])
            snprintf(load->first_refusal, sizeof(load->first_refusal), "%.*s", STR_ARG(packet));
        return;
    }
    if (str_starts_with(packet, STR("430["))) { /* the join */
        load->joined++;
        samples_add(&load->join, now_ns() - client->started_ns);
        load->last_seq[client->index] = number_after(packet, "\"headSeq\":");
        return;
    }
    load->acks_ok++;
    int64_t scheduled = (int64_t)number_after(packet, "\"text\":\"load ");
    if (scheduled) {
        samples_add(&load->acknowledged, now_ns() - scheduled);
        load->last_seq[client->index] = number_after(packet, "\"seq\":");
    }
}

static void on_delivered(load_t *load, client_t *client, str_t packet) {
    uint64_t seq = number_after(packet, "\"seq\":");
    uint64_t last = load->last_seq[client->index];
    samples_add(&load->delivered, now_ns() - (int64_t)number_after(packet, "\"text\":\"load "));
    load->deliveries++;
    if (seq <= last)
        load->doubled++; /* or late: either breaks the promise */
    else if (seq != last + 1 && load->options.mode == MODE_CHAT && client->index % 2 == 1)
        load->out_of_order++; /* the second of a pair only listens: it must see every seq */
    if (seq > last)
        load->last_seq[client->index] = seq;
}

static void on_packet(void *ctx, client_t *client, str_t packet) {
    load_t *load = ctx;
    if (packet.p[1] == '3') {
        on_acknowledged(load, client, packet);
    } else if (str_starts_with(packet, STR("42[\"new_message\""))) {
        on_delivered(load, client, packet);
    } else if (str_starts_with(packet, STR("42[\"user_typing\""))) {
        load->deliveries++;
        /* the partner scheduled it; one is in flight at most for each pair */
        samples_add(&load->delivered, now_ns() - load->clients[client->index ^ 1].started_ns);
    }
}

static void on_closed(void *ctx, client_t *client, const char *why) {
    load_t *load = ctx;
    (void)client;
    load->closed++;
    if (!load->first_closed_because)
        load->first_closed_because = why;
}

static const client_ops_t client_ops = {
    .ready = on_ready, .packet = on_packet, .closed = on_closed};

/* ---- phases ---- */

static void poll_clients(load_t *load, int timeout_ms) {
    struct epoll_event events[512];
    int n = epoll_wait(load->epoll_fd, events, 512, timeout_ms);
    for (int i = 0; i < n; i++)
        client_on_event(events[i].data.ptr, load->epoll_fd, events[i].events);
}

static void start_client(load_t *load, size_t index) {
    client_t *client = &load->clients[index];
    char user[32];
    snprintf(user, sizeof(user), "%zu", index + 1);
    struct sockaddr_in source = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001 + (uint32_t)(index % SOURCES))};
    *client = (client_t){.ops = &client_ops, .ctx = load, .index = index, .started_ns = now_ns()};
    client->token = token_new(str_from(load->options.secret), user);
    const options_t *options = &load->options;
    if (client_start(client, load->epoll_fd, &source,
                     &options->servers[index % options->server_count]) != OK) {
        client->state = CLIENT_CLOSED;
        on_closed(load, client, "no socket");
    }
}

static bool connect_all(load_t *load) {
    int64_t end = now_ns() + (int64_t)PHASE_SECONDS * 1000000000;
    size_t wanted = load->options.connections;
    while (load->ready + load->closed < wanted && now_ns() < end) {
        while (load->started < wanted &&
               load->started - load->ready - load->closed < CONNECTING_MAX)
            start_client(load, load->started++);
        poll_clients(load, 100);
    }
    return load->ready == wanted;
}

static void room_of(size_t index, char *room, size_t size) {
    size_t first = index / 2 * 2 + 1;
    snprintf(room, size, "conv_%zu_%zu", first, first + 1);
}

static bool join_all(load_t *load) {
    int64_t end = now_ns() + (int64_t)PHASE_SECONDS * 1000000000;
    size_t asked = 0, wanted = load->options.connections;
    while (load->joined + load->acks_failed < wanted && load->closed == 0 && now_ns() < end) {
        while (asked < wanted && asked - load->joined < CONNECTING_MAX) {
            char room[48], packet[96];
            client_t *client = &load->clients[asked++];
            room_of(client->index, room, sizeof(room));
            int n = snprintf(packet, sizeof(packet), "420[\"join_conversation\",\"%s\"]", room);
            client->started_ns = now_ns();
            client_send(client, load->epoll_fd, (str_t){packet, (size_t)n});
        }
        poll_clients(load, 100);
    }
    return load->joined == wanted;
}

/* Sends event number `number`, which was to go out at scheduled_ns: the first client of a pair. */
static void send_event(load_t *load, uint64_t number, int64_t scheduled_ns) {
    static const char padding[] =
        "a message of ordinary length, as people write them to each other "
        "when they agree on a date";
    char room[48];
    strbuf_t packet = {0};
    size_t index = (size_t)(number % (load->options.connections / 2)) * 2;
    client_t *client = &load->clients[index];
    room_of(index, room, sizeof(room));
    if (load->options.mode == MODE_CHAT) {
        strbuf_printf(
            &packet,
            "42%llu[\"send_message\",{\"conversationId\":\"%s\",\"text\":\"load %lld %s\"}]",
            (unsigned long long)number + 1, room, (long long)scheduled_ns, padding);
    } else {
        client->started_ns = scheduled_ns;
        strbuf_printf(&packet, "42[\"typing\",{\"conversationId\":\"%s\"}]", room);
    }
    client_send(client, load->epoll_fd, strbuf_str(&packet));
    strbuf_fini(&packet);
    load->sent++;
}

/* Open loop: event k is due at start + k / rate, whatever happened to the ones before. */
static void drive(load_t *load) {
    int64_t start = now_ns() + 1000000;
    int64_t end = start + load->options.seconds * 1000000000;
    uint64_t number = 0;
    for (int64_t now = now_ns(); now < end; now = now_ns()) {
        for (;;) {
            int64_t due = start + (int64_t)((double)number * 1e9 / load->options.rate);
            if (due > now || due >= end)
                break;
            send_event(load, number++, due);
        }
        poll_clients(load, 1);
    }
    int64_t patience = now_ns() + (int64_t)SETTLE_SECONDS * 1000000000;
    while (load->deliveries < load->sent && now_ns() < patience)
        poll_clients(load, 50);
}

/* ---- report ---- */

static bool report(load_t *load, bool all_there, double connect_seconds) {
    static const char *const modes[] = {"connect", "chat", "typing"};
    strbuf_t out = {0};
    bool chat = load->options.mode == MODE_CHAT;
    uint64_t lost = load->sent > load->deliveries ? load->sent - load->deliveries : 0;
    bool good = all_there && lost == 0 && load->doubled == 0 && load->out_of_order == 0 &&
                load->acks_failed == 0 && load->closed == 0;
    strbuf_printf(&out, "{\"mode\":\"%s\",\"connections\":%zu,\"connected\":%zu,\"joined\":%zu,",
                  modes[load->options.mode], load->options.connections, load->ready, load->joined);
    strbuf_printf(&out, "\"connects_per_s\":%.0f,\"closed\":%zu,",
                  (double)load->ready / connect_seconds, load->closed);
    strbuf_append(&out, STR("\"handshake\":"));
    samples_write_json(&load->handshake, &out);
    strbuf_append(&out, STR(",\"join\":"));
    samples_write_json(&load->join, &out);
    if (load->options.mode != MODE_CONNECT) {
        strbuf_printf(&out, ",\"rate\":%.0f,\"sent\":%llu,\"delivered\":", load->options.rate,
                      (unsigned long long)load->sent);
        samples_write_json(&load->delivered, &out);
        if (chat) {
            strbuf_append(&out, STR(",\"acknowledged\":"));
            samples_write_json(&load->acknowledged, &out);
        }
        strbuf_printf(&out,
                      ",\"refused\":%llu,\"lost\":%llu,\"doubled\":%llu,\"out_of_order\":%llu",
                      (unsigned long long)load->acks_failed, (unsigned long long)lost,
                      (unsigned long long)load->doubled, (unsigned long long)load->out_of_order);
    }
    strbuf_append(&out, STR("}\n"));
    fputs(strbuf_cstr(&out), stdout);
    fflush(stdout);
    strbuf_fini(&out);
    if (!good && load->first_closed_because)
        fprintf(stderr, "first closed because: %s\n", load->first_closed_because);
    if (!good && load->first_refusal[0])
        fprintf(stderr, "first refusal: %s\n", load->first_refusal);
    return good;
}

/* ---- arguments ---- */

static void usage(const char *problem) {
    fprintf(
        stderr,
        "%s\nusage: parley_load connect|chat|typing --server HOST:PORT[,HOST:PORT…] --secret S\n"
        "       [--connections N (even, at most %d)] [--rate R] [--seconds S] [--no-join] [--hold "
        "S]\n",
        problem, CONNECTIONS_MAX);
    exit(2);
}

static uint64_t number_argument(const char *text, uint64_t max) {
    uint64_t value;
    if (str_to_u64(str_from(text), max, &value) != OK || value == 0)
        usage("a number is out of range");
    return value;
}

static void parse_servers(options_t *options, char *list) {
    char *rest = list;
    for (char *server; (server = strsep(&rest, ","));) {
        char *colon = strchr(server, ':');
        if (!colon || options->server_count == SERVERS_MAX)
            usage("--server wants HOST:PORT");
        *colon = '\0';
        struct sockaddr_in *address = &options->servers[options->server_count++];
        address->sin_family = AF_INET;
        address->sin_port = htons((uint16_t)number_argument(colon + 1, 65535));
        if (inet_pton(AF_INET, server, &address->sin_addr) != 1 ||
            (ntohl(address->sin_addr.s_addr) >> 24) != 127)
            usage("load goes to loopback addresses only");
    }
}

static options_t parse(int argc, char **argv, bool *join_out) {
    static const struct option longs[] = {
        {"server", required_argument, NULL, 'u'},      {"secret", required_argument, NULL, 'k'},
        {"connections", required_argument, NULL, 'c'}, {"rate", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 's'},     {"no-join", no_argument, NULL, 'n'},
        {"hold", required_argument, NULL, 'h'},        {0},
    };
    options_t options = {.connections = 200, .rate = 500, .seconds = 10};
    if (argc < 2)
        usage("which mode?");
    if (strcmp(argv[1], "chat") == 0)
        options.mode = MODE_CHAT;
    else if (strcmp(argv[1], "typing") == 0)
        options.mode = MODE_TYPING;
    else if (strcmp(argv[1], "connect") != 0)
        usage("unknown mode");
    *join_out = true;
    for (int c; (c = getopt_long(argc - 1, argv + 1, "", longs, NULL)) != -1;) {
        if (c == 'u')
            parse_servers(&options, optarg);
        else if (c == 'k')
            options.secret = optarg;
        else if (c == 'c')
            options.connections = number_argument(optarg, CONNECTIONS_MAX) / 2 * 2;
        else if (c == 'r')
            options.rate = (double)number_argument(optarg, 1000000);
        else if (c == 's')
            options.seconds = (int64_t)number_argument(optarg, 3600);
        else if (c == 'h')
            options.hold_seconds = (int64_t)number_argument(optarg, 3600);
        else if (c == 'n')
            *join_out = false;
        else
            usage("unknown option");
    }
    if (!options.secret || !options.server_count || options.connections < 2)
        usage("--server and --secret are needed");
    return options;
}

int main(int argc, char **argv) {
    bool join;
    load_t load = {.options = parse(argc, argv, &join)};
    load.epoll_fd = epoll_create1(0);
    load.clients = xcalloc(load.options.connections, sizeof(*load.clients));
    load.last_seq = xcalloc(load.options.connections, sizeof(*load.last_seq));
    int64_t start = now_ns();
    bool all_there = connect_all(&load);
    double connect_seconds = (double)(now_ns() - start) / 1e9;
    if (all_there && join)
        all_there = join_all(&load);
    if (all_there && load.options.mode != MODE_CONNECT)
        drive(&load);
    bool good = report(&load, all_there, connect_seconds);
    int64_t hold_until = now_ns() + load.options.hold_seconds * 1000000000;
    while (now_ns() < hold_until)
        poll_clients(&load, 100);
    for (size_t i = 0; i < load.started; i++)
        client_fini(&load.clients[i]);
    samples_fini(&load.handshake);
    samples_fini(&load.join);
    samples_fini(&load.acknowledged);
    samples_fini(&load.delivered);
    free(load.clients);
    free(load.last_seq);
    return good ? 0 : 1;
}
