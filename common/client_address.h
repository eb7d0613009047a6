/* Whose request is it, when proxies stand in front: the last address in X-Forwarded-For that was
 * not written by one of ours. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "common/str.h"

enum { CLIENT_ADDRESS_TEXT = INET6_ADDRSTRLEN };

/* IPv4 as ::ffff:a.b.c.d. */
typedef struct {
    uint8_t bytes[16];
} client_address_t;

/* A network of proxies that are believed. */
typedef struct {
    client_address_t network;
    unsigned prefix_bits; /* of the 128 */
} client_network_t;

/* Reads "10.0.0.0/8", "::1" … ERR_INVALID for anything else. */
err_t client_network_parse(str_t text, client_network_t *network_out) MUST_CHECK;
bool client_network_is_valid(str_t text);

err_t client_address_parse(str_t text, client_address_t *address_out) MUST_CHECK;
/* The address of a socket's peer; all zeros for a family that isn't IP. */
client_address_t client_address_of(const struct sockaddr *address);
/* Writes it as text, IPv4 in its own form. */
void client_address_format(const client_address_t *address, char text_out[CLIENT_ADDRESS_TEXT]);

bool client_address_is_trusted(const client_address_t *address, const client_network_t *networks,
                               size_t count);

/* `peer` is who connected, `forwarded_for` the header's value (empty when absent). Reads it from
 * its end as long as the addresses are proxies that are believed; what is malformed ends the
 * reading. */
client_address_t client_address_resolve(const client_address_t *peer, str_t forwarded_for,
                                        const client_network_t *networks, size_t count);

/* What limits count: the whole IPv4 address, the /64 network of an IPv6 one. */
client_address_t client_address_subscriber(const client_address_t *address);
