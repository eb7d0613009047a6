#include "checks.h"

#include "common/ids.h"

enum { WHY_BYTES = 256, MEMBERS_MAX = 256 };

/* A membership, as text, so that two tables can be compared. */
typedef struct {
    char text[160];
} line_t;

typedef struct {
    const parts_t *parts;
    size_t broker; /* whose rooms */
    size_t n;
    line_t lines[MEMBERS_MAX];
    char why[WHY_BYTES]; /* set: something is wrong with a membership itself */
} table_t;

static void add_line(table_t *self, const broker_part_member_t *member) {
    ASSERT(self->n < MEMBERS_MAX);
    snprintf(self->lines[self->n++].text, sizeof(line_t), "%.*s %.*s/%d %d %.*s",
             STR_ARG(member->room), STR_ARG(member->gateway), (int)member->incarnation,
             (int)member->session, STR_ARG(member->user));
}

static int compare_lines(const void *a, const void *b) {
    return strcmp(((const line_t *)a)->text, ((const line_t *)b)->text);
}

/* ---- memberships ---- */

static void on_broker_member(void *ctx, const broker_part_member_t *member) {
    add_line(ctx, member);
}

static bool is_participant(const parts_t *parts, str_t room_id, str_t user) {
    if (ids_parse_room(room_id).kind == IDS_USER)
        return true;
    const store_t *store = &parts->database.store;
    for (size_t i = 0; i < store->room_count; i++) {
        const store_room_t *room = &store->rooms[i];
        if (str_eq(str_from(room->id), room_id))
            return room->is_group ? room->members[store_user_of(user)]
                                  : room->was_member[store_user_of(user)];
    }
    return false;
}

static const client_t *client_of(const parts_t *parts, const socket_t *socket) {
    for (size_t i = 0; i < parts->client_count; i++) {
        if (client_socket(parts->clients[i]) == socket)
            return parts->clients[i];
    }
    return NULL;
}

/* The gateway's truth: its sockets are clients', their rooms are what the clients joined. */
static void on_gateway_member(void *ctx, const gateway_part_member_t *member) {
    table_t *self = ctx;
    const client_t *client = client_of(self->parts, member->socket);
    bool is_own = ids_parse_room(member->room).kind == IDS_USER;
    if (network_broker_of(self->parts->network, member->room) == self->broker)
        add_line(self, &(broker_part_member_t){.room = member->room,
                                               .gateway = str_from(member->gateway),
                                               .incarnation = member->incarnation,
                                               .session = member->session,
                                               .user = member->user});
    if (!client)
        snprintf(self->why, WHY_BYTES, "%s holds a session that has gone", member->gateway);
    else if (!is_own && !client_has_joined(client, member->socket, member->room))
        snprintf(self->why, WHY_BYTES, "%s is in %.*s and doesn't know it", client_name(client),
                 STR_ARG(member->room));
    else if (!is_participant(self->parts, member->room, member->user))
        snprintf(self->why, WHY_BYTES, "%s is in %.*s without a right", client_name(client),
                 STR_ARG(member->room));
}

/* The other way round: a client that has joined is there. */
typedef struct {
    const socket_t *socket;
    str_t room;
    bool found;
} search_t;

static void look_for(void *ctx, const gateway_part_member_t *member) {
    search_t *self = ctx;
    self->found |= member->socket == self->socket && str_eq(member->room, self->room);
}

static void check_joined(const parts_t *self, char why[WHY_BYTES]) {
    const store_t *store = &self->database.store;
    for (size_t i = 0; i < self->client_count; i++) {
        const client_t *client = self->clients[i];
        for (size_t r = 0; r < store->room_count; r++) {
            search_t search = {.socket = client_socket(client),
                               .room = str_from(store->rooms[r].id)};
            if (!client_has_joined(client, search.socket, search.room))
                continue;
            for (size_t g = 0; g < self->gateway_count; g++)
                gateway_part_members(self->gateways[g], look_for, &search);
            if (!search.found)
                snprintf(why, WHY_BYTES, "%s isn't in %s any more and wasn't told",
                         client_name(client), store->rooms[r].id);
        }
    }
}

static void compare_tables(const parts_t *self, size_t broker, char why[WHY_BYTES]) {
    table_t *told = xcalloc(2, sizeof(*told));
    table_t *truth = &told[1];
    *told = (table_t){.parts = self, .broker = broker};
    *truth = (table_t){.parts = self, .broker = broker};
    broker_part_members(self->brokers[broker], on_broker_member, told);
    for (size_t i = 0; i < self->gateway_count; i++)
        gateway_part_members(self->gateways[i], on_gateway_member, truth);
    qsort(told->lines, told->n, sizeof(line_t), compare_lines);
    qsort(truth->lines, truth->n, sizeof(line_t), compare_lines);
    if (truth->why[0])
        memcpy(why, truth->why, WHY_BYTES);
    for (size_t i = 0; i < told->n || i < truth->n; i++) {
        const char *a = i < told->n ? told->lines[i].text : "nothing";
        const char *b = i < truth->n ? truth->lines[i].text : "nothing";
        if (strcmp(a, b) == 0)
            continue;
        snprintf(why, WHY_BYTES, "broker %zu has %.100s where gateways have %.100s", broker, a, b);
        break;
    }
    free(told);
}

/* ---- settled? ---- */

static const char *check_clients(const parts_t *self, char why[WHY_BYTES]) {
    for (size_t i = 0; i < self->client_count; i++) {
        const char *what = client_is_unsettled(self->clients[i]);
        if (!what)
            continue;
        snprintf(why, WHY_BYTES, "%s %s", client_name(self->clients[i]), what);
        return why;
    }
    return NULL;
}

static const char *check_idle(const parts_t *self) {
    for (size_t i = 0; i < self->gateway_count; i++) {
        if (!gateway_part_is_idle(self->gateways[i]))
            return "a gateway has something to do";
    }
    for (size_t i = 0; i < self->broker_count; i++) {
        if (!broker_part_is_idle(self->brokers[i]))
            return "a broker has something to do";
    }
    for (size_t i = 0; i < self->worker_count; i++) {
        if (!worker_part_is_idle(self->workers[i]))
            return "a persist-worker has something to do";
    }
    return admin_part_is_idle(self->admin) ? NULL : "the administrator waits for an answer";
}

const char *checks_unsettled(parts_t *self) {
    static char why[WHY_BYTES];
    why[0] = '\0';
    const char *what = check_clients(self, why);
    if (!what)
        what = check_idle(self);
    if (what)
        return what;
    for (size_t i = 0; i < self->broker_count; i++)
        compare_tables(self, i, why);
    check_joined(self, why);
    return why[0] ? why : NULL;
}

/* ---- messages ---- */

static void check_once(parts_t *self, const store_room_t *room, size_t at) {
    const store_message_t *message = &room->messages[at];
    for (size_t i = 0; i < at; i++) {
        if (room->messages[i].sender == message->sender &&
            strcmp(room->messages[i].client_id, message->client_id) == 0)
            world_fail(&self->world, "%s is stored in %s as %zu and as %zu", message->client_id,
                       room->id, i + 1, at + 1);
    }
}

/* Promise 6. A refusal that is lost with its link, and allowed when the link repeats the request,
 * is not told from none: those who were refused don't count. */
static void check_order(parts_t *self, const store_room_t *room, size_t at) {
    const store_message_t *message = &room->messages[at];
    const client_t *client = self->clients[strtoul(message->client_id + 1, NULL, 10)];
    size_t place = client_place_of(client, message->socket_id, message->client_id);
    if (room->was_refused[message->sender])
        return;
    for (size_t i = 0; place && i < at; i++) {
        const store_message_t *before = &room->messages[i];
        if (strcmp(before->socket_id, message->socket_id) == 0 &&
            client_place_of(client, before->socket_id, before->client_id) > place)
            world_fail(&self->world, "%s sent %s before %s, %s has them the other way round",
                       message->socket_id, message->client_id, before->client_id, room->id);
    }
}

void checks_final(parts_t *self) {
    const store_t *store = &self->database.store;
    for (size_t r = 0; r < store->room_count; r++) {
        for (size_t i = 0; i < store->rooms[r].head; i++) {
            check_once(self, &store->rooms[r], i);
            check_order(self, &store->rooms[r], i);
        }
    }
}
