#include "bus_world.h"

#include <ftw.h>
#include <unistd.h>

#include "keygen/keygen.h"

static void client_up(void *ctx, size_t broker, uint64_t epoch) {
    (void)broker;
    (void)epoch;
    ((bus_world_t *)ctx)->ups++;
}

static void client_down(void *ctx, size_t broker, const char *reason) {
    (void)broker;
    (void)reason;
    ((bus_world_t *)ctx)->downs++;
}

static void client_deliver(void *ctx, size_t broker, const envelope_t *envelope) {
    (void)broker;
    assert_int_equal(envelope->type, MSG_EXPEL);
    ((bus_world_t *)ctx)->delivered++;
}

static void client_refused(void *ctx, size_t broker, unsigned reason) {
    (void)ctx;
    (void)broker;
    fail_msg("refused for reason %u", reason);
}

static void server_up(void *ctx, link_peer_t *peer) {
    ((bus_world_t *)ctx)->peer = peer;
    ((bus_world_t *)ctx)->server_ups++;
}

static void server_down(void *ctx, link_peer_t *peer, const char *reason) {
    (void)peer;
    (void)reason;
    ((bus_world_t *)ctx)->peer = NULL;
    ((bus_world_t *)ctx)->server_downs++;
}

static void server_deliver(void *ctx, link_peer_t *peer, const envelope_t *envelope) {
    bus_world_t *world = ctx;
    envelope_t reply = {.type = MSG_DONE,
                        .flags = ENVELOPE_REPLY,
                        .request_id = envelope->request_id,
                        .body = STR("\x80")};
    assert_int_equal(bus_server_send(world->server, peer, &reply), OK);
}

static void server_refused(void *ctx, str_t routing_id, const char *what) {
    (void)routing_id;
    ((bus_world_t *)ctx)->refused++;
    ((bus_world_t *)ctx)->refusal = what;
}

static void server_stranger(void *ctx, bus_stranger_t kind) {
    bus_world_t *world = ctx;
    world->unknown_keys += kind == BUS_STRANGER_KEY;
    world->unshaken += kind != BUS_STRANGER_KEY;
}

static const bus_client_handler_t client_handler = {client_up, client_down, client_deliver,
                                                    client_refused};
static const bus_server_handler_t server_handler = {.up = server_up,
                                                    .down = server_down,
                                                    .deliver = server_deliver,
                                                    .refused = server_refused,
                                                    .stranger = server_stranger};

static void on_reply(void *arg, err_t err, const envelope_t *reply) {
    bus_world_t *world = arg;
    world->answered += err == OK && reply->type == MSG_DONE;
    world->failed += err != OK;
    if (world->to_request > 0) {
        world->to_request--;
        bus_world_request(world);
    }
}

void bus_world_request(bus_world_t *world) {
    envelope_t envelope = {.type = MSG_TYPING, .room = STR("conv_1_2"), .body = STR("\x80")};
    link_request_t wanted = {
        .envelope = &envelope, .timeout_ms = 20000, .on_reply = on_reply, .arg = world};
    assert_true(bus_client_request(world->client, &wanted).id != 0);
}

void bus_world_start_server(bus_world_t *world) {
    bus_server_config_t config = {.name = "broker-1",
                                  .bind_endpoint = world->endpoint,
                                  .broker_digest = brokers_digest(world->brokers),
                                  .keys_directory = world->keys[0] ? world->keys : NULL};
    assert_int_equal(bus_server_new(&world->loop, &config, &server_handler, world, &world->server),
                     OK);
}

static void on_deadline(uv_timer_t *timer) {
    ((bus_world_t *)timer->data)->late = true;
}

void bus_world_run_until(bus_world_t *world, const int *count, int wanted) {
    world->late = false;
    uv_timer_start(&world->deadline, on_deadline, 20000, 0);
    while (*count < wanted && !world->late)
        uv_run(&world->loop, UV_RUN_ONCE);
    uv_timer_stop(&world->deadline);
    assert_false(world->late);
}

void bus_world_start_client(bus_world_t *world) {
    bus_client_config_t config = {.brokers = world->brokers,
                                  .role = ROLE_GATEWAY,
                                  .name = "gateway-1",
                                  .max_pending_bytes = 1 << 20,
                                  .keys_directory = world->keys[0] ? world->keys : NULL};
    assert_int_equal(bus_client_new(&world->loop, &config, &client_handler, world, &world->client),
                     OK);
}

static void make_keys(bus_world_t *world) {
    strbuf_t report = {0}, problem = {0};
    snprintf(world->keys, sizeof(world->keys), "%s/keys", world->directory);
    assert_int_equal(keygen_fill(world->keys, &report, &problem), OK);
    strbuf_fini(&report);
    strbuf_fini(&problem);
}

bus_world_t *bus_world_new(bool with_keys) {
    bus_world_t *world = xcalloc(1, sizeof(*world));
    const char *why;
    strcpy(world->directory, "/tmp/parley-bus-XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    snprintf(world->endpoint, sizeof(world->endpoint), "ipc://%s/b", world->directory);
    assert_int_equal(brokers_new(str_from(world->endpoint), &world->brokers, &why), OK);
    if (with_keys)
        make_keys(world);
    uv_loop_init(&world->loop);
    uv_timer_init(&world->loop, &world->deadline);
    world->deadline.data = world;
    return world;
}

static int remove_entry(const char *path, const struct stat *found, int kind, struct FTW *place) {
    (void)found;
    (void)kind;
    (void)place;
    return remove(path);
}

void bus_world_free(bus_world_t *world) {
    bus_client_close(&world->client);
    bus_server_close(&world->server);
    uv_close((uv_handle_t *)&world->deadline, NULL);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    brokers_free(&world->brokers);
    assert_int_equal(nftw(world->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(world);
}

const char *bus_world_key_file(bus_world_t *world, const char *name) {
    static char path[160];
    snprintf(path, sizeof(path), "%s/%s", world->keys, name);
    return path;
}

void bus_world_append_hello(const bus_world_t *world, role_t role, const char *name,
                            strbuf_t *frame) {
    strbuf_t body = {0};
    proto_hello_t hello = {.role = role,
                           .name = str_from(name),
                           .incarnation = 7,
                           .hello_id = 1,
                           .broker_digest = brokers_digest(world->brokers)};
    proto_hello_encode(&hello, &body);
    envelope_encode(&(envelope_t){.type = MSG_HELLO, .body = strbuf_str(&body)}, frame);
    strbuf_fini(&body);
}
