#include <time.h>

#include "common/strbuf.h"
#include "tests/conformance/suites.h"

/* The cookies that the client's jar is tested with: kept, kept, and two that are over. */
static char cookies[512];

static void fill_cookies(void) {
    char now[64];
    time_t seconds = time(NULL);
    strftime(now, sizeof(now), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&seconds));
    snprintf(cookies, sizeof(cookies),
             "Set-Cookie: 1=1; Max-Age=86400\r\n"
             "Set-Cookie: 2=2; Path=/; HttpOnly; Secure; SameSite=Strict\r\n"
             "Set-Cookie: 3=3; Max-Age=0\r\n"
             "Set-Cookie: 4=4; Expires=%s\r\n",
             now);
}

static void on_request(void *arg, const eio_request_t *request, eio_verdict_t *verdict) {
    (void)arg;
    verdict->allow = eio_request_query(request, "deny").p == NULL;
    verdict->extra_headers = str_from(cookies);
}

static void on_open(void *arg, eio_session_t *session) {
    (void)arg;
    eio_send_text(session, STR("hi"));
}

static void send_headers(eio_session_t *session) {
    const eio_request_t *post = eio_session_post(session);
    strbuf_t json = {0};
    str_t name, value;
    strbuf_append_char(&json, '{');
    for (size_t i = 0; post && eio_request_header_at(post, i, &name, &value); i++) {
        if (i)
            strbuf_append_char(&json, ',');
        strbuf_append_json_string(&json, name);
        strbuf_append_char(&json, ':');
        strbuf_append_json_string(&json, value);
    }
    strbuf_append_char(&json, '}');
    eio_send_text(session, strbuf_str(&json));
    strbuf_fini(&json);
}

static void on_message(void *arg, eio_session_t *session, str_t message, bool binary) {
    (void)arg;
    if (binary)
        eio_send_binary(session, message);
    else if (str_eq(message, STR("give binary")))
        eio_send_binary(session, (str_t){"\0\1\2\3\4", 5});
    else if (str_eq(message, STR("give utf8")))
        eio_send_text(session, STR("пойду спать всем спокойной ночи"));
    else if (str_eq(message, STR("sendHeaders")))
        send_headers(session);
    else
        eio_send_text(session, message);
}

static void on_close(void *arg, eio_session_t *session, eio_close_t reason) {
    (void)arg;
    (void)session;
    (void)reason;
}

void suite_engineio_client(eio_listener_t *listener, const suite_options_t *suite) {
    static const eio_handlers_t handlers = {
        .on_open = on_open, .on_message = on_message, .on_close = on_close};
    eio_server_options_t options = {.path = "/engine.io/",
                                    .ping_interval_ms =
                                        suite->ping_interval_ms ? suite->ping_interval_ms : 500,
                                    .max_payload = 100,
                                    .on_request = on_request};
    fill_cookies();
    eio_server_new(listener, &options, &handlers);
}
