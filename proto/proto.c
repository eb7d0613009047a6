/* Encoder and decoder for every message, driven by one table of fields made from messages.def. */
#include "proto/proto.h"

#include <msgpack.h>

#include "proto/envelope.h"
#include "proto/envelope_scan.h"

typedef enum { KIND_U64, KIND_TEXT, KIND_U64S, KIND_TEXTS } kind_t;

typedef struct {
    kind_t kind;
    unsigned key;
    const char *name;
    size_t offset; /* in the message's struct */
    bool required;
    uint64_t max;
    const char *doc;
} field_t;

typedef struct {
    uint16_t type;
    const char *name;
    role_t from;
    role_t to;
    const char *doc;
    const field_t *fields;
    size_t field_count;
    size_t struct_size;
} message_t;

#define MESSAGE(id, NAME, name, from, to, doc) static const field_t fields_##name[] = {
#define FIELD(kind_, name_, key_, field_, need, max_, doc_)                                        \
    {.kind = kind_,                                                                                \
     .key = key_,                                                                                  \
     .name = #field_,                                                                              \
     .offset = offsetof(proto_##name_##_t, field_),                                                \
     .required = need,                                                                             \
     .max = max_,                                                                                  \
     .doc = doc_},
#define U64(name, key, field, need, max, doc) FIELD(KIND_U64, name, key, field, need, max, doc)
#define TEXT(name, key, field, need, max, doc) FIELD(KIND_TEXT, name, key, field, need, max, doc)
#define U64S(name, key, field, need, max, doc) FIELD(KIND_U64S, name, key, field, need, max, doc)
#define TEXTS(name, key, field, need, max, doc) FIELD(KIND_TEXTS, name, key, field, need, max, doc)
#define END(NAME, name)                                                                            \
    { 0 }                                                                                          \
    }                                                                                              \
    ;
#include "proto/messages.def"
#undef MESSAGE
#undef U64
#undef TEXT
#undef U64S
#undef TEXTS
#undef END

#define MESSAGE(id, NAME, name_, from_, to_, doc_)                                                 \
    [id] = {.type = id,                                                                            \
            .name = #NAME,                                                                         \
            .from = from_,                                                                         \
            .to = to_,                                                                             \
            .doc = doc_,                                                                           \
            .fields = fields_##name_,                                                              \
            .field_count = sizeof(fields_##name_) / sizeof(field_t) - 1,                           \
            .struct_size = sizeof(proto_##name_##_t)},
#define U64(name, key, field, need, max, doc)
#define TEXT(name, key, field, need, max, doc)
#define U64S(name, key, field, need, max, doc)
#define TEXTS(name, key, field, need, max, doc)
#define END(NAME, name)
/* type => its description; the gaps have no name. */
static const message_t messages[256] = {
#include "proto/messages.def"
};
#undef MESSAGE
#undef END

enum { MESSAGE_COUNT = sizeof(messages) / sizeof(messages[0]) };

struct proto_arena {
    msgpack_zone zone;
};

proto_arena_t *proto_arena_new(void) {
    proto_arena_t *self = xcalloc(1, sizeof(*self));
    ASSERT(msgpack_zone_init(&self->zone, 8192));
    return self;
}

void proto_arena_free(proto_arena_t **self) {
    if (*self) {
        msgpack_zone_destroy(&(*self)->zone);
        free(*self);
    }
    *self = NULL;
}

static const message_t *find(uint16_t type) {
    return type < MESSAGE_COUNT && messages[type].name ? &messages[type] : NULL;
}

const char *proto_name(uint16_t type) {
    const message_t *message = find(type);
    return message ? message->name : NULL;
}

bool proto_allowed(uint16_t type, role_t from, role_t to) {
    const message_t *message = find(type);
    return message && (message->from & from) && (message->to & to);
}

const char *role_name(role_t role) {
    switch (role) {
    case ROLE_GATEWAY:
        return "gateway";
    case ROLE_REST:
        return "rest";
    case ROLE_PERSIST:
        return "persist-worker";
    case ROLE_AUTH:
        return "auth-worker";
    case ROLE_BROKER:
        return "broker";
    default:
        return "unknown";
    }
}

role_t role_from_name(str_t name) {
    for (unsigned role = 1; role <= ROLE_BROKER; role <<= 1) {
        if (str_eq(name, str_from(role_name((role_t)role))))
            return (role_t)role;
    }
    return 0;
}

const char *code_name(unsigned code) {
#define X(number, NAME, text) text,
    static const char *const names[] = {CODES(X)};
#undef X
    return code < CODE_COUNT ? names[code] : "internal";
}

/* ---- encoding ---- */

static int append(void *data, const char *bytes, size_t n) {
    strbuf_append(data, (str_t){bytes, n});
    return 0;
}

static bool is_empty(const field_t *field, const void *at) {
    switch (field->kind) {
    case KIND_U64:
        return *(const uint64_t *)at == 0;
    case KIND_TEXT:
        return ((const str_t *)at)->n == 0;
    case KIND_U64S:
        return ((const proto_u64s_t *)at)->n == 0;
    default:
        return ((const proto_texts_t *)at)->n == 0;
    }
}

static bool is_written(const field_t *field, const char *message) {
    return field->required || ((*(const uint64_t *)(const void *)message >> field->key) & 1) ||
           !is_empty(field, message + field->offset);
}

static void pack_text(msgpack_packer *packer, str_t text) {
    msgpack_pack_str(packer, text.n);
    msgpack_pack_str_body(packer, text.p, text.n);
}

static void pack_field(msgpack_packer *packer, const field_t *field, const void *at) {
    msgpack_pack_uint8(packer, (uint8_t)field->key);
    if (field->kind == KIND_U64) {
        msgpack_pack_uint64(packer, *(const uint64_t *)at);
    } else if (field->kind == KIND_TEXT) {
        pack_text(packer, *(const str_t *)at);
    } else if (field->kind == KIND_U64S) {
        const proto_u64s_t *list = at;
        msgpack_pack_array(packer, list->n);
        for (size_t i = 0; i < list->n; i++)
            msgpack_pack_uint64(packer, list->items[i]);
    } else {
        const proto_texts_t *list = at;
        msgpack_pack_array(packer, list->n);
        for (size_t i = 0; i < list->n; i++)
            pack_text(packer, list->items[i]);
    }
}

static void encode(uint16_t type, const void *struct_in, strbuf_t *body_out) {
    const message_t *message = find(type);
    const char *base = struct_in;
    msgpack_packer packer;
    msgpack_packer_init(&packer, body_out, append);
    size_t count = 0;
    for (size_t i = 0; i < message->field_count; i++)
        count += is_written(&message->fields[i], base);
    msgpack_pack_map(&packer, count);
    for (size_t i = 0; i < message->field_count; i++) {
        const field_t *field = &message->fields[i];
        if (is_written(field, base))
            pack_field(&packer, field, base + field->offset);
    }
}

/* ---- decoding ---- */

static err_t read_u64(const msgpack_object *value, uint64_t max, uint64_t *out) {
    if (value->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return ERR_INVALID;
    *out = value->via.u64;
    return *out <= max ? OK : ERR_LIMIT;
}

static err_t read_text(const msgpack_object *value, uint64_t max, str_t *out) {
    if (value->type != MSGPACK_OBJECT_STR)
        return ERR_INVALID;
    *out = (str_t){value->via.str.ptr, value->via.str.size};
    return out->n <= max ? OK : ERR_LIMIT;
}

static err_t read_list(const field_t *field, const msgpack_object *value, msgpack_zone *zone,
                       void *at) {
    if (value->type != MSGPACK_OBJECT_ARRAY)
        return ERR_INVALID;
    size_t n = value->via.array.size;
    if (n > field->max)
        return ERR_LIMIT;
    bool texts = field->kind == KIND_TEXTS;
    void *items =
        msgpack_zone_malloc(zone, (n ? n : 1) * (texts ? sizeof(str_t) : sizeof(uint64_t)));
    ASSERT(items);
    for (size_t i = 0; i < n; i++) {
        const msgpack_object *item = &value->via.array.ptr[i];
        err_t err = texts ? read_text(item, ENVELOPE_MAX_BYTES, (str_t *)items + i)
                          : read_u64(item, UINT64_MAX, (uint64_t *)items + i);
        if (err)
            return err;
    }
    if (texts)
        *(proto_texts_t *)at = (proto_texts_t){items, n};
    else
        *(proto_u64s_t *)at = (proto_u64s_t){items, n};
    return OK;
}

static err_t read_field(const field_t *field, const msgpack_object *value, msgpack_zone *zone,
                        void *at) {
    switch (field->kind) {
    case KIND_U64:
        return read_u64(value, field->max, at);
    case KIND_TEXT:
        return read_text(value, field->max, at);
    default:
        return read_list(field, value, zone, at);
    }
}

static const field_t *field_of(const message_t *message, const msgpack_object *key) {
    if (key->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
        return NULL;
    for (size_t i = 0; i < message->field_count; i++) {
        if (message->fields[i].key == key->via.u64)
            return &message->fields[i];
    }
    return NULL;
}

static err_t read_map(const message_t *message, const msgpack_object_map *map, msgpack_zone *zone,
                      void *out) {
    uint64_t *present = out;
    for (size_t i = 0; i < map->size; i++) {
        const field_t *field = field_of(message, &map->ptr[i].key);
        if (!field)
            continue;
        err_t err = read_field(field, &map->ptr[i].val, zone, (char *)out + field->offset);
        if (err)
            return err;
        *present |= (uint64_t)1 << field->key;
    }
    for (size_t i = 0; i < message->field_count; i++) {
        const field_t *field = &message->fields[i];
        if (field->required && !((*present >> field->key) & 1))
            return ERR_INVALID;
    }
    return OK;
}

static err_t decode(uint16_t type, str_t body, proto_arena_t *arena, void *out) {
    const message_t *message = find(type);
    memset(out, 0, message->struct_size);
    err_t err = envelope_scan(body);
    if (err)
        return err;
    msgpack_zone_clear(&arena->zone);
    msgpack_object object;
    size_t offset = 0;
    if (msgpack_unpack(body.p, body.n, &offset, &arena->zone, &object) != MSGPACK_UNPACK_SUCCESS ||
        object.type != MSGPACK_OBJECT_MAP)
        return ERR_INVALID;
    return read_map(message, &object.via.map, &arena->zone, out);
}

err_t proto_check(uint16_t type, str_t body, proto_arena_t *arena) {
    const message_t *message = find(type);
    if (!message)
        return ERR_INVALID;
    void *out = xmalloc(message->struct_size);
    err_t err = decode(type, body, arena, out);
    free(out);
    return err;
}

#define MESSAGE(id, NAME, name, from, to, doc)
#define END(NAME, name)                                                                            \
    void proto_##name##_encode(const proto_##name##_t *message, strbuf_t *body_out) {              \
        encode(MSG_##NAME, message, body_out);                                                     \
    }                                                                                              \
    err_t proto_##name##_decode(str_t body, proto_arena_t *arena, proto_##name##_t *out) {         \
        return decode(MSG_##NAME, body, arena, out);                                               \
    }
#include "proto/messages.def"

/* ---- documentation ---- */

static void print_roles(strbuf_t *out, role_t roles) {
    const char *separator = "";
    if ((roles & ROLE_ALL) == ROLE_ALL) {
        strbuf_append(out, STR("any"));
        return;
    }
    for (role_t role = ROLE_GATEWAY; role <= ROLE_BROKER; role = (role_t)(role << 1)) {
        if (roles & role) {
            strbuf_printf(out, "%s%s", separator, role_name(role));
            separator = ", ";
        }
    }
}

static void print_bound(strbuf_t *out, const field_t *field) {
    static const char *const kinds[] = {"integer", "text", "list of integers", "list of texts"};
    static const char *const units[] = {"", " bytes", " items", " items"};
    strbuf_append(out, str_from(kinds[field->kind]));
    if (field->max == UINT64_MAX)
        strbuf_append(out, STR(", 64 bits"));
    else if (field->max == INT64_MAX)
        strbuf_append(out, STR(", 63 bits"));
    else
        strbuf_printf(out, ", at most %llu%s", (unsigned long long)field->max, units[field->kind]);
}

void proto_print_markdown(strbuf_t *out) {
    for (size_t i = 0; i < MESSAGE_COUNT; i++) {
        const message_t *message = &messages[i];
        if (!message->name)
            continue;
        strbuf_printf(out, "\n### %u %s\n\n", message->type, message->name);
        print_roles(out, message->from);
        strbuf_append(out, STR(" → "));
        print_roles(out, message->to);
        strbuf_printf(out, ". %s\n", message->doc);
        if (message->field_count)
            strbuf_append(out,
                          STR("\n| key | field | | kind | meaning |\n|---|---|---|---|---|\n"));
        for (size_t j = 0; j < message->field_count; j++) {
            const field_t *field = &message->fields[j];
            strbuf_printf(out, "| %u | `%s` | %s | ", field->key, field->name,
                          field->required ? "required" : "optional");
            print_bound(out, field);
            strbuf_printf(out, " | %s |\n", field->doc);
        }
    }
}
