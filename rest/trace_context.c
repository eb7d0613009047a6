#include "rest/trace_context.h"

enum {
    TRACE_START = 3, /* behind the version, "00-" */
    PARENT_START = 3 + 2 * TRACE_ID_BYTES + 1,
    FLAGS_START = PARENT_START + 16 + 1,
    WHOLE = FLAGS_START + 2,
};

static bool is_plain(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool trace_context_is_request_id(str_t text) {
    for (size_t i = 0; i < text.n; i++) {
        if (!is_plain(text.p[i]))
            return false;
    }
    return text.n >= 1 && text.n <= REQUEST_ID_BYTES_MAX;
}

/* The value of a lower-case hexadecimal digit, or -1. */
static int digit_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Hexadecimal digits and hyphens where the standard has them? */
static bool has_form(str_t text) {
    for (size_t i = 0; i < WHOLE; i++) {
        bool hyphen = i == TRACE_START - 1 || i == PARENT_START - 1 || i == FLAGS_START - 1;
        if (hyphen ? text.p[i] != '-' : digit_value(text.p[i]) < 0)
            return false;
    }
    return true;
}

err_t trace_context_parse(str_t traceparent, uint8_t trace_out[TRACE_ID_BYTES]) {
    static const uint8_t zeros[TRACE_ID_BYTES];
    uint8_t trace[TRACE_ID_BYTES];
    if (traceparent.n < WHOLE || !has_form(traceparent))
        return ERR_INVALID;
    bool version_0 = str_starts_with(traceparent, STR("00"));
    if (str_starts_with(traceparent, STR("ff")) || (version_0 && traceparent.n != WHOLE))
        return ERR_INVALID;
    if (!version_0 && traceparent.n > WHOLE && traceparent.p[WHOLE] != '-')
        return ERR_INVALID;
    for (size_t i = 0; i < TRACE_ID_BYTES; i++) {
        const char *digits = traceparent.p + TRACE_START + 2 * i;
        trace[i] = (uint8_t)(digit_value(digits[0]) * 16 + digit_value(digits[1]));
    }
    if (memcmp(trace, zeros, sizeof(zeros)) == 0)
        return ERR_INVALID;
    memcpy(trace_out, trace, sizeof(trace));
    return OK;
}
