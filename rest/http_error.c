#include "rest/http_error.h"

static const struct {
    unsigned status;
    const char *message;
} table[CODE_COUNT] = {
    [CODE_OK] = {200, "done"},
    [CODE_UNAUTHORIZED] = {401, "a valid token is needed"},
    [CODE_TOKEN_EXPIRED] = {401, "the token has expired"},
    [CODE_FORBIDDEN] = {403, "not allowed"},
    [CODE_NOT_FOUND] = {404, "there is no such thing"},
    [CODE_INVALID_PAYLOAD] = {400, "the request is not valid"},
    [CODE_PAYLOAD_TOO_LARGE] = {413, "the body is too large"},
    [CODE_CONFLICT] = {409, "it exists already"},
    [CODE_RATE_LIMITED] = {429, "too many requests"},
    [CODE_UNAVAILABLE] = {503, "not available now, try again"},
    [CODE_INTERNAL] = {500, "something went wrong here"},
};

unsigned http_error_status(code_t code) {
    ASSERT((unsigned)code < CODE_COUNT);
    return table[code].status;
}

const char *http_error_message(code_t code) {
    ASSERT((unsigned)code < CODE_COUNT);
    return table[code].message;
}

uint32_t http_error_retry_after(code_t code, uint64_t retry_after_ms) {
    if (code != CODE_RATE_LIMITED && code != CODE_UNAVAILABLE)
        return 0;
    if (retry_after_ms == 0)
        retry_after_ms = HTTP_ERROR_RETRY_MS_DEFAULT;
    uint64_t seconds = retry_after_ms / 1000 + (retry_after_ms % 1000 != 0);
    return seconds < UINT32_MAX ? (uint32_t)seconds : UINT32_MAX;
}

void http_error_write(code_t code, str_t message, strbuf_t *out) {
    strbuf_append(out, STR("{\"error\":{\"code\":"));
    strbuf_append_json_string(out, str_from(code_name(code)));
    strbuf_append(out, STR(",\"message\":"));
    strbuf_append_json_string(out, message.n ? message : str_from(http_error_message(code)));
    strbuf_append(out, STR("}}"));
}
