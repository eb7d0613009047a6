#include "proto/envelope_scan.h"

typedef struct {
    const unsigned char *p;
    size_t left;
} cursor_t;

/* Reads a big-endian number of `width` bytes. */
static err_t read_number(cursor_t *cursor, size_t width, uint64_t *out) {
    if (cursor->left < width)
        return ERR_INVALID;
    *out = 0;
    for (size_t i = 0; i < width; i++)
        *out = *out << 8 | cursor->p[i];
    cursor->p += width;
    cursor->left -= width;
    return OK;
}

static err_t skip(cursor_t *cursor, uint64_t n) {
    if (cursor->left < n)
        return ERR_INVALID;
    cursor->p += n;
    cursor->left -= (size_t)n;
    return OK;
}

/* Bytes that follow a type byte 0xc0 … 0xdf, before children: how wide its length number is, how
 * many bytes of payload it has besides, and how many children each counted element is. */
typedef struct {
    uint8_t length_width;
    uint8_t payload;
    uint8_t children;
    bool legal;
} shape_t;

static const shape_t shapes[32] = {
    [0x00] = {0, 0, 0, true},  /* nil */
    [0x02] = {0, 0, 0, true},  /* false */
    [0x03] = {0, 0, 0, true},  /* true */
    [0x04] = {1, 0, 0, true},  /* bin 8 */
    [0x05] = {2, 0, 0, true},  /* bin 16 */
    [0x06] = {4, 0, 0, true},  /* bin 32 */
    [0x07] = {1, 1, 0, true},  /* ext 8 */
    [0x08] = {2, 1, 0, true},  /* ext 16 */
    [0x09] = {4, 1, 0, true},  /* ext 32 */
    [0x0a] = {0, 4, 0, true},  /* float 32 */
    [0x0b] = {0, 8, 0, true},  /* float 64 */
    [0x0c] = {0, 1, 0, true},  /* uint 8 */
    [0x0d] = {0, 2, 0, true},  /* uint 16 */
    [0x0e] = {0, 4, 0, true},  /* uint 32 */
    [0x0f] = {0, 8, 0, true},  /* uint 64 */
    [0x10] = {0, 1, 0, true},  /* int 8 */
    [0x11] = {0, 2, 0, true},  /* int 16 */
    [0x12] = {0, 4, 0, true},  /* int 32 */
    [0x13] = {0, 8, 0, true},  /* int 64 */
    [0x14] = {0, 2, 0, true},  /* fixext 1 */
    [0x15] = {0, 3, 0, true},  /* fixext 2 */
    [0x16] = {0, 5, 0, true},  /* fixext 4 */
    [0x17] = {0, 9, 0, true},  /* fixext 8 */
    [0x18] = {0, 17, 0, true}, /* fixext 16 */
    [0x19] = {1, 0, 0, true},  /* str 8 */
    [0x1a] = {2, 0, 0, true},  /* str 16 */
    [0x1b] = {4, 0, 0, true},  /* str 32 */
    [0x1c] = {2, 0, 1, true},  /* array 16 */
    [0x1d] = {4, 0, 1, true},  /* array 32 */
    [0x1e] = {2, 0, 2, true},  /* map 16 */
    [0x1f] = {4, 0, 2, true},  /* map 32 */
};

/* Passes one value's own bytes and says how many values must follow as its children. */
static err_t pass_value(cursor_t *cursor, uint64_t *children_out) {
    uint64_t type;
    err_t err = read_number(cursor, 1, &type);
    *children_out = 0;
    if (err || type < 0x80 || type >= 0xe0) /* fixint */
        return err;
    if (type < 0xa0) {
        *children_out = (type & 15) * (type < 0x90 ? 2 : 1);
        return OK;
    }
    if (type < 0xc0)
        return skip(cursor, type & 31); /* fixstr */
    const shape_t *shape = &shapes[type - 0xc0];
    uint64_t length = 0;
    if (!shape->legal)
        return ERR_INVALID;
    if ((err = read_number(cursor, shape->length_width, &length)))
        return err;
    if (shape->children) {
        *children_out = length * shape->children;
        return OK;
    }
    return skip(cursor, length + shape->payload);
}

err_t envelope_scan(str_t bytes) {
    cursor_t cursor = {(const unsigned char *)bytes.p, bytes.n};
    uint64_t open[SCAN_MAX_DEPTH + 1] = {1}; /* values still to come at each depth */
    size_t depth = 0;
    size_t items = 0;
    while (depth > 0 || open[0] > 0) {
        if (open[depth] == 0) {
            depth--;
            continue;
        }
        open[depth]--;
        uint64_t children;
        err_t err = pass_value(&cursor, &children);
        if (err)
            return err;
        if (++items > SCAN_MAX_ITEMS)
            return ERR_LIMIT;
        if (children == 0)
            continue;
        if (children > cursor.left)
            return ERR_INVALID;
        if (depth == SCAN_MAX_DEPTH || children > SCAN_MAX_ITEMS)
            return ERR_LIMIT;
        open[++depth] = children;
    }
    return cursor.left == 0 ? OK : ERR_INVALID;
}
