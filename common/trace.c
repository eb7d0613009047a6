#include "common/trace.h"

#include <string.h>

enum {
    ID_START = 3, /* behind the version, "00-" */
    PARENT_START = ID_START + TRACE_TEXT + 1,
    FLAGS_START = PARENT_START + 16 + 1,
    WHOLE = FLAGS_START + 2,
    FLAG_SAMPLED = 1,
    UUID_TEXT = TRACE_TEXT + 4,
};

static uint8_t byte_at(const char *digits) {
    return (uint8_t)(str_hex_value(digits[0]) * 16 + str_hex_value(digits[1]));
}

bool trace_is_set(const trace_t *trace) {
    static const uint8_t zeros[TRACE_ID_BYTES];
    return memcmp(trace->id, zeros, sizeof(zeros)) != 0;
}

const char *trace_format(const trace_t *trace, char text_out[TRACE_TEXT + 1]) {
    static const char digits[] = "0123456789abcdef";
    char *at = text_out;
    for (size_t i = 0; trace_is_set(trace) && i < TRACE_ID_BYTES; i++) {
        *at++ = digits[trace->id[i] >> 4];
        *at++ = digits[trace->id[i] & 15];
    }
    *at = '\0';
    return text_out;
}

/* Hexadecimal digits alone, and not all of them zero? */
static err_t parse_digits(const char digits[TRACE_TEXT], bool sampled, trace_t *trace_out) {
    trace_t trace = {.sampled = sampled};
    for (size_t i = 0; i < TRACE_TEXT; i++) {
        if (str_hex_value(digits[i]) < 0)
            return ERR_INVALID;
    }
    for (size_t i = 0; i < TRACE_ID_BYTES; i++)
        trace.id[i] = byte_at(digits + 2 * i);
    if (!trace_is_set(&trace))
        return ERR_INVALID;
    *trace_out = trace;
    return OK;
}

/* Hexadecimal digits and hyphens where the standard has them? */
static bool has_form(str_t text) {
    for (size_t i = 0; i < WHOLE; i++) {
        bool hyphen = i == ID_START - 1 || i == PARENT_START - 1 || i == FLAGS_START - 1;
        if (hyphen ? text.p[i] != '-' : str_hex_value(text.p[i]) < 0)
            return false;
    }
    return true;
}

err_t trace_parse(str_t traceparent, trace_t *trace_out) {
    if (traceparent.n < WHOLE || !has_form(traceparent))
        return ERR_INVALID;
    bool version_0 = str_starts_with(traceparent, STR("00"));
    if (str_starts_with(traceparent, STR("ff")) || (version_0 && traceparent.n != WHOLE))
        return ERR_INVALID;
    if (!version_0 && traceparent.n > WHOLE && traceparent.p[WHOLE] != '-')
        return ERR_INVALID;
    bool sampled = byte_at(traceparent.p + FLAGS_START) & FLAG_SAMPLED;
    return parse_digits(traceparent.p + ID_START, sampled, trace_out);
}

err_t trace_parse_id(str_t text, trace_t *trace_out) {
    char digits[TRACE_TEXT];
    size_t n = 0;
    if (text.n != TRACE_TEXT && text.n != UUID_TEXT)
        return ERR_INVALID;
    for (size_t i = 0; i < text.n; i++) {
        bool hyphen = text.n == UUID_TEXT && (i == 8 || i == 13 || i == 18 || i == 23);
        if (!hyphen)
            digits[n++] = text.p[i];
        else if (text.p[i] != '-')
            return ERR_INVALID;
    }
    return parse_digits(digits, false, trace_out);
}
