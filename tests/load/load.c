/* parley_load: clients by the thousand on one epoll thread, for figures.
 *
 *   parley_load connect --server HOST:PORT[,…] --secret S --connections N
 *   parley_load chat    … --rate MESSAGES_PER_S --seconds S
 *   parley_load typing  … --rate EVENTS_PER_S --seconds S
 *   parley_load max     … --in-flight K --seconds S
 *   parley_load fanout  … --room R --senders N (--in-flight K | --rate R) --seconds S
 *   parley_load rest    … --connections N --seconds S
 *
 * Clients talk in pairs; in fanout all in one room. --hold S keeps all connections for S more
 * seconds behind the report, for measuring memory. More connections than a process may have are
 * shared out among several.
 *
 * --acknowledged FILE writes a line for each message acknowledged: conversation, seq, and the
 * number that its text carries, to be compared with what is stored.
 *
 * Prints one JSON object. Exit code 1 when anything was lost, doubled, out of order or refused, or
 * a client did not connect. Latencies count from the time an event was scheduled, so that no stall
 * hides; the first second of load isn't measured. */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/load/load.h"
#include "tests/load/token.h"

enum {
    SOURCES = 64,         /* loopback addresses that clients come from */
    CONNECTING_MAX = 256, /* handshakes under way at once */
};

int64_t load_clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint64_t number_after(str_t text, const char *key) {
    const char *at = memmem(text.p, text.n, key, strlen(key));
    uint64_t value = 0;
    if (!at)
        return 0;
    const char *end = text.p + text.n;
    for (at += strlen(key); at < end && *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    return value;
}

/* ---- what clients tell ---- */

static void on_ready(void *ctx, client_t *client) {
    load_t *load = ctx;
    load->figures->connected++;
    histogram_add(&load->figures->handshake, load->now_ns - client->started_ns);
}

static void on_packet(void *ctx, client_t *client, str_t packet) {
    load_t *load = ctx;
    if (str_starts_with(packet, STR("430[")) && memmem(packet.p, packet.n, "\"ok\":true", 9)) {
        load->figures->joined++;
        histogram_add(&load->figures->join, load->now_ns - client->started_ns);
        ledger_init(&load->ledgers[client->index], number_after(packet, "\"headSeq\":"));
    } else {
        drive_on_packet(load, client, packet);
    }
}

static void on_closed(void *ctx, client_t *client, const char *why) {
    load_t *load = ctx;
    (void)client;
    load->figures->closed++;
    if (!load->first_closed_because)
        load->first_closed_because = why;
}

static const client_ops_t client_ops = {
    .ready = on_ready, .packet = on_packet, .closed = on_closed};

/* ---- phases ---- */

void load_poll(load_t *self, int timeout_ms) {
    struct epoll_event events[512];
    int n = epoll_wait(self->epoll_fd, events, 512, timeout_ms);
    for (int i = 0; i < n; i++) {
        self->now_ns = load_clock_ns();
        client_on_event(events[i].data.ptr, self->epoll_fd, events[i].events);
    }
}

static void start_client(load_t *self, size_t index) {
    const options_t *options = &self->options;
    client_t *client = &self->clients[index];
    char user[32];
    snprintf(user, sizeof(user), "%zu", options->first_user + index);
    struct sockaddr_in source = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001 + (uint32_t)(index % SOURCES))};
    *client =
        (client_t){.ops = &client_ops, .ctx = self, .index = index, .started_ns = load_clock_ns()};
    client->token = token_new(str_from(options->secret), user);
    if (client_start(client, self->epoll_fd, &source,
                     &options->servers[index % options->server_count]) != OK) {
        client->state = CLIENT_CLOSED;
        on_closed(self, client, "no socket");
    }
}

static bool connect_all(load_t *self) {
    const figures_t *figures = self->figures;
    int64_t start = load_clock_ns(), end = start + (int64_t)PHASE_SECONDS * 1000000000;
    size_t wanted = self->options.connections;
    while (figures->connected + figures->closed < wanted && load_clock_ns() < end) {
        while (self->started < wanted &&
               self->started - figures->connected - figures->closed < CONNECTING_MAX)
            start_client(self, self->started++);
        load_poll(self, 100);
    }
    self->figures->connect_ns = load_clock_ns() - start;
    return figures->connected == wanted;
}

void load_room(const load_t *self, size_t index, char *room, size_t size) {
    size_t first = self->options.first_user + index / 2 * 2;
    if (self->options.room)
        snprintf(room, size, "%s", self->options.room);
    else
        snprintf(room, size, "conv_%zu_%zu", first, first + 1);
}

static bool join_all(load_t *self) {
    const figures_t *figures = self->figures;
    int64_t end = load_clock_ns() + (int64_t)PHASE_SECONDS * 1000000000;
    size_t asked = 0, wanted = self->options.connections;
    while (figures->joined + figures->refused < wanted && figures->closed == 0 &&
           load_clock_ns() < end) {
        while (asked < wanted && asked - figures->joined < CONNECTING_MAX) {
            char room[80], packet[128];
            client_t *client = &self->clients[asked++];
            load_room(self, client->index, room, sizeof(room));
            int n = snprintf(packet, sizeof(packet), "420[\"join_conversation\",\"%s\"]", room);
            client->started_ns = load_clock_ns();
            client_send(client, (str_t){packet, (size_t)n});
            client_flush(client, self->epoll_fd);
        }
        load_poll(self, 100);
    }
    return figures->joined == wanted;
}

/* ---- report ---- */

static bool is_good(const options_t *options, const figures_t *figures) {
    bool all_there =
        options->mode == MODE_REST ||
        (figures->connected == options->connections &&
         (!options->join || figures->joined == options->connections) && figures->closed == 0);
    bool all_answered = options->mode == MODE_TYPING || figures->acks == figures->sent;
    return all_there && all_answered && figures->lost == 0 && figures->doubled == 0 &&
           figures->out_of_order == 0 && figures->refused == 0;
}

static void write_histogram(strbuf_t *out, const char *name, const histogram_t *histogram) {
    strbuf_printf(out, ",\"%s\":", name);
    histogram_write_json(histogram, out);
}

static void report(const options_t *options, const figures_t *figures) {
    strbuf_t out = {0};
    double seconds = (double)options->seconds;
    strbuf_printf(&out, "{\"mode\":\"%s\",\"connections\":%zu", options_mode_name(options->mode),
                  options->connections);
    if (options->mode != MODE_REST) {
        strbuf_printf(&out, ",\"connected\":%llu,\"joined\":%llu,\"closed\":%llu",
                      (unsigned long long)figures->connected, (unsigned long long)figures->joined,
                      (unsigned long long)figures->closed);
        strbuf_printf(&out, ",\"connects_per_s\":%.0f",
                      (double)figures->connected * 1e9 / (double)figures->connect_ns);
        write_histogram(&out, "handshake", &figures->handshake);
        write_histogram(&out, "join", &figures->join);
    }
    if (options->mode != MODE_CONNECT) {
        strbuf_printf(&out, ",\"rate\":%.0f,\"seconds\":%.0f,\"sent\":%llu", options->rate, seconds,
                      (unsigned long long)figures->sent);
        strbuf_printf(&out, ",\"acks_per_s\":%.1f,\"deliveries_per_s\":%.1f",
                      (double)figures->acks_measured / seconds,
                      (double)figures->deliveries_measured / seconds);
        strbuf_printf(&out, ",\"settle_ms\":%lld", (long long)figures->settle_ns / 1000000);
        write_histogram(&out, "delivered", &figures->delivered);
        write_histogram(&out, "acknowledged", &figures->acknowledged);
        strbuf_printf(&out,
                      ",\"unanswered\":%llu,\"refused\":%llu,\"refused_unfit\":%llu,\"lost\":%llu,"
                      "\"doubled\":%llu,"
                      "\"out_of_order\":%llu",
                      (unsigned long long)(options->mode == MODE_TYPING
                                               ? 0
                                               : figures->sent - figures->acks - figures->refused),
                      (unsigned long long)figures->refused,
                      (unsigned long long)figures->refused_unfit, (unsigned long long)figures->lost,
                      (unsigned long long)figures->doubled,
                      (unsigned long long)figures->out_of_order);
    }
    strbuf_append(&out, STR("}\n"));
    fputs(strbuf_cstr(&out), stdout);
    fflush(stdout);
    strbuf_fini(&out);
}

/* ---- one process, or several ---- */

static void hold(load_t *self) {
    int64_t until = load_clock_ns() + self->options.hold_seconds * 1000000000;
    uint64_t closed = self->figures->closed;
    while (load_clock_ns() < until)
        load_poll(self, 100);
    if (self->figures->closed > closed)
        fprintf(stderr, "closed while held: %llu, first because: %s\n",
                (unsigned long long)(self->figures->closed - closed), self->first_closed_because);
}

/* A process's own clients. reported_fd >= 0: says there that its figures are done, then holds. */
static void run_clients(const options_t *options, figures_t *figures, int reported_fd) {
    load_t load = {.options = *options, .figures = figures, .epoll_fd = epoll_create1(0)};
    load.clients = xcalloc(options->connections, sizeof(*load.clients));
    load.ledgers = xcalloc(options->connections, sizeof(*load.ledgers));
    if (options->mode == MODE_TYPING)
        load.typing = xcalloc(options->connections / 2, sizeof(*load.typing));
    if (options->acknowledged)
        load.acknowledged = fopen(options->acknowledged, "w");
    bool all_there = connect_all(&load) && (!options->join || join_all(&load));
    if (all_there && options->mode != MODE_CONNECT)
        drive(&load);
    if (load.first_closed_because)
        fprintf(stderr, "first closed because: %s\n", load.first_closed_because);
    if (load.first_refusal[0])
        fprintf(stderr, "first refusal: %s\n", load.first_refusal);
    if (reported_fd >= 0 && write(reported_fd, "", 1) != 1)
        exit(1);
    if (load.acknowledged)
        fclose(load.acknowledged);
    load.acknowledged = NULL;
    if (reported_fd < 0)
        report(options, figures);
    hold(&load);
    for (size_t i = 0; i < load.started; i++)
        client_fini(&load.clients[i]);
    free(load.clients);
    free(load.ledgers);
    free(load.typing);
    close(load.epoll_fd);
}

static void add_up(figures_t *sum, const figures_t *part) {
    sum->connected += part->connected;
    sum->joined += part->joined;
    sum->closed += part->closed;
    sum->refused += part->refused;
    if (part->connect_ns > sum->connect_ns)
        sum->connect_ns = part->connect_ns;
    histogram_merge(&sum->handshake, &part->handshake);
    histogram_merge(&sum->join, &part->join);
}

/* Only connections are shared out: what they exchange is measured from one process. */
static void run_processes(const options_t *options, figures_t *sum) {
    size_t count = (options->connections - 1) / CONNECTIONS_PER_PROCESS + 1, done = 0;
    size_t each = options->connections / count / 2 * 2;
    int reported[2];
    figures_t *parts = mmap(NULL, count * sizeof(*parts), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (parts == MAP_FAILED || pipe(reported) < 0)
        exit(1);
    for (size_t i = 0; i < count; i++) {
        options_t own = *options;
        own.first_user = options->first_user + i * each;
        own.connections = i + 1 < count ? each : options->connections - i * each;
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            run_clients(&own, &parts[i], reported[1]);
            exit(0);
        }
    }
    close(reported[1]);
    for (char byte; done < count && read(reported[0], &byte, 1) == 1;)
        done++;
    for (size_t i = 0; i < count; i++)
        add_up(sum, &parts[i]);
    report(options, sum);
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    munmap(parts, count * sizeof(*parts));
}

int main(int argc, char **argv) {
    options_t options = options_parse(argc, argv);
    figures_t *figures = xcalloc(1, sizeof(*figures));
    if (options.mode == MODE_REST) {
        rest_run(&options, figures);
        report(&options, figures);
    } else if (options.connections > CONNECTIONS_PER_PROCESS) {
        run_processes(&options, figures);
    } else {
        run_clients(&options, figures, -1);
    }
    bool good = is_good(&options, figures);
    free(figures);
    return good ? 0 : 1;
}
