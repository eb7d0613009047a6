/* Times that clients see are stored cut to milliseconds; last_activity_at, which only sorts, isn't.
 * Each statement of a transaction sees what was committed before that statement (READ COMMITTED),
 * so what follows STATEMENT_LOCK sees all of the conversations it holds. */
#include "persist-worker/statements.h"

#define NOW "date_trunc('milliseconds', statement_timestamp())"
#define MESSAGE_COLUMNS                                                                            \
    "m.conversation_id, m.seq, m.id, m.sender_id, m.client_id, m.reply_to, m.text, m.created_at,"  \
    " m.edited_at, m.deleted_at, m.socket_id"

static const struct {
    const char *name;
    const char *sql;
} statements[STATEMENT_COUNT] = {
    /* $1 ids, $2 names, $3 roles; an empty name or role changes nothing. */
    [STATEMENT_UPSERT_USERS] =
        {"upsert_users",
         "insert into users (id, name, role)"
         " select w.id, coalesce(nullif(w.name, ''), u.name, w.id),"
         "        coalesce(nullif(w.role, ''), u.role, 'customer')"
         " from unnest($1::text[], $2::text[], $3::text[]) as w (id, name, role)"
         " left join users u on u.id = w.id"
         " where u.id is null or w.name not in ('', u.name) or w.role not in ('', u.role)"
         " order by w.id"
         " on conflict (id) do update"
         " set name = excluded.name, role = excluded.role, updated_at = now()"},
    /* $1 conversations, no two the same, $2 and $3 their participants, $4 creators, $5 1: the other
     * one is told of it, 0: isn't. */
    [STATEMENT_CREATE_DIRECT] =
        {"create_direct",
         "with wanted as ("
         " select w.* from unnest($1::text[], $2::text[], $3::text[], $4::text[])"
         "   as w (id, first, second, creator)"
         " where not exists (select 1 from conversations c where c.conversation_id = w.id)"
         "   and exists (select 1 from users u where u.id = w.first)"
         "   and exists (select 1 from users u where u.id = w.second)"
         "), created as ("
         " insert into conversations"
         "   (conversation_id, kind, creator_id, created_at, last_activity_at)"
         " select id, 'direct', creator, " NOW ", statement_timestamp() from wanted order by id"
         " on conflict do nothing returning conversation_id"
         "), log as ("
         " insert into member_changes (conversation_id, members_version, user_id, added,"
         "   changed_by, changed_at)"
         " select w.id, 1, case w.creator when w.first then w.second else w.first end, true,"
         "   w.creator, " NOW " from wanted w join created c on c.conversation_id = w.id"
         " where $5::bigint = 1"
         ") insert into participants (conversation_id, user_id, joined_at)"
         " select w.id, p.user_id, " NOW " from wanted w"
         " join created c on c.conversation_id = w.id"
         " cross join lateral (values (w.first), (w.second)) as p (user_id)"},
    /* $1 conversations: holds them until the transaction's end, always in the same order. */
    [STATEMENT_LOCK] = {"lock", "select count(*) from (select 1 from conversations"
                                " where conversation_id = any($1::text[])"
                                " order by conversation_id for no key update) as held"},
    /* $1 conversations, $2 senders, $3 client ids, $4 texts, $5 reply_to or null, $6 socket ids or
     * null, $7 ids; no two of the same conversation, sender and client id. A row for each, in
     * order: outcome (store.h), seq, time, then what was stored before. */
    [STATEMENT_SEND] =
        {"send",
         "with judged as materialized ("
         " select w.*, c.head_seq, p.user_id is not null as is_participant, m.seq as stored_seq,"
         "   m.id as stored_id, m.text as stored_text, m.reply_to as stored_reply_to,"
         "   m.created_at, m.edited_at, m.deleted_at,"
         "   p.user_id is not null and m.seq is null"
         "     and (w.reply_to is null or w.reply_to <= c.head_seq) as is_new"
         " from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[],"
         "   $7::uuid[]) with ordinality"
         "   as w (conversation_id, sender_id, client_id, text, reply_to, socket_id, id, n)"
         " left join conversations c on c.conversation_id = w.conversation_id"
         " left join participants p"
         "   on p.conversation_id = w.conversation_id and p.user_id = w.sender_id"
         " left join messages m on m.conversation_id = w.conversation_id"
         "   and m.sender_id = w.sender_id and m.client_id = w.client_id"
         "), numbered as materialized ("
         " select *, head_seq + count(*) filter (where is_new)"
         "   over (partition by conversation_id order by n) as seq from judged"
         "), inserted as ("
         " insert into messages (conversation_id, seq, id, sender_id, client_id, socket_id,"
         "   reply_to, text, created_at)"
         " select conversation_id, seq, id, sender_id, client_id, socket_id, reply_to, text, " NOW
         " from numbered where is_new"
         "), heads as ("
         " update conversations c set head_seq = f.seq, last_activity_at = statement_timestamp()"
         " from (select conversation_id, max(seq) as seq from numbered where is_new"
         "       group by conversation_id) as f"
         " where c.conversation_id = f.conversation_id"
         "), marks as ("
         " update participants p set last_read_seq = f.seq, read_at = " NOW
         " from (select conversation_id, sender_id, max(seq) as seq from numbered where is_new"
         "       group by conversation_id, sender_id) as f"
         " where p.conversation_id = f.conversation_id and p.user_id = f.sender_id"
         "   and p.last_read_seq < f.seq"
         ") select case when head_seq is null then 2 when not is_participant then 3"
         "    when stored_seq is not null then 1 when is_new then 0 else 4 end,"
         "  coalesce(stored_seq, seq), coalesce(created_at, " NOW "),"
         "  stored_id, stored_text, stored_reply_to, edited_at, deleted_at"
         " from numbered order by n"},
    /* $1 conversations, $2 users, $3 seqs or null for the head, $4 the users' partners in direct
     * ones; no two of the same conversation and user. A row for each, in order: outcome (store.h),
     * mark, time. */
    [STATEMENT_MARK_READ] =
        {"mark_read",
         "with judged as materialized ("
         " select w.*, c.head_seq, p.last_read_seq, p.read_at,"
         "   p.user_id is not null as is_participant,"
         "   least(coalesce(w.seq, c.head_seq), c.head_seq) as target"
         " from unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) with ordinality"
         "   as w (conversation_id, user_id, seq, partner_id, n)"
         " left join conversations c on c.conversation_id = w.conversation_id"
         " left join participants p"
         "   on p.conversation_id = w.conversation_id and p.user_id = w.user_id"
         "), moved as ("
         " update participants p set last_read_seq = j.target, read_at = " NOW " from judged j"
         " where p.conversation_id = j.conversation_id and p.user_id = j.user_id"
         "   and p.last_read_seq < j.target"
         ") select case"
         "    when head_seq is null and exists (select 1 from users u where u.id = partner_id)"
         "      then 5"
         "    when head_seq is null then 2 when not is_participant then 3"
         "    when target > last_read_seq then 0 else 1 end,"
         "  coalesce(greatest(target, last_read_seq), 0),"
         "  case when target > last_read_seq then " NOW " else coalesce(read_at, " NOW ") end"
         " from judged order by n"},
    /* $1 users, $2 Unix milliseconds. */
    [STATEMENT_LAST_SEEN] =
        {"last_seen",
         "with went as ("
         " select w.id, max(to_timestamp(w.at_ms / 1000.0)) as at"
         " from unnest($1::text[], $2::bigint[]) as w (id, at_ms) group by w.id"
         "), held as materialized ("
         " select u.id from users u where u.id = any($1::text[]) order by u.id for no key update"
         ") update users u set last_seen_at = greatest(u.last_seen_at, went.at)"
         " from held, went where went.id = held.id and u.id = held.id"},
    /* $1 id, $2 name, $3 role. One row: was it made? */
    [STATEMENT_PUT_USER] =
        {"put_user", "insert into users (id, name, role) values ($1::text, $2::text, $3::text)"
                     " on conflict (id) do update"
                     " set name = excluded.name, role = excluded.role, updated_at = now()"
                     " returning xmax = 0"},
    /* $1 conversation, $2 title, $3 creator, $4 members with the creator, no two the same. One row:
     * how many members are unknown, was it made? */
    [STATEMENT_CREATE_GROUP] =
        {"create_group",
         "with unknown as ("
         " select count(*) as n from unnest($4::text[]) as w (id)"
         " where not exists (select 1 from users u where u.id = w.id)"
         "), created as ("
         " insert into conversations (conversation_id, kind, title, creator_id, created_at,"
         "   last_activity_at)"
         " select $1::text, 'group', $2::text, $3::text, " NOW ", statement_timestamp()"
         " from unknown where n = 0"
         " on conflict do nothing returning conversation_id, members_version"
         "), members as ("
         " insert into participants (conversation_id, user_id, joined_at)"
         " select c.conversation_id, w.id, " NOW " from created c, unnest($4::text[]) as w (id)"
         "), log as ("
         " insert into member_changes (conversation_id, members_version, user_id, added,"
         "   changed_by, changed_at)"
         " select c.conversation_id, c.members_version, w.id, true, $3::text, " NOW
         " from created c, unnest($4::text[]) as w (id)"
         ") select (select n from unknown), exists (select 1 from created)"},
    /* $1 conversation, $2 caller, $3 users, no two the same, $4 how many members a group may have.
     * No row: no such group. Else one for each user: may the caller, are all known, do they fit,
     * the version then, the user, was he a member before? */
    [STATEMENT_ADD_PARTICIPANTS] =
        {"add_participants",
         "with wanted as materialized ("
         " select w.id, u.id is not null as is_known, p.user_id is not null as is_member"
         " from unnest($3::text[]) as w (id) left join users u on u.id = w.id"
         " left join participants p on p.conversation_id = $1::text and p.user_id = w.id"
         "), verdict as materialized ("
         " select c.conversation_id, c.members_version, t.all_known,"
         "   exists (select 1 from participants p where p.conversation_id = c.conversation_id"
         "           and p.user_id = $2::text) as may,"
         "   t.new_members + (select count(*) from participants p"
         "     where p.conversation_id = c.conversation_id) <= $4::bigint as fits"
         " from conversations c,"
         "   (select bool_and(is_known) as all_known,"
         "           count(*) filter (where not is_member) as new_members from wanted) as t"
         " where c.conversation_id = $1::text and c.kind = 'group'"
         "), added as ("
         " insert into participants (conversation_id, user_id, joined_at)"
         " select v.conversation_id, w.id, " NOW " from verdict v, wanted w"
         " where v.may and v.all_known and v.fits and not w.is_member"
         " returning conversation_id, user_id"
         "), log as ("
         " insert into member_changes (conversation_id, members_version, user_id, added,"
         "   changed_by, changed_at)"
         " select v.conversation_id, v.members_version + 1, a.user_id, true, $2::text, " NOW
         " from verdict v, added a"
         "), raised as ("
         " update conversations c set members_version = c.members_version + 1"
         " where c.conversation_id = $1::text and exists (select 1 from added)"
         ") select v.may, v.all_known, v.fits,"
         "   v.members_version + case when exists (select 1 from added) then 1 else 0 end,"
         "   w.id, w.is_member from verdict v, wanted w order by w.id"},
    /* $1 conversation, $2 caller, $3 whom. No row: no such group. Else: is the caller a member, its
     * creator, was the target a member, had it been removed before, the version then. */
    [STATEMENT_REMOVE_PARTICIPANT] =
        {"remove_participant",
         "with verdict as materialized ("
         " select c.conversation_id, c.members_version,"
         "   exists (select 1 from participants p where p.conversation_id = c.conversation_id"
         "           and p.user_id = $2::text) as is_member,"
         "   c.creator_id = $2::text as is_creator,"
         "   exists (select 1 from participants p where p.conversation_id = c.conversation_id"
         "           and p.user_id = $3::text) as target_is_member,"
         "   coalesce((select not l.added from member_changes l"
         "     where l.conversation_id = c.conversation_id and l.user_id = $3::text"
         "     order by l.members_version desc limit 1), false) as target_had_gone"
         " from conversations c where c.conversation_id = $1::text and c.kind = 'group'"
         "), removed as ("
         " delete from participants p using verdict v"
         " where p.conversation_id = v.conversation_id and p.user_id = $3::text"
         "   and ($2::text = $3::text or (v.is_member and v.is_creator))"
         " returning p.conversation_id, p.user_id"
         "), log as ("
         " insert into member_changes (conversation_id, members_version, user_id, added,"
         "   changed_by, changed_at)"
         " select v.conversation_id, v.members_version + 1, r.user_id, false, $2::text, " NOW
         " from verdict v, removed r"
         "), raised as ("
         " update conversations c set members_version = c.members_version + 1"
         " where c.conversation_id = $1::text and exists (select 1 from removed)"
         ") select v.is_member, v.is_creator, v.target_is_member, v.target_had_gone,"
         "   v.members_version + case when exists (select 1 from removed) then 1 else 0 end"
         " from verdict v"},
    /* $1 conversation, $2 viewer, $3 the viewer's partner in a direct one. One row always: kind,
     * title, creation, head, version, creator (null without a conversation), the viewer's mark
     * (null: no participant), is the partner known, the generation, the time. */
    [STATEMENT_CONVERSATION] =
        {"conversation",
         "select c.kind, c.title, c.created_at, c.head_seq, c.members_version, c.creator_id,"
         "  p.last_read_seq, exists (select 1 from users u where u.id = $3::text),"
         "  (select generation::text from database_state), " NOW
         " from (values ($1::text)) as w (id)"
         " left join conversations c on c.conversation_id = w.id"
         " left join participants p on p.conversation_id = w.id and p.user_id = $2::text"},
    /* $1 conversations. Rows in their order: conversation, user, name, role, mark, last seen, when
     * the mark moved last. */
    [STATEMENT_PARTICIPANTS] = {"participants",
                                "select p.conversation_id, p.user_id, coalesce(u.name, p.user_id),"
                                "  coalesce(u.role, 'customer'), p.last_read_seq, u.last_seen_at,"
                                "  p.read_at"
                                " from unnest($1::text[]) with ordinality as w (id, n)"
                                " join participants p on p.conversation_id = w.id"
                                " left join users u on u.id = p.user_id order by w.n, p.user_id"},
    /* $1 ids. Rows as STATEMENT_PARTICIPANTS has them, without a conversation. */
    [STATEMENT_USERS] =
        {"users", "select null::text, u.id, u.name, u.role, 0::bigint,"
                  " u.last_seen_at, null::timestamptz from users u where u.id = any($1::text[])"
                  " order by u.id"},
    /* $1 conversation, $2 above this seq, $3 below this seq, $4 how many; oldest first. */
    [STATEMENT_MESSAGES_AFTER] = {"messages_after",
                                  "select " MESSAGE_COLUMNS " from messages m"
                                  " where m.conversation_id = $1::text and m.seq > $2::bigint"
                                  " and m.seq < $3::bigint order by m.seq limit $4::bigint"},
    /* $1 conversation, $2 time: who has marked later, oldest first: user, mark, time. A mark that
     * sending has moved is left out: the message tells of it. */
    [STATEMENT_READS_AFTER] = {"reads_after",
                               "select p.user_id, p.last_read_seq, p.read_at from participants p"
                               " where p.conversation_id = $1::text and p.read_at > $2::timestamptz"
                               " and not exists (select 1 from messages m"
                               "   where m.conversation_id = p.conversation_id"
                               "   and m.seq = p.last_read_seq and m.sender_id = p.user_id"
                               "   and m.created_at = p.read_at)"
                               " order by p.read_at, p.user_id"},
    /* $1 conversation, $2 below this seq, $3 how many; newest first. */
    [STATEMENT_MESSAGES_BEFORE] = {"messages_before",
                                   "select " MESSAGE_COLUMNS " from messages m"
                                   " where m.conversation_id = $1::text and m.seq < $2::bigint"
                                   " order by m.seq desc limit $3::bigint"},
    /* $1 conversations. A row for each in order: head, generation. */
    [STATEMENT_HEADS] =
        {"heads", "select coalesce(c.head_seq, 0), (select generation::text from database_state)"
                  " from unnest($1::text[]) with ordinality as w (id, n)"
                  " left join conversations c on c.conversation_id = w.id order by w.n"},
    /* $1 user, $2 time and $3 id that the page comes after, or null, $4 how many. Rows: id,
     * kind, title, creation, last activity, head, mark, creator, then the last message. */
    [STATEMENT_LIST] =
        {"list", "select page.conversation_id, page.kind, page.title, page.created_at,"
                 "  page.last_activity_at, page.head_seq, page.last_read_seq, page.creator_id,"
                 "  " MESSAGE_COLUMNS " from ("
                 "  select c.*, p.last_read_seq from participants p"
                 "  join conversations c on c.conversation_id = p.conversation_id"
                 "  where p.user_id = $1::text and ($2::timestamptz is null"
                 "    or (c.last_activity_at, c.conversation_id) < ($2::timestamptz, $3::text))"
                 "  order by c.last_activity_at desc, c.conversation_id desc limit $4::bigint"
                 " ) as page left join messages m"
                 "   on m.conversation_id = page.conversation_id and m.seq = page.head_seq"
                 " order by page.last_activity_at desc, page.conversation_id desc"},
    /* $1 user, $2 time, $3 how many of each kind. The conversations that the user was added to or
     * removed from later than that, by changed_at, then its other ones with later activity. Rows:
     * as STATEMENT_LIST has them (no kind: no participant any more); then removed meanwhile?,
     * added?, when, the time, the generation. One row at least: its id may be null. */
    [STATEMENT_CHANGES] =
        {"changes",
         "with changed as materialized ("
         " select l.conversation_id, bool_or(not l.added) as removed,"
         "   (array_agg(l.added order by l.members_version desc))[1] as is_in,"
         "   max(l.changed_at) as changed_at"
         " from member_changes l where l.user_id = $1::text and l.changed_at > $2::timestamptz"
         "   and not (l.added and l.changed_by = $1::text)"
         " group by l.conversation_id order by max(l.changed_at) limit $3::bigint"
         "), active as materialized ("
         " select p.conversation_id, c.last_activity_at from participants p"
         " join conversations c on c.conversation_id = p.conversation_id"
         " where p.user_id = $1::text and c.last_activity_at > $2::timestamptz"
         " order by c.last_activity_at desc limit $3::bigint"
         "), wanted as ("
         " select conversation_id from changed union select conversation_id from active"
         ") select w.conversation_id, c.kind, c.title, c.created_at, c.last_activity_at,"
         "  c.head_seq, p.last_read_seq, c.creator_id, " MESSAGE_COLUMNS ","
         "  t.removed, t.is_in, t.changed_at, " NOW ", d.generation::text"
         " from database_state d left join wanted w on true"
         " left join changed t on t.conversation_id = w.conversation_id"
         " left join participants p"
         "   on p.conversation_id = w.conversation_id and p.user_id = $1::text"
         " left join conversations c on c.conversation_id = p.conversation_id"
         " left join messages m"
         "   on m.conversation_id = c.conversation_id and m.seq = c.head_seq"
         " order by t.changed_at nulls last, c.last_activity_at, w.conversation_id"},
    /* $1 conversation. A row for each member: version, user. */
    [STATEMENT_LOAD_GROUP] = {"load_group",
                              "select c.members_version, p.user_id from conversations c"
                              " left join participants p"
                              "   on p.conversation_id = c.conversation_id"
                              " where c.conversation_id = $1::text and c.kind = 'group'"
                              " order by p.user_id"},
    /* $1 conversations: the last message of each that has one. */
    [STATEMENT_LAST_MESSAGES] =
        {"last_messages", "select " MESSAGE_COLUMNS " from unnest($1::text[]) as w (id)"
                          " join conversations c on c.conversation_id = w.id"
                          " join messages m on m.conversation_id = w.id and m.seq = c.head_seq"},
    /* $1 conversations, $2 for each one participant, or an empty text for all. Rows: conversation,
     * user, unread count. */
    [STATEMENT_UNREAD] = {"unread",
                          "select p.conversation_id, p.user_id, c.head_seq - p.last_read_seq"
                          " from unnest($1::text[], $2::text[]) as w (id, user_id)"
                          " join conversations c on c.conversation_id = w.id"
                          " join participants p on p.conversation_id = w.id"
                          "   and (w.user_id = '' or p.user_id = w.user_id)"},
};

const char *statement_name(statement_t statement) {
    return statements[statement].name;
}

const char *statement_sql(statement_t statement) {
    return statements[statement].sql;
}
