#include "gateway/proxies.h"

#include <arpa/inet.h>

enum {
    ADDRESS_BYTES = 16,
    ADDRESS_BITS = 128,
    MAPPED_BITS = 96, /* in front of an IPv4 address that is written as an IPv6 one */
    CLIENT_BITS = 64, /* of an IPv6 address: what one client usually has all of */
};

/* IPv4 ones as ::ffff:a.b.c.d. */
typedef struct {
    uint8_t bytes[ADDRESS_BYTES];
} address_bytes_t;

typedef struct {
    address_bytes_t address;
    unsigned bits;
} network_t;

struct proxies {
    size_t n;
    network_t networks[];
};

static const uint8_t mapped_prefix[MAPPED_BITS / 8] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_v4(const address_bytes_t *address) {
    return memcmp(address->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static bool parse_address(str_t text, address_bytes_t *address_out) {
    char buffer[INET6_ADDRSTRLEN];
    if (text.n == 0 || text.n >= sizeof(buffer))
        return false;
    memcpy(buffer, text.p, text.n);
    buffer[text.n] = '\0';
    if (inet_pton(AF_INET6, buffer, address_out->bytes) == 1)
        return true;
    memcpy(address_out->bytes, mapped_prefix, sizeof(mapped_prefix));
    return inet_pton(AF_INET, buffer, address_out->bytes + sizeof(mapped_prefix)) == 1;
}

static bool parse_network(str_t text, network_t *network_out) {
    const char *slash = text.n ? memchr(text.p, '/', text.n) : NULL;
    size_t at = slash ? (size_t)(slash - text.p) : text.n;
    uint64_t bits = 0;
    if (!parse_address((str_t){text.p, at}, &network_out->address))
        return false;
    unsigned offset = memchr(text.p, ':', at) ? 0 : MAPPED_BITS;
    network_out->bits = ADDRESS_BITS;
    if (!slash)
        return true;
    if (str_to_u64(str_from_offset(text, at + 1), ADDRESS_BITS - offset, &bits))
        return false;
    network_out->bits = (unsigned)bits + offset;
    return true;
}

bool proxies_is_network(str_t text) {
    network_t network;
    return parse_network(text, &network);
}

proxies_t *proxies_new(char *const *networks, size_t n) {
    proxies_t *self = xcalloc(1, sizeof(*self) + n * sizeof(network_t));
    self->n = n;
    for (size_t i = 0; i < n; i++)
        ASSERT(parse_network(str_from(networks[i]), &self->networks[i]));
    return self;
}

void proxies_free(proxies_t **self) {
    free(*self);
    *self = NULL;
}

static bool in_network(const network_t *network, const address_bytes_t *address) {
    unsigned whole = network->bits / 8;
    unsigned rest = network->bits % 8;
    if (memcmp(network->address.bytes, address->bytes, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    uint8_t mask = (uint8_t)(0xff << (8 - rest));
    return ((network->address.bytes[whole] ^ address->bytes[whole]) & mask) == 0;
}

static bool is_trusted(const proxies_t *self, const address_bytes_t *address) {
    for (size_t i = 0; i < self->n; i++) {
        if (in_network(&self->networks[i], address))
            return true;
    }
    return false;
}

static str_t trim(str_t text) {
    while (text.n && (text.p[0] == ' ' || text.p[0] == '\t'))
        text = str_from_offset(text, 1);
    while (text.n && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
        text.n--;
    return text;
}

/* The last entry of a list separated by commas, which gets shorter. False when it is empty. */
static bool take_last(str_t *list, str_t *entry_out) {
    size_t start = list->n;
    if (list->n == 0)
        return false;
    while (start > 0 && list->p[start - 1] != ',')
        start--;
    *entry_out = trim(str_from_offset(*list, start));
    list->n = start > 0 ? start - 1 : 0;
    return true;
}

static void write_key(const address_bytes_t *address, char key_out[PROXIES_KEY_TEXT]) {
    address_bytes_t network = *address;
    if (is_v4(address)) {
        inet_ntop(AF_INET, address->bytes + sizeof(mapped_prefix), key_out, PROXIES_KEY_TEXT);
        return;
    }
    memset(network.bytes + CLIENT_BITS / 8, 0, ADDRESS_BYTES - CLIENT_BITS / 8);
    inet_ntop(AF_INET6, network.bytes, key_out, PROXIES_KEY_TEXT);
}

void proxies_client_key(const proxies_t *self, str_t peer, str_t forwarded_for,
                        char key_out[PROXIES_KEY_TEXT]) {
    address_bytes_t address, before;
    str_t entry;
    key_out[0] = '\0';
    if (!parse_address(peer, &address))
        return;
    while (is_trusted(self, &address) && take_last(&forwarded_for, &entry) &&
           parse_address(entry, &before))
        address = before;
    write_key(&address, key_out);
}
