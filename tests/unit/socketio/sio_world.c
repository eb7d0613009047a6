#include "tests/unit/socketio/sio_world.h"

sio_world_t sio_world_new(const sio_options_t *options, const sio_handlers_t *handlers) {
    sio_world_t self = {0};
    eio_handlers_t below;
    self.server = sio_server_create(options, &below);
    self.engine = eio_server_create(&options->engine, &below, &recorder_transport);
    sio_server_attach(self.server, self.engine);
    self.main = sio_namespace(self.server, "/", handlers);
    self.other = sio_namespace(self.server, "/other", handlers);
    return self;
}

void sio_world_end(sio_world_t *self) {
    eio_server_close_all(self->engine, EIO_CLOSE_PING_TIMEOUT);
    eio_server_flush(self->engine, self->now_ms);
    self->engine->layer.free(self->engine->layer.arg);
    eio_server_destroy(&self->engine);
    recorder_fini();
}

eio_session_t *sio_world_open(sio_world_t *self, const char *ws) {
    self->session = eio_server_open(self->engine, NULL, NULL, (void *)ws, self->now_ms);
    sio_world_turn(self);
    return self->session;
}

void sio_world_text(sio_world_t *self, const char *packet) {
    strbuf_t text = {0};
    strbuf_append_char(&text, EIO_MESSAGE);
    strbuf_append(&text, str_from(packet));
    eio_session_receive(self->session, self->session->ws, strbuf_str(&text), false, self->now_ms);
    strbuf_fini(&text);
}

void sio_world_binary(sio_world_t *self, str_t bytes) {
    eio_session_receive(self->session, self->session->ws, bytes, true, self->now_ms);
}

const char *sio_world_turn(sio_world_t *self) {
    eio_server_advance(self->engine, self->now_ms);
    eio_server_flush(self->engine, self->now_ms);
    return recorder_take();
}
