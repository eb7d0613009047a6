#include "auth-worker/attempts.h"

#include <arpa/inet.h>

enum {
    ADDRESS_MAX_BYTES = 64,
    NETWORK_BYTES = 8, /* of an IPv6 /64 */
    MAPPED_PREFIX_BYTES = 12,
};

struct attempts {
    ratelimit_table_t *accounts;
    ratelimit_table_t *addresses;
    bool off;
};

attempts_t *attempts_new(const attempts_settings_t *settings) {
    attempts_t *self = xcalloc(1, sizeof(*self));
    self->accounts = ratelimit_table_new(&settings->account, settings->max_entries);
    self->addresses = ratelimit_table_new(&settings->address, settings->max_entries);
    self->off = settings->off;
    return self;
}

void attempts_free(attempts_t **self) {
    if (!*self)
        return;
    ratelimit_table_free(&(*self)->accounts);
    ratelimit_table_free(&(*self)->addresses);
    free(*self);
    *self = NULL;
}

/* The name under which an address is counted; `bytes` is where it may be put. Text that is no
 * address counts as itself. */
static str_t address_name(str_t address, unsigned char bytes[sizeof(struct in6_addr)]) {
    static const unsigned char mapped[MAPPED_PREFIX_BYTES] = {[10] = 0xff, [11] = 0xff};
    char text[ADDRESS_MAX_BYTES + 1];
    if (address.n > ADDRESS_MAX_BYTES)
        return str_from_offset(address, address.n - ADDRESS_MAX_BYTES);
    if (address.n == 0)
        return STR("unknown");
    memcpy(text, address.p, address.n);
    text[address.n] = '\0';
    if (inet_pton(AF_INET, text, bytes) == 1)
        return (str_t){(const char *)bytes, sizeof(struct in_addr)};
    if (inet_pton(AF_INET6, text, bytes) != 1)
        return address;
    if (memcmp(bytes, mapped, sizeof(mapped)) == 0)
        return (str_t){(const char *)bytes + sizeof(mapped), sizeof(struct in_addr)};
    return (str_t){(const char *)bytes, NETWORK_BYTES};
}

bool attempts_take(attempts_t *self, str_t account, str_t address, int64_t now_ms,
                   int64_t *retry_after_ms_out) {
    unsigned char bytes[sizeof(struct in6_addr)];
    str_t name = address_name(address, bytes);
    if (self->off)
        return true;
    if (!ratelimit_table_take(self->addresses, name, 1, now_ms, retry_after_ms_out))
        return false;
    if (account.n == 0 ||
        ratelimit_table_take(self->accounts, account, 1, now_ms, retry_after_ms_out))
        return true;
    ratelimit_table_give_back(self->addresses, name, 1);
    return false;
}

void attempts_give_back(attempts_t *self, str_t account, str_t address) {
    unsigned char bytes[sizeof(struct in6_addr)];
    if (self->off)
        return;
    ratelimit_table_give_back(self->addresses, address_name(address, bytes), 1);
    if (account.n)
        ratelimit_table_give_back(self->accounts, account, 1);
}

size_t attempts_entries(const attempts_t *self) {
    return ratelimit_table_size(self->accounts) + ratelimit_table_size(self->addresses);
}
