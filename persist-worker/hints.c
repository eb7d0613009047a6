#include "persist-worker/hints.h"

#include "persist-worker/pg_rows.h"

void hints_script(db_script_t *script, const update_t *updates, size_t n) {
    db_script_clear(script);
    pg_params_t *params = db_script_add(script, STATEMENT_LAST_MESSAGES);
    pg_params_array_begin(params, PG_ARRAY_TEXT, n);
    for (size_t i = 0; i < n; i++)
        pg_params_element_text(params, updates[i].conversation);
    pg_params_array_end(params);
    params = db_script_add(script, STATEMENT_UNREAD);
    pg_params_array_begin(params, PG_ARRAY_TEXT, n);
    for (size_t i = 0; i < n; i++)
        pg_params_element_text(params, updates[i].conversation);
    pg_params_array_end(params);
    pg_params_array_begin(params, PG_ARRAY_TEXT, n);
    for (size_t i = 0; i < n; i++)
        pg_params_element_text(params, updates[i].user);
    pg_params_array_end(params);
}

typedef struct {
    const PGresult *rows;
    int row;
} last_t;

static int compare(const void *a, const void *b) {
    const last_t *x = a, *y = b;
    return str_compare(pg_rows_text(x->rows, x->row, 0), pg_rows_text(y->rows, y->row, 0));
}

/* The rows of last messages, sorted by conversation. */
static last_t *sort_last(const PGresult *rows, size_t *n_out) {
    *n_out = (size_t)PQntuples(rows);
    last_t *last = xcalloc(*n_out, sizeof(*last));
    for (size_t i = 0; i < *n_out; i++)
        last[i] = (last_t){rows, (int)i};
    qsort(last, *n_out, sizeof(*last), compare);
    return last;
}

void hints_send(outbox_t *outbox, const db_outcome_t *outcome) {
    const PGresult *unread = outcome->results[1];
    size_t n;
    last_t *last = sort_last(outcome->results[0], &n);
    strbuf_t message = {0}, payload = {0};
    for (int row = 0; row < PQntuples(unread); row++) {
        str_t conversation = pg_rows_text(unread, row, 0);
        last_t wanted = {unread, row};
        const last_t *found = bsearch(&wanted, last, n, sizeof(*last), compare);
        if (!found)
            continue;
        message_t newest;
        store_message_read(found->rows, found->row, 0, &newest);
        strbuf_clear(&message);
        strbuf_clear(&payload);
        entities_append_message(&message, &newest);
        entities_append_update(&payload, conversation, strbuf_str(&message),
                               pg_rows_i64(unread, row, 2));
        outbox_event(
            outbox, STATS_UPDATED, pg_rows_text(unread, row, 1),
            &(outbox_told_t){.conversation = conversation, .payload = strbuf_str(&payload)});
    }
    strbuf_fini(&message);
    strbuf_fini(&payload);
    free(last);
}
