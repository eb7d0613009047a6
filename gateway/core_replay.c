/* What a session that goes on has missed, told in its order; then the present state of what isn't
 * replayed. */
#include <utlist.h>

#include "gateway/core_state.h"

static void replay(gateway_core_t *core, session_t *session, str_t event, str_t args) {
    core_count(core, METRIC_RECOVERED_EVENTS, 0);
    core_emit_lasting(core, session, event, args);
}

static bool is_named(const proto_texts_t *names, str_t name) {
    for (size_t i = 0; i < names->n; i++) {
        if (str_eq(names->items[i], name))
            return true;
    }
    return false;
}

static bool is_update(str_t event) {
    return str_eq(event, STR("conversation_updated"));
}

/* Who was removed, and perhaps added again, isn't joined any more. */
static void leave_removed(gateway_core_t *core, session_t *session,
                          const proto_changed_t *changed) {
    for (size_t i = 0; i < changed->events.n; i++) {
        member_t *member =
            rooms_member_of(core->rooms, changed->conversations.items[i], session->number);
        if (member && str_eq(changed->events.items[i], STR("conversation_removed")))
            core_leave(core, member, NULL);
    }
}

static uint64_t digest_of_change(str_t event, str_t conversation) {
    uint64_t parts[2] = {siphash(event), siphash(conversation)};
    return siphash((str_t){(const char *)parts, sizeof(parts)});
}

bool core_replay_has_told(const session_t *session, const proto_user_event_t *event) {
    if (session->replayed_count == 0 || event->at_ms > session->replayed_until_ms)
        return false;
    uint64_t digest = digest_of_change(event->event, event->conversation_id);
    for (size_t i = 0; i < session->replayed_count; i++) {
        if (session->replayed[i] == digest)
            return true;
    }
    return false;
}

static void replay_changes(gateway_core_t *core, session_t *session,
                           const proto_changed_t *changed) {
    size_t n = changed->events.n;
    session->replayed = n ? xcalloc(n, sizeof(*session->replayed)) : NULL;
    session->replayed_until_ms = changed->now_ms;
    for (size_t i = 0; i < n; i++) {
        str_t event = changed->events.items[i];
        if (is_update(event))
            continue;
        session->replayed[session->replayed_count++] =
            digest_of_change(event, changed->conversations.items[i]);
        if (changed->at_ms.items[i] > session->changes_ms)
            session->changes_ms = changed->at_ms.items[i];
        replay(core, session, event, changed->payloads.items[i]);
    }
}

/* Rooms that may not be joined any more, though no change tells why. */
static void replay_losses(gateway_core_t *core, session_t *session, const recovery_offset_t *offset,
                          const proto_changed_t *changed) {
    for (size_t i = 0; i < offset->n; i++) {
        str_t name = offset->rooms[i].name;
        if (rooms_member_of(core->rooms, name, session->number) ||
            is_named(&changed->conversations, name))
            continue;
        strbuf_clear(&core->text);
        replies_event_removed(&core->text, name);
        replay(core, session, STR("conversation_removed"), strbuf_str(&core->text));
    }
}

/* The members are where the offset says, before anything is replayed. */
static void place_members(const gateway_core_t *core, const session_t *session,
                          const recovery_offset_t *offset) {
    for (size_t i = 0; i < offset->n; i++) {
        const recovery_room_t *room = &offset->rooms[i];
        member_t *member = rooms_member_of(core->rooms, room->name, session->number);
        if (!member)
            continue;
        rooms_place(member, room->seq);
        member->read_ms = room->read_ms;
        member->recovered = true;
    }
}

static bool is_own(const proto_conversation_t *conversation, uint64_t seq) {
    for (size_t i = 0; i < conversation->own.n; i++) {
        if (conversation->own.items[i] == seq)
            return true;
    }
    return false;
}

static void replay_reads(gateway_core_t *core, member_t *member,
                         const proto_conversation_t *conversation) {
    for (size_t i = 0; i < conversation->readers.n; i++) {
        member->read_ms = conversation->reads_at_ms.items[i];
        strbuf_clear(&core->text);
        replies_event_read(&core->text, &(read_event_t){.conversation_id = room_name(member->room),
                                                        .user_id = conversation->readers.items[i],
                                                        .seq = conversation->read_seqs.items[i],
                                                        .read_at_ms = (int64_t)member->read_ms});
        replay(core, member->session, STR("messages_read"), strbuf_str(&core->text));
    }
    if (conversation->read_at_ms > member->read_ms)
        member->read_ms = conversation->read_at_ms;
}

static void replay_room(gateway_core_t *core, member_t *member) {
    proto_conversation_t conversation;
    str_t body = core_join_recovered(member);
    ASSERT(proto_conversation_decode(body, core->join_arena, &conversation) == OK);
    for (size_t i = 0; i < conversation.seqs.n && i < conversation.messages.n; i++) {
        rooms_place(member, conversation.seqs.items[i]);
        if (!is_own(&conversation, conversation.seqs.items[i]))
            replay(core, member->session, STR("new_message"), conversation.messages.items[i]);
    }
    replay_reads(core, member, &conversation);
    core_join_settle(member, &conversation);
}

/* The present state of what isn't replayed. */
static void tell_state(gateway_core_t *core, session_t *session, const proto_changed_t *changed) {
    for (size_t i = 0; i < changed->events.n; i++) {
        if (is_update(changed->events.items[i]) &&
            !rooms_member_of(core->rooms, changed->conversations.items[i], session->number))
            core_emit(core, session, changed->events.items[i], changed->payloads.items[i]);
    }
    core_presence_tell_all(core, session);
}

void core_replay(gateway_core_t *core, session_t *session, const recovery_offset_t *offset,
                 const proto_changed_t *changed) {
    session->changes_ms = offset->changes_ms;
    leave_removed(core, session, changed);
    place_members(core, session, offset);
    replay_changes(core, session, changed);
    replay_losses(core, session, offset, changed);
    member_t *member = NULL, *next = NULL;
    DL_FOREACH_SAFE2(session->members, member, next, session_next) {
        replay_room(core, member);
    }
    tell_state(core, session, changed);
}
