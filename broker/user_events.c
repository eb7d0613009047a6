#include "broker/user_events.h"

#include <utlist.h>

#include "broker/envelope_copy.h"

typedef struct user_event {
    uint64_t id; /* of the requests to gateways */
    int64_t forget_at_ms;
    bool answered;     /* the worker has been, or would be if it were there */
    peer_t *worker;    /* NULL: gone */
    envelope_t *event; /* the worker's request, owned */
    peer_t **waiting;  /* gateways that haven't confirmed */
    size_t waiting_count;
    struct user_event *prev, *next;
} user_event_t;

struct user_events {
    user_events_limits_t limits;
    const user_events_ops_t *ops;
    void *ctx;
    user_event_t *events; /* oldest first */
    size_t count;
    size_t bytes;
    size_t unanswered;
    uint64_t last_id;
    uint64_t unkept;
    int64_t settled_at_ms;
};

user_events_t *user_events_new(const user_events_limits_t *limits, const user_events_ops_t *ops,
                               void *ctx, int64_t now_ms) {
    user_events_t *self = xcalloc(1, sizeof(*self));
    self->limits = *limits;
    self->ops = ops;
    self->ctx = ctx;
    self->settled_at_ms = now_ms + limits->settle_ms;
    return self;
}

static void forget(user_events_t *self, user_event_t *event) {
    DL_DELETE(self->events, event);
    self->count--;
    self->bytes -= envelope_copy_bytes(event->event);
    free(event->event);
    free(event->waiting);
    self->unanswered -= !event->answered;
    free(event);
}

void user_events_free(user_events_t **self_in) {
    user_events_t *self = *self_in;
    *self_in = NULL;
    while (self && self->events)
        forget(self, self->events);
    free(self);
}

static void answer_if_told(user_events_t *self, user_event_t *event, int64_t now_ms) {
    if (event->answered || event->waiting_count > 0 || now_ms < self->settled_at_ms)
        return;
    event->answered = true;
    self->unanswered--;
    if (event->worker)
        self->ops->done(self->ctx, event->worker, event->event);
}

/* What a gateway gets: `id` 0 wants no answer. */
static envelope_t made_of(const envelope_t *request, uint64_t id) {
    return (envelope_t){.type = request->type,
                        .request_id = id,
                        .trace = request->trace,
                        .room = request->room,
                        .user = request->user,
                        .body = request->body};
}

static void tell(user_events_t *self, user_event_t *event, peer_t *gateway) {
    bool waits = false;
    for (size_t i = 0; i < event->waiting_count; i++)
        waits = waits || event->waiting[i] == gateway;
    if (!waits) {
        event->waiting =
            xrealloc(event->waiting, (event->waiting_count + 1) * sizeof(*event->waiting));
        event->waiting[event->waiting_count++] = gateway;
    }
    envelope_t made = made_of(event->event, event->id);
    self->ops->send(self->ctx, gateway, &made);
}

static void tell_once(user_events_t *self, peer_t *worker, const envelope_t *event,
                      const room_t *room) {
    const room_gateway_t *gateway = NULL;
    envelope_t made = made_of(event, 0);
    self->unkept++;
    for (gateway = room ? room->gateways : NULL; gateway; gateway = gateway->next)
        self->ops->send(self->ctx, gateway->peer, &made);
    self->ops->done(self->ctx, worker, event);
}

/* Whether there is room for one more, if need be in place of those that only serve gateways which
 * come back. */
static bool make_room(user_events_t *self, size_t bytes) {
    user_event_t *event = self->events, *next = NULL;
    for (; event; event = next) {
        next = event->next;
        if (self->count < self->limits.max_events && self->bytes + bytes <= self->limits.max_bytes)
            break;
        if (event->answered)
            forget(self, event);
    }
    return self->count < self->limits.max_events && self->bytes + bytes <= self->limits.max_bytes;
}

void user_events_add(user_events_t *self, peer_t *worker, const envelope_t *event,
                     const room_t *room, int64_t now_ms) {
    size_t bytes = envelope_copy_bytes(event);
    if (!make_room(self, bytes)) {
        tell_once(self, worker, event, room);
        return;
    }
    user_event_t *made = xcalloc(1, sizeof(*made));
    *made = (user_event_t){.id = ++self->last_id,
                           .forget_at_ms = now_ms + self->limits.keep_ms,
                           .worker = worker,
                           .event = envelope_copy_new(event)};
    DL_APPEND(self->events, made);
    self->count++;
    self->bytes += bytes;
    self->unanswered++;
    const room_gateway_t *gateway = room ? room->gateways : NULL;
    for (; gateway; gateway = gateway->next)
        tell(self, made, gateway->peer);
    answer_if_told(self, made, now_ms);
}

void user_events_rejoined(user_events_t *self, peer_t *gateway, str_t room) {
    user_event_t *event = NULL;
    DL_FOREACH(self->events, event) {
        if (str_eq(event->event->room, room))
            tell(self, event, gateway);
    }
}

static void stop_waiting(user_event_t *event, const peer_t *gateway) {
    for (size_t i = 0; i < event->waiting_count; i++) {
        if (event->waiting[i] == gateway) {
            event->waiting[i] = event->waiting[--event->waiting_count];
            return;
        }
    }
}

void user_events_confirmed(user_events_t *self, const peer_t *gateway, uint64_t id,
                           int64_t now_ms) {
    user_event_t *event = NULL;
    DL_SEARCH_SCALAR(self->events, event, id, id);
    if (!event)
        return;
    stop_waiting(event, gateway);
    answer_if_told(self, event, now_ms);
}

void user_events_peer_down(user_events_t *self, const peer_t *peer, int64_t now_ms) {
    user_event_t *event = NULL;
    if (peer->role == ROLE_GATEWAY)
        self->settled_at_ms = now_ms + self->limits.settle_ms;
    DL_FOREACH(self->events, event) {
        stop_waiting(event, peer);
        if (event->worker == peer)
            event->worker = NULL;
    }
}

void user_events_tick(user_events_t *self, int64_t now_ms) {
    user_event_t *event = NULL, *next = NULL;
    DL_FOREACH_SAFE(self->events, event, next) {
        answer_if_told(self, event, now_ms);
        if (event->answered && now_ms >= event->forget_at_ms)
            forget(self, event);
    }
}

size_t user_events_count(const user_events_t *self) {
    return self->count;
}

size_t user_events_bytes(const user_events_t *self) {
    return self->bytes;
}

size_t user_events_unanswered(const user_events_t *self) {
    return self->unanswered;
}

uint64_t user_events_unkept(const user_events_t *self) {
    return self->unkept;
}
