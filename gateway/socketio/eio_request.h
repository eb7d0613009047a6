/* What is kept of an HTTP request, in one block of memory. The accessors are in engineio.h. */
#pragma once

#include "gateway/socketio/engineio.h"
#include "gateway/socketio/http_head.h"

/* Copies out of `head`: path, decoded query parameters, the headers named in `kept` (lower case,
 * NULL at the end; must outlive the request) and the peer's address. */
eio_request_t *eio_request_new(const http_head_t *head, const char *const *kept, str_t peer,
                               bool websocket);
void eio_request_free(eio_request_t **request);
