/* One Socket.IO client over WebSocket for load: connects, asks for the namespace with a token, then
 * hands every packet to its owner. Written apart from the gateway's code, so that a mistake there
 * can't hide here. Non-blocking, on the caller's epoll. */
#pragma once

#include <netinet/in.h>

#include "common/strbuf.h"

typedef enum {
    CLIENT_CONNECTING, /* TCP */
    CLIENT_UPGRADING,  /* waits for the 101 */
    CLIENT_OPENING,    /* waits for Engine.IO's open packet, then for the namespace */
    CLIENT_READY,
    CLIENT_CLOSED,
} client_state_t;

typedef struct client client_t;

typedef struct {
    /* The namespace is connected. */
    void (*ready)(void *ctx, client_t *client);
    /* An event ("42…") or acknowledgement ("43…"); `packet` lives during the call. */
    void (*packet)(void *ctx, client_t *client, str_t packet);
    void (*closed)(void *ctx, client_t *client, const char *why);
} client_ops_t;

struct client {
    const client_ops_t *ops;
    void *ctx;
    size_t index; /* the owner's number for it */
    int fd;
    client_state_t state;
    bool wants_write;
    int64_t started_ns;
    char *token;
    strbuf_t in;
    strbuf_t out;
};

/* Begins to connect from `source` (its address only) to `server`. ERR_IO when it can't. */
err_t client_start(client_t *self, int epoll_fd, const struct sockaddr_in *source,
                   const struct sockaddr_in *server) MUST_CHECK;
/* Its descriptor is readable or writable. */
void client_on_event(client_t *self, int epoll_fd, uint32_t events);
/* Puts one packet (text) into a WebSocket frame; it goes out with client_flush(), or by itself when
 * the client handles an event. */
void client_send(client_t *self, str_t packet);
void client_flush(client_t *self, int epoll_fd);
void client_fini(client_t *self);
