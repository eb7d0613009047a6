/* Every packet of a polling payload that is accepted can be encoded again, and the payload made of
 * them decodes to the same packets. */
#include "gateway/socketio/eio_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static eio_packet_t *encode(const eio_incoming_t *incoming) {
    return incoming->binary ? eio_packet_binary(incoming->payload)
                            : eio_packet_new(incoming->type, incoming->payload);
}

static bool same(const eio_incoming_t *a, const eio_incoming_t *b) {
    return a->type == b->type && a->binary == b->binary && str_eq(a->payload, b->payload);
}

static void check_packet(const eio_incoming_t *incoming, strbuf_t *payload) {
    strbuf_t alone = {0}, scratch = {0};
    eio_incoming_t again;
    eio_packet_t *packet = encode(incoming);
    str_t frame = eio_packet_frame(packet);
    size_t body = eio_packet_size(packet);
    ASSERT(frame.n > body && frame.n - body <= 10);
    eio_packet_append_to_payload(packet, &alone);
    eio_packet_append_to_payload(packet, payload);
    ASSERT(eio_decode(strbuf_str(&alone), &scratch, &again) == OK && same(incoming, &again));
    eio_packet_unref(&packet);
    strbuf_fini(&alone);
    strbuf_fini(&scratch);
}

/* A packet cut anywhere and given the rest as its own tail is the same packet. */
static void check_tail(const eio_incoming_t *incoming) {
    strbuf_t again = {0};
    if (incoming->binary)
        return;
    eio_packet_t *packet = encode(incoming);
    str_t frame = eio_packet_frame(packet);
    size_t cut = incoming->payload.n / 2;
    eio_packet_t *tailed = eio_packet_with_tail(packet, cut, str_from_offset(frame, frame.n - cut));
    eio_packet_append_frame(tailed, &again);
    ASSERT(str_eq(strbuf_str(&again), frame));
    eio_packet_unref(&packet);
    eio_packet_unref(&tailed);
    strbuf_fini(&again);
}

static size_t count_packets(str_t rest) {
    str_t packet;
    size_t n = 0;
    while (eio_payload_next(&rest, &packet))
        n++;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    strbuf_t scratch = {0}, payload = {0};
    str_t rest = {size ? (const char *)data : "", size}, packet;
    size_t accepted = 0;
    while (eio_payload_next(&rest, &packet)) {
        eio_incoming_t incoming;
        if (eio_decode(packet, &scratch, &incoming) != OK)
            break;
        check_packet(&incoming, &payload);
        check_tail(&incoming);
        accepted++;
    }
    ASSERT(accepted == 0 || count_packets(strbuf_str(&payload)) == accepted);
    strbuf_fini(&scratch);
    strbuf_fini(&payload);
    return 0;
}
