/* The Socket.IO server with chat on it: joins the library (socketio.h) and the core. */
#pragma once

#include "gateway/gateway_core.h"
#include "gateway/handshake.h"
#include "gateway/socketio/socketio.h"

typedef struct sockets sockets_t;

typedef struct {
    struct uv_loop_s *loop;
    const gateway_config_t *config; /* borrowed */
    metrics_t *metrics;             /* borrowed */
    /* Answers GET /health and the like on the clients' port. */
    void (*on_get)(void *ctx, const eio_request_t *request, eio_reply_t *reply_out);
    void *ctx;
} sockets_config_t;

/* Binds and listens. ERR_IO: logged. */
err_t sockets_new(const sockets_config_t *config, sockets_t **self_out) MUST_CHECK;
/* From now on what clients do goes to `core`. Before the loop runs. */
void sockets_set_core(sockets_t *self, gateway_core_t *core);
/* Closes the port and every connection; the core hears of each. Then run the loop, then free. */
void sockets_stop(sockets_t *self);
void sockets_free(sockets_t **self);

/* No new connections any more. */
void sockets_drain(sockets_t *self);
void sockets_collect_metrics(const sockets_t *self, metrics_t *metrics);

/* The socket half of gateway_ops_t, with the sockets_t as its context. */
void *sockets_accept(sockets_t *self, void *connect, session_t *session);
void sockets_reply(void *socket, str_t pid);
void sockets_refuse(void *connect, str_t message, str_t data);
void sockets_close_connect(void *connect);
void *sockets_packet_new(sockets_t *self, str_t event, str_t args);
void sockets_packet_unref(void *packet);
void sockets_send(void *socket, void *packet, str_t offset);
void sockets_ack(gateway_ack_t *ack, str_t args);
void sockets_drop_ack(gateway_ack_t *ack);
/* Logs it. */
void sockets_step(const gateway_step_t *step);
void sockets_close(void *socket, gateway_close_t reason);
bool sockets_is_crowded(const void *socket);
