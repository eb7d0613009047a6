#include "persist-worker/store.h"

#include "common/ids.h"
#include "persist-worker/pg_rows.h"

void store_conversation_script(db_script_t *script, str_t id, str_t viewer) {
    pg_params_t *params = db_script_add(script, STATEMENT_CONVERSATION);
    pg_params_text(params, id);
    pg_params_text(params, viewer);
    pg_params_text(params, ids_partner(id, viewer));
}

void store_conversation_read(const PGresult *rows, str_t id, store_conversation_t *out) {
    *out = (store_conversation_t){
        .exists = !pg_rows_is_null(rows, 0, 0),
        .conversation = {.id = id,
                         .is_group = ids_parse_room(id).kind == IDS_GROUP,
                         .title = pg_rows_text(rows, 0, 1),
                         .creator_id = pg_rows_text(rows, 0, 5),
                         .created_at_ms = pg_rows_time_ms(rows, 0, 2)},
        .head_seq = pg_rows_i64(rows, 0, 3),
        .members_version = pg_rows_i64(rows, 0, 4),
        .is_participant = !pg_rows_is_null(rows, 0, 6),
        .read_seq = pg_rows_i64(rows, 0, 6),
        .partner_known = pg_rows_bool(rows, 0, 7),
        .generation = pg_rows_text(rows, 0, 8),
        .now_ms = pg_rows_time_ms(rows, 0, 9),
    };
}

void store_participant_read(const PGresult *rows, int row, participant_t *out) {
    *out = (participant_t){
        .id = pg_rows_text(rows, row, 1),
        .name = pg_rows_text(rows, row, 2),
        .role = pg_rows_text(rows, row, 3),
        .last_read_seq = pg_rows_i64(rows, row, 4),
        .last_seen_at_ms = pg_rows_time_ms(rows, row, 5),
        .read_at_ms = pg_rows_time_ms(rows, row, 6),
    };
}

void store_message_read(const PGresult *rows, int row, int column, message_t *out) {
    *out = (message_t){
        .conversation_id = pg_rows_text(rows, row, column),
        .seq = pg_rows_i64(rows, row, column + 1),
        .id = pg_rows_uuid(rows, row, column + 2),
        .sender_id = pg_rows_text(rows, row, column + 3),
        .client_id = pg_rows_text(rows, row, column + 4),
        .reply_to = pg_rows_i64(rows, row, column + 5),
        .text = pg_rows_text(rows, row, column + 6),
        .created_at_ms = pg_rows_time_ms(rows, row, column + 7),
        .edited_at_ms = pg_rows_time_ms(rows, row, column + 8),
        .deleted_at_ms = pg_rows_time_ms(rows, row, column + 9),
        .socket_id = pg_rows_text(rows, row, column + 10),
    };
}

void store_view_script(db_script_t *script, str_t id, str_t viewer) {
    store_conversation_script(script, id, viewer);
    pg_params_t *params = db_script_add(script, STATEMENT_PARTICIPANTS);
    pg_params_array_begin(params, PG_ARRAY_TEXT, 1);
    pg_params_element_text(params, id);
    pg_params_array_end(params);
    params = db_script_add(script, STATEMENT_MESSAGES_BEFORE);
    pg_params_text(params, id);
    pg_params_i64(params, INT64_MAX);
    pg_params_i64(params, 1);
}

int64_t store_view_time_ms(PGresult *const *results) {
    return pg_rows_time_ms(results[0], 0, 9);
}

void store_view_append(PGresult *const *results, str_t id, int64_t read_seq, strbuf_t *out) {
    store_conversation_t conversation;
    strbuf_t participants = {0}, last_message = {0};
    store_conversation_read(results[0], id, &conversation);
    strbuf_append_char(&participants, '[');
    for (int row = 0; row < PQntuples(results[1]); row++) {
        participant_t participant;
        store_participant_read(results[1], row, &participant);
        if (row > 0)
            strbuf_append_char(&participants, ',');
        entities_append_participant(&participants, &participant);
    }
    strbuf_append_char(&participants, ']');
    if (PQntuples(results[2]) > 0) {
        message_t message;
        store_message_read(results[2], 0, 0, &message);
        entities_append_message(&last_message, &message);
    }
    conversation_view_t view = {
        .participants = strbuf_str(&participants),
        .last_message = strbuf_str(&last_message),
        .unread_count = conversation.head_seq - read_seq,
    };
    entities_append_conversation_view(out, &conversation.conversation, &view);
    strbuf_fini(&participants);
    strbuf_fini(&last_message);
}
