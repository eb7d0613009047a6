#include "tests/unit/socketio/recorder.h"

#include <stdarg.h>

static struct {
    strbuf_t log, taken;
    bool congested;
    uint64_t random;
} recorder;

void recorder_note(const char *format, ...) {
    char line[4096];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (length >= (int)sizeof(line))
        length = sizeof(line) - 1;
    strbuf_append(&recorder.log, (str_t){line, (size_t)length});
    strbuf_append_char(&recorder.log, '\n');
}

const char *recorder_take(void) {
    strbuf_clear(&recorder.taken);
    strbuf_append(&recorder.taken, strbuf_str(&recorder.log));
    strbuf_clear(&recorder.log);
    return strbuf_cstr(&recorder.taken);
}

void recorder_congest(bool congested) {
    recorder.congested = congested;
}

void recorder_fini(void) {
    strbuf_fini(&recorder.log);
    strbuf_fini(&recorder.taken);
    recorder.congested = false;
    recorder.random = 0;
}

static void poll_reply(void *poll, str_t body) {
    char *text = str_dup(body);
    for (size_t i = 0; i < body.n; i++) {
        if (text[i] == EIO_SEPARATOR)
            text[i] = '|';
    }
    recorder_note("%s <- %s", (const char *)poll, text);
    free(text);
}

static void post_forget(void *post) {
    recorder_note("%s forgotten", (const char *)post);
}

/* Takes one frame off the front: its opcode and payload (RFC 6455 §5.2). */
static unsigned take_frame(str_t *rest, str_t *payload_out) {
    const unsigned char *p = (const unsigned char *)rest->p;
    ASSERT(rest->n >= 2 && (p[0] & 0xf0) == 0x80 && p[1] < 0x80);
    size_t header = p[1] == 126 ? 4 : p[1] == 127 ? 10 : 2;
    size_t length = header == 2 ? p[1] : 0;
    ASSERT(rest->n >= header);
    for (size_t i = 2; i < header; i++)
        length = length << 8 | p[i];
    ASSERT(length <= rest->n - header);
    *payload_out = (str_t){rest->p + header, length};
    *rest = str_from_offset(*rest, header + length);
    return p[0] & 15;
}

static bool ws_write(void *ws, str_t frames) {
    while (frames.n) {
        str_t payload;
        unsigned opcode = take_frame(&frames, &payload);
        ASSERT(opcode == 1 || opcode == 2);
        if (opcode == 1)
            recorder_note("%s <- %.*s", (const char *)ws, STR_ARG(payload));
        else
            recorder_note("%s <- (%zu bytes)", (const char *)ws, payload.n);
    }
    return !recorder.congested;
}

static void ws_close(void *ws, unsigned code) {
    if (code == EIO_WS_ABORT)
        recorder_note("%s closed abort", (const char *)ws);
    else if (code)
        recorder_note("%s closed %u", (const char *)ws, code);
    else
        recorder_note("%s closed", (const char *)ws);
}

static void fill_random(unsigned char *to, size_t n) {
    for (size_t i = 0; i < n; i++)
        to[i] = (unsigned char)(i < 8 ? recorder.random >> 8 * i : 0);
    recorder.random++;
}

const eio_transport_t recorder_transport = {.poll_reply = poll_reply,
                                            .post_forget = post_forget,
                                            .ws_write = ws_write,
                                            .ws_close = ws_close,
                                            .random = fill_random};
