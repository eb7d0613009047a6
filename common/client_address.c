#include "common/client_address.h"

#include <arpa/inet.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_ipv4(const client_address_t *address) {
    return memcmp(address->bytes, mapped, sizeof(mapped)) == 0;
}

static str_t trim(str_t text) {
    while (text.n && (text.p[0] == ' ' || text.p[0] == '\t'))
        text = str_from_offset(text, 1);
    while (text.n && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
        text.n--;
    return text;
}

err_t client_address_parse(str_t text, client_address_t *address_out) {
    char copy[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    if (text.n == 0 || text.n >= sizeof(copy) || memchr(text.p, '\0', text.n))
        return ERR_INVALID;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    if (inet_pton(AF_INET, copy, bytes) == 1) {
        memcpy(address_out->bytes, mapped, sizeof(mapped));
        memcpy(address_out->bytes + sizeof(mapped), bytes, 4);
        return OK;
    }
    if (inet_pton(AF_INET6, copy, bytes) != 1)
        return ERR_INVALID;
    memcpy(address_out->bytes, bytes, sizeof(bytes));
    return OK;
}

client_address_t client_address_of(const struct sockaddr *address) {
    client_address_t found = {{0}};
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        memcpy(found.bytes, mapped, sizeof(mapped));
        memcpy(found.bytes + sizeof(mapped), &in->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
        memcpy(found.bytes, &in6->sin6_addr, sizeof(found.bytes));
    }
    return found;
}

void client_address_format(const client_address_t *address, char text_out[CLIENT_ADDRESS_TEXT]) {
    bool ipv4 = is_ipv4(address);
    const void *from = ipv4 ? address->bytes + sizeof(mapped) : address->bytes;
    ASSERT(inet_ntop(ipv4 ? AF_INET : AF_INET6, from, text_out, CLIENT_ADDRESS_TEXT));
}

err_t client_network_parse(str_t text, client_network_t *network_out) {
    const char *slash = text.n ? memchr(text.p, '/', text.n) : NULL;
    str_t address = {text.p, slash ? (size_t)(slash - text.p) : text.n};
    err_t err = client_address_parse(address, &network_out->network);
    if (err)
        return err;
    bool ipv4 = memchr(address.p, ':', address.n) == NULL;
    uint64_t bits = ipv4 ? 32 : 128;
    if (slash)
        err = str_to_u64(str_from_offset(text, address.n + 1), bits, &bits);
    network_out->prefix_bits = (unsigned)(ipv4 ? bits + 96 : bits);
    return err;
}

bool client_network_is_valid(str_t text) {
    client_network_t network;
    return client_network_parse(text, &network) == OK;
}

static bool is_in(const client_address_t *address, const client_network_t *network) {
    unsigned whole = network->prefix_bits / 8, rest = network->prefix_bits % 8;
    if (memcmp(address->bytes, network->network.bytes, whole) != 0)
        return false;
    uint8_t mask = (uint8_t)(0xff << (8 - rest));
    return rest == 0 || ((address->bytes[whole] ^ network->network.bytes[whole]) & mask) == 0;
}

bool client_address_is_trusted(const client_address_t *address, const client_network_t *networks,
                               size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (is_in(address, &networks[i]))
            return true;
    }
    return false;
}

/* Takes the last entry off a list with commas. */
static str_t take_last(str_t *list) {
    const char *comma = list->n ? memrchr(list->p, ',', list->n) : NULL;
    size_t start = comma ? (size_t)(comma - list->p) + 1 : 0;
    str_t last = str_from_offset(*list, start);
    list->n = comma ? start - 1 : 0;
    return trim(last);
}

client_address_t client_address_resolve(const client_address_t *peer, str_t forwarded_for,
                                        const client_network_t *networks, size_t count) {
    client_address_t found = *peer;
    while (forwarded_for.n && client_address_is_trusted(&found, networks, count)) {
        client_address_t next;
        if (client_address_parse(take_last(&forwarded_for), &next))
            break;
        found = next;
    }
    return found;
}

client_address_t client_address_subscriber(const client_address_t *address) {
    client_address_t subscriber = *address;
    if (!is_ipv4(address))
        memset(subscriber.bytes + 8, 0, 8);
    return subscriber;
}
