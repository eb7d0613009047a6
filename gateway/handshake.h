/* Who may open a connection: the Origin check, the client's address, and how often one may come. */
#pragma once

#include "common/client_address.h"
#include "gateway/gateway_config.h"
#include "gateway/socketio/engineio.h"

typedef struct handshake handshake_t;

/* `config` is borrowed. */
handshake_t *handshake_new(const gateway_config_t *config, metrics_t *metrics);
void handshake_free(handshake_t **self);

/* The allowed origins for CORS, NULL at the end; empty when there are none. */
const char *const *handshake_origins(const handshake_t *self);

/* eio_server_options_t.on_request: refuses foreign origins and floods. */
void handshake_judge(handshake_t *self, const eio_request_t *request, eio_verdict_t *verdict,
                     int64_t now_ms);
/* Whether this client may present a token now; its key for connection limits in any case.
 * `request` NULL: it has gone. */
bool handshake_may_connect(handshake_t *self, const eio_request_t *request, int64_t now_ms,
                           char key_out[CLIENT_ADDRESS_TEXT]);
