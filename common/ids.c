#include "common/ids.h"

#include "common/idgen.h"

static bool is_user_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '@' || c == '|' || c == ':' || c == '-';
}

bool ids_is_user(str_t id) {
    for (size_t i = 0; i < id.n; i++) {
        if (!is_user_character(id.p[i]))
            return false;
    }
    return id.n >= 1 && id.n <= IDS_USER_MAX;
}

static bool is_number(str_t id) {
    for (size_t i = 0; i < id.n; i++) {
        if (id.p[i] < '0' || id.p[i] > '9')
            return false;
    }
    return id.n > 0;
}

static str_t without_leading_zeros(str_t number) {
    while (number.n && number.p[0] == '0')
        number = str_from_offset(number, 1);
    return number;
}

int ids_compare_users(str_t a, str_t b) {
    if (is_number(a) && is_number(b)) {
        str_t x = without_leading_zeros(a);
        str_t y = without_leading_zeros(b);
        int by_number = x.n != y.n ? (x.n < y.n ? -1 : 1) : str_compare(x, y);
        if (by_number != 0)
            return by_number;
    }
    return str_compare(a, b);
}

/* The two users of a direct conversation; the part of its name after "conv_". */
static ids_room_t parse_direct(str_t pair) {
    const char *separator = pair.n ? memchr(pair.p, '_', pair.n) : NULL;
    if (!separator)
        return (ids_room_t){0};
    size_t at = (size_t)(separator - pair.p);
    str_t first = {pair.p, at};
    str_t second = str_from_offset(pair, at + 1);
    if (!ids_is_user(first) || !ids_is_user(second) || ids_compare_users(first, second) >= 0)
        return (ids_room_t){0};
    return (ids_room_t){.kind = IDS_DIRECT, .user = first, .other = second};
}

ids_room_t ids_parse_room(str_t name) {
    idgen_uuid_t uuid;
    if (str_starts_with(name, STR("conv_")))
        return parse_direct(str_from_offset(name, 5));
    if (str_starts_with(name, STR("user_"))) {
        str_t user = str_from_offset(name, 5);
        if (ids_is_user(user))
            return (ids_room_t){.kind = IDS_USER, .user = user};
    }
    if (str_starts_with(name, STR("group_"))) {
        str_t text = str_from_offset(name, 6);
        if (idgen_parse(text, &uuid) == OK)
            return (ids_room_t){.kind = IDS_GROUP, .uuid = text};
    }
    return (ids_room_t){0};
}

bool ids_is_conversation(str_t name) {
    ids_kind_t kind = ids_parse_room(name).kind;
    return kind == IDS_DIRECT || kind == IDS_GROUP;
}

err_t ids_append_direct(strbuf_t *out, str_t a, str_t b) {
    if (!ids_is_user(a) || !ids_is_user(b) || str_eq(a, b))
        return ERR_INVALID;
    bool ordered = ids_compare_users(a, b) < 0;
    strbuf_append(out, STR("conv_"));
    strbuf_append(out, ordered ? a : b);
    strbuf_append_char(out, '_');
    strbuf_append(out, ordered ? b : a);
    return OK;
}

void ids_append_user_room(strbuf_t *out, str_t user) {
    strbuf_append(out, STR("user_"));
    strbuf_append(out, user);
}

str_t ids_partner(str_t conversation, str_t user) {
    ids_room_t room = ids_parse_room(conversation);
    if (room.kind == IDS_DIRECT && str_eq(room.user, user))
        return room.other;
    if (room.kind == IDS_DIRECT && str_eq(room.other, user))
        return room.user;
    return (str_t){0};
}

bool ids_is_participant(str_t conversation, str_t user) {
    return ids_partner(conversation, user).n > 0;
}
