#include "common/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"

#define BACKLOG 1024

static err_t refused(const config_endpoint_t *endpoint, const char *step, const char *reason) {
    log_error("listen_failed", log_text("host", endpoint->host), log_u64("port", endpoint->port),
              log_text("step", step), log_text("reason", reason));
    return ERR_IO;
}

/* The bound port, 0 when it can't be read. */
static uint16_t port_of(int fd) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {0};
    socklen_t size = sizeof(address);
    if (getsockname(fd, &address.any, &size) != 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

static int open_at(const struct addrinfo *address) {
    int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

err_t listener_open(const config_endpoint_t *endpoint, int *fd_out, uint16_t *port_out) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *address = NULL;
    char port[8];
    snprintf(port, sizeof(port), "%u", (unsigned)endpoint->port);
    int result = getaddrinfo(endpoint->host, port, &hints, &address);
    if (result != 0)
        return refused(endpoint, "resolve", gai_strerror(result));
    int fd = open_at(address);
    freeaddrinfo(address);
    if (fd < 0)
        return refused(endpoint, "bind", strerror(errno));
    *fd_out = fd;
    *port_out = port_of(fd);
    return OK;
}
