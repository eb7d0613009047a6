/* Whose connection is it? Behind proxies the TCP peer is one of them, and X-Forwarded-For says who
 * came to the first; only what trusted proxies wrote is believed. */
#pragma once

#include <stdbool.h>

#include "common/str.h"

#define PROXIES_KEY_TEXT 48 /* room for a client's key with its NUL */

typedef struct proxies proxies_t;

/* True for an address or a network: 10.0.0.0/8, ::1, 2001:db8::/32. */
bool proxies_is_network(str_t text);

/* From networks for which proxies_is_network() holds. */
proxies_t *proxies_new(char *const *networks, size_t n);
void proxies_free(proxies_t **self);

/* Writes what connections of one client are counted by: its IPv4 address, or the /64 network of its
 * IPv6 address. `peer` is the TCP peer's address; `forwarded_for` is looked at only if that one is
 * trusted: from its end, up to the first address that isn't. An unreadable peer gives "". */
void proxies_client_key(const proxies_t *self, str_t peer, str_t forwarded_for,
                        char key_out[PROXIES_KEY_TEXT]);
