#include "broker/fanout.h"

#include <utlist.h>

size_t fanout_room(const fanout_sink_t *sink, const room_t *room, const envelope_t *envelope,
                   const fanout_cause_t *cause) {
    envelope_t copy = *envelope;
    size_t sent = 0;
    const room_gateway_t *gateway = NULL;
    DL_FOREACH(room->gateways, gateway) {
        copy.session = cause && cause->peer == gateway->peer ? cause->session : 0;
        sent += sink->send(sink->ctx, gateway->peer, &copy);
    }
    return sent;
}
