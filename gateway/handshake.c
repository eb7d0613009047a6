#include "gateway/handshake.h"

#include "common/cors.h"
#include "gateway/gateway_metrics.h"

enum { ADDRESSES_MAX = 100000 }; /* whose rate of connections is remembered */

struct handshake {
    char **origins; /* NULL at the end */
    cors_t cors;
    client_network_t *proxies; /* whose X-Forwarded-For is believed */
    size_t proxies_n;
    ratelimit_table_t *rates; /* NULL: no limit */
    metrics_t *metrics;
};

/* Browsers send origins without a slash, and CORS headers must equal them. */
static char *without_slash(const char *origin) {
    str_t text = str_from(origin);
    if (text.n && text.p[text.n - 1] == '/')
        text.n--;
    return str_dup(text);
}

handshake_t *handshake_new(const gateway_config_t *config, metrics_t *metrics) {
    handshake_t *self = xcalloc(1, sizeof(*self));
    ratelimit_rate_t rate = gateway_config_handshakes(config);
    self->origins = xcalloc(config->frontend_url.n + 1, sizeof(*self->origins));
    for (size_t i = 0; i < config->frontend_url.n; i++)
        self->origins[i] = without_slash(config->frontend_url.items[i]);
    self->cors = (cors_t){handshake_origins(self), config->frontend_url.n};
    self->proxies_n = config->trusted_proxies.n;
    self->proxies = xcalloc(self->proxies_n, sizeof(*self->proxies));
    for (size_t i = 0; i < self->proxies_n; i++)
        ASSERT(client_network_parse(str_from(config->trusted_proxies.items[i]),
                                    &self->proxies[i]) == OK);
    if (config->rate_limit)
        self->rates = ratelimit_table_new(&rate, ADDRESSES_MAX);
    self->metrics = metrics;
    return self;
}

void handshake_free(handshake_t **self_in) {
    handshake_t *self = *self_in;
    *self_in = NULL;
    if (!self)
        return;
    for (size_t i = 0; self->origins[i]; i++)
        free(self->origins[i]);
    free(self->origins);
    free(self->proxies);
    ratelimit_table_free(&self->rates);
    free(self);
}

const char *const *handshake_origins(const handshake_t *self) {
    return (const char *const *)self->origins;
}

/* What connections of one client are counted by; nothing for a peer that has no address. */
static void write_client_key(const handshake_t *self, const eio_request_t *request,
                             char key_out[CLIENT_ADDRESS_TEXT]) {
    client_address_t address;
    if (client_address_parse(eio_request_peer(request), &address) != OK)
        return;
    address = client_address_resolve(&address, eio_request_header(request, "x-forwarded-for"),
                                     self->proxies, self->proxies_n);
    address = client_address_subscriber(&address);
    client_address_format(&address, key_out);
}

bool handshake_may_connect(handshake_t *self, const eio_request_t *request, int64_t now_ms,
                           char key_out[CLIENT_ADDRESS_TEXT]) {
    int64_t retry_after_ms = 0;
    key_out[0] = '\0';
    if (request)
        write_client_key(self, request, key_out);
    if (!self->rates ||
        ratelimit_table_take(self->rates, str_from(key_out), 1, now_ms, &retry_after_ms))
        return true;
    metrics_increment(self->metrics, METRIC_CONNECTIONS_LIMITED, LIMIT_HANDSHAKES);
    return false;
}

void handshake_judge(handshake_t *self, const eio_request_t *request, eio_verdict_t *verdict,
                     int64_t now_ms) {
    char key[CLIENT_ADDRESS_TEXT];
    verdict->allow = false;
    if (cors_check(&self->cors, eio_request_header(request, "origin"),
                   eio_request_header(request, "host")) == CORS_FOREIGN)
        verdict->message = STR("Origin not allowed");
    else if (!handshake_may_connect(self, request, now_ms, key))
        verdict->message = STR("Too many connections");
    else
        verdict->allow = true;
}
