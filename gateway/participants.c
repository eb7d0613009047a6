#include "gateway/participants.h"

#include "common/iso8601.h"

/* A place in a JSON text that moves on. */
typedef struct {
    str_t text;
    size_t at;
} cursor_t;

static void skip_space(cursor_t *cursor) {
    while (cursor->at < cursor->text.n && strchr(" \t\r\n", cursor->text.p[cursor->at]))
        cursor->at++;
}

static bool take(cursor_t *cursor, char c) {
    skip_space(cursor);
    if (cursor->at >= cursor->text.n || cursor->text.p[cursor->at] != c)
        return false;
    cursor->at++;
    return true;
}

/* From an opening quote to behind the closing one. */
static bool skip_string(cursor_t *cursor) {
    for (cursor->at++; cursor->at < cursor->text.n; cursor->at++) {
        char c = cursor->text.p[cursor->at];
        if (c == '\\')
            cursor->at++;
        else if (c == '"') {
            cursor->at++;
            return true;
        }
    }
    return false;
}

/* Any value, up to the comma or bracket that ends it. */
static bool take_value(cursor_t *cursor, str_t *value_out) {
    skip_space(cursor);
    size_t start = cursor->at;
    size_t depth = 0;
    while (cursor->at < cursor->text.n) {
        char c = cursor->text.p[cursor->at];
        if (depth == 0 && (c == ',' || c == '}' || c == ']'))
            break;
        if (c == '"') {
            if (!skip_string(cursor))
                return false;
            continue;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        cursor->at++;
    }
    *value_out = (str_t){cursor->text.p + start, cursor->at - start};
    while (value_out->n && strchr(" \t\r\n", value_out->p[value_out->n - 1]))
        value_out->n--;
    return depth == 0 && value_out->n > 0;
}

/* "name":value */
static bool take_member(cursor_t *cursor, str_t *name_out, str_t *value_out) {
    skip_space(cursor);
    size_t start = cursor->at;
    if (start >= cursor->text.n || cursor->text.p[start] != '"' || !skip_string(cursor))
        return false;
    *name_out = (str_t){cursor->text.p + start, cursor->at - start};
    return take(cursor, ':') && take_value(cursor, value_out);
}

/* The later of a JSON time ("…" or null) and `unix_ms`, as JSON. Equal formats sort as text. */
static void append_later(strbuf_t *out, str_t json_time, int64_t unix_ms) {
    char quoted[ISO8601_TEXT + 3] = "null";
    if (unix_ms) {
        quoted[0] = '"';
        iso8601_format(unix_ms, quoted + 1);
        quoted[ISO8601_TEXT + 1] = '"';
        quoted[ISO8601_TEXT + 2] = '\0';
    }
    bool has_time = json_time.n > 0 && json_time.p[0] == '"';
    bool keep = has_time && (!unix_ms || str_compare(json_time, str_from(quoted)) > 0);
    strbuf_append(out, keep ? json_time : str_from(quoted));
}

/* One object: its members as they are, and presence behind them. */
static bool merge_object(cursor_t *cursor, user_presence_t presence, strbuf_t *out) {
    str_t name, value, last_seen = {0};
    if (!take(cursor, '{'))
        return false;
    strbuf_append_char(out, '{');
    bool more = !take(cursor, '}');
    while (more) {
        if (!take_member(cursor, &name, &value))
            return false;
        if (str_eq(name, STR("\"lastSeenAt\""))) {
            last_seen = value;
        } else if (!str_eq(name, STR("\"online\""))) {
            strbuf_append(out, name);
            strbuf_append_char(out, ':');
            strbuf_append(out, value);
            strbuf_append_char(out, ',');
        }
        more = take(cursor, ',');
        if (!more && !take(cursor, '}'))
            return false;
    }
    strbuf_append(out, presence.online ? STR("\"online\":true") : STR("\"online\":false"));
    strbuf_append(out, STR(",\"lastSeenAt\":"));
    append_later(out, last_seen, presence.last_seen_ms);
    strbuf_append_char(out, '}');
    return true;
}

static bool merge_array(cursor_t *cursor, const proto_texts_t *ids, participants_lookup_fn *lookup,
                        void *ctx, strbuf_t *out) {
    if (!take(cursor, '['))
        return false;
    strbuf_append_char(out, '[');
    for (size_t i = 0; i < ids->n; i++) {
        if (i > 0 && !take(cursor, ','))
            return false;
        if (i > 0)
            strbuf_append_char(out, ',');
        if (!merge_object(cursor, lookup(ctx, ids->items[i]), out))
            return false;
    }
    strbuf_append_char(out, ']');
    if (!take(cursor, ']'))
        return false;
    skip_space(cursor);
    return cursor->at == cursor->text.n;
}

err_t participants_merge(str_t participants, const proto_texts_t *ids,
                         participants_lookup_fn *lookup, void *ctx, strbuf_t *out) {
    cursor_t cursor = {.text = participants};
    size_t start = out->n;
    if (merge_array(&cursor, ids, lookup, ctx, out))
        return OK;
    out->n = start;
    return ERR_INVALID;
}
