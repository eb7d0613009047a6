#include "gateway/socketio/json_scan.h"

typedef struct {
    const char *p, *end;
    const json_rules_t *rules;
    uint32_t depth;
} scan_t;

static err_t scan_value(scan_t *scan, json_kind_t *kind_out, str_t *value_out);

static void skip_blanks(scan_t *scan) {
    while (scan->p < scan->end &&
           (*scan->p == ' ' || *scan->p == '\t' || *scan->p == '\n' || *scan->p == '\r'))
        scan->p++;
}

static bool take_char(scan_t *scan, char c) {
    if (scan->p == scan->end || *scan->p != c)
        return false;
    scan->p++;
    return true;
}

static bool is_digit(const scan_t *scan) {
    return scan->p < scan->end && *scan->p >= '0' && *scan->p <= '9';
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The character behind a backslash, and the digits of \uXXXX. */
static err_t scan_escape(scan_t *scan) {
    if (scan->p == scan->end)
        return ERR_INVALID;
    char c = *scan->p++;
    if (c != 'u')
        return c && strchr("\"\\/bfnrt", c) ? OK : ERR_INVALID;
    if (scan->end - scan->p < 4)
        return ERR_INVALID;
    for (int i = 0; i < 4; i++) {
        if (hex_value(*scan->p++) < 0)
            return ERR_INVALID;
    }
    return OK;
}

static err_t scan_string(scan_t *scan) {
    scan->p++; /* the quote */
    while (scan->p < scan->end) {
        unsigned char c = (unsigned char)*scan->p++;
        if (c == '"')
            return OK;
        if (c < 0x20)
            return ERR_INVALID;
        if (c == '\\' && scan_escape(scan) != OK)
            return ERR_INVALID;
    }
    return ERR_INVALID;
}

static err_t scan_digits(scan_t *scan) {
    if (!is_digit(scan))
        return ERR_INVALID;
    while (is_digit(scan))
        scan->p++;
    return OK;
}

static err_t scan_number(scan_t *scan) {
    take_char(scan, '-');
    if (!take_char(scan, '0') && scan_digits(scan) != OK)
        return ERR_INVALID;
    if (take_char(scan, '.') && scan_digits(scan) != OK)
        return ERR_INVALID;
    if (take_char(scan, 'e') || take_char(scan, 'E')) {
        if (!take_char(scan, '+'))
            take_char(scan, '-');
        return scan_digits(scan);
    }
    return OK;
}

static err_t scan_literal(scan_t *scan, str_t word) {
    if ((size_t)(scan->end - scan->p) < word.n || memcmp(scan->p, word.p, word.n) != 0)
        return ERR_INVALID;
    scan->p += word.n;
    return OK;
}

static err_t scan_array(scan_t *scan) {
    scan->p++; /* the bracket */
    skip_blanks(scan);
    if (take_char(scan, ']'))
        return OK;
    for (;;) {
        json_kind_t kind;
        str_t value;
        err_t err = scan_value(scan, &kind, &value);
        if (err != OK)
            return err;
        if (take_char(scan, ']'))
            return OK;
        if (!take_char(scan, ','))
            return ERR_INVALID;
    }
}

/* What of an object makes it a placeholder. */
typedef struct {
    bool marked, numbered;
} placeholder_t;

static bool key_is(str_t key, str_t name) {
    if (key.n == name.n + 2 && memcmp(key.p + 1, name.p, name.n) == 0)
        return true;
    if (key.n < name.n + 2 || !memchr(key.p, '\\', key.n) || key.n > 6 * name.n + 2)
        return false;
    strbuf_t plain = {0};
    json_unescape(key, &plain);
    bool equal = str_eq(strbuf_str(&plain), name);
    strbuf_fini(&plain);
    return equal;
}

static void note_member(const scan_t *scan, placeholder_t *found, str_t key, str_t value) {
    uint64_t number;
    if (key_is(key, STR("_placeholder")))
        found->marked = str_eq(value, STR("true"));
    else if (key_is(key, STR("num")))
        found->numbered =
            str_to_u64(value, UINT32_MAX, &number) == OK && number < scan->rules->attachments;
}

static err_t scan_member(scan_t *scan, placeholder_t *found) {
    skip_blanks(scan);
    const char *start = scan->p;
    if (scan->p == scan->end || *scan->p != '"' || scan_string(scan) != OK)
        return ERR_INVALID;
    str_t key = {start, (size_t)(scan->p - start)};
    skip_blanks(scan);
    if (!take_char(scan, ':'))
        return ERR_INVALID;
    json_kind_t kind;
    str_t value;
    err_t err = scan_value(scan, &kind, &value);
    if (err == OK && scan->rules->placeholders)
        note_member(scan, found, key, value);
    return err;
}

static err_t scan_object(scan_t *scan) {
    placeholder_t found = {0};
    scan->p++; /* the brace */
    skip_blanks(scan);
    if (take_char(scan, '}'))
        return OK;
    for (;;) {
        err_t err = scan_member(scan, &found);
        if (err != OK)
            return err;
        if (take_char(scan, '}'))
            return found.marked && !found.numbered ? ERR_INVALID : OK;
        if (!take_char(scan, ','))
            return ERR_INVALID;
    }
}

static err_t scan_nested(scan_t *scan, err_t (*scan_inside)(scan_t *)) {
    if (scan->depth >= scan->rules->max_depth || scan->depth >= JSON_MAX_DEPTH)
        return ERR_LIMIT;
    scan->depth++;
    err_t err = scan_inside(scan);
    scan->depth--;
    return err;
}

static err_t scan_by_kind(scan_t *scan, json_kind_t *kind_out) {
    char c = *scan->p;
    *kind_out = c == '{'                     ? JSON_KIND_OBJECT
                : c == '['                   ? JSON_KIND_ARRAY
                : c == '"'                   ? JSON_KIND_STRING
                : c == '-' || is_digit(scan) ? JSON_KIND_NUMBER
                                             : JSON_KIND_LITERAL;
    switch (*kind_out) {
    case JSON_KIND_OBJECT:
        return scan_nested(scan, scan_object);
    case JSON_KIND_ARRAY:
        return scan_nested(scan, scan_array);
    case JSON_KIND_STRING:
        return scan_string(scan);
    case JSON_KIND_NUMBER:
        return scan_number(scan);
    default:
        return scan_literal(scan, c == 't' ? STR("true") : c == 'f' ? STR("false") : STR("null"));
    }
}

static err_t scan_value(scan_t *scan, json_kind_t *kind_out, str_t *value_out) {
    skip_blanks(scan);
    const char *start = scan->p;
    if (scan->p == scan->end)
        return ERR_INVALID;
    err_t err = scan_by_kind(scan, kind_out);
    *value_out = (str_t){start, (size_t)(scan->p - start)};
    skip_blanks(scan);
    return err;
}

err_t json_take_value(str_t *text, const json_rules_t *rules, json_kind_t *kind_out,
                      str_t *value_out) {
    const char *start = text->p ? text->p : "";
    scan_t scan = {.p = start, .end = start + text->n, .rules = rules};
    err_t err = scan_value(&scan, kind_out, value_out);
    *text = (str_t){scan.p, (size_t)(scan.end - scan.p)};
    return err;
}

/* ---- unescaping ---- */

static void append_utf8(strbuf_t *to, uint32_t c) {
    char *p = strbuf_reserve(to, 4);
    if (c < 0x80) {
        p[0] = (char)c;
        to->n += 1;
    } else if (c < 0x800) {
        p[0] = (char)(0xc0 | c >> 6);
        p[1] = (char)(0x80 | (c & 63));
        to->n += 2;
    } else if (c < 0x10000) {
        p[0] = (char)(0xe0 | c >> 12);
        p[1] = (char)(0x80 | (c >> 6 & 63));
        p[2] = (char)(0x80 | (c & 63));
        to->n += 3;
    } else {
        p[0] = (char)(0xf0 | c >> 18);
        p[1] = (char)(0x80 | (c >> 12 & 63));
        p[2] = (char)(0x80 | (c >> 6 & 63));
        p[3] = (char)(0x80 | (c & 63));
        to->n += 4;
    }
}

static uint32_t hex4(const char *p) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++)
        value = value << 4 | (uint32_t)hex_value(p[i]);
    return value;
}

/* Appends the character of the \uXXXX whose digits start at `p`; returns how far it reaches. */
static const char *unescape_unicode(const char *p, const char *end, strbuf_t *to) {
    uint32_t c = hex4(p);
    p += 4;
    if (c >= 0xd800 && c < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        uint32_t low = hex4(p + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            append_utf8(to, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
            return p + 6;
        }
    }
    append_utf8(to, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
    return p;
}

void json_unescape(str_t string, strbuf_t *to) {
    static const char from[] = "bfnrt", meaning[] = "\b\f\n\r\t";
    const char *p = string.p + 1, *end = string.p + string.n - 1;
    while (p < end) {
        char c = *p++;
        if (c != '\\') {
            strbuf_append_char(to, c);
            continue;
        }
        c = *p++;
        const char *control = strchr(from, c);
        if (c == 'u')
            p = unescape_unicode(p, end, to);
        else
            strbuf_append_char(to, control ? meaning[control - from] : c);
    }
}
