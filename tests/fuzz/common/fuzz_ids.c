/* Every accepted room name is the only spelling of what it names; every pair of users has exactly
 * one. */
#include "common/ids.h"

#include "common/idgen.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_direct(str_t name, str_t a, str_t b) {
    strbuf_t again = {0};
    ASSERT(ids_append_direct(&again, a, b) == OK);
    ASSERT(str_eq(strbuf_str(&again), name));
    strbuf_clear(&again);
    ASSERT(ids_append_direct(&again, b, a) == OK);
    ASSERT(str_eq(strbuf_str(&again), name));
    ASSERT(name.n <= IDS_ROOM_MAX);
    ASSERT(ids_is_participant(name, a) && ids_is_participant(name, b));
    ASSERT(str_eq(ids_partner(name, a), b) && str_eq(ids_partner(name, b), a));
    strbuf_fini(&again);
}

static void check_name(str_t name) {
    ids_room_t room = ids_parse_room(name);
    idgen_uuid_t uuid;
    char text[IDGEN_UUID_TEXT + 1];
    switch (room.kind) {
    case IDS_DIRECT:
        check_direct(name, room.user, room.other);
        break;
    case IDS_GROUP:
        ASSERT(idgen_parse(room.uuid, &uuid) == OK);
        idgen_format(&uuid, text);
        ASSERT(str_eq(str_from(text), room.uuid));
        break;
    case IDS_USER:
        ASSERT(ids_is_user(room.user) && name.n == room.user.n + 5);
        break;
    case IDS_INVALID:
        break;
    }
    ASSERT(ids_is_conversation(name) == (room.kind == IDS_DIRECT || room.kind == IDS_GROUP));
}

/* The name built from two users is accepted, and with them swapped it is not. */
static void check_pair(str_t a, str_t b) {
    strbuf_t name = {0};
    int order = ids_compare_users(a, b);
    ASSERT((order == 0) == str_eq(a, b));
    ASSERT((order < 0) == (ids_compare_users(b, a) > 0));
    bool valid = ids_is_user(a) && ids_is_user(b) && order != 0;
    ASSERT((ids_append_direct(&name, a, b) == OK) == valid);
    if (valid) {
        check_direct(strbuf_str(&name), a, b);
        strbuf_clear(&name);
        strbuf_printf(&name, "conv_%.*s_%.*s", STR_ARG(order < 0 ? b : a),
                      STR_ARG(order < 0 ? a : b));
        ASSERT(ids_parse_room(strbuf_str(&name)).kind == IDS_INVALID);
    }
    strbuf_fini(&name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    str_t all = {(const char *)data, size};
    check_name(all);
    const char *space = size ? memchr(data, ' ', size) : NULL;
    if (space) {
        size_t at = (size_t)(space - all.p);
        check_pair((str_t){all.p, at}, str_from_offset(all, at + 1));
    }
    return 0;
}
