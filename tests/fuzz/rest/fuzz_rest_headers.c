/* Any header values: origin, host, forwarded addresses, codings, tags, trace ids. */
#include "common/client_address.h"
#include "common/cors.h"
#include "common/trace.h"
#include "rest/content_coding.h"
#include "rest/request_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_origin(str_t origin, str_t host) {
    static const char *const listed[] = {"https://app.example"};
    const cors_t cors = {listed, 1};
    cors_result_t result = cors_check(&cors, origin, host);
    ASSERT((result == CORS_NO_ORIGIN) == (origin.n == 0));
    /* What is sent back in a header has no character that could end it. */
    for (size_t i = 0; result == CORS_ALLOWED && i < origin.n; i++)
        ASSERT((unsigned char)origin.p[i] > ' ' && (unsigned char)origin.p[i] < 0x7f);
}

static void check_address(str_t forwarded_for) {
    client_network_t trusted;
    client_address_t peer, found;
    char text[CLIENT_ADDRESS_TEXT];
    ASSERT(client_network_parse(STR("127.0.0.0/8"), &trusted) == OK);
    ASSERT(client_address_parse(STR("127.0.0.1"), &peer) == OK);
    found = client_address_resolve(&peer, forwarded_for, &trusted, 1);
    client_address_format(&found, text);
    client_address_t again;
    ASSERT(client_address_parse(str_from(text), &again) == OK);
    ASSERT(memcmp(&again, &found, sizeof(found)) == 0);
    (void)client_network_is_valid(forwarded_for);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    str_t text = {(const char *)data, size};
    const char *line = size ? memchr(text.p, '\n', size) : NULL;
    str_t first = {text.p, line ? (size_t)(line - text.p) : size};
    str_t second = line ? str_from_offset(text, first.n + 1) : STR("app.example");
    trace_t trace;
    check_origin(first, second);
    check_address(first);
    for (content_coding_t coding = 0; coding < CODING_COUNT; coding++)
        (void)content_coding_accepts(first, coding);
    (void)content_etag_matches(first, STR("\"x\""));
    (void)cors_is_configurable(first);
    if (request_id_is_valid(first))
        ASSERT(first.n <= REQUEST_ID_BYTES_MAX);
    if (trace_parse(first, &trace) == OK || trace_parse_id(first, &trace) == OK)
        ASSERT(first.n >= TRACE_TEXT && trace_is_set(&trace));
    return 0;
}
