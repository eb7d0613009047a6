/* What users are told of their memberships: who was added to a conversation, and who removed. */
#include "common/ids.h"
#include "gateway/core_state.h"

static void expel_user(gateway_core_t *self, const user_t *user, room_t *room) {
    core_failure_t why = core_failure(CODE_FORBIDDEN, NULL);
    session_t *session = user->sessions;
    for (; session; session = session->user_next) {
        member_t *member = rooms_find_member(self->rooms, room, session->number);
        if (!member)
            continue;
        core_count(self, METRIC_EXPELLED, 0);
        member->removal_due = true;
        core_leave(self, member, &why);
    }
}

/* Their memberships at the broker have ended. Told here, as their own event may come before the
 * answer of a join, or be lost with a link. Who has been added again since stays: the broker is
 * told of him anew, and judges. */
err_t core_on_expel(gateway_core_t *self, const envelope_t *envelope) {
    proto_expel_t expel;
    bool is_old = false;
    room_t *room = rooms_find(self->rooms, envelope->room);
    err_t err = proto_expel_decode(envelope->body, self->arena, &expel);
    if (err || !room)
        return err;
    rooms_hold(room);
    for (size_t i = 0; i < expel.users.n; i++) {
        const user_t *user = sessions_find_user(self->sessions, expel.users.items[i]);
        if (!user)
            continue;
        if (expel.version && sessions_news(user, envelope->room) > expel.version)
            is_old = true;
        else
            expel_user(self, user, room);
    }
    if (is_old) {
        room->passed_by = true;
        core_link_rejoin(self, room);
    }
    rooms_release(self->rooms, room);
    return OK;
}

/* A member is told of its removal by what ends its membership: this event may be early. Who was
 * told so isn't told again. */
static bool is_told_of_removal(const gateway_core_t *self, session_t *session, str_t conversation) {
    bool told = session->removed_from == siphash(conversation);
    member_t *member = rooms_member_of(self->rooms, conversation, session->number);
    if (member) {
        member->removal_due = true;
        return true;
    }
    if (told)
        session->removed_from = 0;
    return told;
}

static void tell_update(gateway_core_t *self, session_t *session, const proto_user_event_t *event) {
    if (rooms_member_of(self->rooms, event->conversation_id, session->number))
        return;
    core_count(self, METRIC_EVENTS_OUT, OUT_CONVERSATION);
    core_emit(self, session, event->event, event->payload);
}

static void note_addition(const gateway_core_t *self, session_t *session, str_t conversation) {
    member_t *member = rooms_member_of(self->rooms, conversation, session->number);
    if (member)
        member->removal_due = false;
    if (session->removed_from == siphash(conversation))
        session->removed_from = 0;
}

/* An addition or a removal. */
static void tell_change(gateway_core_t *self, session_t *session, const proto_user_event_t *event) {
    bool removal = str_eq(event->event, STR("conversation_removed"));
    if (core_replay_has_told(session, event))
        return;
    if (event->at_ms > session->changes_ms)
        session->changes_ms = event->at_ms;
    if (removal && is_told_of_removal(self, session, event->conversation_id)) {
        core_position_due(self, session);
        return;
    }
    if (!removal)
        note_addition(self, session, event->conversation_id);
    core_count(self, METRIC_EVENTS_OUT, OUT_CONVERSATION);
    core_emit_lasting(self, session, event->event, event->payload);
}

static bool is_user_event(str_t event) {
    return str_eq(event, STR("conversation_updated")) || str_eq(event, STR("conversation_added")) ||
           str_eq(event, STR("conversation_removed"));
}

err_t core_on_user_event(gateway_core_t *self, const envelope_t *envelope) {
    proto_user_event_t event;
    err_t err = proto_user_event_decode(envelope->body, self->arena, &event);
    if (err)
        return err;
    if (!is_user_event(event.event))
        return ERR_INVALID;
    bool update = str_eq(event.event, STR("conversation_updated"));
    user_t *user = sessions_find_user(self->sessions, ids_parse_room(envelope->room).user);
    session_t *session = user ? user->sessions : NULL;
    if (user && event.version && !sessions_is_news(user, event.conversation_id, event.version))
        return OK;
    for (; session; session = session->user_next) {
        if (session->recovery)
            core_recovery_changed(session->recovery, !update);
        else if (update)
            tell_update(self, session, &event);
        else
            tell_change(self, session, &event);
    }
    return OK;
}
