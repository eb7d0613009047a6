#include "bus_peer.h"

#include "common/brokers.h"

enum { RECEIVE_MS = 10000 };

static uint64_t digest_of_list(const broker_process_t *broker) {
    brokers_t *brokers;
    const char *why;
    assert_int_equal(brokers_new(str_from(broker->endpoint), &brokers, &why), OK);
    uint64_t digest = brokers_digest(brokers);
    brokers_free(&brokers);
    return digest;
}

void bus_peer_open(bus_peer_t *self, const broker_process_t *broker, const char *name) {
    if (!broker->keys[0]) {
        bus_peer_open_with(self, broker, name, &(bus_peer_keys_t){0});
        return;
    }
    key_pair_t own = broker_process_keys(broker, ROLE_GATEWAY),
               server = broker_process_keys(broker, ROLE_BROKER);
    bus_peer_open_with(self, broker, name,
                       &(bus_peer_keys_t){.own = &own, .server_key = server.public_key});
}

void bus_peer_open_with(bus_peer_t *self, const broker_process_t *broker, const char *name,
                        const bus_peer_keys_t *keys) {
    *self = (bus_peer_t){.broker = broker,
                         .socket = zsock_new(ZMQ_DEALER),
                         .hello = {.role = ROLE_GATEWAY,
                                   .name = str_from(name),
                                   .incarnation = 5,
                                   .hello_id = 1,
                                   .broker_digest = digest_of_list(broker),
                                   .version = STR("0")}};
    zsock_set_identity(self->socket, name);
    zsock_set_rcvtimeo(self->socket, RECEIVE_MS);
    zsock_set_linger(self->socket, 0);
    if (keys->own) {
        zsock_set_curve_publickey(self->socket, keys->own->public_key);
        zsock_set_curve_secretkey(self->socket, keys->own->secret_key);
        zsock_set_curve_serverkey(self->socket, keys->server_key);
    }
    assert_int_equal(zsock_connect(self->socket, "%s", broker->endpoint), 0);
}

void bus_peer_close(bus_peer_t *self) {
    zmsg_destroy(&self->received);
    zsock_destroy(&self->socket);
}

void bus_peer_send(const bus_peer_t *self, str_t frame) {
    zmsg_t *message = zmsg_new();
    zmsg_addmem(message, frame.p, frame.n);
    assert_int_equal(zmsg_send(&message, self->socket), 0);
}

void bus_peer_send_envelope(const bus_peer_t *self, const envelope_t *envelope) {
    strbuf_t frame = {0};
    envelope_encode(envelope, &frame);
    bus_peer_send(self, strbuf_str(&frame));
    strbuf_fini(&frame);
}

void bus_peer_say(bus_peer_t *self, uint16_t type, uint64_t id, str_t body) {
    envelope_t envelope = {.type = type,
                           .count = ++self->count,
                           .receiver = self->epoch,
                           .request_id = id,
                           .room = STR("conv_1_2"),
                           .user = STR("1"),
                           .session = 1,
                           .body = body};
    bus_peer_send_envelope(self, &envelope);
}

void bus_peer_say_hello(bus_peer_t *self) {
    strbuf_t body = {0};
    proto_hello_encode(&self->hello, &body);
    bus_peer_send_envelope(self, &(envelope_t){.type = MSG_HELLO, .body = strbuf_str(&body)});
    strbuf_fini(&body);
}

envelope_t bus_peer_receive(bus_peer_t *self) {
    envelope_t envelope;
    do {
        zmsg_destroy(&self->received);
        self->received = zmsg_recv(self->socket);
        assert_non_null(self->received);
        zframe_t *frame = zmsg_first(self->received);
        str_t bytes = {(const char *)zframe_data(frame), zframe_size(frame)};
        assert_int_equal(envelope_decode(bytes, &envelope), OK);
    } while (envelope.type == MSG_HEARTBEAT);
    return envelope;
}

void bus_peer_link(bus_peer_t *self) {
    proto_arena_t *arena = proto_arena_new();
    proto_welcome_t welcome;
    bus_peer_say_hello(self);
    envelope_t envelope = bus_peer_receive(self);
    assert_int_equal(envelope.type, MSG_WELCOME);
    assert_int_equal(proto_welcome_decode(envelope.body, arena, &welcome), OK);
    self->epoch = welcome.incarnation;
    self->count = 0;
    proto_arena_free(&arena);
}

unsigned bus_peer_refusal(bus_peer_t *self) {
    proto_arena_t *arena = proto_arena_new();
    proto_refused_t refused;
    envelope_t envelope = bus_peer_receive(self);
    assert_int_equal(envelope.type, MSG_REFUSED);
    assert_int_equal(proto_refused_decode(envelope.body, arena, &refused), OK);
    proto_arena_free(&arena);
    return (unsigned)refused.reason;
}

void bus_peer_expect_service(const broker_process_t *broker) {
    bus_peer_t peer;
    strbuf_t body = {0};
    str_t users[] = {STR("1")};
    bus_peer_open(&peer, broker, "proper");
    bus_peer_link(&peer);
    proto_watch_encode(&(proto_watch_t){.users = {users, 1}}, &body);
    bus_peer_say(&peer, MSG_WATCH, 7, strbuf_str(&body));
    envelope_t answer = bus_peer_receive(&peer);
    assert_int_equal(answer.type, MSG_PRESENCES);
    assert_int_equal(answer.request_id, 7);
    strbuf_fini(&body);
    bus_peer_close(&peer);
    assert_non_null(strstr(broker_process_get(broker, "/health"), "200 OK"));
}

void bus_peer_wait_until_read(bus_peer_t *self) {
    self->count += 1000;
    bus_peer_say(self, MSG_LEAVE, 0, STR("\x80"));
    while (bus_peer_receive(self).type != MSG_RESYNC)
        continue;
}
