#include "gateway/recovery_offset.h"

#include "common/ids.h"

enum { NUMBER_MAX = 20 };

void recovery_offset_begin(strbuf_t *out, str_t generation, uint64_t changes_ms) {
    if (generation.n > RECOVERY_GENERATION_MAX)
        generation.n = RECOVERY_GENERATION_MAX;
    strbuf_append(out, STR("1,"));
    strbuf_append(out, generation);
    strbuf_append_char(out, ',');
    strbuf_append_u64(out, changes_ms);
}

void recovery_offset_add(strbuf_t *out, str_t room, uint64_t seq, uint64_t read_ms) {
    strbuf_reserve(out, room.n + 3 + 2 * NUMBER_MAX);
    strbuf_append_char(out, '/');
    strbuf_append(out, room);
    strbuf_append_char(out, ',');
    strbuf_append_u64(out, seq);
    strbuf_append_char(out, ',');
    strbuf_append_u64(out, read_ms);
}

/* Takes what stands before the next `separator`, or all, off the front. *rest becomes .p NULL
 * behind the last. */
static str_t take(str_t *rest, char separator) {
    const char *end = rest->n ? memchr(rest->p, separator, rest->n) : NULL;
    str_t part = *rest;
    if (!end) {
        *rest = (str_t){0};
        return part;
    }
    part.n = (size_t)(end - rest->p);
    *rest = str_from_offset(*rest, part.n + 1);
    return part;
}

static bool is_generation(str_t text) {
    for (size_t i = 0; i < text.n; i++) {
        bool ok = (text.p[i] >= '0' && text.p[i] <= '9') || (text.p[i] >= 'a' && text.p[i] <= 'z');
        if (!ok)
            return false;
    }
    return text.n <= RECOVERY_GENERATION_MAX;
}

static err_t parse_head(str_t head, recovery_offset_t *offset) {
    if (!str_eq(take(&head, ','), STR("1")) || !head.p)
        return ERR_INVALID;
    offset->generation = take(&head, ',');
    if (!head.p || !is_generation(offset->generation))
        return ERR_INVALID;
    return str_to_u64(head, INT64_MAX, &offset->changes_ms);
}

static err_t parse_room(str_t text, recovery_offset_t *offset) {
    recovery_room_t room = {.name = take(&text, ',')};
    if (!ids_is_conversation(room.name) || !text.p ||
        str_to_u64(take(&text, ','), INT64_MAX, &room.seq) != OK || !text.p ||
        str_to_u64(text, INT64_MAX, &room.read_ms) != OK)
        return ERR_INVALID;
    for (size_t i = 0; i < offset->n; i++) {
        if (str_eq(offset->rooms[i].name, room.name))
            return ERR_INVALID;
    }
    if (offset->n == RECOVERY_ROOMS_MAX)
        return ERR_LIMIT;
    offset->rooms[offset->n++] = room;
    return OK;
}

err_t recovery_offset_parse(str_t text, recovery_offset_t *offset_out) {
    offset_out->n = 0;
    if (text.n > RECOVERY_OFFSET_MAX || str_eq(text, STR(RECOVERY_OFFSET_NONE)))
        return ERR_LIMIT;
    str_t rest = text;
    err_t err = parse_head(take(&rest, '/'), offset_out);
    while (!err && rest.p)
        err = parse_room(take(&rest, '/'), offset_out);
    return err;
}
