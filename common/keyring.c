#include "common/keyring.h"

/* RFC 32's characters. */
static const char z85[] =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/* 40 characters of Z85 whose groups of five are numbers below 2^32. */
static bool is_key(str_t text) {
    uint64_t value = 0;
    if (text.n != KEYRING_KEY_TEXT)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        const char *digit = text.p[i] ? strchr(z85, text.p[i]) : NULL;
        if (!digit)
            return false;
        value = value * 85 + (uint64_t)(digit - z85);
        if (i % 5 == 4 && value > UINT32_MAX)
            return false;
        value = i % 5 == 4 ? 0 : value;
    }
    return true;
}

static const char *add(keyring_t *self, str_t line) {
    role_t role = role_from_name(str_take_word(&line));
    str_t key = str_trim(line);
    if (!role)
        return "it doesn't begin with the name of a service";
    if (!is_key(key))
        return "it has no key of 40 characters of Z85";
    if (keyring_role(self, key))
        return "its key stands there already";
    if (self->n == KEYRING_KEYS_MAX)
        return "there are too many keys";
    keyring_entry_t *entry = &self->entries[self->n++];
    entry->role = role;
    memcpy(entry->key, key.p, key.n);
    entry->key[key.n] = '\0';
    return NULL;
}

err_t keyring_parse(str_t text, keyring_t *ring_out, strbuf_t *problem) {
    *ring_out = (keyring_t){0};
    if (text.n > KEYRING_TEXT_MAX) {
        strbuf_printf(problem, "more than %d bytes", KEYRING_TEXT_MAX);
        return ERR_LIMIT;
    }
    for (size_t number = 1; text.n; number++) {
        str_t line = str_trim(str_take_line(&text));
        const char *fault = line.n && line.p[0] != '#' ? add(ring_out, line) : NULL;
        if (fault) {
            strbuf_printf(problem, "line %zu: %s", number, fault);
            return ERR_INVALID;
        }
    }
    return OK;
}

role_t keyring_role(const keyring_t *self, str_t key) {
    for (size_t i = 0; i < self->n; i++) {
        if (str_eq(str_from(self->entries[i].key), key))
            return self->entries[i].role;
    }
    return 0;
}

size_t keyring_count(const keyring_t *self, role_t role) {
    size_t count = 0;
    for (size_t i = 0; i < self->n; i++)
        count += self->entries[i].role == role;
    return count;
}

const char *keyring_key(const keyring_t *self, role_t role, size_t index) {
    size_t count = keyring_count(self, role), i = 0;
    ASSERT(count > 0);
    for (size_t left = index % count; self->entries[i].role != role || left-- > 0; i++)
        continue;
    return self->entries[i].key;
}
