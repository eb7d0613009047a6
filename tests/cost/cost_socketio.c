/* Socket.IO: an event from a client with its acknowledgement, and one event to 40 sockets. */
#include "tests/cost/cost.h"

#include <string.h>

#include "tests/unit/socketio/sio_world.h"

enum { CLIENTS = 40 };

static sio_world_t world;

static void on_connect(void *arg, sio_connect_t *connect) {
    (void)arg;
    sio_accept(connect, NULL);
}

static void on_event(void *arg, sio_socket_t *socket, const sio_event_t *event) {
    (void)arg;
    (void)socket;
    sio_ack_t ack = sio_event_ack(event);
    sio_ack_send(&ack, STR("{\"ok\":true}"));
}

static void on_disconnect(void *arg, sio_socket_t *socket, eio_close_t reason) {
    (void)arg;
    (void)socket;
    (void)reason;
}

static void set_up(void) {
    static const sio_handlers_t handlers = {
        .on_connect = on_connect, .on_event = on_event, .on_disconnect = on_disconnect};
    world = sio_world_new(&(sio_options_t){.connect_timeout_ms = 1000}, &handlers);
    for (size_t i = 0; i < CLIENTS; i++) {
        sio_world_open(&world, "w");
        sio_world_text(&world, "0");
    }
    sio_world_turn(&world);
}

static void tear_down(void) {
    sio_world_end(&world);
}

static void event(size_t number) {
    (void)number;
    sio_world_text(&world, "27[\"send_message\",{\"conversationId\":\"conv_a_b\",\"text\":\"a "
                           "message of ordinary length, as people write them\"}]");
    sio_world_turn(&world);
}

static void broadcast(size_t number) {
    (void)number;
    sio_packet_t *packet =
        sio_packet_new(world.main, STR("new_message"),
                       STR("{\"conversationId\":\"conv_a_b\",\"seq\":1,\"text\":\"a message of "
                           "ordinary length, as people write them\"}"),
                       (sio_attachments_t){0});
    for (sio_socket_t *socket = sio_namespace_first(world.main); socket;
         socket = sio_socket_next(socket))
        sio_send_with(socket, packet, STR("\"an offset of a socket's own\""));
    sio_packet_unref(&packet);
    sio_world_turn(&world);
}

int main(int argc, char **argv) {
    static const cost_path_t paths[] = {
        {"event", set_up, event, tear_down},
        {"broadcast", set_up, broadcast, tear_down},
    };
    return cost_main(paths, sizeof(paths) / sizeof(paths[0]), argc, argv);
}
