#include "common/log_line.h"

const char *const log_level_words[] = {"debug", "info", "warn", "error", NULL};

static bool is_plain(unsigned char c) {
    return c > 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '=';
}

static bool is_plain_word(str_t text) {
    for (size_t i = 0; i < text.n; i++) {
        if (!is_plain((unsigned char)text.p[i]))
            return false;
    }
    return text.n > 0;
}

static void append_quoted(strbuf_t *line, str_t text, bool cut) {
    strbuf_append_char(line, '"');
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (is_plain(c) || c == ' ' || c == '=')
            strbuf_append_char(line, (char)c);
        else if (c == '"' || c == '\\')
            strbuf_append(line, (str_t){(const char[]){'\\', (char)c}, 2});
        else if (c == '\n')
            strbuf_append(line, STR("\\n"));
        else
            strbuf_printf(line, "\\x%02x", c);
    }
    strbuf_append(line, cut ? STR("...\"") : STR("\""));
}

static void append_text(strbuf_t *line, str_t text) {
    if (text.n > LOG_VALUE_MAX)
        append_quoted(line, (str_t){text.p, LOG_VALUE_MAX}, true);
    else if (is_plain_word(text))
        strbuf_append(line, text);
    else
        append_quoted(line, text, false);
}

void log_line_field(strbuf_t *line, const log_field_t *field) {
    strbuf_append_char(line, ' ');
    strbuf_append(line, str_from(field->key));
    strbuf_append_char(line, '=');
    switch (field->kind) {
    case LOG_FIELD_TEXT:
        append_text(line, field->value.text);
        break;
    case LOG_FIELD_U64:
        strbuf_append_u64(line, field->value.u64);
        break;
    case LOG_FIELD_I64:
        strbuf_append_i64(line, field->value.i64);
        break;
    }
}

/* The event's entry; when all are taken, the last one, which then counts for every further event.
 */
static size_t entry_of(log_limit_t *self, const char *event) {
    for (size_t i = 0; i < self->n; i++) {
        if (strcmp(self->entries[i].event, event) == 0)
            return i;
    }
    if (self->n == LOG_LIMIT_EVENTS)
        return LOG_LIMIT_EVENTS - 1;
    self->entries[self->n].event = self->n == LOG_LIMIT_EVENTS - 1 ? "other_events" : event;
    return self->n++;
}

bool log_limit_allow(log_limit_t *self, const char *event, int64_t now_ms,
                     uint64_t *suppressed_out) {
    size_t at = entry_of(self, event);
    *suppressed_out = 0;
    if (self->entries[at].lines == 0 ||
        now_ms - self->entries[at].since_ms >= LOG_LIMIT_WINDOW_MS) {
        *suppressed_out = self->entries[at].suppressed;
        self->entries[at].since_ms = now_ms;
        self->entries[at].lines = 0;
        self->entries[at].suppressed = 0;
    }
    if (self->entries[at].lines >= LOG_LIMIT_LINES) {
        self->entries[at].suppressed++;
        return false;
    }
    self->entries[at].lines++;
    return true;
}

const char *log_limit_next_suppressed(log_limit_t *self, int64_t now_ms, uint64_t *suppressed_out) {
    for (size_t i = 0; i < self->n; i++) {
        if (self->entries[i].suppressed == 0 ||
            now_ms - self->entries[i].since_ms < LOG_LIMIT_WINDOW_MS)
            continue;
        *suppressed_out = self->entries[i].suppressed;
        self->entries[i].suppressed = 0;
        return self->entries[i].event;
    }
    return NULL;
}
