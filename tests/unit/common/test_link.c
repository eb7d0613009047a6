/* The dialer and the listener against each other over a simulated wire that can lose, hold and cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/link_listener.h"

enum { FRAMES_MAX = 4096, REQUESTS_MAX = 64 };

typedef struct {
    char *frames[FRAMES_MAX];
    size_t sizes[FRAMES_MAX];
    size_t first, end;
} pipe_t;

/* One dialer, one listener, a pipe each way. */
typedef struct {
    int64_t now_ms;
    dialer_t *dialer;
    link_listener_t *listener;
    link_peer_t *peer;
    pipe_t to_broker, to_client;
    bool cut;            /* transmissions fail */
    size_t lose_next;    /* frames to the broker that vanish unseen */
    size_t lose_replies; /* frames to the client that vanish unseen */
    int dialer_ups, dialer_downs, listener_ups, listener_downs, delivered, refused;
    unsigned refused_reason;
    uint64_t seen[REQUESTS_MAX]; /* sessions of SEND requests in the order the broker got them */
    size_t seen_count;
    int answered, timed_out, closed;
    bool answer;        /* the broker answers requests at once */
    bool request_on_up; /* `up` makes a link-bound request of session 1000 */
    char routing[32];
} world_t;

static void pipe_put(pipe_t *pipe, str_t frame) {
    ASSERT(pipe->end < FRAMES_MAX);
    pipe->frames[pipe->end] = str_dup(frame);
    pipe->sizes[pipe->end++] = frame.n;
}

static void pipe_clear(pipe_t *pipe) {
    while (pipe->first < pipe->end)
        free(pipe->frames[pipe->first++]);
    pipe->first = pipe->end = 0;
}

static void on_reply(void *arg, err_t err, const envelope_t *reply) {
    world_t *world = arg;
    assert_true((err == OK) == (reply != NULL));
    world->answered += err == OK;
    world->timed_out += err == ERR_TIMEOUT;
    world->closed += err == ERR_CLOSED;
}

static uint64_t request(world_t *world, uint64_t session, uint32_t timeout_ms, bool link_bound) {
    envelope_t envelope = {
        .type = MSG_SEND, .session = session, .room = STR("conv_1_2"), .body = STR("\x80")};
    link_request_t wanted = {.envelope = &envelope,
                             .timeout_ms = timeout_ms,
                             .link_bound = link_bound,
                             .on_reply = on_reply,
                             .arg = world};
    return dialer_request(world->dialer, &wanted, world->now_ms);
}

static bool dialer_transmit(void *ctx, str_t frame) {
    world_t *world = ctx;
    if (world->cut)
        return false;
    if (world->lose_next) {
        world->lose_next--;
        return true;
    }
    pipe_put(&world->to_broker, frame);
    return true;
}

static void dialer_up(void *ctx, uint64_t epoch) {
    world_t *world = ctx;
    assert_true(epoch != 0);
    world->dialer_ups++;
    if (world->request_on_up)
        request(world, 1000, 10000, true);
}

static void dialer_down(void *ctx, const char *reason) {
    assert_non_null(reason);
    ((world_t *)ctx)->dialer_downs++;
}

static void dialer_deliver(void *ctx, const envelope_t *envelope) {
    assert_int_equal(envelope->type, MSG_EXPEL);
    ((world_t *)ctx)->delivered++;
}

static void dialer_refused(void *ctx, unsigned reason) {
    ((world_t *)ctx)->refused_reason = reason;
}

static bool listener_transmit(void *ctx, str_t routing_id, str_t frame) {
    world_t *world = ctx;
    if (world->cut)
        return false;
    if (!str_eq(routing_id, str_from(world->routing)))
        return true; /* to another process */
    if (world->lose_replies) {
        world->lose_replies--;
        return true;
    }
    pipe_put(&world->to_client, frame);
    return true;
}

static void listener_up(void *ctx, link_peer_t *peer) {
    world_t *world = ctx;
    world->peer = peer;
    world->listener_ups++;
}

static void listener_down(void *ctx, link_peer_t *peer, const char *reason) {
    world_t *world = ctx;
    assert_non_null(reason);
    if (world->peer == peer)
        world->peer = NULL;
    world->listener_downs++;
}

static void listener_deliver(void *ctx, link_peer_t *peer, const envelope_t *envelope) {
    world_t *world = ctx;
    assert_true(world->seen_count < REQUESTS_MAX);
    world->seen[world->seen_count++] = envelope->session;
    if (!world->answer)
        return;
    envelope_t reply = {.type = MSG_DONE,
                        .flags = ENVELOPE_REPLY,
                        .request_id = envelope->request_id,
                        .body = STR("\x80")};
    (void)!link_listener_send(world->listener, peer, &reply, world->now_ms);
}

static void listener_refused(void *ctx, str_t routing_id, const char *what) {
    (void)routing_id;
    assert_non_null(what);
    ((world_t *)ctx)->refused++;
}

static const dialer_ops_t dialer_ops = {dialer_transmit, dialer_up, dialer_down, dialer_deliver,
                                        dialer_refused};
static const link_listener_ops_t listener_ops = {listener_transmit, listener_up, listener_down,
                                                 listener_deliver, listener_refused};
static const dialer_config_t dialer_config = {.role = ROLE_GATEWAY,
                                              .name = "gateway-1",
                                              .incarnation = 77,
                                              .broker_digest = 5,
                                              .max_pending_bytes = 4096};
static const link_listener_config_t listener_config = {
    .name = "broker-1", .incarnation = 900, .broker_digest = 5};
static const link_listener_config_t next_epoch = {
    .name = "broker-1", .incarnation = 901, .broker_digest = 5};

/* A frame that reaches the listener under a key of these roles. */
static void receive_as(world_t *world, role_t roles, str_t routing_id, str_t frame) {
    link_origin_t from = {.routing_id = routing_id, .roles = roles};
    link_listener_receive(world->listener, &from, frame, world->now_ms);
}

static void receive(world_t *world, str_t routing_id, str_t frame) {
    receive_as(world, ROLE_CLIENTS, routing_id, frame);
}

/* Passes everything on its way, without advancing the clock. */
static void settle(world_t *world) {
    bool moved = true;
    while (moved) {
        moved = false;
        while (world->to_broker.first < world->to_broker.end) {
            size_t i = world->to_broker.first++;
            str_t frame = {world->to_broker.frames[i], world->to_broker.sizes[i]};
            receive(world, str_from(world->routing), frame);
            free(world->to_broker.frames[i]);
            moved = true;
        }
        while (world->to_client.first < world->to_client.end) {
            size_t i = world->to_client.first++;
            str_t frame = {world->to_client.frames[i], world->to_client.sizes[i]};
            dialer_receive(world->dialer, frame, world->now_ms);
            free(world->to_client.frames[i]);
            moved = true;
        }
    }
    pipe_clear(&world->to_broker);
    pipe_clear(&world->to_client);
}

static void run(world_t *world, int64_t ms) {
    for (int64_t end = world->now_ms + ms; world->now_ms < end; world->now_ms += 50) {
        dialer_tick(world->dialer, world->now_ms);
        link_listener_tick(world->listener, world->now_ms);
        settle(world);
    }
}

static int set_up(void **state) {
    world_t *world = xcalloc(1, sizeof(*world));
    strcpy(world->routing, "gateway-1/4d");
    world->now_ms = 1000;
    world->answer = true;
    world->dialer = dialer_new(&dialer_config, &dialer_ops, world);
    world->listener = link_listener_new(&listener_config, &listener_ops, world);
    *state = world;
    return 0;
}

static int tear_down(void **state) {
    world_t *world = *state;
    pipe_clear(&world->to_broker);
    pipe_clear(&world->to_client);
    dialer_free(&world->dialer);
    link_listener_free(&world->listener);
    free(world);
    return 0;
}

static void restart_broker(world_t *world) {
    link_listener_free(&world->listener);
    world->listener = link_listener_new(&next_epoch, &listener_ops, world);
    world->peer = NULL;
}

static void test_opens_and_answers(void **state) {
    world_t *world = *state;
    request(world, 1, 5000, false); /* made before the link is up */
    run(world, 200);
    assert_int_equal(dialer_state(world->dialer), DIALER_UP);
    assert_true(dialer_epoch(world->dialer) == 900);
    assert_int_equal(world->answered, 1);
    request(world, 2, 5000, false);
    settle(world);
    assert_int_equal(world->answered, 2);
    assert_int_equal(dialer_pending(world->dialer), 0);
    assert_int_equal(dialer_pending_bytes(world->dialer), 0);
    assert_string_equal(link_peer_name(world->peer), "gateway-1");
    assert_int_equal(link_peer_role(world->peer), ROLE_GATEWAY);
    run(world, 60000); /* heartbeats hold it */
    assert_int_equal(world->dialer_ups, 1);
    assert_int_equal(world->dialer_downs, 0);
}

static void test_broker_restart_repeats_in_order(void **state) {
    world_t *world = *state;
    world->request_on_up = true;
    run(world, 200);
    world->answer = false;
    for (uint64_t session = 1; session <= 3; session++)
        request(world, session, 20000, false);
    settle(world);
    restart_broker(world);
    world->seen_count = 0;
    request(world, 4, 20000, false); /* goes to the new epoch, which drops it unread */
    world->answer = true;
    run(world, 1500);
    assert_int_equal(world->dialer_ups, 2);
    assert_int_equal(world->dialer_downs, 1);
    /* first what `up` sends, then the old requests as they were made */
    assert_int_equal(world->seen_count, 5);
    assert_true(world->seen[0] == 1000);
    for (uint64_t session = 1; session <= 4; session++)
        assert_true(world->seen[session] == session);
    assert_int_equal(world->answered, 6);
    assert_int_equal(world->closed, 0); /* the first up's request had been answered */
}

static void test_a_lost_envelope_is_noticed(void **state) {
    world_t *world = *state;
    run(world, 200);
    world->lose_next = 1;
    request(world, 1, 20000, false); /* lost, and nobody is told */
    request(world, 2, 20000, false); /* out of count: must not be taken before 1 */
    settle(world);
    run(world, 400);
    assert_int_equal(world->seen_count, 2);
    assert_true(world->seen[0] == 1 && world->seen[1] == 2);
    assert_int_equal(world->answered, 2);
    assert_int_equal(world->dialer_ups, 2);
}

static void test_a_lost_last_envelope_is_noticed_by_heartbeat(void **state) {
    world_t *world = *state;
    run(world, 200);
    world->lose_next = 1;
    request(world, 1, 20000, false);
    run(world, 1500);
    assert_int_equal(world->answered, 1);
    world->lose_replies = 1;
    request(world, 2, 20000, false);
    run(world, 1500);
    assert_int_equal(world->answered, 2);
}

static void test_cut_link(void **state) {
    world_t *world = *state;
    run(world, 200);
    world->cut = true;
    request(world, 1, 20000, false);
    request(world, 2, 300, false);
    run(world, 5000);
    assert_int_equal(world->dialer_downs, 1);
    assert_int_equal(world->listener_downs, 1);
    assert_int_equal(world->timed_out, 1);
    assert_int_equal(dialer_send(world->dialer, &(envelope_t){.type = MSG_LEAVE}, world->now_ms),
                     ERR_UNAVAILABLE);
    world->cut = false;
    run(world, 300);
    assert_int_equal(world->answered, 1);
    assert_int_equal(world->dialer_ups, 2);
}

static void test_probe_finds_who_is_gone(void **state) {
    world_t *world = *state;
    run(world, 200);
    link_listener_probe(world->listener, world->now_ms);
    run(world, 200);
    assert_int_equal(world->listener_downs, 0); /* it can be reached: all is well */
    world->cut = true;
    link_listener_probe(world->listener, world->now_ms);
    link_listener_tick(world->listener, world->now_ms + LISTENER_PROBE_MS - 1);
    assert_int_equal(world->listener_downs, 0);
    link_listener_tick(world->listener, world->now_ms + LISTENER_PROBE_MS);
    assert_int_equal(world->listener_downs, 1);
}

static void test_broken_connection_is_hello_at_once(void **state) {
    world_t *world = *state;
    run(world, 200);
    dialer_lost(world->dialer, "the connection broke", world->now_ms);
    dialer_tick(world->dialer, world->now_ms);
    assert_int_equal(world->dialer_downs, 1);
    settle(world);
    assert_int_equal(world->dialer_ups, 2);
    assert_int_equal(dialer_state(world->dialer), DIALER_UP);
}

static void test_frozen_client_starts_anew(void **state) {
    world_t *world = *state;
    run(world, 200);
    /* The broker goes on alone; the client sees none of it until it thaws. */
    for (int i = 0; i < 100; i++, world->now_ms += 50)
        link_listener_tick(world->listener, world->now_ms);
    assert_int_equal(world->listener_downs, 1);
    envelope_t expel = {.type = MSG_EXPEL, .body = STR("\x80")};
    assert_null(world->peer);
    settle(world); /* old heartbeats: not acted on, though they fit the count */
    assert_int_equal(dialer_state(world->dialer), DIALER_HELLO);
    run(world, 300);
    assert_int_equal(world->dialer_ups, 2);
    assert_int_equal(link_listener_send(world->listener, world->peer, &expel, world->now_ms), OK);
    settle(world);
    assert_int_equal(world->delivered, 1);
}

static void test_link_bound_requests_end_with_the_link(void **state) {
    world_t *world = *state;
    run(world, 200);
    world->answer = false;
    request(world, 1, 20000, true);
    request(world, 2, 20000, false);
    settle(world);
    restart_broker(world);
    run(world, 1500);
    assert_int_equal(world->closed, 1);
    assert_int_equal(dialer_pending(world->dialer), 1);
}

/* What `up` asks for while the wire breaks is old by the next `up`: it must not go out then. */
static void test_an_unsent_link_bound_request_ends_too(void **state) {
    world_t *world = *state;
    world->answer = false;
    run(world, 200);
    world->cut = true;
    request(world, 1, 20000, true);
    run(world, 200);
    assert_int_equal(world->closed, 1);
    world->cut = false;
    run(world, 4000);
    assert_int_equal(dialer_state(world->dialer), DIALER_UP);
    assert_int_equal(world->seen_count, 0);
}

static void test_limits_and_cancel(void **state) {
    world_t *world = *state;
    size_t made = 0;
    uint64_t id, last = 0;
    while ((id = request(world, 1, 1000, false))) {
        last = id;
        made++;
    }
    assert_in_range(made, 10, 64);
    dialer_cancel(world->dialer, last);
    dialer_cancel(world->dialer, last); /* unknown now: ignored */
    assert_int_equal(dialer_pending(world->dialer), made - 1);
    assert_true(request(world, 1, 1000, false) != 0);
    world->cut = true;
    run(world, 1200);
    assert_int_equal(world->timed_out, made);
    assert_int_equal(dialer_pending_bytes(world->dialer), 0);
}

static void test_goodbye(void **state) {
    world_t *world = *state;
    run(world, 200);
    dialer_goodbye(world->dialer, world->now_ms);
    settle(world);
    assert_int_equal(world->listener_downs, 1);
    assert_int_equal(link_listener_peers(world->listener), 0);
}

/* A hello for this role under a key of `key_roles`. */
static void say_hello(world_t *world, role_t key_roles, const char *routing,
                      const proto_hello_t *hello) {
    strbuf_t body = {0}, frame = {0};
    proto_hello_encode(hello, &body);
    envelope_encode(&(envelope_t){.type = MSG_HELLO, .body = strbuf_str(&body)}, &frame);
    receive_as(world, key_roles, str_from(routing), strbuf_str(&frame));
    strbuf_fini(&body);
    strbuf_fini(&frame);
}

static proto_hello_t hello_of(role_t role, const char *name, uint64_t incarnation) {
    return (proto_hello_t){.role = role,
                           .name = str_from(name),
                           .incarnation = incarnation,
                           .hello_id = 1,
                           .broker_digest = 5,
                           .version = STR("x")};
}

static void hello_from(world_t *world, const char *routing, uint64_t incarnation, uint64_t digest) {
    proto_hello_t hello = hello_of(ROLE_GATEWAY, "gateway-1", incarnation);
    hello.broker_digest = digest;
    say_hello(world, ROLE_CLIENTS, routing, &hello);
}

static void test_the_later_life_wins(void **state) {
    world_t *world = *state;
    run(world, 200);
    hello_from(world, "gateway-1/4e", 78, 5);
    assert_int_equal(world->listener_downs, 1);
    assert_int_equal(world->listener_ups, 2);
    settle(world);
    assert_int_equal(dialer_state(world->dialer), DIALER_REFUSED);
    assert_int_equal(world->refused_reason, 1);
    assert_string_equal(dialer_refusal_text(world->refused_reason),
                        "a later process has this INSTANCE");
    assert_string_equal(dialer_refusal_text(99), "unknown");
    hello_from(world, world->routing, 77, 5); /* thawed, it tries again */
    assert_int_equal(world->listener_ups, 2);
    assert_int_equal(link_listener_peers(world->listener), 1);
}

static void test_another_broker_list_is_refused(void **state) {
    world_t *world = *state;
    hello_from(world, world->routing, 77, 6);
    assert_int_equal(world->refused, 1);
    assert_int_equal(link_listener_peers(world->listener), 0);
}

static void test_strangers(void **state) {
    world_t *world = *state;
    receive(world, STR("x"), STR("garbage"));
    receive(world, STR(""), STR("garbage"));
    assert_int_equal(world->refused, 2);
    strbuf_t frame = {0};
    envelope_encode(&(envelope_t){.type = MSG_SEND, .count = 1, .receiver = 900}, &frame);
    receive(world, str_from(world->routing), strbuf_str(&frame));
    assert_int_equal(world->seen_count, 0);
    /* a role that may not send this */
    run(world, 200);
    envelope_t stored = {.type = MSG_STORED, .body = STR("\x80")};
    assert_int_equal(dialer_send(world->dialer, &stored, world->now_ms), OK);
    settle(world);
    assert_int_equal(world->refused, 3);
    assert_int_equal(world->seen_count, 0);
    dialer_receive(world->dialer, STR("garbage"), world->now_ms);
    assert_int_equal(dialer_stats(world->dialer)->malformed, 1);
    strbuf_fini(&frame);
}

static void test_peers_are_bounded(void **state) {
    world_t *world = *state;
    for (unsigned i = 0; i < LISTENER_MAX_PEERS + 5; i++) {
        char name[32], routing[32];
        snprintf(name, sizeof(name), "g%u", i);
        snprintf(routing, sizeof(routing), "g%u/1", i);
        proto_hello_t hello = hello_of(ROLE_REST, name, 1);
        say_hello(world, ROLE_CLIENTS, routing, &hello);
    }
    assert_int_equal(link_listener_peers(world->listener), LISTENER_MAX_PEERS);
    assert_int_equal(world->refused, 5);
}

/* ---- a side that doesn't read ---- */

static envelope_t large(size_t bytes) {
    static char body[LINK_TELL_BYTES];
    return (envelope_t){.type = MSG_EXPEL, .body = {body, bytes}};
}

static void test_a_broker_that_does_not_read_loses_its_link(void **state) {
    world_t *world = *state;
    dialer_config_t config = dialer_config;
    config.max_unread_bytes = 10000;
    dialer_free(&world->dialer);
    world->dialer = dialer_new(&config, &dialer_ops, world);
    run(world, 200);
    envelope_t envelope = large(4000);
    assert_int_equal(dialer_send(world->dialer, &envelope, world->now_ms), OK);
    assert_int_equal(dialer_send(world->dialer, &envelope, world->now_ms), OK);
    assert_in_range(dialer_unread_bytes(world->dialer), 8000, 10000);
    assert_int_not_equal(dialer_send(world->dialer, &envelope, world->now_ms), OK);
    assert_int_equal(dialer_state(world->dialer), DIALER_HELLO);
    run(world, 200); /* it begins anew, with nothing unread */
    assert_int_equal(world->dialer_ups, 2);
    assert_int_equal(world->dialer_downs, 1);
    run(world, 2000);
    assert_in_range(dialer_unread_bytes(world->dialer), 0, 200);
}

static void test_a_peer_that_does_not_read_loses_its_link(void **state) {
    world_t *world = *state;
    link_listener_config_t config = listener_config;
    config.max_unread_bytes = 10000;
    link_listener_free(&world->listener);
    world->listener = link_listener_new(&config, &listener_ops, world);
    run(world, 200);
    for (int i = 0; i < 10; i++) { /* it reads: the bound is never reached */
        envelope_t envelope = large(4000);
        assert_int_equal(link_listener_send(world->listener, world->peer, &envelope, world->now_ms),
                         OK);
        run(world, 1500);
    }
    assert_int_equal(world->delivered, 10);
    run(world, 1500);
    envelope_t envelope = large(9000);
    assert_int_equal(link_listener_send(world->listener, world->peer, &envelope, world->now_ms),
                     OK);
    assert_in_range(link_listener_unread_bytes(world->listener, ROLE_GATEWAY), 9000, 10000);
    assert_int_equal(link_listener_unread_bytes(world->listener, ROLE_REST), 0);
    assert_int_not_equal(link_listener_send(world->listener, world->peer, &envelope, world->now_ms),
                         OK);
    run(world, 1500);
    assert_int_equal(world->listener_downs, 1);
    assert_non_null(world->peer);
}

static void test_each_side_knows_how_far_the_other_has_read(void **state) {
    world_t *world = *state;
    run(world, 200);
    envelope_t envelope = large(LINK_TELL_BYTES);
    for (size_t bytes = 0; bytes <= LINK_BEHIND_BYTES; bytes += LINK_TELL_BYTES) {
        assert_int_equal(dialer_send(world->dialer, &envelope, world->now_ms), OK);
        assert_int_equal(link_listener_send(world->listener, world->peer, &envelope, world->now_ms),
                         OK);
    }
    assert_true(link_peer_is_behind(world->peer));
    assert_true(dialer_is_behind(world->dialer));
    settle(world); /* told at once, without waiting for a heartbeat */
    assert_false(link_peer_is_behind(world->peer));
    assert_false(dialer_is_behind(world->dialer));
}

static void test_a_key_is_for_its_role(void **state) {
    world_t *world = *state;
    proto_hello_t hello = hello_of(ROLE_PERSIST, "persist-worker-1", 1);
    for (role_t key = ROLE_GATEWAY; key <= ROLE_BROKER; key = (role_t)(key << 1))
        say_hello(world, key, "w/1", &hello);
    say_hello(world, 0, "w/1", &hello);
    assert_int_equal(world->listener_ups, 1);
    assert_int_equal(world->refused, 5);
    hello.role = ROLE_PERSIST | ROLE_GATEWAY;
    say_hello(world, ROLE_PERSIST, "w/2", &hello);
    assert_int_equal(world->listener_ups, 1);
}

/* Neither by its routing id nor by its instance name. */
static void test_no_key_touches_a_peer_of_another_role(void **state) {
    world_t *world = *state;
    strbuf_t frame = {0};
    run(world, 200);
    assert_int_equal(world->listener_ups, 1);
    proto_hello_t hello = hello_of(ROLE_AUTH, "gateway-1", 1);
    say_hello(world, ROLE_AUTH, world->routing, &hello);
    envelope_t next = {.type = MSG_GOODBYE, .count = 1, .receiver = 900, .body = STR("\x80")};
    envelope_encode(&next, &frame);
    receive_as(world, ROLE_AUTH, str_from(world->routing), strbuf_str(&frame));
    assert_int_equal(world->refused, 2);
    say_hello(world, ROLE_AUTH, "gateway-1/1", &hello); /* a name of its own, if a strange one */
    assert_int_equal(world->listener_ups, 2);
    assert_int_equal(world->listener_downs, 0);
    run(world, 5000);
    assert_int_equal(dialer_state(world->dialer), DIALER_UP);
    assert_int_equal(world->dialer_ups, 1);
    strbuf_fini(&frame);
}

static void test_a_key_that_is_taken_back_ends_its_link(void **state) {
    world_t *world = *state;
    strbuf_t frame = {0};
    run(world, 200);
    envelope_encode(&(envelope_t){.type = MSG_HEARTBEAT, .count = 9, .receiver = 900}, &frame);
    receive_as(world, 0, str_from(world->routing), strbuf_str(&frame));
    assert_int_equal(world->listener_downs, 1);
    assert_int_equal(world->refused, 1);
    assert_int_equal(link_listener_peers(world->listener), 0);
    strbuf_fini(&frame);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_opens_and_answers),
        TEST(test_broker_restart_repeats_in_order),
        TEST(test_a_lost_envelope_is_noticed),
        TEST(test_a_lost_last_envelope_is_noticed_by_heartbeat),
        TEST(test_cut_link),
        TEST(test_probe_finds_who_is_gone),
        TEST(test_broken_connection_is_hello_at_once),
        TEST(test_frozen_client_starts_anew),
        TEST(test_link_bound_requests_end_with_the_link),
        TEST(test_an_unsent_link_bound_request_ends_too),
        TEST(test_limits_and_cancel),
        TEST(test_goodbye),
        TEST(test_the_later_life_wins),
        TEST(test_another_broker_list_is_refused),
        TEST(test_strangers),
        TEST(test_peers_are_bounded),
        TEST(test_a_broker_that_does_not_read_loses_its_link),
        TEST(test_a_peer_that_does_not_read_loses_its_link),
        TEST(test_each_side_knows_how_far_the_other_has_read),
        TEST(test_a_key_is_for_its_role),
        TEST(test_no_key_touches_a_peer_of_another_role),
        TEST(test_a_key_that_is_taken_back_ends_its_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
