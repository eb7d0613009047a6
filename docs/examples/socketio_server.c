/* A chat of rooms, on the Socket.IO library alone. Usage: socketio_server [PORT]
 *
 *   client                                          what happens
 *   emit("join", "room", ack)                       joins; ack gets the number of members
 *   emit("say", "room", anything)                   the others in that room get "said" with both
 *   io(url, {auth: {name: "you"}})                  a client without auth is refused */
#include <signal.h>
#include <stdio.h>
#include <uv.h>

#include "common/strbuf.h"
#include "gateway/socketio/socketio.h"

static void on_connect(void *arg, sio_connect_t *connect) {
    (void)arg;
    if (sio_connect_auth(connect).n)
        sio_accept(connect, NULL);
    else
        sio_refuse(connect, STR("Who are you?"), STR("{\"code\":\"unauthorized\"}"));
}

static void on_join(sio_socket_t *socket, str_t room, sio_ack_t ack) {
    strbuf_t count = {0};
    sio_join(socket, room);
    strbuf_append_u64(&count, sio_room_size(sio_socket_namespace(socket), room));
    sio_ack_send(&ack, strbuf_str(&count));
    strbuf_fini(&count);
}

static void on_say(sio_socket_t *socket, str_t room, const sio_event_t *event) {
    sio_namespace_t *nsp = sio_socket_namespace(socket);
    sio_packet_t *packet = sio_packet_new(nsp, STR("said"), event->args, event->attachments);
    if (sio_in_room(socket, room))
        sio_room_send(nsp, room, packet, socket);
    sio_packet_unref(&packet);
}

static void on_event(void *arg, sio_socket_t *socket, const sio_event_t *event) {
    str_t args = event->args, room;
    (void)arg;
    if (!sio_next_arg(&args, &room)) /* the JSON text of the first argument names the room */
        return;
    if (str_eq(event->name, STR("join")))
        on_join(socket, room, sio_event_ack(event));
    else if (str_eq(event->name, STR("say")))
        on_say(socket, room, event);
}

static void on_signal(uv_signal_t *handle, int number) {
    (void)number;
    eio_listener_stop(handle->data);
    uv_close((uv_handle_t *)handle, NULL);
}

int main(int argc, char **argv) {
    static const char *const any_origin[] = {"*", NULL};
    uint64_t port = 3000;
    uv_loop_t *loop = uv_default_loop();
    eio_listener_t *listener;
    if (argc > 1 && str_to_u64(str_from(argv[1]), UINT16_MAX, &port) != OK)
        return 2;
    eio_listener_options_t listen = {.host = "127.0.0.1", .port = (uint16_t)port};
    if (eio_listener_new(loop, &listen, &listener) != OK)
        return 1;
    sio_options_t options = {.engine.cors.origins = any_origin};
    sio_server_t *server = sio_server_new(listener, &options);
    sio_namespace(server, "/", &(sio_handlers_t){.on_connect = on_connect, .on_event = on_event});
    uv_signal_t sigterm;
    uv_signal_init(loop, &sigterm);
    sigterm.data = listener;
    uv_signal_start(&sigterm, on_signal, SIGTERM);
    printf("listening on %u\n", eio_listener_port(listener));
    fflush(stdout);
    uv_run(loop, UV_RUN_DEFAULT);
    eio_listener_free(&listener);
    return uv_loop_close(loop) == 0 ? 0 : 1;
}
