/* Sending, and judging what comes back. Open loop: event k is due at start + k / rate, whatever
 * happened to those before it. Closed loop: a fixed number is in flight. */
#include "tests/load/load.h"

static const char padding[] = "a message of ordinary length, as people write them to each other "
                              "when they agree on a date";

static bool is_measured(const load_t *self, int64_t ns) {
    return ns >= self->measure_from_ns && ns < self->measure_to_ns;
}

static void send_message(load_t *self, client_t *client, int64_t due_ns) {
    char room[80], packet[400];
    load_room(self, client->index, room, sizeof(room));
    int n =
        snprintf(packet, sizeof(packet),
                 "42%llu[\"send_message\",{\"conversationId\":\"%s\",\"text\":\"load %lld %s\"}]",
                 (unsigned long long)++self->figures->sent, room, (long long)due_ns, padding);
    client_send(client, (str_t){packet, (size_t)n});
}

static void send_typing(load_t *self, client_t *client, int64_t due_ns) {
    char room[80], packet[160];
    typing_t *typing = &self->typing[client->index / 2];
    if (typing->sent - typing->delivered == TYPING_MAX)
        typing->delivered++; /* that one is lost: the sums will tell */
    typing->due_ns[typing->sent++ % TYPING_MAX] = due_ns;
    load_room(self, client->index, room, sizeof(room));
    int n = snprintf(packet, sizeof(packet), "42[\"typing\",{\"conversationId\":\"%s\"}]", room);
    client_send(client, (str_t){packet, (size_t)n});
    self->figures->sent++;
}

/* ---- what comes back ---- */

static void write_acknowledged(load_t *self, const client_t *client, uint64_t seq, int64_t due_ns) {
    char room[80];
    load_room(self, client->index, room, sizeof(room));
    fprintf(self->acknowledged, "%s %llu %lld\n", room, (unsigned long long)seq, (long long)due_ns);
}

static void on_acknowledged(load_t *self, client_t *client, str_t packet) {
    figures_t *figures = self->figures;
    if (!memmem(packet.p, packet.n, "\"ok\":true", 9)) {
        figures->refused++;
        figures->refused_unfit += !memmem(packet.p, packet.n, "\"unavailable\"", 13) ||
                                  number_after(packet, "\"retryAfterMs\":") == 0;
        if (!self->first_refusal[0])
            snprintf(self->first_refusal, sizeof(self->first_refusal), "%.*s", STR_ARG(packet));
        return;
    }
    int64_t due_ns = (int64_t)number_after(packet, "\"text\":\"load ");
    figures->acks++;
    figures->acks_measured += is_measured(self, self->now_ns);
    if (is_measured(self, due_ns))
        histogram_add(&figures->acknowledged, self->now_ns - due_ns);
    if (self->acknowledged)
        write_acknowledged(self, client, number_after(packet, "\"seq\":"), due_ns);
    ledger_own(&self->ledgers[client->index], number_after(packet, "\"seq\":"));
    if (self->options.mode == MODE_MAX && self->now_ns < self->measure_to_ns)
        send_message(self, client, self->now_ns);
}

static void on_delivered(load_t *self, client_t *client, str_t packet) {
    figures_t *figures = self->figures;
    int64_t due_ns = (int64_t)number_after(packet, "\"text\":\"load ");
    figures->deliveries++;
    figures->deliveries_measured += is_measured(self, self->now_ns);
    if (is_measured(self, due_ns))
        histogram_add(&figures->delivered, self->now_ns - due_ns);
    ledger_event(&self->ledgers[client->index], number_after(packet, "\"seq\":"));
}

static void on_typing(load_t *self, client_t *client) {
    figures_t *figures = self->figures;
    typing_t *typing = &self->typing[client->index / 2];
    figures->deliveries++;
    figures->deliveries_measured += is_measured(self, self->now_ns);
    if (typing->delivered == typing->sent) {
        figures->doubled++;
        return;
    }
    int64_t due_ns = typing->due_ns[typing->delivered++ % TYPING_MAX];
    if (is_measured(self, due_ns))
        histogram_add(&figures->delivered, self->now_ns - due_ns);
}

void drive_on_packet(load_t *self, client_t *client, str_t packet) {
    if (packet.p[1] == '3')
        on_acknowledged(self, client, packet);
    else if (str_starts_with(packet, STR("42[\"new_message\"")))
        on_delivered(self, client, packet);
    else if (self->typing && str_starts_with(packet, STR("42[\"user_typing\"")))
        on_typing(self, client);
}

/* ---- sending ---- */

/* How many others an event reaches. */
static uint64_t receivers(const load_t *self) {
    return self->options.mode == MODE_FANOUT ? self->options.connections - 1 : 1;
}

static client_t *sender(load_t *self, uint64_t number) {
    const options_t *options = &self->options;
    size_t senders = options->mode == MODE_FANOUT ? options->senders : options->connections / 2;
    size_t stride = options->mode == MODE_FANOUT ? 1 : 2;
    return &self->clients[number % senders * stride];
}

static void send_number(load_t *self, uint64_t number, int64_t due_ns) {
    client_t *client = sender(self, number);
    if (self->options.mode == MODE_TYPING)
        send_typing(self, client, due_ns);
    else
        send_message(self, client, due_ns);
    client_flush(client, self->epoll_fd);
}

static void send_open_loop(load_t *self, int64_t start, uint64_t *number) {
    for (int64_t now = load_clock_ns();;) {
        int64_t due = start + (int64_t)((double)*number * 1e9 / self->options.rate);
        if (due > now || due >= self->measure_to_ns)
            return;
        send_number(self, (*number)++, due);
    }
}

/* Fan-out, closed: a message is in flight until every member has it. */
static void send_closed_loop(load_t *self, uint64_t *number) {
    while (*number < self->figures->deliveries / receivers(self) + self->options.in_flight)
        send_number(self, (*number)++, load_clock_ns());
}

static void fill_connections(load_t *self) {
    for (size_t i = 0; i < self->options.connections; i++) {
        for (size_t k = 0; k < self->options.in_flight; k++)
            send_message(self, &self->clients[i], load_clock_ns());
        client_flush(&self->clients[i], self->epoll_fd);
    }
}

static void settle(load_t *self) {
    const figures_t *figures = self->figures;
    int64_t patience = load_clock_ns() + self->options.settle_seconds * 1000000000;
    bool typing = self->options.mode == MODE_TYPING;
    while ((figures->deliveries < (figures->sent - figures->refused) * receivers(self) ||
            (!typing && figures->acks + figures->refused < figures->sent)) &&
           figures->closed == 0 && load_clock_ns() < patience)
        load_poll(self, 50);
}

/* What members still miss of what any of their conversation saw. */
static void close_ledgers(load_t *self) {
    size_t n = self->options.connections;
    size_t members = self->options.mode == MODE_FANOUT ? n : 2;
    for (size_t first = 0; first + members <= n; first += members) {
        uint64_t head = 0;
        for (size_t i = first; i < first + members; i++)
            head = self->ledgers[i].highest > head ? self->ledgers[i].highest : head;
        for (size_t i = first; i < first + members; i++) {
            ledger_close(&self->ledgers[i], head);
            self->figures->lost += self->ledgers[i].lost;
            self->figures->doubled += self->ledgers[i].doubled;
            self->figures->out_of_order += self->ledgers[i].out_of_order;
        }
    }
}

void drive(load_t *self) {
    const options_t *options = &self->options;
    int64_t start = load_clock_ns() + 1000000;
    uint64_t number = 0;
    self->measure_from_ns = start + (int64_t)WARM_UP_SECONDS * 1000000000;
    self->measure_to_ns = self->measure_from_ns + options->seconds * 1000000000;
    if (options->mode == MODE_MAX)
        fill_connections(self);
    bool closed_loop = options->in_flight > 0;
    while (load_clock_ns() < self->measure_to_ns && self->figures->closed == 0) {
        if (options->mode == MODE_FANOUT && closed_loop)
            send_closed_loop(self, &number);
        else if (!closed_loop)
            send_open_loop(self, start, &number);
        load_poll(self, 1);
    }
    if (!closed_loop) /* what came due while the last turn lasted */
        send_open_loop(self, start, &number);
    int64_t sent_ns = load_clock_ns();
    settle(self);
    self->figures->settle_ns = load_clock_ns() - sent_ns;
    if (options->mode == MODE_TYPING)
        self->figures->lost =
            self->figures->sent - (self->figures->deliveries - self->figures->doubled);
    else
        close_ledgers(self);
}
