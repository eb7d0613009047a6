#include "link_world.h"

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
    link_world_t *world = arg;
    assert_true((err == OK) == (reply != NULL));
    world->answered += err == OK;
    world->timed_out += err == ERR_TIMEOUT;
    world->closed += err == ERR_CLOSED;
}

uint64_t link_world_request(link_world_t *world, uint64_t session, uint32_t timeout_ms,
                            bool link_bound) {
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
    link_world_t *world = ctx;
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
    link_world_t *world = ctx;
    assert_true(epoch != 0);
    world->dialer_ups++;
    if (world->request_on_up)
        link_world_request(world, 1000, 10000, true);
}

static void dialer_down(void *ctx, const char *reason) {
    assert_non_null(reason);
    ((link_world_t *)ctx)->dialer_downs++;
}

static void dialer_deliver(void *ctx, const envelope_t *envelope) {
    assert_int_equal(envelope->type, MSG_EXPEL);
    ((link_world_t *)ctx)->delivered++;
}

static void dialer_refused(void *ctx, unsigned reason) {
    ((link_world_t *)ctx)->refused_reason = reason;
}

static bool listener_transmit(void *ctx, str_t routing_id, str_t frame) {
    link_world_t *world = ctx;
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
    link_world_t *world = ctx;
    world->peer = peer;
    world->listener_ups++;
}

static void listener_down(void *ctx, link_peer_t *peer, const char *reason) {
    link_world_t *world = ctx;
    assert_non_null(reason);
    if (world->peer == peer)
        world->peer = NULL;
    world->listener_downs++;
}

static void listener_deliver(void *ctx, link_peer_t *peer, const envelope_t *envelope) {
    link_world_t *world = ctx;
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
    ((link_world_t *)ctx)->refused++;
}

const dialer_ops_t link_world_dialer_ops = {dialer_transmit, dialer_up, dialer_down, dialer_deliver,
                                            dialer_refused};
const link_listener_ops_t link_world_listener_ops = {listener_transmit, listener_up, listener_down,
                                                     listener_deliver, listener_refused};
const dialer_config_t link_world_dialer_config = {.role = ROLE_GATEWAY,
                                                  .name = "gateway-1",
                                                  .incarnation = 77,
                                                  .broker_digest = 5,
                                                  .max_pending_bytes = 4096};
const link_listener_config_t link_world_listener_config = {
    .name = "broker-1", .incarnation = 900, .broker_digest = 5};

void link_world_receive_as(link_world_t *world, role_t roles, str_t routing_id, str_t frame) {
    link_origin_t from = {.routing_id = routing_id, .roles = roles};
    link_listener_receive(world->listener, &from, frame, world->now_ms);
}

void link_world_receive(link_world_t *world, str_t routing_id, str_t frame) {
    link_world_receive_as(world, ROLE_CLIENTS, routing_id, frame);
}

void link_world_settle(link_world_t *world) {
    bool moved = true;
    while (moved) {
        moved = false;
        while (world->to_broker.first < world->to_broker.end) {
            size_t i = world->to_broker.first++;
            str_t frame = {world->to_broker.frames[i], world->to_broker.sizes[i]};
            link_world_receive(world, str_from(world->routing), frame);
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

void link_world_run(link_world_t *world, int64_t ms) {
    for (int64_t end = world->now_ms + ms; world->now_ms < end; world->now_ms += 50) {
        dialer_tick(world->dialer, world->now_ms);
        link_listener_tick(world->listener, world->now_ms);
        link_world_settle(world);
    }
}

int link_world_set_up(void **state) {
    link_world_t *world = xcalloc(1, sizeof(*world));
    strcpy(world->routing, "gateway-1/4d");
    world->now_ms = 1000;
    world->answer = true;
    world->dialer = dialer_new(&link_world_dialer_config, &link_world_dialer_ops, world);
    world->listener =
        link_listener_new(&link_world_listener_config, &link_world_listener_ops, world);
    *state = world;
    return 0;
}

int link_world_tear_down(void **state) {
    link_world_t *world = *state;
    pipe_clear(&world->to_broker);
    pipe_clear(&world->to_client);
    dialer_free(&world->dialer);
    link_listener_free(&world->listener);
    free(world);
    return 0;
}
