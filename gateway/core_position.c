/* What clients are told of where they are, so that their sessions can go on from there. */
#include <utlist.h>

#include "gateway/core_state.h"

static void append_rooms(strbuf_t *out, const session_t *session) {
    const member_t *member = NULL;
    DL_FOREACH2(session->members, member, session_next) {
        if (member->placed)
            recovery_offset_add(out, room_name(member->room), member->last, member->read_ms);
        if (out->n > RECOVERY_OFFSET_MAX)
            return;
    }
}

str_t core_offset(gateway_core_t *self, const session_t *session) {
    strbuf_t *out = &self->offset;
    strbuf_clear(out);
    if (!self->config.recovery)
        return (str_t){0};
    strbuf_append_char(out, '"');
    recovery_offset_begin(out, str_from(self->generation), session->changes_ms);
    if (session->member_count <= RECOVERY_ROOMS_MAX)
        append_rooms(out, session);
    strbuf_append_char(out, '"');
    if (session->member_count > RECOVERY_ROOMS_MAX || out->n > RECOVERY_OFFSET_MAX + 2)
        return STR("\"" RECOVERY_OFFSET_NONE "\"");
    return strbuf_str(out);
}

void core_position_due(gateway_core_t *self, session_t *session) {
    if (!self->config.recovery || !session->socket || session->closing || session->position_due)
        return;
    session->position_due = true;
    DL_APPEND2(self->positions_due, session, due_prev, due_next);
}

void core_position_forget(gateway_core_t *self, session_t *session) {
    if (!session->position_due)
        return;
    session->position_due = false;
    DL_DELETE2(self->positions_due, session, due_prev, due_next);
}

void core_position_tell(gateway_core_t *self, session_t *session) {
    if (!session->position_due)
        return;
    core_position_forget(self, session);
    core_count(self, METRIC_EVENTS_OUT, OUT_POSITION);
    core_emit_lasting(self, session, STR("position"), (str_t){0});
}

void core_position_flush(gateway_core_t *self) {
    while (self->positions_due)
        core_position_tell(self, self->positions_due);
}
