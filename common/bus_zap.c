#include "common/bus_zap.h"

#include "common/bus_socket.h"

enum { CURVE_KEY_BYTES = 32 };

/* The parts of a request, in their order. */
enum { VERSION, REQUEST_ID, DOMAIN, ADDRESS, IDENTITY, MECHANISM, CREDENTIALS, PARTS };

#define ZAP_ENDPOINT "inproc://zeromq.zap.01" /* where ZeroMQ looks for it */

zsock_t *bus_zap_new(void) {
    zsock_t *zsock = zsock_new(ZMQ_REP);
    if (zsock && zsock_bind(zsock, ZAP_ENDPOINT) != 0)
        zsock_destroy(&zsock);
    return zsock;
}

void bus_zap_stop(zsock_t *zap) {
    (void)!zsock_unbind(zap, ZAP_ENDPOINT);
}

static str_t text_of(zmq_msg_t *part) {
    return (str_t){zmq_msg_data(part), zmq_msg_size(part)};
}

/* The key in Z85 when it gets in; else empty. */
static str_t judge(zmq_msg_t parts[PARTS], const keyring_t *ring, role_t roles,
                   char text[KEYRING_KEY_TEXT + 1]) {
    str_t key = text_of(&parts[CREDENTIALS]);
    if (!str_eq(text_of(&parts[VERSION]), STR("1.0")) ||
        !str_eq(text_of(&parts[MECHANISM]), STR("CURVE")) || key.n != CURVE_KEY_BYTES)
        return STR("");
    zmq_z85_encode(text, (const uint8_t *)key.p, key.n);
    return keyring_role(ring, str_from(text)) & roles ? str_from(text) : STR("");
}

static void answer(void *zmq, str_t request_id, str_t key) {
    const str_t parts[] = {
        STR("1.0"), request_id, key.n ? STR("200") : STR("400"), key.n ? STR("OK") : STR("no"),
        key,        STR("")};
    size_t n = sizeof(parts) / sizeof(parts[0]);
    for (size_t i = 0; i < n; i++)
        (void)!zmq_send(zmq, parts[i].p, parts[i].n, ZMQ_DONTWAIT | (i + 1 < n ? ZMQ_SNDMORE : 0));
}

bool bus_zap_answer(void *zmq, const keyring_t *ring, role_t roles,
                    bus_zap_verdict_t *verdict_out) {
    zmq_msg_t parts[PARTS];
    char text[KEYRING_KEY_TEXT + 1];
    size_t n = bus_socket_take(zmq, parts, PARTS);
    if (n == 0)
        return false;
    *verdict_out = (bus_zap_verdict_t){0};
    str_t key = n == PARTS ? judge(parts, ring, roles, text) : STR("");
    verdict_out->accepted = key.n > 0;
    if (n > ADDRESS)
        snprintf(verdict_out->address, sizeof(verdict_out->address), "%.*s",
                 STR_ARG(text_of(&parts[ADDRESS])));
    answer(zmq, n > REQUEST_ID ? text_of(&parts[REQUEST_ID]) : STR(""), key);
    for (size_t i = 0; i < n && i < PARTS; i++)
        zmq_msg_close(&parts[i]);
    return true;
}
